//! Looking into stacks from other threads.
#![cfg(feature = "os")]

mod userspace_support;

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use fyke_core::{EventLoop, LoopHandle, LoopOptions};
use fyke_poller::{Backend, SystemClock};
use fyke_stack::{EchoRequest, Event};
use fyke_transport::PollerDriver;
use fyke_transport::userspace::{Cable, Userspace};
use userspace_support::{ip, options};

/// A loop on a thread of its own, which ends when it is dropped.
struct Running {
    handle: LoopHandle,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new(id: u32) -> Self {
        let (sender, receiver) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let driver = PollerDriver::new(Backend::default()).unwrap();
            let options = LoopOptions::new(id, u64::from(id));
            let mut event_loop = EventLoop::new(driver, SystemClock::new(), options);
            sender.send(event_loop.handle()).unwrap();
            while !stopped.load(Ordering::Acquire) {
                event_loop.turn(None).unwrap();
            }
        });
        Self { handle: receiver.recv().unwrap(), stop, thread: Some(thread) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.handle.execute(|_| {});
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_stack_is_asked_from_another_thread_and_pings() {
    let cable = Cable::new();
    let left = Userspace::over(options(0), cable.left());
    let right = Userspace::over(options(1), cable.right());
    let (one, other) = (Running::new(0), Running::new(1));

    let early = left.handle().with_stack(|_, _| ()).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::NotConnected, "{early}");
    left.install(std::slice::from_ref(&one.handle)).unwrap();
    right.install(std::slice::from_ref(&other.handle)).unwrap();
    let stack = left.handle();
    let addresses = stack.with_stack(|stack, _| stack.addresses().count()).unwrap();
    assert_eq!(addresses, 2);

    let (sender, answers) = mpsc::channel();
    stack.observe(move |stack, _, event| {
        if let Event::IcmpReadable(id) = event {
            while let Ok(report) = stack.icmp_receive(*id) {
                sender.send(report).unwrap();
            }
        }
    });
    let to = ip(1).parse().unwrap();
    let sent = stack.with_stack(move |stack, now| {
        let id = stack.icmp_open(Default::default())?;
        stack.icmp_send(now, id, &EchoRequest::new(to, 1, Bytes::from_static(b"are you there")))
    });
    sent.unwrap().unwrap();
    let answer = answers.recv().unwrap();
    assert_eq!(answer.from, to);
    let neighbors = stack.on_each(|stack, _| stack.neighbors().count()).unwrap();
    assert_eq!(neighbors, [1]);
}

#[test]
fn a_loop_does_not_wait_for_itself() {
    let cable = Cable::new();
    let left = Userspace::over(options(0), cable.left());
    let one = Running::new(0);
    left.install(std::slice::from_ref(&one.handle)).unwrap();
    let (sender, answer) = mpsc::channel();
    let stack = left.handle();
    one.handle.execute(move |_| sender.send(stack.with_stack(|_, _| ())).unwrap()).unwrap();
    assert_eq!(answer.recv().unwrap().unwrap_err().kind(), ErrorKind::Deadlock);
}

#[test]
fn a_plug_has_one_loop() {
    let cable = Cable::new();
    let left = Userspace::over(options(0), cable.left());
    let (one, other) = (Running::new(0), Running::new(1));
    left.install(std::slice::from_ref(&one.handle)).unwrap();
    let error = left.install(std::slice::from_ref(&other.handle)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
    drop(one);
    left.install(std::slice::from_ref(&other.handle)).unwrap();
}

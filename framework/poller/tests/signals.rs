//! Signals, in a process with no test harness: its main thread is the one the kernel interrupts.

use fyke_poller::{Backend, Events, Poller, Signal, Signals};
use rustix::process::{Signal as Raw, getpid, kill_process};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// No wait lasts so long: something has ended it.
const LONG: Duration = Duration::from_secs(120);

fn main() {
    each_signal_arrives_and_a_second_one_too();
    a_signal_before_the_wait_is_kept();
    catching_nothing_is_an_error_to_wait_for();
    a_signal_ends_a_wait_without_an_error();
    println!("signals: ok");
}

fn send(signal: Raw) {
    kill_process(getpid(), signal).unwrap();
}

fn each_signal_arrives_and_a_second_one_too() {
    let signals = Signals::new(&[Signal::Interrupt, Signal::Terminate]).unwrap();
    let thread = thread::spawn(move || {
        let got = [(); 3].map(|()| signals.wait().unwrap());
        (got, signals)
    });
    // One after the other: the same signal twice while it is pending is one signal to the kernel.
    for signal in [Raw::INT, Raw::TERM, Raw::INT] {
        send(signal);
    }
    let (got, _signals) = thread.join().unwrap();
    assert_eq!(got, [Signal::Interrupt, Signal::Terminate, Signal::Interrupt]);
    assert_eq!(got[0].to_string(), "SIGINT");
}

fn a_signal_before_the_wait_is_kept() {
    let signals = Signals::new(&[Signal::Terminate]).unwrap();
    send(Raw::TERM);
    assert_eq!(signals.wait().unwrap(), Signal::Terminate);
}

fn catching_nothing_is_an_error_to_wait_for() {
    let error = Signals::new(&[]).unwrap().wait().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
}

fn a_signal_ends_a_wait_without_an_error() {
    let _caught = Signals::new(&[Signal::Interrupt]).unwrap();
    for backend in Backend::ALL.into_iter().filter(|backend| backend.is_supported()) {
        let mut poller = Poller::new(backend).unwrap();
        let mut events = Events::new();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            // Again and again, as the first ones may come before the wait has begun.
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    send(Raw::INT);
                    thread::yield_now();
                }
            });
            let start = Instant::now();
            poller.wait(&mut events, Some(LONG)).unwrap();
            assert!(start.elapsed() < LONG, "{backend}: not interrupted");
            assert!(events.is_empty());
            done.store(true, Ordering::Relaxed);
        });
    }
}

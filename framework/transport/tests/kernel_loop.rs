//! Core's loop over the kernel transport: bytes in, an echo, bytes out, on every poller.

mod kernel_support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fyke_buffer::ByteBuf;
use fyke_core::driver::TransportId;
use fyke_core::event_loop::{AcceptSink, Adopt, ChannelSpec};
use fyke_core::transport::Incoming;
use fyke_core::{
    Address, ChannelOptions, Context, EventLoop, InboundHandler, LoopCore, LoopOptions, Never,
    Outgoing, Result,
};
use fyke_poller::{Backend, SystemClock};
use fyke_transport::{Kernel, PollerDriver};
use kernel_support::{TempDir, loopback, noise};

struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

/// Accepted connections stay on the loop that has accepted them.
struct ToItself {
    transport: TransportId,
    spec: ChannelSpec,
}

impl AcceptSink for ToItself {
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address) {
        let Self { transport, ref spec } = *self;
        core.adopt_or_log(Adopt { transport, incoming, peer, spec: spec.clone() });
    }
}

/// Serves echo at `address` on this thread until `client`, on another one, is done.
fn serve<T: Send + 'static>(
    backend: Backend,
    address: &Address,
    client: impl FnOnce(Address) -> T + Send + 'static,
) -> T {
    let driver = PollerDriver::new(backend).unwrap();
    let mut event_loop = EventLoop::new(driver, SystemClock::new(), LoopOptions::new(0, 1));
    let transport = event_loop.transport(&Kernel::tcp).unwrap();
    assert_eq!(event_loop.transport(&Kernel::unix).unwrap(), transport, "one for all");
    let options = ChannelOptions::new();
    let spec =
        ChannelSpec::new(options.clone(), |channel| channel.pipeline().inbound("echo", Echo));
    let sink = ToItself { transport, spec };
    let (_, bound) = event_loop.core().listen(transport, address, &options, sink).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&done);
    let handle = event_loop.handle();
    let client = thread::spawn(move || {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client(bound)));
        told.store(true, Ordering::Release);
        handle.execute(|_| {}).unwrap();
        result
    });
    while !done.load(Ordering::Acquire) {
        event_loop.turn(None).unwrap();
    }
    client.join().unwrap().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sends `bytes` and its end on one thread, and reads what comes back on another.
fn round_trip<S: Read + Write + Send + 'static>(
    mut reader: S,
    mut writer: S,
    bytes: Vec<u8>,
    end: impl FnOnce(&S) + Send + 'static,
) -> Vec<u8> {
    let sender = thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        end(&writer);
    });
    let mut got = Vec::new();
    reader.read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    got
}

#[test]
fn everything_comes_back_and_then_the_end() {
    let dir = TempDir::new("kernel-loop");
    let sent = noise(4 << 20);
    for backend in Backend::ALL {
        let bytes = sent.clone();
        let got = serve(backend, &loopback(), |address| {
            let reader = TcpStream::connect(address.as_inet().unwrap()).unwrap();
            let writer = reader.try_clone().unwrap();
            round_trip(reader, writer, bytes, |writer| writer.shutdown(Shutdown::Write).unwrap())
        });
        assert!(got == sent, "{backend}: TCP");

        let bytes = sent.clone();
        let path = dir.path("echo");
        let got = serve(backend, &Address::unix(&path), |_| {
            let reader = UnixStream::connect(path).unwrap();
            let writer = reader.try_clone().unwrap();
            round_trip(reader, writer, bytes, |writer| writer.shutdown(Shutdown::Write).unwrap())
        });
        assert!(got == sent, "{backend}: Unix");
    }
}

/// A flood of connections leaves each turn something for those that are open.
#[test]
fn accepting_has_a_budget_each_turn() {
    for backend in Backend::ALL {
        let driver = PollerDriver::new(backend).unwrap();
        let mut options = LoopOptions::new(0, 1);
        options.accepts_per_turn = 2;
        let mut event_loop = EventLoop::new(driver, SystemClock::new(), options);
        let transport = event_loop.transport(&Kernel::tcp).unwrap();
        let options = ChannelOptions::new();
        let spec = ChannelSpec::new(options.clone(), |ch| ch.pipeline().inbound("echo", Echo));
        let sink = ToItself { transport, spec };
        let listening = event_loop.core().listen(transport, &loopback(), &options, sink);
        let to = listening.unwrap().1.as_inet().unwrap();
        let _clients: Vec<_> = (0..5).map(|_| TcpStream::connect(to).unwrap()).collect();
        let mut accepted = Vec::new();
        while event_loop.stats().accepted < 5 {
            let before = event_loop.stats().accepted;
            event_loop.turn(None).unwrap();
            accepted.push(event_loop.stats().accepted - before);
        }
        // The last of them may be found by themselves, with a turn of nothing in between.
        accepted.retain(|n| *n > 0);
        assert_eq!(accepted, [2, 2, 1], "{backend}");
    }
}

#[test]
fn many_connections_take_their_turns() {
    for backend in Backend::ALL {
        serve(backend, &loopback(), move |address| {
            let to = address.as_inet().unwrap();
            let mut clients: Vec<_> = (0..100).map(|_| TcpStream::connect(to).unwrap()).collect();
            for round in 0..3u8 {
                for client in &mut clients {
                    client.write_all(&[round; 700]).unwrap();
                }
                for client in &mut clients {
                    let mut got = [9; 700];
                    client.read_exact(&mut got).unwrap();
                    assert_eq!(got, [round; 700], "{backend}");
                }
            }
        });
    }
}

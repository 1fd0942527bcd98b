//! A loop with fyke's stack on a device, and a client on another thread.

use std::any::Any;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use fyke_buffer::ByteBuf;
use fyke_core::driver::TransportId;
use fyke_core::event_loop::{AcceptSink, Adopt, ChannelSpec};
use fyke_core::transport::Incoming;
use fyke_core::{
    Address, ChannelOptions, Context, EventLoop, InboundHandler, LoopCore, LoopOptions, Never,
    Outgoing, Result,
};
use fyke_poller::sys::Interface;
use fyke_poller::{Backend, SystemClock};
use fyke_transport::userspace::{Device, StackOptions, TapOptions, TapQueue, Userspace};
use fyke_transport::{Kernel, PollerDriver};

/// The kernel's side of the wire, and the stack's.
pub(crate) const KERNEL: [u8; 4] = [10, 7, 0, 1];
pub(crate) const STACK: [u8; 4] = [10, 7, 0, 2];
/// Where the stack listens.
pub(crate) const PORT: u16 = 7000;

/// What the server does.
pub(crate) struct Echo;

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

/// The one queue of a new device.
pub(crate) fn open(options: &TapOptions) -> TapQueue {
    let mut queues = options.open().unwrap();
    assert_eq!(queues.len(), 1);
    queues.remove(0)
}

/// The addresses that all tests use.
pub(crate) fn stack_options() -> StackOptions {
    StackOptions::new()
        .address(fyke_stack::Cidr::new(STACK.into(), 24))
        .address("fd00:7::2/64".parse().unwrap())
        .trust_addresses()
}

/// Serves echo over fyke's stack on `queue` on this thread until `client`, on another one, is done.
pub(crate) fn serve_queue<T: Send + 'static>(
    backend: Backend,
    queue: TapQueue,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    serve_device(backend, queue, TapQueue::into_device, client)
}

/// As [`serve_queue`]; `device` makes the queue a device on the loop.
pub(crate) fn serve_device<D: Device, T: Send + 'static>(
    backend: Backend,
    queue: TapQueue,
    device: impl Fn(TapQueue) -> D + Send + Sync + 'static,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    let queue = Mutex::new(Some(queue));
    let transport = Userspace::new(stack_options(), move |_| {
        let queue = queue.lock().unwrap().take();
        queue.map(&device).ok_or(io::ErrorKind::AddrInUse.into())
    });
    serve_over(backend, &transport, client)
}

fn serve_over<T: Send + 'static>(
    backend: Backend,
    transport: &Userspace,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    let driver = PollerDriver::new(backend).unwrap();
    let mut event_loop = EventLoop::new(driver, SystemClock::new(), LoopOptions::new(0, 1));
    let transport = event_loop.transport(transport).unwrap();
    let options = ChannelOptions::new();
    let spec =
        ChannelSpec::new(options.clone(), |channel| channel.pipeline().inbound("echo", Echo));
    let sink = ToItself { transport, spec: spec.clone() };
    let address = Address::Inet((Ipv6Addr::UNSPECIFIED, PORT).into());
    event_loop.core().listen(transport, &address, &options, sink).unwrap();
    // Beside it in the same loop, where there is a loopback: the kernel's own sockets.
    let kernel = event_loop.transport(&Kernel::tcp).unwrap();
    if Interface::new("lo").unwrap().is_up().unwrap() {
        let address = Address::Inet((Ipv4Addr::LOCALHOST, PORT).into());
        let sink = ToItself { transport: kernel, spec };
        event_loop.core().listen(kernel, &address, &options, sink).unwrap();
    }

    let done = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&done);
    let handle = event_loop.handle();
    let client = thread::spawn(move || {
        let result: std::result::Result<T, Box<dyn Any + Send>> =
            catch_unwind(AssertUnwindSafe(client));
        told.store(true, Ordering::Release);
        handle.execute(|_| {}).unwrap();
        result
    });
    while !done.load(Ordering::Acquire) {
        event_loop.turn(None).unwrap();
    }
    client.join().unwrap().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Bytes that a mistake in their order shows in.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

//! What a turn over the stack allocates once it is warm. The figures are printed with `--nocapture`.

mod userspace_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use fyke_core::transport::TransportSeat;
use fyke_core::{ChannelOptions, LoopHandle};
use fyke_stack::{Offload, RxMeta, TxFrame, TxSink};
use fyke_transport::userspace::{Device, Frame, Userspace};
use userspace_support::{World, greedy, options, pattern, plain};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller keeps the contract of `System.alloc`, which is the same.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: see above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller keeps the contract of `System.dealloc`, which is the same.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a port of the wire has waiting, and whom to tell.
#[derive(Default)]
struct Port {
    frames: VecDeque<Bytes>,
    loop_of: Option<(LoopHandle, fyke_core::driver::TransportId, u64)>,
}

thread_local! {
    static PORTS: RefCell<[Port; 2]> = RefCell::default();
    /// Frames are pieces of large blocks, so that the wire itself allocates next to nothing.
    static BLOCK: RefCell<BytesMut> = RefCell::default();
    static FRAMES: Cell<usize> = const { Cell::new(0) };
}

struct Wire(usize);

impl TxSink for Wire {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        FRAMES.set(FRAMES.get() + 1);
        let bytes = BLOCK.with_borrow_mut(|block| {
            if block.capacity() < 2048 {
                *block = BytesMut::with_capacity(1 << 22);
            }
            block.put_slice(frame.header);
            frame.payload.iter().for_each(|piece| block.put_slice(piece));
            block.split().freeze()
        });
        PORTS.with_borrow_mut(|ports| {
            let port = &mut ports[1 - self.0];
            port.frames.push_back(bytes);
            if let (1, Some((handle, transport, key))) = (port.frames.len(), &port.loop_of) {
                handle.notify(*transport, *key).unwrap();
            }
        });
    }
}

impl Device for Wire {
    fn name(&self) -> &str {
        "wire"
    }

    fn attach(&mut self, seat: &TransportSeat<'_>, key: u64) -> io::Result<()> {
        let seat = (seat.handle.clone(), seat.id, key);
        PORTS.with_borrow_mut(|ports| ports[self.0].loop_of = Some(seat));
        Ok(())
    }

    fn offload(&self) -> Offload {
        Offload::default()
    }

    fn receive(&mut self, frames: &mut Vec<Frame>, budget: usize) -> io::Result<bool> {
        PORTS.with_borrow_mut(|ports| {
            let port = &mut ports[self.0];
            let count = port.frames.len().min(budget);
            let frame = |bytes| Frame { bytes, meta: RxMeta::default() };
            frames.extend(port.frames.drain(..count).map(frame));
            Ok(!port.frames.is_empty())
        })
    }
}

/// Allocations and frames of so many turns in which both sides send back what comes.
fn ping_pong(bytes: usize, client: &ChannelOptions, turns: usize) -> (usize, usize) {
    let stack = |host| Userspace::new(options(host), move |_| Ok(Wire(host)));
    let mut world = World::of(&[&stack(0), &stack(1)]);
    let server = world.hosts[0].listen("10.9.0.1:80", plain(), true);
    let ball = world.hosts[1].connect_echo(&server.address, client.clone());
    world.settle();
    let ball = ball.try_recv().unwrap().unwrap();
    ball.send(pattern(bytes, 1));
    let mut play = |turns: usize| {
        for _ in 0..turns {
            world.turn();
        }
    };
    play(100);
    let before = (COUNT.get(), FRAMES.get());
    play(turns);
    (COUNT.get() - before.0, FRAMES.get() - before.1)
}

/// A connection at rest holds no buffers. The first byte to be sent makes four things in the stack:
/// what a sending connection knows, its buffer, its scoreboard's first entries, and the receiver's
/// queue. The transport adds nothing.
#[test]
fn a_message_allocates_what_a_connection_at_rest_does_not_hold() {
    let (allocations, frames) = ping_pong(100, &plain(), 1_000);
    println!("100 bytes to and fro: {allocations} allocations, {frames} frames");
    assert!(frames > 1_000, "{frames} frames");
    assert!(allocations <= frames * 4, "{allocations} allocations in {frames} frames");
}

#[test]
fn a_stream_allocates_little_in_a_frame() {
    let (allocations, frames) = ping_pong(60_000, &greedy(), 200);
    println!("60 KB to and fro: {allocations} allocations, {frames} frames");
    assert!(frames > 10_000, "{frames} frames");
    assert!(allocations < frames / 3, "{allocations} allocations in {frames} frames");
}

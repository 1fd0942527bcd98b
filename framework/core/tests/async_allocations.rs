//! What an `AsyncChannel` allocates once warm: nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_core::async_channel::AsyncChannel;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::handlers::read_fn;
use fyke_core::{Ctx, Never};

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

/// Each byte is a message.
struct EachByte;

impl Decoder for EachByte {
    type Item = u8;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<u8>, CodecError> {
        Ok(src.read_u8().ok())
    }
}

impl Encoder<u8> for EachByte {
    fn encode(&mut self, msg: u8, dst: &mut ByteBuf) -> Result<(), CodecError> {
        dst.write_u8(msg);
        Ok(())
    }
}

const BATCHES: usize = 200;

/// Allocations of so many batches of `messages` each, once warm.
fn allocations(channel: &mut EmbeddedChannel, messages: usize) -> usize {
    let input = vec![b'x'; messages];
    let mut before = 0;
    for round in 0..2 * BATCHES {
        if round == BATCHES {
            before = COUNT.get();
        }
        channel.write_inbound(input.as_slice());
        assert_eq!(channel.read_outbound().readable(), messages);
    }
    COUNT.get() - before
}

#[test]
fn nothing_is_allocated_for_a_message() {
    let mut plain = EmbeddedChannel::new(|ch| {
        let echo = |cx: &mut Ctx<'_, Never, u8>, msg: u8| {
            cx.write(msg);
            Ok(())
        };
        ch.pipeline().codec("bytes", EachByte).inbound("echo", read_fn(echo))
    });
    let mut channel = EmbeddedChannel::new(|ch| {
        let serve = |channel: AsyncChannel<u8, u8>| async move {
            while let Some(msg) = channel.next().await {
                channel.send(msg).await?;
            }
            Ok(())
        };
        ch.pipeline().codec("bytes", EachByte).inbound("echo", AsyncChannel::serve(serve))
    });
    // What the test's own wire allocates is the same for both.
    for messages in [1, 8, 30] {
        let without = allocations(&mut plain, messages);
        let with = allocations(&mut channel, messages);
        assert_eq!(with, without, "{messages} messages a batch");
    }
}

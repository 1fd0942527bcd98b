//! A `GET /plaintext` through the whole pipeline allocates nothing once the channel is warm.
#![cfg(feature = "pipeline")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use fyke_buffer::ByteBuf;
use fyke_codecs::http1::{
    HeaderBlock, HttpObjectAggregator, HttpServerHandler, Limits, Request, Response, Status, server,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{Context, InboundHandler, Never, Outgoing, Result};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a `Cell` only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the one of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `System` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TEXT: HeaderBlock = HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain\r\n");

const GET: &[u8] = b"GET /plaintext HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\n\r\n";

/// Allocations of 100 turns with so many pipelined requests each, after some to get warm.
fn allocations(channel: &mut EmbeddedChannel, pipelined: usize) -> usize {
    let stream = ByteBuf::from(GET.repeat(pipelined).as_slice()).freeze();
    let mut count = 0;
    for turn in 0..110 {
        // What the test itself allocates is not counted: the bytes that arrive.
        let bytes = ByteBuf::from(&stream[..]);
        let before = ALLOCATIONS.get();
        channel.write_inbound(bytes);
        if turn >= 10 {
            count += ALLOCATIONS.get() - before;
        }
        let answers = channel.read_outbound();
        assert!(answers.ends_with(b"\r\n\r\nHello, World!"));
    }
    count
}

/// Answers whatever comes with the same bytes.
struct Bare;

impl InboundHandler for Bare {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        cx.write("HTTP/1.1 200 OK\r\n\r\nHello, World!".into());
        Ok(())
    }
}

#[test]
fn plaintext() {
    let mut channel = EmbeddedChannel::new(|ch| {
        server(ch.pipeline(), Limits::new())
            .inbound("aggregator", HttpObjectAggregator::new(1 << 20))
            .inbound(
                "app",
                HttpServerHandler::new(|_, request: Request| match request.head.path() {
                    "/plaintext" => Response::new(Status::OK).block(&TEXT).body("Hello, World!"),
                    _ => Response::new(Status::NOT_FOUND),
                }),
            )
    });
    // What the embedded wire allocates for the test to read is not the server's doing.
    let mut bare = EmbeddedChannel::new(|ch| ch.pipeline().inbound("bare", Bare));
    let wire = allocations(&mut bare, 1);
    assert!(wire <= 100, "{wire} in 100 turns");
    assert!(allocations(&mut channel, 1) <= wire);
    assert!(allocations(&mut channel, 16) <= wire);
}

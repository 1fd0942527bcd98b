//! Once warm, neither a small request and its answer nor an echoed WebSocket message allocates.

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::http1::{HeaderBlock, Response, ServerCodec, Status};
use fyke_codecs::websocket::{Limits, Message, MessageCodec};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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

fn allocations(mut work: impl FnMut()) -> usize {
    work();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        work();
    }
    ALLOCATIONS.get() - before
}

#[test]
fn requests_and_answers() {
    let block = HeaderBlock::new(&[("Server", "fyke"), ("Content-Type", "text/plain")])
        .expect("good fields");
    let mut codec = ServerCodec::default();
    let (mut src, mut dst) = (ByteBuf::with_capacity(4096), ByteBuf::with_capacity(4096));
    let count = allocations(|| {
        src.discard_read();
        src.write_slice(b"GET /plaintext HTTP/1.1\r\nHost: a\r\nUser-Agent: curl/8\r\n\r\n");
        src.write_slice(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        codec.set_unix_time(784_111_777);
        dst.clear();
        let mut answers = 0;
        while let Some(part) = codec.decode(&mut src).expect("good requests") {
            let Some(head) = part.head() else { continue };
            assert!(head.header("host").is_some());
            let answer = Response::new(Status::OK).block(&block).body("Hello, World!");
            codec.encode(answer.into(), &mut dst).expect("good answers");
            answers += 1;
        }
        assert_eq!(answers, 2);
    });
    assert_eq!(count, 0);
}

#[test]
fn echoed_messages() {
    let mut codec = MessageCodec::server(Limits::new());
    let (mut src, mut dst) = (ByteBuf::with_capacity(4096), ByteBuf::with_capacity(4096));
    let count = allocations(|| {
        src.discard_read();
        src.write_slice(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        dst.clear();
        let message = codec.decode(&mut src).expect("a good frame").expect("a whole one");
        assert!(matches!(&message, Message::Text(text) if text.as_str() == "Hello"));
        codec.encode(message, &mut dst).expect("a good message");
        assert_eq!(dst, b"\x81\x05Hello"[..]);
    });
    assert_eq!(count, 0);
}

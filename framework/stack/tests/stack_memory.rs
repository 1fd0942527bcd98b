//! What connections cost at rest, counted by an allocator.
#![allow(missing_docs, reason = "a test")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::{ConnectOptions, ListenOptions, Medium, RxMeta, Seed, Stack, StackConfig, TcpId};

static LIVE: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the block came from `alloc` above with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn host(address: &str, seed: u64, now: Instant) -> Stack {
    let mut config = StackConfig::new(Medium::RawIp);
    config.ports = 1024..=65_535;
    let mut stack = Stack::new(config, Seed::from(seed), now);
    stack.add_address(now, address.parse().unwrap()).unwrap();
    stack
}

fn settle(one: &mut Stack, two: &mut Stack, now: Instant) {
    let mut frames: Vec<Bytes> = Vec::new();
    loop {
        let forth = one.poll_transmit(now, &mut frames, usize::MAX);
        frames.drain(..).for_each(|frame| two.input(now, frame, RxMeta::default()));
        let back = two.poll_transmit(now, &mut frames, usize::MAX);
        frames.drain(..).for_each(|frame| one.input(now, frame, RxMeta::default()));
        if forth + back == 0 {
            return;
        }
    }
}

fn bytes_a_piece(before: usize, count: usize) -> usize {
    (LIVE.load(Ordering::Relaxed) - before) / count
}

const COUNT: usize = 20_000;

/// One test, because there is one counter.
#[test]
fn connections_at_rest_and_in_time_wait_are_small() {
    let now = Instant::from_nanos(1);
    let mut client = host("10.0.0.1/24", 1, now);
    let mut server = host("10.0.0.2/24", 2, now);
    let remote = "10.0.0.2:80".parse().unwrap();
    let listener = server.listen(remote, ListenOptions::default()).unwrap();
    let before = LIVE.load(Ordering::Relaxed);
    let mut pairs: Vec<(TcpId, TcpId)> = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let id = client.connect(now, remote, ConnectOptions::default()).unwrap();
        client.write(now, id, Bytes::from_static(b"hello")).unwrap();
        settle(&mut client, &mut server, now);
        let accepted = server.accept(listener).unwrap();
        assert_eq!(server.read(now, accepted, 100).unwrap().unwrap(), "hello");
        pairs.push((id, accepted));
    }
    let mut now = now + Duration::from_secs(10);
    for stack in [&mut client, &mut server] {
        stack.handle_timeout(now);
        while stack.poll_event().is_some() {}
    }
    settle(&mut client, &mut server, now);
    let idle = bytes_a_piece(before, 2 * COUNT);
    println!("an idle connection: {idle} bytes, of which {} are its slot", {
        server.usage().connection_bytes
    });
    // A million of them must fit into a gibibyte.
    assert!(idle <= 1024, "{idle}");

    for (id, accepted) in pairs.drain(..) {
        server.close(now, accepted).unwrap();
        settle(&mut client, &mut server, now);
        client.close(now, id).unwrap();
        settle(&mut client, &mut server, now);
    }
    now += Duration::from_secs(1);
    let usage = server.usage();
    assert_eq!((usage.connections, usage.time_waits), (0, COUNT));
    println!("in TIME-WAIT: {} bytes", usage.table_bytes / COUNT);
    server.handle_timeout(now + Duration::from_secs(120));
    assert_eq!((server.usage().time_waits, server.usage().timers), (0, 0));
}

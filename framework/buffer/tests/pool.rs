//! The pool: classes, reuse, limits, and blocks that come back from many threads.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, Pool, PoolOptions};

const KIB: usize = 1024;

#[test]
fn a_taker_gets_the_smallest_class_that_is_enough() {
    let pool = Pool::new();
    let table = [
        (0, KIB),
        (1, KIB),
        (KIB, KIB),
        (KIB + 1, 4 * KIB),
        (4 * KIB, 4 * KIB),
        (16 * KIB, 16 * KIB),
        (16 * KIB + 1, 64 * KIB),
        (256 * KIB, 256 * KIB),
        (256 * KIB + 1, 256 * KIB + 1),
    ];
    for (wanted, capacity) in table {
        assert_eq!(pool.take(wanted).capacity(), capacity, "{wanted}");
    }
    let stats = pool.stats();
    assert_eq!(stats.outstanding, 0);
    // 0, 1 and 1024 share one block, 1025 and 4096 another; too large ones do not come back.
    assert_eq!((stats.idle_blocks, stats.hits, stats.misses), (5, 3, 6));
    assert_eq!(stats.idle_bytes, 341 * KIB);
}

#[test]
fn a_block_comes_back_when_its_last_handle_is_gone() {
    let pool = Pool::new();
    let mut buf = pool.take(100);
    let address = buf.spare_mut().as_ptr();
    buf.write_slice(b"head tail");
    let head = buf.split_to(5);
    let tail = buf.freeze();
    let clone = tail.clone();
    assert_eq!(pool.stats().outstanding, 1);
    drop(tail);
    drop(head);
    assert_eq!(pool.stats().idle_blocks, 0);
    drop(clone);
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (0, 1));
    let mut again = pool.take(100);
    assert_eq!(again.spare_mut().as_ptr(), address);
    assert!(again.is_empty());
    assert_eq!(again.capacity(), KIB);
    assert_eq!(pool.stats().hits, 1);
}

#[test]
fn a_block_that_is_given_back_is_the_next_of_its_class() {
    let pool = Pool::new();
    let mut buf = pool.take(100);
    buf.write_slice(b"old");
    let address = buf.as_slice().as_ptr();
    pool.give(buf);
    let stats = pool.stats();
    assert_eq!((stats.outstanding, stats.idle_blocks, stats.idle_bytes), (0, 1, KIB));
    let other = pool.take(4 * KIB);
    let mut again = pool.take(KIB);
    assert!(again.is_empty() && again.capacity() == KIB);
    assert_eq!(again.spare_mut().as_ptr(), address);
    let stats = pool.stats();
    assert_eq!((stats.outstanding, stats.idle_blocks, stats.idle_bytes), (2, 0, 0));
    assert_eq!((stats.hits, stats.misses), (1, 2));
    // A second one goes where a dropped one goes, and is found there.
    let second = pool.take(KIB);
    for buf in [again, second, other] {
        pool.give(buf);
    }
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (0, 3));
    let _both = (pool.take(KIB), pool.take(KIB));
    assert_eq!((pool.stats().hits, pool.stats().misses), (3, 3));
    pool.trim();
    assert_eq!((pool.stats().outstanding, pool.stats().idle_bytes), (2, 0));
}

#[test]
fn only_a_whole_block_of_the_pool_is_taken_back() {
    let (pool, other) = (Pool::new(), Pool::new());
    pool.give(other.take(KIB));
    assert_eq!((pool.stats().idle_blocks, other.stats().idle_blocks), (0, 1));
    pool.give(ByteBuf::from("of no pool"));
    pool.give(ByteBuf::new());
    pool.give(pool.lend(Bytes::from_static(b"of somebody else")));
    assert_eq!((pool.stats().idle_blocks, pool.stats().outstanding), (0, 0));
    let mut buf = pool.take(KIB);
    buf.write_slice(b"head tail");
    let head = buf.split_to(5);
    pool.give(buf);
    assert_eq!((pool.stats().idle_blocks, pool.stats().outstanding), (0, 1));
    assert_eq!(head, b"head ");
    pool.give(head);
    assert_eq!((pool.stats().idle_blocks, pool.stats().idle_bytes), (1, KIB));
    assert_eq!(pool.take(KIB).capacity(), KIB);
}

#[test]
fn what_is_given_back_counts_towards_the_limit() {
    let pool = PoolOptions::new().max_idle_bytes(5 * KIB).build();
    let (large, small, another) = (pool.take(4 * KIB), pool.take(KIB), pool.take(KIB));
    pool.give(large);
    pool.give(small);
    drop(another);
    assert_eq!((pool.stats().idle_bytes, pool.stats().outstanding), (5 * KIB, 0));
    let nothing = PoolOptions::new().max_idle_bytes(0).build();
    nothing.give(nothing.take(KIB));
    assert_eq!((nothing.stats().idle_bytes, nothing.stats().outstanding), (0, 0));
}

#[test]
fn no_more_than_the_limit_is_idle() {
    let pool = PoolOptions::new().max_idle_bytes(10 * KIB + 1023).build();
    let small: Vec<ByteBuf> = (0..20).map(|_| pool.take(KIB)).collect();
    let medium = pool.take(4 * KIB);
    drop(medium);
    drop(small);
    assert_eq!(pool.stats().idle_bytes, 10 * KIB);
    assert_eq!(pool.stats().idle_blocks, 7);

    let nothing = PoolOptions::new().max_idle_bytes(0).build();
    drop(nothing.take(1));
    assert_eq!(nothing.stats().idle_blocks, 0);

    let everything = PoolOptions::new().max_idle_bytes(usize::MAX).build();
    drop(everything.take(256 * KIB));
    assert_eq!(everything.stats().idle_bytes, 256 * KIB);
}

#[test]
fn growing_moves_to_a_larger_class_and_then_out_of_the_pool() {
    let pool = Pool::new();
    let mut buf = pool.take(KIB);
    buf.write_bytes(7, KIB);
    buf.skip(3).unwrap();
    buf.write_u8(8);
    assert_eq!((buf.capacity(), buf.reader_index()), (4 * KIB, 3));
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (1, 1));
    buf.reserve(256 * KIB);
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (0, 2));
    assert_eq!(buf.len(), KIB - 3 + 1);
    assert!(buf[..KIB - 3].iter().all(|&byte| byte == 7));
    assert_eq!(buf[KIB - 3], 8);
}

#[test]
fn trim_frees_what_is_idle_and_only_that() {
    let pool = Pool::new();
    let kept = pool.take(1);
    drop((pool.take(1), pool.take(5000)));
    pool.trim();
    assert_eq!((pool.stats().outstanding, pool.stats().idle_blocks), (1, 0));
    drop(kept);
    assert_eq!(pool.stats().idle_blocks, 1);
}

#[test]
fn a_pool_may_go_before_its_blocks() {
    let pool = Pool::new();
    let other = pool.clone();
    let mut buf = pool.take(10);
    buf.write_str("still here");
    drop(pool);
    drop(other.take(5000));
    assert_eq!((other.stats().outstanding, other.stats().idle_blocks), (1, 1));
    drop(other);
    let mut rest = buf;
    let front = rest.split_to(6);
    assert_eq!((&front[..], &rest[..]), (&b"still "[..], &b"here"[..]));
    rest.reserve(100_000); // asks its home, which has no handle any more
    thread::spawn(move || drop((rest, front))).join().unwrap();
}

/// Takers on several threads, each handing its buffers to the next thread to drop.
#[test]
fn all_blocks_come_back_from_many_threads() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 4_000;
    let limit = 64 * KIB;
    let pool = PoolOptions::new().max_idle_bytes(limit).build();
    let start = Arc::new(Barrier::new(THREADS));
    let (sends, receives): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel::<ByteBuf>()).unzip();
    let threads: Vec<_> = receives
        .into_iter()
        .enumerate()
        .map(|(me, receive)| {
            let (pool, start) = (pool.clone(), Arc::clone(&start));
            let next = sends[(me + 1) % THREADS].clone();
            thread::spawn(move || {
                start.wait();
                for round in 0..ROUNDS {
                    let mut buf = pool.take([10, 3_000, 9_000][round % 3]);
                    let stamp = (me * ROUNDS + round) as u64;
                    buf.write_u64(stamp);
                    buf.write_u64(!stamp);
                    next.send(buf.split_to(8)).unwrap();
                    next.send(buf).unwrap();
                    for mut buf in receive.try_iter() {
                        assert!(buf.read_u64().is_ok());
                        assert!(buf.is_empty());
                    }
                    assert!(pool.stats().idle_bytes <= limit + THREADS * 16 * KIB);
                }
                drop(next);
                receive.into_iter().for_each(drop);
            })
        })
        .collect();
    drop(sends);
    for thread in threads {
        thread.join().unwrap();
    }
    let stats = pool.stats();
    assert_eq!(stats.outstanding, 0);
    assert_eq!(stats.hits + stats.misses, THREADS * ROUNDS);
    assert!(stats.idle_bytes <= limit, "{stats:?}");
    pool.trim();
    assert_eq!((pool.stats().idle_blocks, pool.stats().idle_bytes), (0, 0));
}

/// One taker, many droppers: what the stack is made for. No block may be handed out twice.
#[test]
fn a_block_is_never_in_two_hands() {
    const DROPPERS: usize = 3;
    const ROUNDS: u64 = 20_000;
    let pool = Pool::new();
    thread::scope(|scope| {
        let sends: Vec<_> = (0..DROPPERS)
            .map(|_| {
                let (send, receive) = channel::<(u64, ByteBuf)>();
                scope.spawn(move || {
                    for (stamp, mut buf) in receive {
                        assert_eq!(buf.read_u64(), Ok(stamp), "somebody else wrote to this block");
                    }
                });
                send
            })
            .collect();
        for stamp in 0..ROUNDS {
            let mut buf = pool.take(1);
            buf.write_u64(stamp);
            sends[stamp as usize % DROPPERS].send((stamp, buf)).unwrap();
        }
    });
    let stats = pool.stats();
    assert_eq!(stats.outstanding, 0);
    assert_eq!(stats.hits + stats.misses, ROUNDS as usize);
    // Everything still idle is there exactly once.
    let mut all: Vec<ByteBuf> = (0..stats.idle_blocks).map(|_| pool.take(1)).collect();
    assert_eq!(pool.stats().idle_blocks, 0);
    let mut addresses: Vec<_> = all.iter_mut().map(|buf| buf.spare_mut().as_ptr()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), all.len());
}

//! What buffers cost: taking one, writing and reading, splitting, searching; `bytes` beside them.
//!
//! `cargo bench -p fyke-benches --bench buffer`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke::ByteBuf;
use fyke::buffer::{CompositeBuf, Pool};

const SIZES: [usize; 3] = [64, 1024, 16 * 1024];

fn take(c: &mut Criterion) {
    let mut group = c.benchmark_group("buffer/take");
    for size in SIZES {
        let pool = Pool::new();
        group.bench_function(BenchmarkId::new("pool", size), |b| {
            b.iter(|| black_box(pool.take(black_box(size))));
        });
        group.bench_function(BenchmarkId::new("new", size), |b| {
            b.iter(|| black_box(ByteBuf::with_capacity(black_box(size))));
        });
        group.bench_function(BenchmarkId::new("bytes", size), |b| {
            b.iter(|| black_box(BytesMut::with_capacity(black_box(size))));
        });
    }
    group.finish();
}

/// Copies in, as a read does.
fn copy(c: &mut Criterion) {
    let mut group = c.benchmark_group("buffer/write_slice");
    for size in SIZES {
        let from = vec![7; size];
        group.throughput(Throughput::Bytes(size as u64));
        let mut ours = ByteBuf::with_capacity(size);
        group.bench_function(BenchmarkId::new("fyke", size), |b| {
            b.iter(|| {
                ours.clear();
                ours.write_slice(black_box(&from));
            });
        });
        let mut theirs = BytesMut::with_capacity(size);
        group.bench_function(BenchmarkId::new("bytes", size), |b| {
            b.iter(|| {
                theirs.clear();
                theirs.put_slice(black_box(&from));
            });
        });
    }
    group.finish();
}

/// A hundred 32-bit numbers, in and out.
fn integers(c: &mut Criterion) {
    const COUNT: u32 = 100;
    let mut group = c.benchmark_group("buffer/integers");
    group.throughput(Throughput::Elements(u64::from(COUNT)));
    let mut ours = ByteBuf::with_capacity(4 * COUNT as usize);
    group.bench_function("fyke", |b| {
        b.iter(|| {
            ours.clear();
            for n in 0..COUNT {
                ours.write_u32(black_box(n));
            }
            let read = (0..COUNT).map_while(|_| ours.read_u32().ok());
            black_box(read.fold(0, u32::wrapping_add))
        });
    });
    let mut theirs = BytesMut::with_capacity(4 * COUNT as usize);
    group.bench_function("bytes", |b| {
        b.iter(|| {
            theirs.clear();
            for n in 0..COUNT {
                theirs.put_u32(black_box(n));
            }
            let mut read = &theirs[..];
            black_box((0..COUNT).map(|_| read.get_u32()).fold(0, u32::wrapping_add))
        });
    });
    group.finish();
}

/// 64 frames of 64 bytes off the front of one read.
fn split(c: &mut Criterion) {
    const FRAMES: usize = 64;
    let mut group = c.benchmark_group("buffer/split_to");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let read = vec![7; FRAMES * 64];
    group.bench_function("fyke", |b| {
        b.iter_batched(
            || ByteBuf::from(&read[..]),
            |mut buf| {
                while buf.readable() >= 64 {
                    black_box(buf.split_to(64));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("bytes", |b| {
        b.iter_batched(
            || BytesMut::from(&read[..]),
            |mut buf| {
                while buf.len() >= 64 {
                    black_box(buf.split_to(64));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn search(c: &mut Criterion) {
    let mut group = c.benchmark_group("buffer/find");
    for size in [64, 4096] {
        let mut text = vec![b'x'; size];
        text.extend_from_slice(b"\r\n\r\n");
        let buf = ByteBuf::from(&text[..]);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("byte", size), |b| {
            b.iter(|| black_box(buf.find_byte(black_box(b'\n'))));
        });
        group.bench_function(BenchmarkId::new("end_of_head", size), |b| {
            b.iter(|| black_box(buf.find(black_box(b"\r\n\r\n"))));
        });
    }
    group.finish();
}

/// Eight pieces as one message, and its front taken off.
fn rope(c: &mut Criterion) {
    let pieces: Vec<_> = (0..8).map(|n| ByteBuf::from(&[n; 300][..]).freeze()).collect();
    c.bench_function("buffer/rope", |b| {
        b.iter(|| {
            let mut rope = CompositeBuf::new();
            for piece in &pieces {
                rope.push(piece.clone());
            }
            black_box(rope.split_to(1000));
            rope
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = take, copy, integers, split, search, rope
}
criterion_main!(benches);

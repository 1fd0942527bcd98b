//! What the userspace stack costs: segments in and out, connections, a crowd at rest, checksums.
//!
//! `cargo bench -p fyke-benches --bench stack`
//!
//! The peers are the scripted ones of the stack's `scale` tests, so a figure has the making of their
//! frames in it where it says so. `FYKE_SCALE` is how many stand around the ten that talk; a million
//! unless told. The last lines are the ratios issue 4 asks for, and resident bytes a connection.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke_benches::work::stack::{
    BATCH, BYTES, Crowd, Incoming, MSS, Outgoing, checked, open_close,
};
use fyke_stack::RxMeta;
use fyke_stack::wire::checksum::checksum;

fn segments_in(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/in");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    for (name, size, meta) in [
        ("1460", MSS, RxMeta::default()),
        ("1460-checked-by-device", MSS, checked(0)),
        ("super-58400", MSS * 40, checked(MSS as u16)),
    ] {
        let incoming = RefCell::new(Incoming::new(size));
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_batched(
                || incoming.borrow_mut().frames(),
                |frames| incoming.borrow_mut().take(frames, meta),
                // Few at a time, so that they are in the cache as from a device.
                BatchSize::NumIterations(4),
            );
        });
    }
    group.finish();
}

fn segments_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/out");
    group.throughput(Throughput::Elements(u64::from(BATCH)));
    for (name, offload) in [("1460", false), ("super-65535", true)] {
        let mut outgoing = Outgoing::new(offload);
        for _ in 0..200 {
            outgoing.give();
        }
        group.bench_function(BenchmarkId::from_parameter(name), |b| b.iter(|| outgoing.give()));
    }
    group.finish();
}

fn connections(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/connection");
    group.throughput(Throughput::Elements(1));
    let mut crowd = Crowd::new(1, |_| {});
    group.bench_function("open-close", |b| b.iter(|| open_close(&mut crowd)));
    group.finish();
}

fn checksums(c: &mut Criterion) {
    let mut group = c.benchmark_group("stack/checksum");
    for size in [64, 1500, 9000, 65_535] {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter(|| checksum(black_box(&BYTES[..size])));
        });
    }
    group.finish();
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    status
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .map_or(0, |pages: u64| pages * 4096)
}

/// One peer in the middle of a hash's distance from the last.
fn random(step: &mut u32, among: u32) -> u32 {
    *step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((u64::from(*step) * u64::from(among)) >> 32) as u32
}

/// Nanoseconds of an exchange: the best of some rounds, because the machine has other work.
fn best(mut turn: impl FnMut()) -> f64 {
    const ROUNDS: u32 = 15;
    const TURNS: u32 = 20_000;
    let round = |_| {
        let begin = Instant::now();
        (0..TURNS).for_each(|_| turn());
        begin.elapsed().as_nanos() as f64 / f64::from(TURNS)
    };
    (0..ROUNDS).map(round).fold(f64::MAX, f64::min)
}

/// Request, answer and acknowledgement of one connection after the other, ten in all, alone and in a
/// crowd: next to each other, far from each other, and ever other ones.
fn idle(c: &mut Criterion) {
    let among: u32 =
        std::env::var("FYKE_SCALE").map_or(1_000_000, |n| n.parse().expect("a number"));
    let mut small = Crowd::new(10, |_| {});
    small.fill(10);
    let before = resident();
    let mut large = Crowd::new(among, |_| {});
    large.fill(among);
    let bytes = (resident() - before) / u64::from(among);

    let mut next = 0;
    let mut ten = |crowd: &mut Crowd, step: u32| {
        next = (next + 1) % 10;
        crowd.exchange(next * step, &BYTES[..100]);
    };
    let mut seed = 1;
    let mut group = c.benchmark_group("stack/exchange");
    group.throughput(Throughput::Elements(3));
    group.bench_function("ten-among-10", |b| b.iter(|| ten(&mut small, 1)));
    let name = |kind: &str| format!("{kind}-among-{among}");
    group.bench_function(name("ten"), |b| b.iter(|| ten(&mut large, 1)));
    group.bench_function(name("ten-far-apart"), |b| b.iter(|| ten(&mut large, among / 10)));
    group.bench_function(name("random"), |b| {
        b.iter(|| large.exchange(random(&mut seed, among), &BYTES[..100]));
    });
    group.finish();

    let alone = best(|| ten(&mut small, 1));
    let beside = best(|| ten(&mut large, 1)) / alone;
    let apart = best(|| ten(&mut large, among / 10)) / alone;
    let anybody = best(|| large.exchange(random(&mut seed, among), &BYTES[..100])) / alone;
    println!("an exchange among 10: {alone:.0} ns (three segments, two of them made here)");
    println!(
        "among {among}: the same ten {beside:.2}x, far apart {apart:.2}x, random {anybody:.2}x"
    );
    println!("resident bytes a connection that has carried data: {bytes}");
}

fn short() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
}

criterion_group! {
    name = benches;
    config = short();
    targets = segments_in, segments_out, connections, checksums, idle
}
criterion_main!(benches);

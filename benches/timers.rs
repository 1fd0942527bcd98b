//! What timers cost: the wheel beside a binary heap and an ordered map, with few and with many running.
//!
//! `cargo bench -p fyke-benches --bench timers`
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fyke::clock::{Instant, TimerWheel};

/// How many run beside the one that is measured.
const CROWDS: [u64; 3] = [10, 1000, 100_000];

/// When the `n`th of a crowd expires: within a minute, in no order.
fn deadline(n: u64) -> Instant {
    Instant::ZERO + Duration::from_micros(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 60_000_000)
}

fn wheel(crowd: u64) -> TimerWheel<u64> {
    let mut wheel = TimerWheel::new(Instant::ZERO);
    for n in 0..crowd {
        wheel.schedule(deadline(n), n);
    }
    wheel
}

/// A time-out that does not come: begun with a request, stopped by its answer.
fn begin_and_stop(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers/begin_and_stop");
    for crowd in CROWDS {
        let mut wheel = wheel(crowd);
        let mut n = 0;
        group.bench_function(BenchmarkId::new("wheel", crowd), |b| {
            b.iter(|| {
                n += 1;
                let key = wheel.schedule(deadline(n), n);
                black_box(wheel.cancel(key))
            });
        });
        let mut map: BTreeMap<(Instant, u64), u64> =
            (0..crowd).map(|n| ((deadline(n), n), n)).collect();
        group.bench_function(BenchmarkId::new("BTreeMap", crowd), |b| {
            b.iter(|| {
                n += 1;
                let key = (deadline(n), crowd + n);
                map.insert(key, n);
                black_box(map.remove(&key))
            });
        });
    }
    group.finish();
}

/// One that is put off again and again: an idle time-out with each message.
fn put_off(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers/put_off");
    for crowd in CROWDS {
        let mut wheel = wheel(crowd);
        let key = wheel.schedule(deadline(1), 1);
        let mut n = 0;
        group.bench_function(BenchmarkId::new("wheel", crowd), |b| {
            b.iter(|| {
                n += 1;
                black_box(wheel.reschedule(key, deadline(n)))
            });
        });
    }
    group.finish();
}

/// A thousand that are begun and all expire.
fn expire(c: &mut Criterion) {
    const COUNT: u64 = 1000;
    let mut group = c.benchmark_group("timers/expire");
    group.throughput(Throughput::Elements(COUNT));
    let end = Instant::ZERO + Duration::from_secs(60);
    group.bench_function("wheel", |b| {
        b.iter_batched_ref(
            || wheel(0),
            |wheel| {
                for n in 0..COUNT {
                    wheel.schedule(deadline(n), n);
                }
                while let Some(expired) = wheel.poll(end) {
                    black_box(expired);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("BinaryHeap", |b| {
        b.iter_batched_ref(
            BinaryHeap::new,
            |heap| {
                for n in 0..COUNT {
                    heap.push(Reverse((deadline(n), n)));
                }
                while let Some(expired) = heap.pop() {
                    black_box(expired);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// What a loop asks before each wait.
fn next(c: &mut Criterion) {
    let mut group = c.benchmark_group("timers/next_deadline");
    for crowd in CROWDS {
        let wheel = wheel(crowd);
        group.bench_function(BenchmarkId::new("wheel", crowd), |b| {
            b.iter(|| black_box(wheel.next_deadline()));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = begin_and_stop, put_off, expire, next
}
criterion_main!(benches);

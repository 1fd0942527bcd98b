//! What the pipeline itself costs: one more handler, and a length-prefixed echo.
//!
//! `cargo bench -p fyke-benches --bench pipeline_hop`
//!
//! Everything runs on an `EmbeddedChannel`, which is the real loop, channel and pipeline over a
//! wire of memory. Frames of 64 bytes arrive 512 at a time, as they do from a busy socket; the
//! figures are per frame. The cost of one hop is the slope over the number of pass-through
//! handlers, and is printed at the end.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use fyke::embedded::EmbeddedChannel;
use fyke::prelude::*;
use fyke::{Decoder, Encoder};
use fyke_benches::work::frames::{FRAMES, echoing, input, passing};
use fyke_codecs::frames::LengthField;

/// Time for `rounds` batches, without making the input.
fn run(channel: &mut EmbeddedChannel, rounds: u64) -> Duration {
    let prepared = input();
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let batch = ByteBuf::from(prepared.as_slice());
        let began = Instant::now();
        channel.write_inbound(batch);
        total += began.elapsed();
        black_box(channel.read_outbound());
    }
    total
}

fn bench_hops(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hop");
    group.throughput(Throughput::Elements(FRAMES as u64));
    for hops in [0, 1, 4, 16] {
        let mut channel = passing(hops);
        group.bench_function(BenchmarkId::from_parameter(hops), |b| {
            b.iter_custom(|rounds| run(&mut channel, rounds));
        });
    }
    group.finish();
}

fn bench_echo(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec_echo");
    group.throughput(Throughput::Elements(FRAMES as u64));
    for hops in [0, 4] {
        let mut channel = echoing(hops);
        group.bench_function(BenchmarkId::from_parameter(hops), |b| {
            b.iter_custom(|rounds| run(&mut channel, rounds));
        });
    }
    group.finish();
}

/// Nanoseconds a frame: the least of many batches, as noise only adds.
fn least(channel: &mut EmbeddedChannel) -> f64 {
    let batches = (0..2_000).map(|_| run(channel, 1));
    let least = batches.min().unwrap_or_default();
    least.as_nanos() as f64 / FRAMES as f64
}

/// The same frames through the codec alone, in a hand-written loop: what a pipeline can at best
/// come near to.
fn bare() -> f64 {
    let prepared = input();
    let batch = || {
        let mut codec = LengthField::u32();
        let mut bytes = ByteBuf::from(prepared.as_slice());
        let mut answer = ByteBuf::with_capacity(2 * prepared.len());
        let began = Instant::now();
        while let Ok(Some(frame)) = codec.decode(&mut bytes) {
            if codec.encode(frame, &mut answer).is_err() {
                break;
            }
        }
        let took = began.elapsed();
        black_box(answer);
        took
    };
    let least = (0..2_000).map(|_| batch()).min().unwrap_or_default();
    least.as_nanos() as f64 / FRAMES as f64
}

/// The two figures that the project promises, and what they are to be compared with.
fn summary() {
    let (none, many) = (least(&mut passing(0)), least(&mut passing(16)));
    let echo = least(&mut echoing(0));
    println!("codec in a loop without pipeline: {:.1} ns a frame", bare());
    println!("codec + sink: {none:.1} ns a frame");
    println!("one hop: {:.1} ns (promised: 8, aim: 6)", (many - none) / 16.0);
    println!("codec + echo: {echo:.1} ns a 64-byte frame (promised: 31, aim: 25)");
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = bench_hops, bench_echo
}

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    summary();
}

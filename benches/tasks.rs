//! What it costs to give something to a loop from another thread.
//!
//! `cargo bench -p fyke-benches --bench tasks`
//!
//! `round_trip` wakes a sleeping loop and waits for its answer, so it is mostly the kernel's two wake-ups; a
//! thread behind an `mpsc` channel stands beside it. `batch` gives a thousand at once, which are to cost one
//! wake-up together.
#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fyke::prelude::*;

/// How many are given at once.
const BATCH: u64 = 1000;

fn group(spin: Duration) -> EventLoopGroup {
    let group = EventLoopGroup::builder().threads(1).stall_tick(Duration::ZERO).busy_poll(spin);
    group.build().expect("a loop")
}

/// Answers, if this is the one that does.
fn tell(answer: Option<mpsc::Sender<()>>) {
    if let Some(answer) = answer {
        // Who does not wait needs no answer.
        answer.send(()).unwrap_or_default();
    }
}

fn round_trip(c: &mut Criterion) {
    let mut criterion = c.benchmark_group("tasks/round_trip");
    for (name, spin) in [("loop", 0), ("loop that spins", 200)] {
        let loops = group(Duration::from_micros(spin));
        let handle = loops.next().clone();
        let (answer, answers) = mpsc::channel();
        criterion.bench_function(name, |b| {
            b.iter(|| {
                let answer = answer.clone();
                let given = handle.execute(move |_| answer.send(()).unwrap_or_default());
                given.expect("the loop runs");
                answers.recv().expect("it answers");
            });
        });
    }
    let (ask, asked) = mpsc::channel::<()>();
    let (answer, answers) = mpsc::channel();
    let thread = thread::spawn(move || asked.into_iter().all(|()| answer.send(()).is_ok()));
    criterion.bench_function("thread", |b| {
        b.iter(|| {
            ask.send(()).expect("the thread runs");
            answers.recv().expect("it answers");
        });
    });
    drop(ask);
    thread.join().expect("it ended");
    criterion.finish();
}

fn batch(c: &mut Criterion) {
    let mut criterion = c.benchmark_group("tasks/batch");
    criterion.throughput(Throughput::Elements(BATCH));
    let loops = group(Duration::ZERO);
    let handle = loops.next().clone();
    let (answer, answers) = mpsc::channel();
    criterion.bench_function("tasks", |b| {
        b.iter(|| {
            for n in 1..=BATCH {
                let answer = (n == BATCH).then(|| answer.clone());
                let given = handle.execute(move |_| tell(answer));
                given.expect("the loop runs");
            }
            answers.recv().expect("it answers");
        });
    });
    criterion.bench_function("futures", |b| {
        b.iter(|| {
            let answer = answer.clone();
            let given = handle.execute(move |core| {
                for n in 1..=BATCH {
                    let answer = (n == BATCH).then(|| answer.clone());
                    core.spawn(async move { tell(answer) });
                }
            });
            given.expect("the loop runs");
            answers.recv().expect("it answers");
        });
    });
    criterion.finish();
}

/// Messages from another thread through a channel's mailbox to its tail, and back as bytes in memory.
fn sender(c: &mut Criterion) {
    let mut criterion = c.benchmark_group("tasks/sender");
    criterion.throughput(Throughput::Elements(BATCH));
    let mut channel = fyke::embedded::EmbeddedChannel::new(|ch| ch.pipeline());
    let sender: Sender<Outgoing> = channel.channel().sender().expect("bytes are taken");
    criterion.bench_function("messages", |b| {
        b.iter(|| {
            for _ in 0..BATCH {
                sender.send(Outgoing::from("12345678")).expect("it is open");
            }
            channel.run_pending();
            channel.read_outbound()
        });
    });
    criterion.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = round_trip, batch, sender
}
criterion_main!(benches);

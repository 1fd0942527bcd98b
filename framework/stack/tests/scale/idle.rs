//! Connections at rest: what they hold, and what they cost those that are not.

use std::time::Duration;

use fyke_stack::Work;

use crate::counting::{calls, live};
use crate::crowd::Crowd;
use crate::scale;

/// A gibibyte for a million.
const BYTES_MAX: f64 = (1 << 30) as f64 / 1e6;

#[test]
fn a_million_idle_connections_fit_into_a_gibibyte() {
    let count = scale(30_000);
    let mut crowd = Crowd::new(count, |_| {});
    let before = live();
    crowd.fill(count);
    let each = (live() - before) as f64 / f64::from(count);
    let usage = crowd.stack.usage();
    println!(
        "{count} idle connections: {each:.1} bytes each, {} of them the slot, {:.1} the table",
        usage.connection_bytes,
        usage.table_bytes as f64 / f64::from(count),
    );
    assert!(each <= BYTES_MAX, "{each} bytes each");
    assert_eq!((usage.connections, usage.timers), (count as usize, 0), "{usage:?}");
}

/// What ten connections cost among `idle` others that stand between them in the tables.
fn cost(idle: u32) -> (Work, u64, u64) {
    let mut crowd = Crowd::new(idle + 10, |_| {});
    crowd.fill(idle + 10);
    let step = (idle + 10) / 10;
    let rounds = |crowd: &mut Crowd, count: u32| {
        for _ in 0..count {
            for active in 0..10 {
                crowd.exchange(active * step, &[7; 100]);
            }
            crowd.rest(Duration::from_millis(1));
        }
    };
    // What comes with the first bytes comes before the count.
    rounds(&mut crowd, 20);
    let (before, asked) = (*crowd.stack.counters(), calls());
    rounds(&mut crowd, 100);
    let (after, asked) = (*crowd.stack.counters(), calls() - asked);
    let mut work = Work::default();
    work.lookups = after.work.lookups - before.work.lookups;
    work.polls = after.work.polls - before.work.polls;
    work.timers = after.work.timers - before.work.timers;
    work.timer_moves = after.work.timer_moves - before.work.timer_moves;
    let packets = after.frames_in - before.frames_in + after.frames_out - before.frames_out;
    (work, asked, packets)
}

#[test]
fn ten_active_connections_cost_the_same_among_ten_and_among_many() {
    let count = scale(20_000);
    let (few, few_asked, few_packets) = cost(0);
    let (many, many_asked, many_packets) = cost(count);
    println!("{few_packets} packets: {few:?}, {few_asked} allocations");
    println!("among {count}: {many_packets} packets: {many:?}, {many_asked} allocations");
    assert_eq!((few_packets, few), (many_packets, many));
    // Where a vector grows is a matter of chance; each packet has its own.
    assert!(many_asked <= few_asked + few_asked / 50, "{few_asked} {many_asked}");
}

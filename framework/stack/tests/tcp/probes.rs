//! Tail loss probes (RFC 8985, section 7): what goes, and what its answer means.

use std::time::Duration;

use crate::loss::{at, sack, sacks, starts};
use crate::rig::{ISS, Rig, ms, plain};

/// Ten segments in flight, the last of which only a probe repairs: all is acknowledged once.
fn tail_repaired() -> Rig {
    let mut rig = sack(plain());
    rig.write(10_000);
    rig.poll();
    rig.now += ms(50);
    rig.ack(at(9));
    assert_eq!(starts(&rig.poll()), []);
    let wait = rig.connection.next_deadline().unwrap() - rig.now;
    assert_eq!(starts(&rig.pass(wait)), [9], "the probe");
    rig.now += ms(50);
    rig.ack(at(10));
    rig
}

fn window_after_more(mut rig: Rig) -> u32 {
    rig.write(1000);
    assert_eq!(starts(&rig.poll()), [10]);
    rig.now += ms(50);
    rig.ack(at(11));
    rig.connection.info().congestion_window
}

/// Section 7.4.2: a loss that a probe repaired is congestion, although all had been acknowledged
/// before that is known.
#[test]
fn a_loss_that_a_probe_repaired_lowers_the_window() {
    let rig = tail_repaired();
    let before = rig.connection.info().congestion_window;
    let after = window_after_more(rig);
    assert_eq!(after, 7000, "0.7 of what was in flight");
    assert!(before > after);
}

/// The same section: with the duplicate reported, or acknowledged twice, nothing was lost.
#[test]
fn a_probe_that_was_not_needed_leaves_the_window() {
    for blocks in [&[(at(9), at(10))][..], &[]] {
        let mut rig = tail_repaired();
        let before = rig.connection.info().congestion_window;
        sacks(&mut rig, at(10), blocks);
        assert!(window_after_more(rig) >= before, "{blocks:?}");
    }
}

/// Section 7.3: a probe is new data when there is some, however small; Nagle's rule is for what has
/// time.
#[test]
fn a_tail_loss_probe_is_not_held_back_for_being_small() {
    let mut config = plain();
    config.minshall = false;
    let mut rig = sack(config);
    rig.write(1000);
    rig.poll();
    rig.now += ms(50);
    rig.ack(at(1));
    rig.write(3000);
    assert_eq!(rig.poll().len(), 3);
    rig.write(10);
    assert!(rig.poll().is_empty(), "Nagle");
    let probe = rig.pass(ms(150));
    assert_eq!(probe.iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [10]);
    assert_eq!(rig.connection.info().timeouts, 0);
}

/// Tailscale's netstack took round trips of less than a tick for none, and sent again what was on its
/// way (tailscale #20893): here a clock of nanoseconds measures them.
#[test]
fn round_trips_of_microseconds_are_measured() {
    let mut rig = Rig::established(plain());
    for n in 1..=40 {
        rig.write(100);
        assert_eq!(rig.poll().len(), 1);
        rig.now += Duration::from_micros(10);
        rig.ack(ISS + 1 + 100 * n);
    }
    let rtt = rig.connection.info().rtt.unwrap();
    assert!((9_000..=10_000).contains(&rtt.as_nanos()), "{rtt:?}");
    assert_eq!(rig.connection.info().timeouts, 0);
}

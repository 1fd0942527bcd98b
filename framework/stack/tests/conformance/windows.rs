//! Windows: how wide, how they close, and what happens when one is taken back.

use std::time::Duration;

use fyke_stack::tcp::{CloseReason, Event, Flags, State};

use crate::rig::{ISS, Rig, ms, plain};

fn window(rig: &mut Rig, ack: u32, window: u16) {
    let mut segment = rig.segment(Flags::ACK, ack, b"");
    segment.window = window;
    rig.give(segment);
}

/// MUST-1: the sixteenth bit is no sign.
#[test]
fn a_window_has_no_sign() {
    let mut rig = Rig::established(plain());
    window(&mut rig, ISS + 1, u16::MAX);
    assert_eq!(rig.connection.info().snd_wnd, 65_535);
    rig.write(10_000);
    let sent: usize = rig.poll().iter().map(|segment| segment.payload.len()).sum();
    assert_eq!(sent, 10_000);
}

/// SHLD-15, SHLD-16, MUST-34: beyond the new edge nothing new is sent; what was sent before it is
/// sent again and acknowledged as ever.
#[test]
fn a_window_that_is_taken_back_is_borne() {
    let mut config = plain();
    config.tail_loss_probe = false;
    let mut rig = Rig::established(config);
    rig.write(20_000);
    assert_eq!(rig.poll().len(), 10, "the initial congestion window");
    rig.now += ms(50);
    window(&mut rig, ISS + 1, 1460);
    assert!(rig.poll().is_empty(), "nothing new beyond the edge");
    let again = rig.pass(Duration::from_secs(2));
    assert!(!again.is_empty() && again.iter().all(|s| s.seq.value() == ISS + 1), "{again:?}");
    // The peer had everything all the time.
    window(&mut rig, ISS + 1 + 14_600, 60_000);
    let rest: usize = rig.poll().iter().map(|segment| segment.payload.len()).sum();
    assert!(rest > 0);
    assert_eq!(rig.connection.info().snd_una.value(), ISS + 1 + 14_600);
}

/// SHLD-17: a window closed over what is in flight is a closed window, not a dead peer.
#[test]
fn a_window_closed_over_the_flight_ends_nothing() {
    let mut config = plain();
    config.retries = 3;
    let mut rig = Rig::established(config);
    rig.write(5000);
    rig.poll();
    for _ in 0..600 {
        window(&mut rig, ISS + 1, 0);
        rig.pass(Duration::from_secs(1));
    }
    assert_eq!(rig.connection.state(), State::Established);
    window(&mut rig, ISS + 1, 60_000);
    let again = rig.pass(Duration::from_secs(120));
    assert!(again.iter().any(|segment| segment.seq.value() == ISS + 1));
}

/// SHLD-29, SHLD-30: the first probe after the retransmission time-out, then ever more seldom.
#[test]
fn probes_begin_after_a_time_out_and_become_rare() {
    let mut rig = Rig::established(plain());
    window(&mut rig, ISS + 1, 0);
    rig.write(100);
    assert!(rig.poll().is_empty());
    let rto = rig.connection.info().rto;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let deadline = rig.connection.next_deadline().unwrap();
        waits.push(deadline - rig.now);
        assert_eq!(rig.pass(deadline - rig.now).len(), 1);
        window(&mut rig, ISS + 1, 0);
    }
    assert_eq!(waits[0], rto);
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0] * 2 - ms(1)), "{waits:?}");
}

/// MUST-66: with our window closed resets and urgent pointers still count.
#[test]
fn resets_and_urgent_pointers_count_with_the_window_closed() {
    let closed = || {
        let mut rig = Rig::established(plain());
        for _ in 0..10 {
            rig.data(&[7; 1000]);
            rig.poll();
        }
        assert_eq!(rig.connection.info().rcv_wnd, 0);
        rig
    };
    let mut rig = closed();
    let mut urgent = rig.segment(Flags::ACK | Flags::URG, ISS + 1, b"");
    (urgent.urgent, urgent.window) = (1, 4321);
    rig.give(urgent);
    assert_eq!(rig.connection.info().snd_wnd, 4321, "it was processed");
    let mut rig = closed();
    rig.give(rig.segment(Flags::RST, 0, b""));
    assert!(rig.events().contains(&Event::Closed(CloseReason::Reset)));
}

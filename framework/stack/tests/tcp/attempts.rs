//! What counts against a connection, and for how long: probes of a closed window, lost SYNs, silence.

use std::time::Duration;

use fyke_stack::tcp::{CloseReason, Event, Flags, KeepAlive, Options, Segment, SeqNum, State};

use crate::rig::{IRS, ISS, Rig, WINDOW, ms, plain, syn};

fn window(rig: &mut Rig, ack: u32, window: u16) {
    let mut segment = rig.segment(Flags::ACK, ack, b"");
    segment.window = window;
    rig.give(segment);
}

/// RFC 9293, sections 3.8.3 and 3.8.6.1: probes of a closed window that were answered are no
/// retransmissions. What is sent when it opens has all its attempts.
#[test]
fn probes_of_a_closed_window_do_not_count_against_what_follows() {
    let mut rig = Rig::established(plain());
    window(&mut rig, ISS + 1, 0);
    rig.write(100);
    rig.poll();
    for _ in 0..30 {
        rig.pass(Duration::from_secs(120));
        window(&mut rig, ISS + 1, 0);
    }
    window(&mut rig, ISS + 1, 1000);
    assert_eq!(rig.poll()[0].payload.len(), 100);
    // It is lost.
    let again = rig.pass(Duration::from_secs(2));
    assert_eq!(rig.connection.state(), State::Established, "{:?}", rig.events());
    assert_eq!(again[0].payload.len(), 100);
}

/// RFC 5681, section 3.1, and RFC 6928, section 3: after SYNs were lost, the initial window is one
/// segment.
#[test]
fn after_lost_syns_the_initial_window_is_one_segment() {
    for (lost, segments) in [(0, 10), (1, 10), (2, 1)] {
        let mut rig = Rig::connect(plain());
        for _ in 0..lost {
            let wait = rig.connection.next_deadline().unwrap() - rig.now;
            assert_eq!(rig.pass(wait).len(), 1, "the SYN again");
        }
        rig.give(Segment {
            seq: SeqNum::new(IRS),
            ack: SeqNum::new(ISS + 1),
            flags: Flags::SYN | Flags::ACK,
            window: WINDOW,
            options: Options { mss: Some(1000), ..Options::default() },
            ..Segment::default()
        });
        rig.seq = IRS + 1;
        rig.write(20_000);
        let data = rig.poll().iter().filter(|s| !s.payload.is_empty()).count();
        assert_eq!(data, segments, "{lost} SYNs lost");
    }
}

/// RFC 5482, section 3: a SYN waits no longer than the user does, however long connecting is tried.
#[test]
fn the_user_time_out_ends_an_open_that_may_last_longer() {
    let mut config = plain();
    config.syn_timeout = Some(Duration::from_secs(75));
    config.user_timeout = Some(Duration::from_secs(10));
    let mut rig = Rig::connect(config);
    rig.pass(Duration::from_secs(10));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::UserTimeout)]);
}

/// RFC 5482: the user time-out is about what waits, not about the silence before it.
#[test]
fn a_fin_before_a_closed_window_has_all_of_the_user_time_out() {
    let mut config = plain();
    config.user_timeout = Some(Duration::from_secs(30));
    let mut rig = Rig::established(config);
    rig.write(100);
    rig.poll();
    window(&mut rig, ISS + 101, 0);
    rig.pass(Duration::from_secs(1000));
    rig.connection.shutdown();
    rig.poll();
    for _ in 0..29 {
        rig.pass(Duration::from_secs(1));
        assert_eq!(rig.connection.state(), State::FinWait1);
    }
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::UserTimeout)));
}

/// RFC 9293, section 3.8.4: whatever is configured, a connection that waits for acknowledgements is
/// not looked at again and again in one moment.
#[test]
fn keep_alive_without_a_time_does_not_spin() {
    let mut config = plain();
    config.keep_alive = Some(KeepAlive { idle: Duration::ZERO, ..KeepAlive::default() });
    let mut rig = Rig::established(config);
    rig.write(100);
    rig.poll();
    rig.connection.on_timeout(rig.now);
    assert!(rig.connection.next_deadline().unwrap() > rig.now);
}

/// RFC 6298, section 3: in a simultaneous open two segments of ours carry the SYN, and which of them
/// is acknowledged is not known.
#[test]
fn a_simultaneous_open_measures_no_round_trip_by_the_second_syn() {
    let mut rig = Rig::connect(plain());
    rig.now += ms(40);
    rig.give(syn());
    assert_eq!(rig.poll().len(), 1, "the SYN-ACK");
    rig.now += ms(40);
    rig.seq = IRS + 1;
    rig.ack(ISS + 1);
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.connection.info().rtt, None);
}

/// Sockstress: a peer that answers retransmissions with a closed window is waited for (RFC 9293, section
/// 3.8.6.1), but has stalled and is the first to go when memory is short.
#[test]
fn a_closed_window_before_data_in_flight_is_a_stall() {
    let mut rig = Rig::established(plain());
    rig.write(5000);
    rig.poll();
    for _ in 0..40 {
        window(&mut rig, ISS + 2, 0);
        assert!(rig.poll().is_empty());
        let wait = rig.connection.next_deadline().unwrap() - rig.now;
        rig.pass(wait);
    }
    window(&mut rig, ISS + 2, 0);
    assert_eq!(rig.connection.state(), State::Established);
    assert!(rig.connection.is_stalled());
    window(&mut rig, ISS + 5001, 5000);
    assert!(!rig.connection.is_stalled());
}

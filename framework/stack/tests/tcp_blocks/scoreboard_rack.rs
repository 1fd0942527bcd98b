//! RACK-TLP (RFC 8985) by scripts.

use fyke_stack::tcp::scoreboard::{Detection, Probe, ProbeResult, RecoveryKind};

use super::scoreboard::{MSS, Rig};
use super::{Duration, at_ms, ms};

/// A connection with a round trip of 100 ms known, and segments from 1 on.
fn warm() -> Rig {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig
}

/// Section 3.3.1: without reordering seen, three SACKed segments condemn what was sent before them.
#[test]
fn three_sacked_segments_condemn_at_once() {
    let mut rig = warm();
    (0..5).for_each(|n| rig.send(200 + n, 1));
    rig.ack(302, 1, &[(2, 3)]);
    let found = rig.detect(302);
    assert_eq!((found.bytes, found.timer), (0, Some(at_ms(200 + 101 + 25))));
    rig.ack(303, 1, &[(2, 4)]);
    assert_eq!(rig.detect(303).bytes, 0);
    rig.ack(304, 1, &[(2, 5)]);
    assert_eq!(rig.detect(304).bytes, MSS);
    assert_eq!(rig.lost(), [1]);
}

/// Section 6.2, step 5: with fewer, the reordering timer does it: RTT + min RTT / 4.
#[test]
fn the_reordering_timer_condemns() {
    let mut rig = warm();
    rig.send(200, 1);
    rig.send(201, 1);
    rig.ack(301, 1, &[(2, 3)]);
    let found = rig.detect(301);
    assert_eq!((found.bytes, found.timer), (0, Some(at_ms(325))));
    assert_eq!(rig.detect(324).bytes, 0);
    let found = rig.detect(325);
    assert_eq!((found.bytes, found.timer), (MSS, None));
}

/// Reordering, once seen, keeps three segments from condemning (section 6.2, step 4).
#[test]
fn reordering_makes_patient() {
    let mut rig = warm();
    (0..3).for_each(|n| rig.send(200 + n, 1));
    assert!(!rig.ack(302, 1, &[(2, 4)]).reordered);
    assert!(rig.ack(303, 4, &[]).reordered, "1 was sent once and came last");
    assert!(rig.board.reordering_seen());
    (0..6).for_each(|n| rig.send(400 + n, 1));
    rig.ack(505, 4, &[(5, 10)]);
    let found = rig.detect(505);
    assert_eq!((found.bytes, found.timer), (0, Some(at_ms(400 + 100 + 25))));
}

/// How long a segment may be late now: two are sent, the second arrives.
fn wait(rig: &mut Rig, now: u64) -> u128 {
    let first = rig.segment(rig.board.nxt());
    rig.send(now, 1);
    rig.send(now + 1, 1);
    rig.ack(now + 101, first, &[(first + 1, first + 2)]);
    let timer = rig.detect(now + 101).timer.unwrap();
    rig.ack(now + 101, first + 2, &[]);
    (timer - at_ms(now)).as_millis() - 100
}

/// A recovery from beginning to end.
fn recover(rig: &mut Rig, now: u64) {
    let una = rig.segment(rig.board.una());
    rig.send(now, 2);
    rig.board.mark_all_lost(false);
    rig.board.enter_recovery();
    rig.resend(now, 2);
    assert_eq!(rig.ack(now + 100, una + 2, &[]).recovered, Some(RecoveryKind::Fast));
}

/// A D-SACK in the middle of the sixteen begins them anew.
#[test]
fn duplicates_keep_the_window_wide() {
    let mut rig = warm();
    let duplicate = |rig: &mut Rig, now: u64| {
        let una = rig.segment(rig.board.una());
        rig.send(now, 1);
        rig.ack(now + 50, una, &[(una - 1, una)]);
        rig.ack(now + 100, una + 1, &[]);
    };
    duplicate(&mut rig, 1_000);
    (0..15).for_each(|round| recover(&mut rig, 2_000 + round * 1_000));
    duplicate(&mut rig, 20_000);
    (0..15).for_each(|round| recover(&mut rig, 21_000 + round * 1_000));
    assert_eq!(wait(&mut rig, 40_000), 75);
    recover(&mut rig, 41_000);
    assert_eq!(wait(&mut rig, 42_000), 25);
}

/// Section 6.2, step 4: every round with a D-SACK widens by a quarter of the minimum, up to SRTT,
/// and sixteen recoveries without one make it narrow again.
#[test]
fn duplicates_widen_the_window() {
    let mut rig = warm();
    assert_eq!(wait(&mut rig, 1_000), 25);
    for (round, expected) in [50, 75, 100, 100, 100].into_iter().enumerate() {
        let now = 2_000 + round as u64 * 1_000;
        let una = rig.segment(rig.board.una());
        rig.send(now, 1);
        rig.ack(now + 50, una, &[(una - 1, una)]);
        // Another in the same round changes nothing.
        rig.ack(now + 60, una, &[(una - 1, una)]);
        rig.ack(now + 100, una + 1, &[]);
        assert_eq!(wait(&mut rig, now + 500), expected, "round {round}");
    }
    for round in 0..16 {
        assert_eq!(wait(&mut rig, 10_000 + round * 1_000), 100, "before recovery {round}");
        recover(&mut rig, 10_500 + round * 1_000);
    }
    assert_eq!(wait(&mut rig, 30_000), 25);
}

/// What no counting finds: a retransmission that is lost too.
#[test]
fn finds_lost_retransmissions() {
    let mut rig = warm();
    (0..6).for_each(|n| rig.send(200 + n, 1));
    rig.ack(305, 1, &[(2, 5)]);
    assert_eq!(rig.detect(305).bytes, MSS);
    assert_eq!(rig.resend(306, 9), [1]);
    rig.send(307, 1);
    // 7 was sent after the retransmission of 1, and arrives.
    rig.ack(407, 1, &[(2, 8)]);
    let found = rig.detect(407);
    assert_eq!((found.bytes, rig.lost()), (MSS, vec![1]));
    assert_eq!(rig.resend(408, 9), [1]);
    assert_eq!(rig.ack(510, 8, &[]).recovered, Some(RecoveryKind::Fast));
}

/// Without any delay all times are one, and numbers do not tell that a retransmission left before
/// what has arrived: ACKs of the instant in which it left do not condemn it, however many there are.
#[test]
fn a_retransmission_is_not_lost_in_its_own_instant() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(200, 6);
    rig.ack(200, 0, &[(3, 6)]);
    assert_eq!(rig.detect(200).bytes, 3 * MSS, "what was sent once is in order");
    assert_eq!(rig.resend(200, 9), [0, 1, 2]);
    for _ in 0..5 {
        rig.ack(200, 0, &[(3, 6)]);
        let found = rig.detect(200);
        assert_eq!((found.bytes, found.timer), (0, Some(at_ms(200))));
    }
    // A round trip of nothing is over as soon as there is any time; what arrived is older then.
    assert_eq!(rig.detect(201).bytes, 3 * MSS);
    assert_eq!(rig.resend(201, 9), [0, 1, 2]);
    for now in [201, 201, 300, 900] {
        rig.ack(now, 0, &[(3, 6)]);
        let found = rig.detect(now);
        assert_eq!((found.bytes, found.timer), (0, None), "at {now}");
    }
}

/// Section 6.2, step 2: an ACK faster than any round trip is for the first transmission, and
/// a timestamp says so too.
#[test]
fn an_ambiguous_ack_moves_nothing() {
    for echo in [None, Some(at_ms(250))] {
        let mut rig = warm();
        rig.send(200, 1);
        rig.send(201, 3);
        rig.board.on_resent(at_ms(300), rig.at(1), MSS);
        // 20 ms after it was sent again, or with an echo from before that.
        rig.echo = echo;
        let now = if echo.is_some() { 450 } else { 320 };
        rig.ack(now, 2, &[]);
        let found = rig.detect(now);
        assert_eq!((found.bytes, found.timer), (0, None), "nothing is known to be later");
    }
}

/// Segments that left at the same time are ordered by number (section 6.2, RACK_sent_after).
#[test]
fn one_instant_is_ordered_by_number() {
    let mut rig = warm();
    rig.send(200, 8);
    rig.ack(300, 1, &[(3, 6)]);
    assert_eq!(rig.detect(300).bytes, 2000);
    assert_eq!(rig.lost(), [1, 2], "6 to 8 are behind what arrived");
}

/// Section 7.2: two SRTT, the peer's delay for a single segment, one second without a sample.
#[test]
fn probe_time_outs() {
    let mut rig = Rig::new(Detection::Rack);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), None, "nothing in flight");
    rig.send(0, 1);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), Some(Duration::from_secs(1)));
    rig.ack(100, 1, &[]);
    rig.send(200, 1);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), Some(ms(200 + 200)));
    rig.send(200, 1);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), Some(ms(200)));
    rig.ack(300, 1, &[(2, 3)]);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), None, "RACK is at work");
    let mut rig = Rig::new(Detection::Sack);
    rig.send(0, 1);
    assert_eq!(rig.board.probe_timeout(&rig.rtt), None);
}

/// Section 7.3: new data, or the last segment again, as it was cut.
#[test]
fn what_a_probe_is() {
    let mut rig = warm();
    rig.send(200, 3);
    assert_eq!(rig.board.probe(true), Some(Probe::New));
    assert_eq!(rig.board.probe(false), Some(Probe::Again(rig.at(3), MSS)));
    rig.board.on_sent(at_ms(200), 300, 1);
    assert_eq!(rig.board.probe(false), Some(Probe::Again(rig.at(4), 300)));
    // Cut for timestamps, by the device.
    let mut rig = warm();
    rig.board.on_sent(at_ms(200), 43 * 988 + 5, 44);
    assert_eq!(rig.board.probe(false), Some(Probe::Again(rig.at(1) + 43 * 988, 5)));
}

/// Section 7.4: what the ACKs of a probe that was sent again say. The last four segments are 1..5.
#[test]
fn answers_to_a_probe() {
    type Answer = (u32, &'static [(u32, u32)], Option<ProbeResult>);
    let table: [(&str, &[Answer]); 4] = [
        (
            "both arrived, D-SACK",
            &[(5, &[], None), (5, &[(4, 5)], Some(ProbeResult::NothingLost)), (5, &[], None)],
        ),
        ("both arrived, no D-SACK", &[(5, &[], None), (5, &[], Some(ProbeResult::NothingLost))]),
        ("one was lost", &[(5, &[], None), (6, &[], Some(ProbeResult::Repaired))]),
        ("before the probe", &[(3, &[], None), (4, &[], None)]),
    ];
    for (name, answers) in table {
        let mut rig = warm();
        rig.send(200, 4);
        let probe = rig.board.probe(false).unwrap();
        rig.board.on_resent(at_ms(400), rig.at(4), MSS);
        rig.board.on_probe_sent(probe);
        assert_eq!(rig.board.probe_timeout(&rig.rtt), None, "one probe at a time");
        for (step, &(una, blocks, expected)) in answers.iter().enumerate() {
            if una > 5 || rig.board.outstanding() == 0 {
                rig.send(450, 1);
            }
            assert_eq!(rig.ack(500 + step as u64, una, blocks).probe, expected, "{name}, {step}");
        }
    }
}

#[test]
fn a_probe_of_new_data_needs_no_answer() {
    let mut rig = warm();
    rig.send(200, 2);
    rig.send(400, 1);
    rig.board.on_probe_sent(Probe::New);
    assert_eq!(rig.ack(450, 3, &[]).probe, None);
    assert_eq!(rig.ack(500, 4, &[]).probe, Some(ProbeResult::NothingLost));
}

/// The probe's ACK shows the tail loss, and RACK repairs it without a time-out.
#[test]
fn a_probe_shows_a_lost_tail() {
    let mut rig = warm();
    rig.send(200, 5);
    let probe = rig.board.probe(false).unwrap();
    rig.board.on_resent(at_ms(400), rig.at(5), MSS);
    rig.board.on_probe_sent(probe);
    rig.ack(500, 1, &[(5, 6)]);
    assert_eq!(rig.detect(500).bytes, 4000);
    assert_eq!(rig.board.recovery(), Some(RecoveryKind::Fast));
    assert_eq!(rig.resend(500, 9), [1, 2, 3, 4]);
    assert_eq!(rig.ack(600, 6, &[]).recovered, Some(RecoveryKind::Fast));
}

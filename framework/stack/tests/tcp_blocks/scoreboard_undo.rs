//! Recoveries that were for nothing: Eifel, D-SACK, F-RTO.

use fyke_stack::tcp::scoreboard::{Detection, NextSegment, RecoveryKind, Spurious};

use super::at_ms;
use super::scoreboard::{MSS, Rig};

/// Ten segments, the first of which is late; it was given up and sent again at 400.
fn late_first() -> Rig {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(300, 10);
    rig.ack(400, 1, &[(2, 6)]);
    assert_eq!(rig.detect(400).bytes, MSS);
    assert_eq!(rig.resend(400, 9), [1]);
    rig
}

/// RFC 3522, section 3.2: the first ACK echoes what was sent before the retransmission, or after it.
#[test]
fn eifel_by_timestamp() {
    for (echo, expected) in
        [(399, Some(Spurious::Timestamp)), (400, None), (401, None), (500, None)]
    {
        let mut rig = late_first();
        rig.echo = Some(at_ms(echo));
        let acked = rig.ack(410, 6, &[]);
        assert_eq!(acked.spurious, expected, "echo {echo}");
        assert_eq!(rig.board.in_recovery(), expected.is_none());
        let over = expected.map(|_| RecoveryKind::Fast);
        assert_eq!(acked.recovered, over);
    }
}

/// Only the first ACK after the retransmission can be about the original.
#[test]
fn eifel_judges_once() {
    let mut rig = late_first();
    rig.echo = Some(at_ms(500));
    assert_eq!(rig.ack(510, 6, &[]).spurious, None);
    rig.echo = Some(at_ms(310));
    assert_eq!(rig.ack(520, 7, &[]).spurious, None);
}

/// A segment that the recovery before sent again is acknowledged with the time of that, which is
/// earlier than what this one sends: no sign that this one was for nothing.
#[test]
fn eifel_does_not_judge_by_what_another_recovery_sent() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(300, 10);
    rig.ack(400, 1, &[(2, 6)]);
    rig.detect(400);
    assert_eq!(rig.resend(400, 1), [1]);
    // Segment 11 is lost while that recovery runs, and sent again when it is over.
    rig.send(410, 5);
    rig.ack(490, 1, &[(2, 11)]);
    rig.echo = Some(at_ms(400));
    assert_eq!(rig.ack(500, 11, &[]).recovered, Some(RecoveryKind::Fast));
    rig.echo = None;
    rig.ack(520, 11, &[(12, 15)]);
    rig.board.detect_losses(at_ms(520), &rig.rtt);
    rig.board.on_resent(at_ms(520), rig.board.una(), MSS);
    // A new recovery begins for something else, before the answer to that comes.
    rig.send(530, 4);
    rig.ack(640, 11, &[(12, 15), (16, 19)]);
    rig.detect(650);
    assert!(rig.board.in_recovery());
    rig.resend(650, 1);
    rig.echo = Some(at_ms(520));
    assert_eq!(rig.ack(660, 15, &[(16, 19)]).spurious, None);
}

/// RFC 3708: every byte sent again was reported as a duplicate, before or after the end.
#[test]
fn all_retransmissions_were_duplicates() {
    let mut rig = late_first();
    assert_eq!(rig.ack(450, 6, &[]).spurious, None);
    let acked = rig.ack(500, 6, &[(1, 2)]);
    assert_eq!(
        (acked.spurious, acked.recovered),
        (Some(Spurious::Duplicates), Some(RecoveryKind::Fast))
    );

    let mut rig = late_first();
    assert_eq!(rig.ack(450, 11, &[]).recovered, Some(RecoveryKind::Fast));
    let acked = rig.ack(500, 11, &[(1, 2)]);
    assert_eq!((acked.spurious, acked.recovered), (Some(Spurious::Duplicates), None));

    // Half of them is not all, and a duplicate from before the recovery does not count.
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(300, 10);
    rig.ack(400, 1, &[(3, 8)]);
    rig.detect(400);
    assert_eq!(rig.resend(400, 9), [1, 2]);
    assert_eq!(rig.ack(410, 8, &[(0, 1)]).spurious, None);
    assert_eq!(rig.ack(500, 8, &[(1, 2)]).spurious, None);
    assert_eq!(rig.ack(501, 8, &[(2, 3)]).spurious, Some(Spurious::Duplicates));
}

/// Long after the recovery a duplicate is of something else.
#[test]
fn late_duplicates_undo_nothing() {
    let mut rig = late_first();
    assert!(!rig.ack(450, 11, &[]).is_final);
    rig.send(500, 2);
    assert!(rig.ack(600, 13, &[]).is_final);
    assert_eq!(rig.ack(700, 13, &[(1, 2)]).spurious, None);
}

/// What was given up came before it was sent again.
#[test]
fn nothing_had_to_be_sent_again() {
    let mut rig = Rig::new(Detection::Rack);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(300, 10);
    rig.ack(400, 1, &[(2, 6)]);
    assert_eq!(rig.detect(400).bytes, MSS);
    let acked = rig.ack(401, 6, &[]);
    assert_eq!(acked.spurious, Some(Spurious::NothingResent));
    assert!(!rig.board.in_recovery());
}

/// A time-out with ten segments outstanding that are only late.
fn timed_out(detection: Detection) -> Rig {
    let mut rig = Rig::new(detection);
    rig.send(0, 1);
    rig.ack(100, 1, &[]);
    rig.send(200, 10);
    assert_eq!(rig.timeout(500), (10 * MSS, true));
    assert_eq!(rig.resend(500, 1), [1]);
    rig
}

/// RFC 5682, section 3.1: the first ACK advances, two new segments go, the second ACK acknowledges
/// what was not sent again.
#[test]
fn forward_rto_recovery() {
    for detection in [Detection::Rack, Detection::Sack, Detection::NewReno] {
        let mut rig = timed_out(detection);
        let acked = rig.ack(510, 2, &[]);
        assert_eq!((acked.spurious, acked.recovered), (None, None));
        for _ in 0..2 {
            assert_eq!(rig.board.next_segment(true, MSS), Some(NextSegment::New), "{detection:?}");
            rig.send(510, 1);
        }
        assert_eq!(
            rig.board.next_segment(true, MSS),
            Some(NextSegment::Lost(rig.at(2), MSS)),
            "two new ones are enough"
        );
        let acked = rig.ack(520, 4, &[]);
        assert_eq!(acked.spurious, Some(Spurious::Forward), "{detection:?}");
        assert_eq!(acked.recovered, Some(RecoveryKind::Timeout));
        assert_eq!(rig.board.lost(), 0, "what was given up is in flight again");
    }
}

/// Step 2a and 3a: a duplicate instead of an advance, first or second, means real loss.
#[test]
fn forward_rto_recovery_gives_up() {
    for detection in [Detection::Rack, Detection::NewReno] {
        let mut rig = timed_out(detection);
        assert_eq!(rig.ack(510, 1, &[]).spurious, None);
        assert_eq!(
            rig.board.next_segment(true, MSS),
            Some(NextSegment::Lost(rig.at(2), MSS)),
            "{detection:?}"
        );
        assert_eq!(rig.ack(520, 4, &[]).spurious, None);

        let mut rig = timed_out(detection);
        rig.ack(510, 2, &[]);
        rig.board.next_segment(true, MSS);
        rig.send(510, 1);
        assert_eq!(rig.ack(610, 2, &[]).spurious, None);
        assert_eq!(rig.board.next_segment(true, MSS), Some(NextSegment::Lost(rig.at(2), MSS)));
    }
    // With SACK: what is new arrived, and there is a hole before it.
    let mut rig = timed_out(Detection::Rack);
    rig.ack(510, 2, &[]);
    rig.send(510, 1);
    assert_eq!(rig.ack(610, 2, &[(11, 12)]).spurious, None);
    assert_eq!(rig.board.next_segment(true, MSS), Some(NextSegment::Lost(rig.at(2), MSS)));
}

/// What was not sent again arrives together with what is new, and there is a hole before them: the
/// first flight came through with a loss (section 3.1, step 3).
#[test]
fn forward_rto_recovery_sees_holes() {
    let mut rig = timed_out(Detection::Rack);
    rig.ack(510, 2, &[]);
    rig.send(510, 1);
    assert_eq!(rig.ack(610, 2, &[(11, 12), (5, 9)]).spurious, None);
    assert_eq!(rig.board.recovery(), Some(RecoveryKind::Timeout));
}

/// Step 2b: without new data to send there is nothing to learn.
#[test]
fn forward_rto_recovery_needs_new_data() {
    let mut rig = timed_out(Detection::Rack);
    rig.ack(510, 2, &[]);
    assert_eq!(rig.board.next_segment(false, MSS), Some(NextSegment::Lost(rig.at(2), MSS)));
    assert_eq!(rig.ack(520, 4, &[]).spurious, None);
}

/// Eifel works for time-outs too, and the second time-out for the same data is not the first.
#[test]
fn a_spurious_time_out_by_timestamp() {
    let mut rig = timed_out(Detection::Rack);
    rig.echo = Some(at_ms(250));
    let acked = rig.ack(510, 2, &[]);
    assert_eq!(
        (acked.spurious, acked.recovered),
        (Some(Spurious::Timestamp), Some(RecoveryKind::Timeout))
    );

    let mut rig = timed_out(Detection::Rack);
    assert!(!rig.timeout(1100).1);
    assert_eq!(rig.resend(1100, 1), [1]);
    rig.echo = Some(at_ms(250));
    assert_eq!(rig.ack(1150, 2, &[]).spurious, Some(Spurious::Timestamp));
}

/// A time-out in the middle of a fast recovery continues its books.
#[test]
fn a_time_out_within_a_recovery() {
    let mut rig = late_first();
    assert!(rig.timeout(800).1);
    assert_eq!(rig.board.recovery(), Some(RecoveryKind::Timeout));
    rig.echo = Some(at_ms(350));
    assert_eq!(rig.ack(810, 6, &[]).spurious, Some(Spurious::Timestamp));
}

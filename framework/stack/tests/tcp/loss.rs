//! What is lost is sent again, once and soon; what is not, is not.

use std::time::Duration;

use fyke_stack::tcp::congestion::{Algorithm, Phase};
use fyke_stack::tcp::{
    CloseReason, Config, ConnectionOption, Event, Flags, IcmpError, IcmpKind, Options, SackBlocks,
    Segment, SeqNum, State, Timestamp,
};

use crate::rig::{IRS, ISS, Rig, ms, plain};

const MSS: u32 = 1000;

/// With SACK agreed and segments of a thousand bytes.
pub fn sack(mut config: Config) -> Rig {
    config.sack = true;
    let options = Options { mss: Some(MSS as u16), sack_permitted: true, ..Options::default() };
    Rig::established_with(config, options)
}

fn no_sack(config: Config) -> Rig {
    Rig::established_with(config, Options { mss: Some(MSS as u16), ..Options::default() })
}

/// The number of the `n`th thousand bytes.
pub fn at(n: u32) -> u32 {
    ISS + 1 + n * MSS
}

pub fn sacks(rig: &mut Rig, ack: u32, blocks: &[(u32, u32)]) {
    let mut segment = rig.segment(Flags::ACK, ack, b"");
    let mut sack = SackBlocks::EMPTY;
    for (left, right) in blocks {
        sack.push(SeqNum::new(*left), SeqNum::new(*right));
    }
    segment.options.sack = sack;
    rig.give(segment);
}

pub fn starts(sent: &[Segment]) -> Vec<u32> {
    sent.iter().filter(|s| !s.payload.is_empty()).map(|s| (s.seq - ISS - 1).value() / MSS).collect()
}

#[test]
fn a_hole_is_filled_after_three_duplicates() {
    let mut rig = no_sack(plain());
    rig.write(20_000);
    assert_eq!(rig.poll().len(), 10, "the initial window");
    rig.now += ms(50);
    rig.ack(at(1));
    assert_eq!(starts(&rig.poll()), [10, 11]);
    // Segment 1 is lost. Limited transmit lets two new ones out (RFC 3042).
    rig.ack(at(1));
    assert_eq!(starts(&rig.poll()), [12]);
    rig.ack(at(1));
    assert_eq!(starts(&rig.poll()), [13]);
    rig.ack(at(1));
    assert_eq!(starts(&rig.poll())[0], 1, "the third sends it again");
    let info = rig.connection.info();
    assert_eq!((info.phase, info.recoveries), (Phase::Recovery, 1));
    // Everything is there: the recovery ends at ssthresh.
    rig.ack(at(14));
    assert_ne!(rig.connection.info().phase, Phase::Recovery);
    assert!(rig.connection.info().slow_start_threshold < 14 * MSS);
}

#[test]
fn sacked_segments_are_not_sent_again() {
    let mut rig = sack(plain());
    rig.write(10_000);
    rig.poll();
    rig.now += ms(50);
    // The first, the third and the fifth are missing.
    for blocks in [
        &[(at(1), at(2))][..],
        &[(at(3), at(4)), (at(1), at(2))],
        &[(at(5), at(10)), (at(3), at(4)), (at(1), at(2))],
    ] {
        sacks(&mut rig, at(0), blocks);
    }
    let mut again = starts(&rig.poll());
    again.extend(starts(&rig.pass(ms(40))));
    assert_eq!(again, [0, 2, 4]);
    let info = rig.connection.info();
    assert_eq!((info.lost, info.resent, info.sacked), (0, 3 * MSS, 7 * MSS));
}

/// The peer keeps few ranges and drops the farthest, which it had SACKed (RFC 2018, section 8), and
/// the link takes no time: what it drops again and again is not sent with every duplicate.
#[test]
fn a_dropped_far_range_is_not_sent_for_every_duplicate() {
    let mut rig = sack(plain());
    rig.write(10_000);
    rig.poll();
    sacks(&mut rig, at(0), &[(at(9), at(10))]);
    sacks(&mut rig, at(0), &[(at(4), at(6)), (at(9), at(10))]);
    sacks(&mut rig, at(0), &[(at(2), at(3)), (at(4), at(6))]);
    let mut again = starts(&rig.poll());
    assert_eq!(again.first(), Some(&0), "the first hole first");
    for _ in 0..50 {
        sacks(&mut rig, at(0), &[(at(2), at(3)), (at(4), at(6))]);
        again.extend(starts(&rig.poll()));
    }
    assert_eq!(again, [0, 1, 3, 6], "each once, and the window has no room for more");
    sacks(&mut rig, at(7), &[]);
    assert_eq!(starts(&rig.poll()), [7, 8]);
    // All but the dropped range has arrived: the time-out forgets that it was SACKed.
    rig.ack(at(9));
    assert_eq!(starts(&rig.poll()), []);
    let wait = rig.connection.next_deadline().unwrap() - rig.now;
    assert_eq!(starts(&rig.pass(wait)), [9]);
    rig.ack(at(10));
    assert_eq!(rig.connection.info().timeouts, 1);
    assert_eq!(starts(&rig.pass(ms(60_000))), []);
}

#[test]
fn the_window_is_halved_once_a_recovery() {
    let mut config = plain();
    config.congestion.algorithm = Algorithm::NewReno;
    let mut rig = sack(config);
    rig.write(10_000);
    rig.poll();
    rig.now += ms(50);
    sacks(&mut rig, at(0), &[(at(1), at(5))]);
    rig.poll();
    assert_eq!(rig.connection.info().slow_start_threshold, 5 * MSS);
    rig.now += ms(50);
    sacks(&mut rig, at(1), &[(at(6), at(10))]);
    rig.poll();
    let info = rig.connection.info();
    assert_eq!((info.slow_start_threshold, info.recoveries), (5 * MSS, 1));
}

#[test]
fn time_outs_double_and_end_the_connection() {
    let mut config = plain();
    config.retries = 4;
    config.tail_loss_probe = false;
    let mut rig = no_sack(config);
    rig.write(500);
    let first = rig.poll();
    let mut last = rig.now;
    let mut waits = Vec::new();
    for _ in 0..4 {
        let deadline = rig.connection.next_deadline().unwrap();
        let again = rig.pass(deadline - rig.now);
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].seq, &again[0].payload), (first[0].seq, &first[0].payload));
        waits.push((deadline - last).as_millis());
        last = deadline;
    }
    assert!(waits.windows(2).all(|pair| pair[1] == 2 * pair[0]), "{waits:?}");
    rig.pass(Duration::from_secs(100));
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::TimedOut)));
}

#[test]
fn a_time_out_shrinks_the_window_to_one_segment() {
    let mut config = plain();
    config.tail_loss_probe = false;
    let mut rig = no_sack(config);
    rig.write(10_000);
    rig.poll();
    let sent = rig.pass(ms(1000));
    assert_eq!(starts(&sent)[0], 0);
    assert!(starts(&sent).len() <= 2, "one, or twice one: {:?}", starts(&sent));
    let info = rig.connection.info();
    assert_eq!((info.phase, info.congestion_window), (Phase::Loss, MSS));
    assert_eq!(info.lost + info.resent, 10 * MSS);
    // Slow start brings the rest: one acknowledgement, two segments.
    rig.ack(at(1));
    assert_eq!(starts(&rig.poll()), [1, 2]);
}

#[test]
fn a_retransmission_gives_no_sample() {
    // Karn: whose acknowledgement is it?
    let mut config = plain();
    config.tail_loss_probe = false;
    let mut rig = no_sack(config);
    let before = rig.connection.info().rtt;
    rig.write(500);
    rig.poll();
    rig.pass(ms(1500));
    rig.ack(ISS + 501);
    assert_eq!(rig.connection.info().rtt, before);
}

#[test]
fn the_tail_is_probed_before_the_time_out() {
    let mut rig = sack(plain());
    rig.write(500);
    rig.poll();
    rig.now += ms(100);
    rig.ack(ISS + 501);
    rig.write(3000);
    rig.poll();
    let rto = rig.connection.info().rto;
    let probe_at = rig.connection.next_deadline().unwrap();
    assert!(probe_at < rig.now + rto);
    let probe = rig.pass(probe_at - rig.now);
    assert_eq!(probe.len(), 1);
    assert_eq!(probe[0].seq, SeqNum::new(ISS + 501 + 2000), "the last segment");
    assert_eq!(rig.connection.info().timeouts, 0);
}

#[test]
fn a_spurious_time_out_is_taken_back_by_its_timestamp() {
    // Eifel (RFC 3522): the acknowledgement echoes what was sent before the time-out.
    let stamp = |value, echo| Options {
        mss: Some(1012),
        timestamp: Some(Timestamp { value, echo }),
        ..Options::default()
    };
    let mut config = Config::linux();
    config.sack = false;
    config.tail_loss_probe = false;
    let mut rig = Rig::established_with(config, stamp(1, 0));
    rig.write(8000);
    let sent = rig.poll();
    let echo = sent[0].options.timestamp.unwrap().value;
    let window = rig.connection.info().congestion_window;
    rig.pass(rig.connection.next_deadline().unwrap() - rig.now);
    assert_eq!(rig.connection.info().timeouts, 1);
    let mut late = rig.segment(Flags::ACK, at(1), b"");
    late.options = Options { timestamp: stamp(2, echo).timestamp, ..Options::default() };
    rig.give(late);
    let info = rig.connection.info();
    assert_eq!(info.undone, 1);
    assert!(info.congestion_window >= window, "{} < {window}", info.congestion_window);
    assert_eq!(info.slow_start_threshold, u32::MAX);
}

#[test]
fn a_spurious_recovery_is_taken_back_by_its_duplicate() {
    // The peer reports that it had what was sent again (RFC 2883, RFC 3708).
    let mut rig = sack(plain());
    rig.write(10_000);
    rig.poll();
    rig.now += ms(50);
    let window = rig.connection.info().congestion_window;
    sacks(&mut rig, at(0), &[(at(1), at(5))]);
    assert_eq!(starts(&rig.poll()), [0]);
    rig.now += ms(50);
    sacks(&mut rig, at(10), &[]);
    sacks(&mut rig, at(10), &[(at(0), at(1))]);
    let info = rig.connection.info();
    assert_eq!(info.undone, 1);
    assert!(info.congestion_window >= window);
}

/// A time-out of a window that was only late: what the connection sends after the first and the
/// second acknowledgement, and whether the time-out was taken back.
fn late_acknowledgements(f_rto: bool) -> (Vec<u32>, u32) {
    let mut config = plain();
    config.f_rto = f_rto;
    config.tail_loss_probe = false;
    let mut rig = sack(config);
    rig.write(20_000);
    rig.poll();
    rig.pass(rig.connection.next_deadline().unwrap() - rig.now);
    sacks(&mut rig, at(1), &[]);
    let sent = starts(&rig.poll());
    sacks(&mut rig, at(2), &[]);
    (sent, rig.connection.info().undone)
}

#[test]
fn a_spurious_time_out_is_taken_back_by_what_follows() {
    // F-RTO (RFC 5682): new data after the first acknowledgement, and the second acknowledges what
    // was never sent again.
    assert_eq!(late_acknowledgements(true), (vec![10, 11], 1));
    assert_eq!(late_acknowledgements(false), (vec![1, 2], 0));
}

#[test]
fn the_user_time_out_ends_what_waits_too_long() {
    let mut config = plain();
    config.user_timeout = Some(Duration::from_secs(5));
    let mut rig = no_sack(config);
    rig.write(100);
    rig.poll();
    rig.pass(ms(4999));
    assert_eq!(rig.connection.state(), State::Established);
    rig.pass(ms(1));
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::UserTimeout)));
}

#[test]
fn a_smaller_path_cuts_what_is_in_flight_anew() {
    let mut rig = no_sack(plain());
    rig.write(3000);
    rig.poll();
    let window = rig.connection.info().congestion_window;
    let too_big =
        |mss, seq| IcmpError { kind: IcmpKind::PacketTooBig { mss }, seq: SeqNum::new(seq) };
    // Forged: nothing in flight begins there (RFC 5927, section 4.1).
    rig.connection.on_icmp(rig.now, too_big(500, ISS));
    rig.connection.on_icmp(rig.now, too_big(500, ISS + 5000));
    assert!(rig.poll().is_empty());
    rig.connection.on_icmp(rig.now, too_big(500, ISS + 1));
    let sent = rig.poll();
    assert_eq!(sent.iter().map(|s| s.payload.len()).collect::<Vec<_>>(), [500; 6]);
    assert!(rig.connection.info().congestion_window >= window - MSS, "no sign of congestion");
    // The path never grows because a packet says so, and nothing is smaller than the floor.
    rig.connection.on_icmp(rig.now, too_big(900, ISS + 1));
    assert_eq!(rig.connection.info().send_mss, 500);
    rig.connection.on_icmp(rig.now, too_big(1, ISS + 1));
    assert_eq!(rig.connection.info().send_mss, 48);
}

#[test]
fn a_black_hole_is_suspected_after_some_time_outs() {
    let mut config = plain();
    config.black_hole_timeouts = 2;
    config.black_hole_mss = 500;
    let mut rig = no_sack(config);
    rig.write(1000);
    rig.poll();
    let sent = rig.pass(Duration::from_secs(4));
    let sizes: Vec<usize> = sent.iter().map(|s| s.payload.len()).collect();
    assert!(sizes.starts_with(&[1000]) && sizes.contains(&500), "{sizes:?}");
}

#[test]
fn an_ack_of_what_was_never_sent_changes_nothing() {
    // An optimistic receiver (stack.md): answered, and dropped with all it carries.
    let mut rig = no_sack(plain());
    rig.write(5000);
    rig.poll();
    let before = rig.connection.info();
    let mut segment = rig.segment(Flags::ACK, at(9), b"data that is dropped, too");
    segment.window = 1;
    rig.give(segment);
    let after = rig.connection.info();
    assert_eq!((after.snd_una, after.snd_wnd), (before.snd_una, before.snd_wnd));
    assert_eq!(after.rcv_nxt, SeqNum::new(IRS + 1));
    let answer = rig.poll();
    assert_eq!((answer.len(), answer[0].flags), (1, Flags::ACK));
}

#[test]
fn many_small_acknowledgements_grow_the_window_like_one() {
    // ACK splitting: bytes count, not acknowledgements (RFC 3465).
    let grow = |pieces: u32| {
        let mut config = plain();
        config.congestion.hystart = false;
        let mut rig = no_sack(config);
        rig.write(60_000);
        rig.poll();
        rig.now += ms(50);
        for piece in 1..=pieces {
            rig.ack(ISS + 1 + MSS * piece / pieces);
        }
        rig.connection.info().congestion_window
    };
    assert!(grow(100) <= grow(1), "{} from one segment", grow(100));
}

#[test]
fn the_same_bytes_are_never_other_bytes() {
    let mut rig = no_sack(plain());
    rig.connection.write((0..=255u8).cycle().take(10_000).collect(), rig.now);
    let first: Vec<u8> = rig.poll().iter().flat_map(|s| s.payload.to_vec()).collect();
    rig.ack(ISS + 1 + 4321);
    let again = rig.pass(Duration::from_secs(3));
    for segment in again.iter().filter(|s| !s.payload.is_empty()) {
        let from = (segment.seq - ISS - 1).value() as usize;
        let to = from + segment.payload.len();
        if to <= first.len() {
            assert_eq!(segment.payload, first[from..to], "{from}..{to}");
        }
    }
    assert!(again.iter().any(|s| s.seq == SeqNum::new(ISS + 1 + 4321)));
}

#[test]
fn the_user_timeout_may_come_before_the_end_of_the_reordering_window() {
    let mut rig = sack(plain());
    rig.write(1000);
    rig.poll();
    rig.now += ms(400);
    rig.ack(at(1));
    rig.write(4000);
    assert_eq!(starts(&rig.poll()), [1, 2, 3, 4]);
    rig.now += ms(400);
    let option = ConnectionOption::UserTimeout(Some(ms(450)));
    rig.connection.set_option(rig.now, option);
    sacks(&mut rig, at(1), &[(at(2), at(3))]);
    rig.poll();
    // A quarter of the round trip would be waited for what may have been overtaken.
    let due = rig.connection.next_deadline().unwrap();
    assert_eq!(due - rig.now, ms(50));
    rig.now = due;
    rig.connection.on_timeout(rig.now);
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::UserTimeout)));
    assert_eq!(rig.connection.next_deadline(), None, "and nothing is due again and again");
}

//! Delivery rate samples, by the sections of draft-ietf-ccwg-bbr, against a path of known rate.

use fyke_stack::tcp::rtt::{RttConfig, RttEstimator};
use fyke_stack::tcp::scoreboard::{
    Ack, Detection, Losses, RateSample, Scoreboard, ScoreboardConfig,
};

use super::{Duration, Instant, Random, at_ms, ms, seq};

const MSS: u32 = 1000;

pub(super) fn board() -> Scoreboard {
    let mut board = Scoreboard::new(&ScoreboardConfig::default(), seq(0), MSS);
    board.sample_rates(true);
    board
}

fn ack(board: &mut Scoreboard, now: Instant, ack: u32) -> Option<RateSample> {
    sack(board, now, ack, &[])
}

fn sack(
    board: &mut Scoreboard,
    now: Instant,
    ack: u32,
    blocks: &[(u32, u32)],
) -> Option<RateSample> {
    let blocks: Vec<_> = blocks.iter().map(|&(left, right)| (seq(left), seq(right))).collect();
    board.on_ack(&Ack {
        now,
        ack: seq(ack),
        blocks: &blocks,
        duplicate: false,
        echo: None,
        min_rtt: None,
    });
    board.rate_sample().copied()
}

fn detect(board: &mut Scoreboard, now: Instant, rtt: Duration) -> Losses {
    let mut estimator = RttEstimator::new(&RttConfig::default());
    estimator.sample(now, rtt, 1);
    board.detect_losses(now, &estimator)
}

/// Section 4.1.1.2.1: a flight that leaves at once and is acknowledged at the bottleneck's pace has
/// the bottleneck's rate.
#[test]
fn the_rate_of_acknowledgements_is_the_bottlenecks() {
    let mut board = board();
    board.on_sent(at_ms(0), 20 * MSS, 20);
    for n in 1..=20 {
        // 1 segment a millisecond, the first after 50 ms.
        let sample = ack(&mut board, at_ms(50 + n), n as u32 * MSS).unwrap();
        assert_eq!(sample.delivered, n * 1000);
        assert_eq!(sample.interval, ms(50 + n));
        assert_eq!(sample.rate, n * 1000 * 1000 / (50 + n));
        assert!(!sample.app_limited);
    }
    // The second flight leaves as the ACKs come, and so is a whole round trip of the bottleneck.
    let mut board = self::board();
    board.on_sent(at_ms(0), 50 * MSS, 50);
    for n in 1..=200_u64 {
        let now = at_ms(50 + n);
        let sample = ack(&mut board, now, n as u32 * MSS).unwrap();
        board.on_sent(now, MSS, 1);
        if n > 100 {
            assert_eq!(sample.rate, 1_000_000, "segment {n}");
            assert_eq!(sample.interval, ms(50));
        }
    }
}

/// Section 4.1.1.2.2: ACKs that come in a burst make the path no faster than it was sent to.
#[test]
fn a_burst_of_acknowledgements_is_no_rate() {
    let mut board = board();
    for n in 0..100 {
        board.on_sent(at_ms(n), MSS, 1);
    }
    // All of them are acknowledged at one moment; the send interval is what counts.
    let sample = ack(&mut board, at_ms(100), 100 * MSS).unwrap();
    assert_eq!(sample.interval, ms(100));
    for n in 0..100 {
        board.on_sent(at_ms(101 + n), MSS, 1);
    }
    let mut rates = Vec::new();
    for n in (110..=200).step_by(10) {
        rates.push(ack(&mut board, at_ms(300), n * MSS).unwrap().rate);
    }
    assert!(rates.iter().all(|rate| *rate <= 1_000_000), "{rates:?}");
}

/// Section 4.1.2.3: shorter than any round trip is no interval, but of an ACK for what was sent twice.
#[test]
fn an_interval_below_the_smallest_round_trip_gives_no_rate() {
    let mut board = board();
    board.on_sent(at_ms(0), 10 * MSS, 10);
    let told = |board: &mut Scoreboard, now, number| {
        board.on_ack(&Ack {
            now,
            ack: seq(number),
            blocks: &[],
            duplicate: false,
            echo: None,
            min_rtt: Some(ms(40)),
        });
        board.rate_sample().copied().unwrap()
    };
    assert_eq!(told(&mut board, at_ms(10), MSS).rate, 0);
    assert!(told(&mut board, at_ms(40), 2 * MSS).rate > 0);
}

/// Section 4.1.1.3: from a bubble on, and until it has left the pipe, samples are marked.
#[test]
fn samples_are_marked_until_the_bubble_is_out() {
    let mut board = board();
    board.on_sent(at_ms(0), 4 * MSS, 4);
    board.mark_app_limited();
    assert!(board.is_app_limited());
    board.on_sent(at_ms(10), 2 * MSS, 2);
    // What left before the bubble is good.
    assert!(!ack(&mut board, at_ms(50), 4 * MSS).unwrap().app_limited);
    board.on_sent(at_ms(50), 2 * MSS, 2);
    assert!(ack(&mut board, at_ms(60), 6 * MSS).unwrap().app_limited);
    assert!(!board.is_app_limited(), "what was in flight with it has been delivered");
    board.on_sent(at_ms(60), 2 * MSS, 2);
    assert!(ack(&mut board, at_ms(100), 8 * MSS).unwrap().app_limited);
    assert!(!ack(&mut board, at_ms(110), 10 * MSS).unwrap().app_limited);
    // A lower rate that is the application's does not take the place of one that is the path's.
    let (path, limited) = board.delivery_rate().unwrap();
    assert!(!limited);
    board.mark_app_limited();
    board.on_sent(at_ms(200), MSS, 1);
    let sample = ack(&mut board, at_ms(900), 11 * MSS).unwrap();
    assert!(sample.app_limited && sample.rate < path);
    assert_eq!(board.delivery_rate(), Some((path, false)));
}

/// Section 4.1.2.2: after silence the interval begins when something is sent again.
#[test]
fn silence_is_not_counted() {
    let mut board = board();
    board.on_sent(at_ms(0), MSS, 1);
    ack(&mut board, at_ms(50), MSS);
    board.on_sent(at_ms(10_000), 10 * MSS, 10);
    let sample = ack(&mut board, at_ms(10_050), 11 * MSS).unwrap();
    assert_eq!((sample.interval, sample.rate), (ms(50), 200_000));
}

/// Sections 2.4 and 5.5.10: what was in flight when a segment left, and what was lost since.
#[test]
fn losses_are_counted_against_what_was_in_flight() {
    let mut board = board();
    for n in 0..100 {
        board.on_sent(at_ms(n), MSS, 1);
    }
    // One segment is missing: in so small a flight no rate of losses.
    let sample = sack(&mut board, at_ms(200), 20 * MSS, &[(21 * MSS, 40 * MSS)]).unwrap();
    assert_eq!((sample.in_flight, sample.lost), (40 * MSS, 0));
    assert_eq!(detect(&mut board, at_ms(200), ms(100)).bytes, MSS);
    let losses = board.take_losses();
    assert_eq!((losses.bytes, losses.ranges, losses.excess), (MSS, 1, None));
    // Two more, far from each other: the first of them is more than 2 % of what was in flight when it
    // left.
    let blocks = [(41 * MSS, 60 * MSS), (61 * MSS, 100 * MSS)];
    sack(&mut board, at_ms(210), 20 * MSS, &blocks);
    detect(&mut board, at_ms(210), ms(100));
    let losses = board.take_losses();
    assert_eq!((losses.bytes, losses.ranges), (2 * MSS, 2));
    let excess = losses.excess.unwrap();
    assert_eq!((excess.in_flight, excess.lost, excess.bytes), (41 * MSS, 2000, MSS));
    assert_eq!(board.take_losses().bytes, 0, "taken once");
    board.enter_recovery();
    for lost in [20, 40, 60] {
        board.on_resent(at_ms(210), seq(lost * MSS), MSS);
    }
    let sample = ack(&mut board, at_ms(300), 100 * MSS).unwrap();
    assert_eq!((sample.newly_acked, sample.lost), (3 * MSS, 0), "of the retransmissions");
}

/// Section 5.3.1.3: ranges are counted that do not touch, also when they are found lost by and by.
#[test]
fn a_range_that_is_lost_by_and_by_is_one() {
    let mut board = board();
    for n in 0..40 {
        board.on_sent(at_ms(n), MSS, 1);
    }
    let mut ranges = 0;
    for n in 0..8_u64 {
        // RACK gives up one after the other, as each has had its time.
        let right = (20 + n as u32) * MSS;
        sack(&mut board, at_ms(100 + n), 4 * MSS, &[(12 * MSS, right)]);
        detect(&mut board, at_ms(100 + n), ms(100));
        let losses = board.take_losses();
        ranges += losses.ranges;
    }
    assert_eq!((board.lost(), ranges), (8 * MSS, 1));
    sack(&mut board, at_ms(120), 4 * MSS, &[(30 * MSS, 36 * MSS)]);
    detect(&mut board, at_ms(160), ms(100));
    assert_eq!(board.take_losses().ranges, 1, "another hole");
}

/// Section 4.2: an ACK for what left twice and for what left once tells the round trip of the latter.
#[test]
fn what_left_once_tells_the_round_trip() {
    let mut board = board();
    board.on_sent(at_ms(0), MSS, 1);
    board.on_sent(at_ms(1), 9 * MSS, 9);
    sack(&mut board, at_ms(50), 0, &[(MSS, 8 * MSS)]);
    detect(&mut board, at_ms(70), ms(50));
    board.enter_recovery();
    board.on_resent(at_ms(70), seq(0), MSS);
    board.on_sent(at_ms(80), MSS, 1);
    let sample = ack(&mut board, at_ms(130), 11 * MSS).unwrap();
    assert_eq!(sample.rtt, Some(ms(50)));
    let mut board = self::board();
    board.on_sent(at_ms(0), MSS, 1);
    board.on_resent(at_ms(70), seq(0), MSS);
    assert_eq!(ack(&mut board, at_ms(71), MSS).unwrap().rtt, None, "nobody knows which it was");
}

/// Section 5.5.10.2: a time-out gives segments up like anything else does, whatever finds losses.
#[test]
fn a_time_out_is_a_loss_too_much() {
    for detection in [Detection::Rack, Detection::Sack, Detection::NewReno] {
        let mut board = board();
        board.negotiated(detection, MSS);
        board.on_sent(at_ms(0), 10 * MSS, 10);
        board.on_sent(at_ms(1), 10 * MSS, 10);
        let mut estimator = RttEstimator::new(&RttConfig::default());
        estimator.sample(at_ms(0), ms(100), 1);
        board.on_timeout(at_ms(400), &estimator);
        let losses = board.take_losses();
        assert_eq!((losses.bytes, losses.ranges), (20 * MSS, 1), "{detection:?}");
        let excess = losses.excess.unwrap();
        assert_eq!((excess.in_flight, excess.bytes), (10 * MSS, 10 * MSS), "{detection:?}");
    }
}

/// Section 4.1.3.6: without SACK cumulative acknowledgements alone do.
#[test]
fn without_sack_cumulative_acknowledgements_tell() {
    let mut board = board();
    board.negotiated(Detection::NewReno, MSS);
    board.on_sent(at_ms(0), 10 * MSS, 10);
    let sample = ack(&mut board, at_ms(100), 10 * MSS).unwrap();
    assert_eq!(sample.rate, 100_000);
}

/// What is remembered is bounded by the scoreboard's own bound, and goes when it is acknowledged.
#[test]
fn what_is_remembered_is_bounded() {
    let config = ScoreboardConfig { entries_max: 100, ..ScoreboardConfig::default() };
    let mut board = Scoreboard::new(&config, seq(0), MSS);
    board.sample_rates(true);
    let mut random = Random(7);
    for n in 0..10_000 {
        board.on_sent(at_ms(n), 10, 1);
        if random.one_in(3) {
            board.on_resent(at_ms(n), seq(0), 10);
        }
        assert!(board.departures() <= 100 && board.check());
    }
    ack(&mut board, at_ms(20_000), 100_000);
    assert_eq!(board.departures(), 0);
    board.sample_rates(false);
    board.on_sent(at_ms(20_001), 10, 1);
    assert_eq!((board.departures(), board.rate_sample()), (0, None));
}

/// A path of any rate and delay, a window that fills it: no sample is above the rate, the best is
/// near it.
#[test]
fn no_sample_is_above_the_rate_of_the_path() {
    let mut random = Random(11);
    for _ in 0..200 {
        let gap = Duration::from_micros(u64::from(1 + random.below(3000)));
        let delay = Duration::from_micros(u64::from(1 + random.below(200_000)));
        let window = u32::try_from(delay.as_nanos() / gap.as_nanos() + 2).unwrap().min(3000);
        let mut board = board();
        let (mut now, mut sent, mut acked, mut best) = (Instant::ZERO, 0, 0, 0);
        let mut free = now;
        let mut arrivals = std::collections::VecDeque::new();
        for _ in 0..(4 * window) {
            while sent < acked + window {
                board.on_sent(now, MSS, 1);
                sent += 1;
                free = free.max(now) + gap;
                arrivals.push_back(free + delay);
            }
            now = arrivals.pop_front().unwrap();
            acked += 1;
            best = best.max(ack(&mut board, now, acked * MSS).unwrap().rate);
        }
        let path = u64::from(MSS) * 1_000_000_000 / u64::try_from(gap.as_nanos()).unwrap();
        assert!(best <= path, "{best} of {path}");
        let full = u128::from(window) * gap.as_nanos() > delay.as_nanos();
        assert!(!full || best >= path * 9 / 10, "{best} of {path}, {window}, {delay:?}");
    }
}

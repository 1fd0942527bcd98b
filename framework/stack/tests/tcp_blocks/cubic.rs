//! CUBIC against the closed forms of RFC 9438.

use fyke_stack::tcp::Config;
use fyke_stack::tcp::congestion::{Algorithm, CongestionConfig, Cubic};

use super::congestion::{Flow, MSS, config};
use super::{Duration, ms};

/// Equation 1, with K from equation 2.
fn w_cubic(t: f64, w_max: f64, start: f64) -> f64 {
    let k = ((w_max - start) / 0.4).cbrt();
    0.4 * (t - k).powi(3) + w_max
}

/// Grows to a window by slow start, then loses there.
fn after_loss_at(segments: u32, rtt: Duration) -> Flow {
    let mut flow = Flow::new(&config(Algorithm::Cubic), rtt);
    while flow.segments() < segments {
        flow.ack(MSS);
    }
    assert_eq!(flow.segments(), segments);
    flow.lose();
    flow
}

/// Section 4.2: concave up to W_max, flat around it, convex beyond.
#[test]
fn follows_the_cubic_function() {
    for (segments, rtt) in [(1_000, 100), (1_000, 50), (5_000, 100), (20_000, 200)] {
        let mut flow = after_loss_at(segments, ms(rtt));
        let w_max = f64::from(segments);
        let start = f64::from(flow.cc.window()) / f64::from(MSS);
        assert!((start - 0.7 * w_max).abs() <= 1.0, "section 4.6: {start} after {w_max}");
        // The first ACK begins the epoch.
        flow.ack(MSS);
        let epoch = flow.now;
        let k = ((w_max - start) / 0.4).cbrt();
        while (flow.now - epoch).as_secs_f64() < 1.6 * k {
            flow.round();
            let t = (flow.now - epoch).as_secs_f64();
            let (ours, model) =
                (f64::from(flow.cc.window()) / f64::from(MSS), w_cubic(t, w_max, start));
            assert!(
                (ours / model - 1.0).abs() < 0.02,
                "{segments}, {rtt} ms, {t:.2} s: {ours} {model}"
            );
        }
        assert!(flow.segments() > segments, "it probes beyond W_max");
    }
}

/// Section 4.3: with a short round trip it is as Reno would be with 0.53 segments a round trip, and
/// with one from W_max on.
#[test]
fn is_friendly_to_reno() {
    let mut flow = after_loss_at(100, ms(10));
    flow.ack(MSS);
    let start = f64::from(flow.cc.window());
    let mut last = 0.0;
    for round in 1..=56 {
        flow.round();
        let expected = start + 9.0 / 17.0 * f64::from(round * MSS);
        let ours = f64::from(flow.cc.window());
        assert!((ours / expected - 1.0).abs() < 0.02, "round {round}: {ours} for {expected}");
        last = ours;
    }
    assert!(last > 98.0 * f64::from(MSS), "near W_max: {last}");
    (0..8).for_each(|_| flow.round());
    let before = flow.cc.window();
    (0..10).for_each(|_| flow.round());
    let grown = (flow.cc.window() - before) / 10;
    assert!((900..=1100).contains(&grown), "alpha is one beyond: {grown} bytes a round trip");
}

/// Section 4.7: a loss below the last W_max lowers W_max further, to 0.85 of the window.
#[test]
fn converges_fast() {
    let mut cubic = Cubic::default();
    assert_eq!(cubic.reduce(100_000, 100_000), 70_000);
    assert_eq!(cubic.w_max(), 100_000);
    assert_eq!(cubic.reduce(80_000, 80_000), 56_000);
    assert_eq!(cubic.w_max(), 68_000);
    assert_eq!(cubic.reduce(70_000, 70_000), 49_000);
    assert_eq!(cubic.w_max(), 70_000, "above the last W_max it is the window again");
}

/// Section 4.8: after a time-out the first avoidance begins with K = 0 at its own window.
#[test]
fn after_a_time_out_it_is_convex() {
    let mut flow = after_loss_at(1_000, ms(100));
    let window = flow.cc.window();
    flow.cc.on_rto(window, true);
    while flow.cc.window() < flow.cc.ssthresh() {
        flow.ack(MSS);
    }
    flow.cc.on_recovered();
    flow.ack(MSS);
    let (epoch, start) = (flow.now, f64::from(flow.cc.window()) / f64::from(MSS));
    for _ in 0..100 {
        flow.round();
        let t = (flow.now - epoch).as_secs_f64();
        let model = (start + 0.4 * t.powi(3)).max(start + 9.0 / 17.0 * t * 10.0);
        let ours = f64::from(flow.cc.window()) / f64::from(MSS);
        assert!((ours / model - 1.0).abs() < 0.03, "{t:.1} s: {ours} for {model}");
    }
}

/// Section 4.2: time in which the window was not used does not count.
#[test]
fn pauses_do_not_count() {
    let mut used = after_loss_at(1_000, ms(100));
    let mut paused = after_loss_at(1_000, ms(100));
    (0..20).for_each(|_| (used.round(), paused.round()).0);
    paused.now += Duration::from_secs(40);
    paused.cc.after_idle(paused.now, Duration::ZERO, ms(200));
    for round in 0..20 {
        used.round();
        paused.round();
        assert_eq!(used.cc.window(), paused.cc.window(), "round {round}");
    }
}

/// Section 4.2: whatever the curve says, a round trip grows the window by half at most.
#[test]
fn grows_by_half_at_most() {
    let mut flow = after_loss_at(100, ms(100));
    flow.ack(MSS);
    flow.now += Duration::from_secs(100);
    for _ in 0..5 {
        let before = flow.cc.window();
        flow.ack(before);
        let grown = flow.cc.window() - before;
        assert!((before / 2 - 2..=before / 2).contains(&grown), "{grown} from {before}");
    }
}

/// The mean window over losses after every 1/p segments, against tables 1 and 2 of section 5.1 (the
/// columns for C = 0.4, and Reno's where the friendly region is larger).
#[test]
fn mean_windows_of_section_5() {
    for (rtt, every, expected) in [
        (100, 100, 12.0),
        (100, 1_000, 38.0),
        (100, 10_000, 187.0),
        (100, 100_000, 1054.0),
        (10, 1_000, 38.0),
        (10, 10_000, 120.0),
        (10, 100_000, 379.0),
    ] {
        let mut flow = after_loss_at(expected as u32 * 4 / 3, ms(rtt));
        let (mut time, mut bytes) = (Duration::ZERO, 0);
        for cycle in 0..12 {
            let (from, before) = (flow.now, flow.delivered);
            while flow.delivered - before < every * u64::from(MSS) {
                flow.round();
            }
            if cycle >= 4 {
                time += flow.now - from;
                bytes += flow.delivered - before;
            }
            // The model's losses are repaired at once.
            let window = flow.cc.window();
            flow.cc.on_loss(window, window);
            flow.cc.on_recovered();
        }
        let rounds = time.as_secs_f64() / ms(rtt).as_secs_f64();
        let mean = bytes as f64 / f64::from(MSS) / rounds;
        let ratio = mean / expected;
        assert!((0.9..1.12).contains(&ratio), "{rtt} ms, 1/{every}: {mean:.1} for {expected}");
    }
}

/// Two flows of one bottleneck that lose together come to share it (section 5.4).
#[test]
fn two_flows_come_to_share() {
    let mut flows = [after_loss_at(900, ms(50)), after_loss_at(100, ms(50))];
    for _ in 0..4_000 {
        flows.iter_mut().for_each(Flow::round);
        if flows.iter().map(Flow::segments).sum::<u32>() > 1_000 {
            flows.iter_mut().for_each(Flow::lose);
        }
    }
    let [a, b] = flows.map(|flow| f64::from(flow.segments()));
    let jain = (a + b).powi(2) / (2.0 * (a * a + b * b));
    assert!(jain > 0.95, "{a} and {b}");
}

/// Integers only: these windows are the same on every machine and for ever.
#[test]
fn windows_are_the_same_everywhere() {
    let mut flow = after_loss_at(777, Duration::from_nanos(33_333_333));
    let mut windows = Vec::new();
    for round in 0..120 {
        flow.round();
        if round % 15 == 14 {
            windows.push(flow.cc.window());
        }
    }
    assert_eq!(windows, [583_284, 617_976, 648_264, 674_434, 696_795, 715_643, 731_280, 744_004]);
}

/// Section 4.6: the flight counts, unless the window is asked for, which only use has grown.
#[test]
fn reduces_by_flight_or_by_window() {
    for (reduce_from_window, left) in [(false, 2), (true, 7)] {
        let config = CongestionConfig { reduce_from_window, ..config(Algorithm::Cubic) };
        let mut flow = Flow::new(&config, ms(100));
        assert_eq!(flow.segments(), 10);
        // An application that sends little loses what it sent.
        flow.cc.on_rto(MSS, true);
        assert_eq!(flow.cc.ssthresh(), left * MSS);
    }
    assert!(!CongestionConfig::default().reduce_from_window);
    assert!(Config::linux().congestion.reduce_from_window);
}

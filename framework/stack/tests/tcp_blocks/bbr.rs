//! BBR by the sections of draft-ietf-ccwg-bbr: what each state does, and what ends it.

use fyke_stack::tcp::congestion::Phase;
use fyke_stack::tcp::scoreboard::{Scoreboard, ScoreboardConfig};

use super::bbr_flow::{Flow, MSS};
use super::{Duration, ms};

const MARGIN_PERCENT: u64 = 99;

/// A megabyte a second, 50 ms, and so a bandwidth-delay product of fifty segments.
fn flow(buffer: u64) -> Flow {
    Flow::new(1_000_000, ms(50), buffer, true)
}

fn near(value: u64, of: u64, percent: u64) -> bool {
    value.abs_diff(of) * 100 <= of * percent
}

/// Sections 5.3.1 and 5.6.2: the initial window in a round trip, times 2.77; then the rate doubles.
#[test]
fn startup_doubles_the_rate_each_round() {
    let mut flow = flow(1 << 30);
    let first = flow.cc.pacing_rate(Some(ms(50))).unwrap();
    assert_eq!(first, u64::from(flow.cc.window()) * 277 / 100 * 20);
    let window = flow.cc.window();
    flow.run(ms(60));
    assert_eq!(flow.phase(), Phase::Startup);
    flow.run(ms(50));
    assert!(flow.cc.window() >= 2 * window, "{}", flow.cc.window());
}

/// Section 5.3.1.2: three rounds in which the rate grows by less than a quarter.
#[test]
fn startup_ends_on_a_plateau() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::Drain);
    let rounds = (flow.now - Flow::new(1, ms(1), 1, true).now).as_millis() / 50;
    assert!((5..=12).contains(&rounds), "{rounds}");
    let best = flow.seen.iter().filter_map(|seen| seen.sample).map(|s| s.rate).max().unwrap();
    assert!(near(best, 1_000_000, 2), "{best}");
    assert!(flow.seen.iter().all(|seen| seen.window <= 4 * 50 * MSS), "2 BDP, and the clumps");
    assert!(near(flow.last().pacing_rate, best * MARGIN_PERCENT / 200, 2), "gain 0.5");
}

/// Section 5.3.1.3: more than 2 % in at least six places, for a round.
#[test]
fn startup_ends_on_losses() {
    let mut flow = flow(1 << 30);
    // The path takes much more than is lost: no plateau is near.
    flow.rate = 20_000_000;
    flow.loses = |n| n > 60 && n % 12 == 0;
    flow.run_to(Phase::Drain);
    let lossless = {
        let mut flow = Flow::new(20_000_000, ms(50), 1 << 30, true);
        flow.run_to(Phase::Drain);
        flow.now
    };
    assert!(flow.now + ms(100) < lossless, "{:?} and {lossless:?}", flow.now);
}

/// A loss here and there is no reason.
#[test]
fn startup_goes_on_with_few_losses() {
    let mut flow = flow(1 << 30);
    flow.loses = |n| n % 300 == 299;
    flow.run_to(Phase::Drain);
    let best = flow.seen.iter().filter_map(|seen| seen.sample).map(|s| s.rate).max().unwrap();
    assert!(near(best, 1_000_000, 3), "{best}");
}

/// Section 5.3.1.3: without SACK one loss in a round is all that can be seen.
#[test]
fn startup_ends_on_any_loss_without_sack() {
    let mut flow = Flow::new(1_000_000_000, ms(50), 1 << 30, false);
    flow.loses = |n| n == 100;
    flow.run_to(Phase::Drain);
    assert!(flow.cc.window() < 500 * MSS);
}

/// Section 5.3.2: at half the rate until no more is in flight than the path holds.
#[test]
fn drain_ends_at_the_bandwidth_delay_product() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::Drain);
    assert!(flow.board.pipe() > 60 * MSS, "there is a queue");
    let began = flow.now;
    flow.run_until(|flow| flow.phase() != Phase::Drain);
    assert!(flow.board.pipe() <= 51 * MSS, "{}", flow.board.pipe());
    assert!(flow.now - began <= ms(200), "about a round trip, with its queue");
}

/// Section 5.3.2: and for no more than three rounds, whatever is in flight.
#[test]
fn drain_ends_after_three_rounds() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::Drain);
    let began = flow.now;
    // A tenth of the path is left, for what is under way as well.
    flow.rate = 100_000;
    flow.stretch(10);
    flow.run_until(|flow| flow.phase() != Phase::Drain);
    assert!(flow.board.pipe() > 51 * MSS, "{}", flow.board.pipe());
    assert!(flow.now - began < Duration::from_secs(5));
}

/// Section 5.3.3: the cycle, and its rates.
#[test]
fn probe_bw_goes_round() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::ProbeBwDown);
    let from = flow.seen.len();
    flow.run(Duration::from_secs(14));
    let walk = flow.walk();
    let cycle = [
        Phase::Startup,
        Phase::Drain,
        // There is no queue left for DOWN.
        Phase::ProbeBwCruise,
        Phase::ProbeBwRefill,
        Phase::ProbeBwUp,
        Phase::ProbeBwDown,
        Phase::ProbeBwCruise,
    ];
    assert_eq!(walk[..7], cycle);
    for seen in &flow.seen[from + 100..] {
        let gain = match seen.phase {
            Phase::ProbeBwDown => 90,
            Phase::ProbeBwUp => 125,
            _ => 100,
        };
        let rate = 1_000_000 * gain / 100 * MARGIN_PERCENT / 100;
        assert!(near(seen.pacing_rate, rate, 3), "{seen:?}");
    }
    // Section 5.3.3.8: a probe each two or three seconds, or as many rounds as segments in flight.
    let mut began = None;
    let mut waits = 0;
    for pair in flow.seen.windows(2).filter(|pair| pair[0].phase != pair[1].phase) {
        match (pair[1].phase, began) {
            // It has the cycle begin anew.
            (Phase::ProbeRtt, _) => began = None,
            (Phase::ProbeBwDown, _) | (Phase::ProbeBwCruise, None) => began = Some(pair[1].now),
            (Phase::ProbeBwRefill, Some(began)) => {
                let wait = pair[1].now - began;
                assert!(wait >= ms(2000) && wait <= ms(3100), "{wait:?}");
                waits += 1;
            }
            _ => {}
        }
    }
    assert!(waits >= 2, "{waits}");
}

/// Section 5.3.3.5: without a bound UP raises what is in flight to 1.25 of what the path holds.
#[test]
fn up_puts_more_in_flight_and_down_takes_it_out() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::ProbeBwUp);
    flow.run_to(Phase::ProbeBwDown);
    assert!(flow.board.pipe() >= 62 * MSS, "{}", flow.board.pipe());
    flow.run_to(Phase::ProbeBwCruise);
    assert!(flow.board.pipe() <= 51 * MSS, "{}", flow.board.pipe());
}

/// Section 5.5.6: the filter remembers this cycle and the last one: a path that became slower is known
/// after two.
#[test]
fn the_bandwidth_filter_forgets_after_two_cycles() {
    let mut flow = flow(1 << 30);
    flow.run(Duration::from_secs(4));
    flow.rate = 500_000;
    flow.run(Duration::from_secs(12));
    let rate = flow.last().pacing_rate;
    assert!(rate <= 500_000 * 125 / 100, "{rate}");
    assert!(rate >= 500_000 * 85 / 100, "{rate}");
}

/// More may be under way than departures are remembered: samples come all the same.
#[test]
fn a_scoreboard_that_is_full_gives_samples() {
    let config = ScoreboardConfig { entries_max: 100, ..ScoreboardConfig::default() };
    let mut flow = Flow::new(20_000_000, ms(50), 1 << 30, true);
    flow.board = Scoreboard::new(&config, super::seq(0), MSS);
    flow.board.sample_rates(true);
    flow.run(Duration::from_secs(3));
    let rate = flow.last().pacing_rate;
    assert!(rate >= 15_000_000, "{rate}");
}

/// And one that became faster after few.
#[test]
fn ten_times_the_bandwidth_is_found() {
    let mut flow = flow(1 << 30);
    flow.run(Duration::from_secs(4));
    flow.rate = 10_000_000;
    flow.run(Duration::from_secs(12));
    let rate = flow.seen.iter().rev().take(20_000).map(|seen| seen.pacing_rate).max().unwrap();
    assert!(rate >= 9_500_000, "{rate}");
}

/// Section 5.3.4: no shorter round trip for five seconds, then half a bandwidth-delay product for
/// 200 ms.
#[test]
fn probe_rtt_comes_after_five_seconds() {
    let mut flow = flow(1 << 30);
    // The first round trip is the shortest that there will be.
    flow.run(ms(52));
    let quiet = flow.now;
    let at = flow.run_to(Phase::ProbeRtt);
    assert!(at - quiet >= ms(4990) && at - quiet <= ms(5300), "{:?}", at - quiet);
    flow.run_until(|flow| flow.board.pipe() <= 26 * MSS);
    let low = flow.now;
    flow.run_until(|flow| flow.phase() != Phase::ProbeRtt);
    assert_eq!(flow.phase(), Phase::ProbeBwCruise, "section 5.3.4.4");
    assert!(flow.now - low >= ms(200) && flow.now - low <= ms(320), "{:?}", flow.now - low);
    assert!(flow.cc.window() >= 50 * MSS, "the window from before");
    let lowest = flow.seen.iter().filter(|seen| seen.phase == Phase::ProbeRtt);
    assert!(lowest.map(|seen| seen.pipe).min().unwrap() >= 4 * MSS);
}

/// Section 5.3.4.4: before the pipe was full once, on with Startup.
#[test]
fn probe_rtt_within_startup_goes_back_to_it() {
    let mut flow = flow(1 << 30);
    flow.segments = 0;
    while flow.now.as_nanos() < 8_000_000_000 && flow.phase() != Phase::ProbeRtt {
        // A little at a time: never enough to fill anything, and never silence.
        flow.write(3);
        flow.run(ms(20));
    }
    assert_eq!(flow.phase(), Phase::ProbeRtt);
    while flow.phase() == Phase::ProbeRtt {
        flow.write(3);
        flow.run(ms(20));
    }
    assert_eq!(flow.phase(), Phase::Startup);
}

/// Section 5.4: silence lets the queue run out as well, so that ProbeRTT is not needed; and the rate is
/// the path's at once.
#[test]
fn silence_spares_a_probe_rtt() {
    let mut flow = flow(1 << 30);
    flow.run(Duration::from_secs(3));
    flow.write(0);
    flow.run(Duration::from_secs(7));
    assert_eq!(flow.board.pipe(), 0);
    flow.write(u32::MAX);
    let from = flow.seen.len();
    flow.run(ms(10));
    let rate = flow.cc.pacing_rate(None).unwrap();
    assert!(near(rate, 990_000, 1), "whatever the phase was: {rate}");
    flow.run(Duration::from_secs(2));
    assert!(flow.seen[from..].iter().all(|seen| seen.phase != Phase::ProbeRtt));
}

/// Sections 5.5.5 and 5.3.1.2: what the application limits lowers nothing, and ends nothing.
#[test]
fn what_the_application_limits_lowers_nothing() {
    let mut flow = flow(1 << 30);
    flow.run(Duration::from_secs(3));
    let before = flow.last().pacing_rate;
    for _ in 0..200 {
        flow.write(2);
        flow.run(ms(20));
    }
    let after = flow.last();
    assert!(after.sample.unwrap().rate < 300_000, "{after:?}");
    assert!(near(after.pacing_rate, before, 26), "{before} and {after:?}");
    let mut flow = self::flow(1 << 30);
    flow.segments = 0;
    for _ in 0..100 {
        flow.write(2);
        flow.run(ms(20));
    }
    // Never enough for a plateau; only the time for ProbeRTT comes.
    assert!(flow.walk().iter().all(|phase| matches!(phase, Phase::Startup | Phase::ProbeRtt)));
}

/// Section 5.5.10.3: losses beside the probes lower rate and volume to what is delivered.
#[test]
fn losses_beside_a_probe_bound_the_short_term() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::ProbeBwCruise);
    flow.rate = 400_000;
    flow.queue = 60_000;
    flow.run(ms(1200));
    assert_eq!(flow.phase(), Phase::ProbeBwCruise);
    let seen = flow.last();
    assert!(seen.pacing_rate <= 600_000, "{seen:?}");
    // Section 5.3.3.3: the next probe forgets it.
    flow.rate = 1_000_000;
    flow.queue = 1 << 30;
    flow.run_to(Phase::ProbeBwUp);
    flow.run(ms(400));
    let best = flow.seen.iter().rev().take(300).map(|seen| seen.pacing_rate).max().unwrap();
    assert!(best >= 800_000, "{best}");
}

/// Section 5.5.10.2: too many losses in a probe end it, and set the long-term bound.
#[test]
fn losses_in_a_probe_bound_the_long_term() {
    let mut flow = flow(12_000);
    flow.run(Duration::from_secs(20));
    // 50 in the path and 12 in the queue are what fits.
    let most = flow.seen.iter().rev().take(8000).map(|seen| seen.pipe).max().unwrap();
    assert!(most <= 80 * MSS, "{most}");
    let cruise: Vec<_> = flow
        .seen
        .iter()
        .rev()
        .filter(|seen| seen.phase == Phase::ProbeBwCruise)
        .take(2000)
        .collect();
    // Section 5.3.3.2: a share is left free while cruising.
    assert!(cruise.iter().all(|seen| seen.window <= 60 * MSS));
    let delivered = flow.last().sample.unwrap().delivered_total;
    assert!(delivered >= 18_000_000, "{delivered}");
}

/// Section 5.5.11: a recovery that was for nothing leaves no trace.
#[test]
fn a_recovery_for_nothing_is_taken_back() {
    let mut flow = flow(1 << 30);
    flow.run_to(Phase::ProbeBwCruise);
    flow.run(ms(500));
    let before = (flow.cc.window(), flow.last().pacing_rate);
    flow.cc.on_loss(flow.board.outstanding(), flow.board.outstanding());
    flow.cc.on_rto(flow.board.outstanding(), true);
    assert_eq!(flow.cc.window(), MSS, "section 5.6.4.4");
    flow.cc.on_rto_left(5 * MSS);
    assert_eq!(flow.cc.window(), 6 * MSS, "one segment beyond what is still under way");
    flow.cc.undo();
    assert_eq!(flow.cc.window(), before.0);
    flow.run(ms(60));
    assert!(near(flow.last().pacing_rate, before.1, 1));
    assert!(near(u64::from(flow.cc.window()), u64::from(before.0), 20));
}

/// Section 5.5.11: one that ended Startup brings it back.
#[test]
fn a_startup_ended_for_nothing_goes_on() {
    let mut flow = Flow::new(20_000_000, ms(50), 1 << 30, true);
    flow.loses = |n| n > 60 && n < 200 && n % 12 == 0;
    flow.run_to(Phase::Drain);
    let (window, rate) = (flow.cc.window(), flow.last().sample.unwrap().rate);
    assert!(rate < 5_000_000, "{rate}");
    flow.cc.undo();
    assert_eq!(flow.phase(), Phase::Startup);
    assert!(flow.cc.window() >= window);
}

/// RFC 3168 and section 3.6 of the draft: marks count as losses, once a window.
#[test]
fn marks_are_congestion() {
    let mut flow = flow(1 << 30);
    flow.run(ms(120));
    let mark = |flow: &mut Flow| {
        let (una, nxt) = (flow.board.una(), flow.board.nxt());
        flow.cc.on_ecn(flow.board.pipe(), una, nxt)
    };
    assert!(mark(&mut flow));
    assert!(!mark(&mut flow), "once a window");
    assert_eq!(flow.phase(), Phase::Startup);
    flow.run(ms(110));
    assert!(mark(&mut flow), "a window later");
    flow.run(ms(20));
    assert_ne!(flow.phase(), Phase::Startup, "two windows with marks end it");
    // Beside a probe a path that is half as fast and marks is followed without a loss.
    flow.run_to(Phase::ProbeBwCruise);
    flow.rate = 300_000;
    for _ in 0..20 {
        flow.run(ms(60));
        mark(&mut flow);
    }
    let slow = flow.seen.iter().rev().take(200).map(|seen| seen.pacing_rate).min().unwrap();
    assert!(slow <= 600_000, "{slow}");
}

/// Section 5.6.4.3: four segments, however little the path holds.
#[test]
fn a_path_of_less_than_a_segment_is_used() {
    let mut flow = Flow::new(20_000, ms(10), 1 << 30, true);
    flow.run(Duration::from_secs(20));
    assert!(flow.seen.iter().all(|seen| seen.window >= 4 * MSS));
    assert!(flow.last().sample.unwrap().delivered_total >= 340_000);
}

/// The same first number, the same walk; another, another time to probe.
#[test]
fn chance_has_a_seed() {
    let times = |flow: &mut Flow| {
        flow.run(Duration::from_secs(4));
        flow.seen.iter().map(|seen| (seen.now, seen.phase, seen.window)).collect::<Vec<_>>()
    };
    assert_eq!(times(&mut flow(1 << 30)), times(&mut flow(1 << 30)));
}

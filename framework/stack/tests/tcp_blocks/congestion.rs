//! The congestion controller by scripts: every phase, every way in and out.

use fyke_stack::tcp::congestion::{
    AckSample, Algorithm, CongestionConfig, Controller, IdlePolicy, Phase,
};
use proptest::prelude::*;

use super::{Duration, Instant, Random, at_ms, ms, seq};

pub(super) const MSS: u32 = 1000;

/// A flow whose application always has data and whose network loses nothing by itself.
pub(super) struct Flow {
    pub(super) cc: Controller,
    pub(super) now: Instant,
    pub(super) rtt: Duration,
    acked: u32,
    pub(super) delivered: u64,
}

pub(super) fn config(algorithm: Algorithm) -> CongestionConfig {
    CongestionConfig { algorithm, hystart: false, ..CongestionConfig::default() }
}

impl Flow {
    pub(super) fn new(config: &CongestionConfig, rtt: Duration) -> Self {
        let cc = Controller::new(config, MSS, seq(0));
        Self { cc, now: Instant::ZERO, rtt, acked: 0, delivered: 0 }
    }

    pub(super) fn ack(&mut self, bytes: u32) {
        self.acked = self.acked.wrapping_add(bytes);
        self.delivered += u64::from(bytes);
        let flight = self.cc.window();
        self.cc.on_ack(&AckSample {
            now: self.now,
            una: seq(self.acked),
            nxt: seq(self.acked) + flight,
            delivered: bytes,
            pipe: flight.saturating_sub(bytes),
            safe: true,
            rtt: Some(self.rtt),
            srtt: self.rtt,
            limited: true,
        });
    }

    /// One window is acknowledged, two segments an ACK, over one round trip.
    pub(super) fn round(&mut self) {
        let acks = (self.cc.window() / (2 * MSS)).max(1);
        for _ in 0..acks {
            self.now += self.rtt / acks;
            self.ack(2 * MSS);
        }
    }

    pub(super) fn segments(&self) -> u32 {
        self.cc.window() / MSS
    }

    /// Loss, and a recovery of one round trip that repairs it.
    pub(super) fn lose(&mut self) {
        let flight = self.cc.window();
        self.cc.on_loss(flight, flight);
        self.now += self.rtt;
        self.cc.on_recovered();
    }
}

/// RFC 6928, section 2.
#[test]
fn initial_windows() {
    for (mss, window) in
        [(1460, 14_600), (536, 5360), (1095, 10_950), (2190, 14_600), (9000, 18_000)]
    {
        let cc = Controller::new(&CongestionConfig::default(), mss, seq(0));
        assert_eq!((cc.window(), cc.ssthresh(), cc.phase()), (window, u32::MAX, Phase::SlowStart));
    }
    let linux = CongestionConfig { initial_window_bytes: u32::MAX, ..CongestionConfig::default() };
    assert_eq!(Controller::new(&linux, 9000, seq(0)).window(), 90_000);
    let mut cc = Controller::new(&linux, 1460, seq(0));
    cc.set_mss(1400, &linux, true);
    assert_eq!(cc.window(), 14_000);
    cc.syn_was_lost();
    assert_eq!(cc.window(), 1400, "RFC 5681, section 3.1");
}

/// Slow start doubles; one ACK for very much counts only up to the limit (RFC 3465, section 2.2).
#[test]
fn slow_start_counts_bytes() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    for expected in [20, 40, 80, 160] {
        flow.round();
        assert_eq!(flow.segments(), expected);
    }
    flow.ack(100 * MSS);
    assert_eq!(flow.segments(), 168);
    // An ACK split into many grows no more than the one would have.
    (0..1000).for_each(|_| flow.ack(1));
    assert_eq!(flow.segments(), 169);
}

/// RFC 5681, section 3.1: one segment a round trip beyond ssthresh, half of it after a loss.
#[test]
fn reno_by_the_book() {
    for algorithm in [Algorithm::Reno, Algorithm::NewReno] {
        let mut flow = Flow::new(&config(algorithm), ms(100));
        (0..3).for_each(|_| flow.round());
        flow.lose();
        assert_eq!((flow.segments(), flow.cc.phase()), (40, Phase::CongestionAvoidance));
        for expected in 41..=50 {
            let window = flow.cc.window();
            let mut left = window;
            while left > 0 {
                flow.ack(MSS.min(left));
                left -= MSS.min(left);
            }
            assert_eq!(flow.segments(), expected);
        }
        assert_eq!(flow.cc.ends_with_partial_ack(), algorithm == Algorithm::Reno);
    }
}

/// What is acknowledged beyond a growth counts for the next (RFC 3465, section 2.1), also across the
/// end of slow start.
#[test]
fn no_acknowledged_byte_is_forgotten() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    flow.cc.on_rto(10 * MSS, true);
    (0..4).for_each(|_| flow.ack(MSS - 200));
    assert_eq!(flow.cc.window(), 4200);
    flow.ack(MSS);
    assert_eq!(flow.cc.window(), 5000, "800 up to ssthresh, 200 count for avoidance");
    for (acked, window) in [(4799, 5000), (1, 6000), (9000, 7000), (3999, 7000), (1, 8000)] {
        flow.ack(acked);
        assert_eq!(flow.cc.window(), window, "after {acked}");
    }
}

/// RFC 5681, section 3.1, equation 4: never below two segments.
#[test]
fn the_threshold_has_a_floor() {
    for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
        let mut flow = Flow::new(&config(algorithm), ms(100));
        (0..20).for_each(|_| flow.lose());
        assert_eq!((flow.segments(), flow.cc.ssthresh()), (2, 2 * MSS));
    }
}

/// What is outstanding beyond the window (limited transmit) does not raise the threshold; what is
/// missing to it lowers it.
#[test]
fn the_flight_decides() {
    for (flight, expected) in [(10, 5), (12, 5), (6, 3)] {
        let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
        flow.cc.on_loss(flight * MSS, flight * MSS);
        assert_eq!(flow.cc.ssthresh(), expected * MSS);
    }
}

/// A time-out: one segment, slow start with one segment an ACK to half the flight, then avoidance.
#[test]
fn after_a_time_out() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    flow.cc.on_rto(10 * MSS, true);
    assert_eq!((flow.segments(), flow.cc.ssthresh(), flow.cc.phase()), (1, 5000, Phase::Loss));
    flow.cc.on_rto(MSS, false);
    assert_eq!(flow.cc.ssthresh(), 5000, "RFC 5681, section 3.1: once for the same data");
    flow.ack(4 * MSS);
    assert_eq!(flow.segments(), 2, "RFC 3465, section 2.3: L = 1 after a time-out");
    (0..3).for_each(|_| flow.ack(MSS));
    assert_eq!((flow.segments(), flow.cc.phase()), (5, Phase::Loss));
    flow.cc.on_recovered();
    assert_eq!(flow.cc.phase(), Phase::CongestionAvoidance);
}

/// Recovery is led by PRR and ends at ssthresh.
#[test]
fn recovery_is_proportional() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    (0..2).for_each(|_| flow.round());
    flow.cc.on_loss(40 * MSS, 40 * MSS);
    assert_eq!(flow.cc.phase(), Phase::Recovery);
    let (mut pipe, mut windows) = (39 * MSS, Vec::new());
    for _ in 0..39 {
        pipe -= MSS;
        flow.cc.on_ack(&AckSample {
            now: flow.now,
            una: seq(0),
            nxt: seq(40 * MSS),
            delivered: MSS,
            pipe,
            safe: true,
            rtt: None,
            srtt: ms(100),
            limited: true,
        });
        if flow.cc.window() >= pipe + MSS {
            flow.cc.on_sent(MSS);
            pipe += MSS;
        }
        windows.push(flow.cc.window());
    }
    assert!(windows.is_sorted_by(|a, b| a >= b), "{windows:?}");
    assert_eq!(pipe, 20 * MSS, "the flight is at ssthresh when the round is over");
    flow.cc.on_recovered();
    assert_eq!((flow.segments(), flow.cc.phase()), (20, Phase::CongestionAvoidance));
}

/// RFC 4015 and RFC 9438, section 4.9: everything as before, from every state.
#[test]
fn undo_restores() {
    for algorithm in [Algorithm::Reno, Algorithm::NewReno, Algorithm::Cubic] {
        let mut flow = Flow::new(&config(algorithm), ms(50));
        (0..4).for_each(|_| flow.round());
        flow.lose();
        (0..20).for_each(|_| flow.round());
        flow.cc.forget_undo();
        assert!(!flow.cc.can_undo());
        let (before, mut twin) = (flow.cc.clone(), Flow::new(&config(algorithm), ms(50)));
        let window = flow.cc.window();
        flow.cc.on_loss(window, window);
        flow.cc.on_rto(window, true);
        flow.cc.on_rto(window, false);
        assert!(flow.cc.can_undo() && flow.segments() == 1);
        flow.cc.undo();
        assert_eq!(flow.cc.trace(), before.trace(), "{algorithm:?}");
        // And it grows on as if nothing had been.
        (twin.cc, twin.now, twin.acked) = (before, flow.now, flow.acked);
        for _ in 0..30 {
            flow.round();
            twin.round();
            assert_eq!(flow.cc.window(), twin.cc.window(), "{algorithm:?}");
        }
        flow.cc.undo();
        assert_eq!(flow.cc.window(), twin.cc.window(), "once");
    }
}

/// After a recovery that was for nothing the window is not smaller than it has become since.
#[test]
fn undo_never_shrinks() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    flow.lose();
    (0..30).for_each(|_| flow.round());
    let window = flow.cc.window();
    assert!(window > 10 * MSS);
    flow.cc.undo();
    assert_eq!(flow.cc.window(), window);
}

/// RFC 3168, section 6.1.2: once a window of data.
#[test]
fn congestion_echoes() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    (0..2).for_each(|_| flow.round());
    assert!(flow.cc.on_ecn(40 * MSS, seq(0), seq(40_000)));
    assert_eq!((flow.segments(), flow.cc.phase()), (20, Phase::CongestionAvoidance));
    assert!(!flow.cc.on_ecn(20 * MSS, seq(39_999), seq(60_000)));
    assert!(flow.cc.on_ecn(20 * MSS, seq(40_000), seq(60_000)));
    assert_eq!(flow.segments(), 10);
    flow.cc.on_loss(10 * MSS, 10 * MSS);
    assert!(!flow.cc.on_ecn(10 * MSS, seq(99_000), seq(99_000)), "reduced already");
    // That the loss before was none does not take back what an echo says (RFC 4015, section 3.2).
    flow.cc.on_recovered();
    assert!(flow.cc.on_ecn(5 * MSS, seq(99_000), seq(99_000)));
    let window = flow.cc.window();
    flow.cc.undo();
    assert_eq!(flow.cc.window(), window);
}

/// RFC 8985, section 7.4.2.
#[test]
fn a_repaired_tail_costs_a_reduction() {
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    flow.cc.on_probe_repaired(10 * MSS);
    assert_eq!((flow.segments(), flow.cc.phase()), (5, Phase::CongestionAvoidance));
    flow.cc.on_loss(5 * MSS, 5 * MSS);
    flow.cc.on_probe_repaired(5 * MSS);
    assert_eq!((flow.cc.ssthresh(), flow.cc.phase()), (2500, Phase::Recovery));
}

#[test]
fn idle_policies() {
    let after = |idle, seconds: u64| {
        let config = CongestionConfig { idle, ..config(Algorithm::Cubic) };
        let mut flow = Flow::new(&config, ms(100));
        (0..4).for_each(|_| flow.round());
        assert_eq!(flow.segments(), 160);
        flow.cc.after_idle(at_ms(60_000), Duration::from_secs(seconds), Duration::from_secs(1));
        (flow.segments(), flow.cc.ssthresh() / MSS, flow.cc.phase())
    };
    let none = u32::MAX / MSS;
    for policy in [IdlePolicy::Restart, IdlePolicy::Decay, IdlePolicy::Preserve] {
        assert_eq!(after(policy, 0), (160, none, Phase::SlowStart), "{policy:?}");
    }
    assert_eq!(after(IdlePolicy::Restart, 1).0, 10);
    assert_eq!(after(IdlePolicy::Decay, 1).0, 80);
    assert_eq!(after(IdlePolicy::Decay, 3).0, 20);
    assert_eq!(after(IdlePolicy::Decay, 3_000).0, 10);
    assert_eq!(after(IdlePolicy::Preserve, 299).0, 160);
    assert_eq!(after(IdlePolicy::Preserve, 100_000).0, 80);

    // Beyond ssthresh: what was reached is where it slows down again.
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    (0..4).for_each(|_| flow.round());
    flow.lose();
    flow.cc.after_idle(at_ms(60_000), Duration::from_secs(2), Duration::from_secs(1));
    assert_eq!((flow.segments(), flow.cc.phase()), (20, Phase::SlowStart));
    assert_eq!(flow.cc.ssthresh(), 80 * MSS);
}

/// RFC 7661, section 1: a window that is not used does not grow.
#[test]
fn unused_windows_do_not_grow() {
    for algorithm in [Algorithm::NewReno, Algorithm::Cubic] {
        for lost in [false, true] {
            let mut flow = Flow::new(&config(algorithm), ms(100));
            if lost {
                flow.lose();
            }
            let window = flow.cc.window();
            for n in 0..1000 {
                flow.cc.on_ack(&AckSample {
                    now: flow.now + ms(n * 100),
                    una: seq(0),
                    nxt: seq(1),
                    delivered: MSS,
                    pipe: 0,
                    safe: true,
                    rtt: None,
                    srtt: ms(100),
                    limited: false,
                });
            }
            assert_eq!(flow.cc.window(), window, "{algorithm:?}, lost {lost}");
        }
    }
    let flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    for (flight, limits) in [(4, false), (5, true), (10, true)] {
        assert_eq!(flow.cc.is_limiting(flight * MSS), limits, "slow start, {flight} of 10");
    }
    let mut flow = Flow::new(&config(Algorithm::NewReno), ms(100));
    flow.lose();
    for (flight, limits) in [(4 * MSS, false), (4 * MSS + 1, true), (5 * MSS, true)] {
        assert_eq!(flow.cc.is_limiting(flight), limits, "avoidance, {flight} of 5000");
    }
}

#[test]
fn the_window_has_a_ceiling() {
    let config = CongestionConfig { window_bytes_max: 64 * MSS, ..config(Algorithm::Cubic) };
    let mut flow = Flow::new(&config, ms(100));
    (0..100).for_each(|_| flow.round());
    assert_eq!(flow.segments(), 64);
}

proptest! {
    /// Whatever happens in whatever order: at least a segment, at most the ceiling, and the same
    /// again for the same calls.
    #[test]
    fn any_history_keeps_the_bounds(seed: u64, steps in 1..400_usize) {
        let run = |algorithm| {
            let mut random = Random(seed);
            let config = CongestionConfig { algorithm, ..CongestionConfig::default() };
            let mut flow = Flow::new(&config, ms(20));
            let mut windows = Vec::new();
            for _ in 0..steps {
                let window = flow.cc.window();
                flow.now += Duration::from_micros(random.next() % 100_000);
                match random.below(12) {
                    0 => flow.cc.on_loss(random.below(window + 1), window),
                    1 => flow.cc.on_rto(random.below(window + 1), random.one_in(2)),
                    2 => flow.cc.on_recovered(),
                    3 => flow.cc.undo(),
                    4 => { flow.cc.on_ecn(window, seq(random.next() as u32), seq(9)); }
                    5 => flow.cc.after_idle(flow.now, ms(random.next() % 10_000), ms(200)),
                    6 => flow.cc.on_probe_repaired(window),
                    7 => flow.cc.set_mss(100 + random.below(2000), &config, false),
                    8 => flow.cc.on_sent(random.below(window)),
                    _ => flow.ack(random.below(20 * MSS)),
                }
                windows.push(flow.cc.trace());
            }
            windows
        };
        for algorithm in [Algorithm::Reno, Algorithm::NewReno, Algorithm::Cubic] {
            let windows = run(algorithm);
            prop_assert!(windows.iter().all(|trace| (100..=1 << 31).contains(&trace.window)));
            prop_assert_eq!(run(algorithm), windows);
        }
    }
}

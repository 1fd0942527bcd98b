//! Congestion control: how much may be in flight, as a value that is told what happened.
//!
//! ```text
//!                    loss                        all of it acknowledged
//!   slow start ---------------> recovery --------------------------------> congestion avoidance
//!       |    ^                     | time-out                                   |  |  ^
//!       |    '--- loss <-----------+--------------------------------------------'  |  |
//!       '----------- ssthresh reached, or HyStart++ says so ------------------------'  undo
//! ```
//! [`Controller`] is the whole of it; [`Prr`], HyStart++ and CUBIC's arithmetic are files of their
//! own. Everything is in bytes and integers, so the same calls give the same windows everywhere.
//!
//! BBR goes its own way, by rates, and has phases of its own; see `bbr`.
//!
//! Reading list: RFC 5681, 3465 (byte counting), 6928 (initial window), 9438 (CUBIC), 9406
//! (HyStart++), 9937 (PRR), 2861 and 7661 (after idle), 3168 (ECN).

mod bbr;
mod by_rate;
mod cubic;
mod hystart;
mod prr;
mod reno;
mod rest;
mod size;
mod types;
mod undo;

use alloc::boxed::Box;

use super::SeqNum;
use bbr::Bbr;
pub use bbr::Delivery;
pub use cubic::Cubic;
pub use hystart::HyStart;
pub use prr::Prr;
use reno::Reno;
pub use rest::Rest;
use types::initial_window;
pub use types::{AckSample, Algorithm, CongestionConfig, IdlePolicy, Phase, Trace};
use undo::Prior;

#[derive(Debug, Clone)]
enum Growth {
    Reno(Reno),
    Cubic(Cubic),
    Bbr(Box<Bbr>),
}

/// The congestion window of one connection, and all that moves it.
#[derive(Debug, Clone)]
pub struct Controller {
    window: u32,
    ssthresh: u32,
    mss: u32,
    initial_window: u32,
    window_max: u32,
    ack_segments_max: u32,
    phase: Phase,
    algorithm: Algorithm,
    idle: IdlePolicy,
    reduce_from_window: bool,
    growth: Growth,
    hystart: Option<HyStart>,
    /// SND.NXT when the window was last reduced for ECN: one reduction a window of data.
    reduced_until: Option<SeqNum>,
    prr: Option<Prr>,
    prior: Option<Box<Prior>>,
}

impl Controller {
    /// With the initial window for segments of `mss` bytes; `nxt` is SND.NXT.
    #[must_use]
    #[inline(always)]
    pub fn new(config: &CongestionConfig, mss: u32, nxt: SeqNum) -> Self {
        let mss = mss.max(1);
        let window_max = config.window_bytes_max.clamp(mss, 1 << 30);
        let initial_window = initial_window(config, mss).min(window_max);
        let by_rate = config.algorithm == Algorithm::Bbr;
        let hystart = config.hystart && !by_rate;
        Self {
            window: initial_window,
            ssthresh: u32::MAX,
            mss,
            initial_window,
            window_max,
            ack_segments_max: config.ack_segments_max.max(1),
            phase: if by_rate { Phase::Startup } else { Phase::SlowStart },
            algorithm: config.algorithm,
            idle: config.idle,
            reduce_from_window: config.reduce_from_window,
            growth: match config.algorithm {
                Algorithm::Cubic => Growth::Cubic(Cubic::default()),
                Algorithm::Reno | Algorithm::NewReno => Growth::Reno(Reno::default()),
                Algorithm::Bbr => {
                    Growth::Bbr(Box::new(Bbr::new(initial_window, window_max, mss, nxt)))
                }
            },
            hystart: hystart.then(|| HyStart::new(nxt)),
            reduced_until: None,
            prr: None,
            prior: None,
        }
    }

    /// The congestion window in bytes.
    #[must_use]
    #[inline]
    pub fn window(&self) -> u32 {
        self.window
    }

    /// The slow start threshold in bytes; `u32::MAX` until there was congestion.
    #[must_use]
    pub fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    /// The phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a partial ACK ends a recovery, as in Reno.
    #[must_use]
    pub fn ends_with_partial_ack(&self) -> bool {
        self.algorithm == Algorithm::Reno
    }

    /// The state for a trace.
    #[must_use]
    pub fn trace(&self) -> Trace {
        Trace {
            phase: self.phase,
            window: self.window,
            ssthresh: self.ssthresh,
            conservative: self.hystart.as_ref().is_some_and(HyStart::is_conservative),
            w_max: match &self.growth {
                Growth::Cubic(cubic) => cubic.w_max(),
                Growth::Reno(_) | Growth::Bbr(_) => 0,
            },
        }
    }

    /// Whether `flight` bytes in flight are as many as the window lets out. In slow start half of it
    /// is enough, because the window is about to double (RFC 7661, section 4.2).
    #[must_use]
    pub fn is_limiting(&self, flight: u32) -> bool {
        match self.phase {
            Phase::SlowStart | Phase::Loss => flight >= self.window / 2,
            _ => flight.saturating_add(self.mss) > self.window,
        }
    }

    /// The SYN or its answer had to be sent again: the initial window is one segment (RFC 5681,
    /// section 3.1).
    pub fn syn_was_lost(&mut self) {
        self.window = self.mss;
    }

    /// Takes in one ACK.
    pub fn on_ack(&mut self, ack: &AckSample) {
        // Half the circle later it would seem to lie ahead again.
        if self.reduced_until.is_some_and(|until| ack.una.is_at_least(until)) {
            self.reduced_until = None;
        }
        if matches!(self.growth, Growth::Bbr(_)) {
            return;
        }
        if let Some(hystart) = &mut self.hystart
            && hystart.on_ack(ack.una, ack.nxt, ack.rtt)
        {
            self.end_slow_start();
        }
        if self.phase == Phase::Recovery {
            if let Some(prr) = &mut self.prr {
                self.window = prr.on_ack(ack.delivered, ack.pipe, ack.safe, self.mss);
            }
            return;
        }
        if ack.delivered > 0 {
            let rest = self.slow_start(ack);
            self.avoid(ack, rest);
            self.window = self.window.min(self.window_max);
        }
    }

    /// Grows below ssthresh and returns the acknowledged bytes that were not used up by that.
    fn slow_start(&mut self, ack: &AckSample) -> u32 {
        if self.window >= self.ssthresh {
            return ack.delivered;
        }
        if !ack.limited {
            return 0;
        }
        // After a time-out one ACK may stand for much that left the network long ago, so it counts
        // for one segment only (RFC 3465, section 2.3).
        let segments = if self.phase == Phase::Loss { 1 } else { self.ack_segments_max };
        let counted = ack.delivered.min(self.mss.saturating_mul(segments));
        let growth = match &self.hystart {
            Some(hystart) => hystart.growth(counted),
            None => counted,
        };
        let room = self.ssthresh - self.window;
        self.window = self.window.saturating_add(growth.min(room));
        let rest = growth.saturating_sub(room);
        if self.window >= self.ssthresh && self.phase == Phase::SlowStart {
            self.phase = Phase::CongestionAvoidance;
        }
        rest
    }

    fn avoid(&mut self, ack: &AckSample, acked: u32) {
        if self.window < self.ssthresh {
            return;
        }
        match &mut self.growth {
            Growth::Reno(reno) if ack.limited => {
                self.window = reno.grow(self.window, self.mss, acked);
            }
            Growth::Reno(_) | Growth::Bbr(_) => {}
            Growth::Cubic(cubic) if ack.limited => {
                self.window = cubic.grow(ack.now, self.window, self.mss, acked, ack.srtt);
            }
            Growth::Cubic(cubic) => cubic.pause(ack.now),
        }
    }

    /// HyStart++ saw the queue grow: on with congestion avoidance (RFC 9406, section 4.2).
    fn end_slow_start(&mut self) {
        self.hystart = None;
        if self.phase == Phase::SlowStart {
            self.ssthresh = self.window;
            self.phase = Phase::CongestionAvoidance;
        }
    }

    /// Loss was detected while none was being repaired: recovery begins.
    ///
    /// `flight` is what was outstanding, SND.NXT - SND.UNA; `recover_fs` what PRR counts by, see
    /// [`Prr::new`].
    pub fn on_loss(&mut self, flight: u32, recover_fs: u32) {
        if self.by_rate(Bbr::on_recovery) {
            return;
        }
        if self.phase != Phase::Loss {
            self.remember();
        }
        self.reduce(flight);
        self.prr = Some(Prr::new(self.ssthresh, recover_fs));
        self.phase = Phase::Recovery;
    }

    /// A timer, and no ACK, gave up part of the flight, which left `pipe` of the `before` that it was: a
    /// recovery lets no more out for that than its fast retransmit (RFC 9937, section 6.2).
    pub fn on_loss_by_timer(&mut self, before: u32, pipe: u32) {
        let Some(prr) = &mut self.prr else { return };
        let fresh = prr.on_ack(0, pipe, false, self.mss);
        let left = self.window.saturating_sub(before).min(self.ssthresh);
        self.window = if prr.has_begun() { fresh.max(pipe.saturating_add(left)) } else { fresh };
    }

    /// The peer echoed congestion (RFC 3168, section 6.1.2). Tells whether the window was reduced
    /// for it, which happens once a window of data and not in a recovery; then CWR is to be sent.
    pub fn on_ecn(&mut self, flight: u32, una: SeqNum, nxt: SeqNum) -> bool {
        let reduced = self.reduced_until.is_some_and(|until| una.is_before(until));
        if reduced || matches!(self.phase, Phase::Recovery | Phase::Loss) {
            return false;
        }
        self.reduced_until = Some(nxt);
        if self.by_rate(|bbr| bbr.on_mark(flight)) {
            return true;
        }
        self.reduce(flight);
        // Whatever an earlier loss turns out to have been, this is congestion (RFC 4015, section 3.2).
        self.prior = None;
        self.window = self.ssthresh;
        self.phase = Phase::CongestionAvoidance;
        true
    }

    /// The retransmission timer ran out (RFC 5681, section 3.1). `first` when no time-out came
    /// before it for the same data: only that one lowers ssthresh.
    pub fn on_rto(&mut self, flight: u32, first: bool) {
        if self.by_rate(Bbr::on_timeout) {
            return;
        }
        if first {
            if self.phase != Phase::Recovery {
                self.remember();
            }
            self.reduce(flight);
            if let Growth::Cubic(cubic) = &mut self.growth {
                cubic.on_timeout();
            }
        }
        self.prr = None;
        self.window = self.mss;
        self.phase = Phase::Loss;
    }

    /// A probe repaired a loss that would else have gone unnoticed: the window is reduced as for a
    /// loss, without a recovery (RFC 8985, section 7.4.2).
    pub fn on_probe_repaired(&mut self, flight: u32) {
        if self.by_rate(Bbr::on_repaired) {
            return;
        }
        if matches!(self.phase, Phase::SlowStart | Phase::CongestionAvoidance) {
            self.reduce(flight);
            self.prior = None;
            self.window = self.window.min(self.ssthresh);
            self.phase = Phase::CongestionAvoidance;
        }
    }

    /// What was lost is repaired: recovery or loss ends.
    pub fn on_recovered(&mut self) {
        if self.by_rate(Bbr::on_recovered) {
            return;
        }
        match self.phase {
            Phase::Recovery => {
                self.window = self.ssthresh;
                self.phase = Phase::CongestionAvoidance;
            }
            Phase::Loss => self.phase = self.phase_by_window(),
            _ => {}
        }
        self.prr = None;
    }

    /// Bytes were sent, new or again.
    #[inline]
    pub fn on_sent(&mut self, bytes: u32) {
        if let Some(prr) = &mut self.prr {
            prr.on_sent(bytes);
        }
    }

    fn phase_by_window(&self) -> Phase {
        if self.window < self.ssthresh { Phase::SlowStart } else { Phase::CongestionAvoidance }
    }

    /// Lowers ssthresh for congestion found with `flight` bytes outstanding.
    fn reduce(&mut self, flight: u32) {
        self.hystart = None;
        // More than the window can be outstanding by limited transmit (RFC 3042); that is no reason
        // to come out higher.
        let flight = flight.min(self.window);
        let reduced = match &mut self.growth {
            Growth::Reno(reno) => reno.reduce(flight),
            Growth::Cubic(cubic) => {
                let used = if self.reduce_from_window { self.window } else { flight };
                cubic.reduce(used, self.window)
            }
            Growth::Bbr(_) => flight,
        };
        self.ssthresh = reduced.max(self.mss.saturating_mul(2));
    }
}

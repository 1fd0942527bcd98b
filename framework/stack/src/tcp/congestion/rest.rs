//! What an idle connection remembers of its congestion window, in sixteen bytes: a million of them
//! are idle at a time, and none needs the arithmetic of growth meanwhile. And what becomes of it when
//! the rest was long.

use core::time::Duration;

use fyke_clock::Instant;

use super::types::initial_window;
use super::{CongestionConfig, Controller, Cubic, Growth, IdlePolicy, Phase};
use crate::tcp::SeqNum;

/// A window at rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rest {
    window: u32,
    ssthresh: u32,
    /// CUBIC's W_max and cwnd_prior, 0 for others.
    w_max: u32,
    prior: u32,
}

impl Rest {
    /// The window of a connection that has sent nothing yet.
    #[must_use]
    pub fn initial(config: &CongestionConfig, mss: u32) -> Self {
        Self { window: initial_window(config, mss), ssthresh: u32::MAX, w_max: 0, prior: 0 }
    }

    /// The same after the SYN or its answer was lost (RFC 5681, section 3.1).
    #[must_use]
    pub const fn after_lost_syn(mss: u32) -> Self {
        Self { window: mss, ssthresh: u32::MAX, w_max: 0, prior: 0 }
    }

    /// The congestion window in bytes.
    #[must_use]
    pub const fn window(&self) -> u32 {
        self.window
    }

    /// The slow start threshold in bytes; `u32::MAX` until there was congestion.
    #[must_use]
    pub const fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    /// The phase that goes on when something is sent.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        if self.window < self.ssthresh { Phase::SlowStart } else { Phase::CongestionAvoidance }
    }
}

impl Controller {
    /// What to keep when nothing is in flight and no recovery runs.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let (w_max, prior) = match &self.growth {
            Growth::Cubic(cubic) => cubic.rest(),
            Growth::Reno(_) | Growth::Bbr(_) => (0, 0),
        };
        Rest { window: self.window, ssthresh: self.ssthresh, w_max, prior }
    }

    /// Goes on from a rest; `nxt` is SND.NXT.
    #[must_use]
    #[inline(always)]
    pub fn resume(config: &CongestionConfig, mss: u32, nxt: SeqNum, rest: &Rest) -> Self {
        let mut resumed = Self::new(config, mss, nxt);
        // The window of a lost SYN is the only one that BBR, which keeps its own, has to be told.
        let window = rest.window.clamp(resumed.mss, resumed.window_max);
        if resumed.by_rate(|bbr| bbr.begin_with(window)) {
            return resumed;
        }
        resumed.window = window;
        resumed.ssthresh = rest.ssthresh;
        resumed.phase = rest.phase();
        if rest.ssthresh != u32::MAX {
            resumed.hystart = None;
        }
        if let Growth::Cubic(cubic) = &mut resumed.growth {
            *cubic = Cubic::resume(rest.w_max, rest.prior);
        }
        resumed
    }

    /// Data is about to be sent after nothing was sent for `idle`, and nothing is in flight.
    pub fn after_idle(&mut self, now: Instant, idle: Duration, rto: Duration) {
        match &mut self.growth {
            Growth::Cubic(cubic) => cubic.pause(now),
            Growth::Reno(_) => {}
            // Its window is a model of the path, which is none the worse for silence.
            Growth::Bbr(_) => return,
        }
        let (step, halvings_max) = match self.idle {
            IdlePolicy::Restart | IdlePolicy::Decay => (rto, u32::MAX),
            IdlePolicy::Preserve => (Duration::from_secs(300), 1),
        };
        let steps = idle.as_nanos() / step.as_nanos().max(1);
        if steps == 0 || self.window <= self.initial_window {
            return;
        }
        // What was reached is remembered as the place to slow down at (RFC 2861, section 3.1).
        self.ssthresh = self.ssthresh.max(self.window / 4 * 3);
        let halvings = u32::try_from(steps).unwrap_or(u32::MAX).min(halvings_max);
        let halved = self.window.checked_shr(halvings).unwrap_or(0);
        self.window = match self.idle {
            IdlePolicy::Restart => self.initial_window,
            IdlePolicy::Decay | IdlePolicy::Preserve => halved.max(self.initial_window),
        };
        if self.phase == Phase::CongestionAvoidance {
            self.phase = self.phase_by_window();
        }
    }
}

//! The controller where the algorithm goes by rates and not by ACKs: what it wants to be told beyond the
//! others, and the rate that it has besides the window.

use core::time::Duration;

use fyke_clock::Instant;

use super::{Algorithm, Bbr, Controller, Delivery, Growth};
use crate::tcp::scoreboard::LossSample;

impl Algorithm {
    /// Whether it wants delivery rate samples, and says at which rate text leaves.
    #[must_use]
    pub const fn goes_by_rate(self) -> bool {
        matches!(self, Self::Bbr)
    }
}

impl Controller {
    /// Tells such an algorithm, and takes over what follows; false when this is none.
    pub(super) fn by_rate(&mut self, tell: impl FnOnce(&mut Bbr)) -> bool {
        let Growth::Bbr(bbr) = &mut self.growth else { return false };
        tell(bbr);
        self.window = bbr.window();
        self.phase = bbr.phase();
        true
    }

    /// An ACK delivered something; call it after [`on_ack`](Self::on_ack).
    pub fn on_delivery(&mut self, delivery: &Delivery) {
        self.by_rate(|bbr| bbr.on_delivery(delivery));
    }

    /// Something was given up; call it after [`on_loss`](Self::on_loss), when a recovery began for it.
    pub fn on_losses(&mut self, losses: &LossSample) {
        if losses.bytes > 0 {
            self.by_rate(|bbr| bbr.on_losses(losses));
        }
    }

    /// A time-out left `pipe` bytes in flight; call it after [`on_rto`](Self::on_rto). They do not count
    /// against the one segment that may leave.
    pub fn on_rto_left(&mut self, pipe: u32) {
        self.by_rate(|bbr| bbr.keep_in_flight(pipe));
    }

    /// Something is about to be sent after there was nothing to send and nothing in flight.
    pub fn on_restart(&mut self, now: Instant) {
        self.by_rate(|bbr| bbr.on_restart(now));
    }

    /// Bytes in a second at which text leaves, when the algorithm says so.
    #[must_use]
    pub fn pacing_rate(&self, srtt: Option<Duration>) -> Option<u64> {
        match &self.growth {
            Growth::Bbr(bbr) => Some(bbr.pacing_rate(srtt)),
            Growth::Reno(_) | Growth::Cubic(_) => None,
        }
    }

    /// Whether samples are low on purpose now and are to count as limited by the application.
    #[must_use]
    pub fn is_holding_back(&self) -> bool {
        matches!(&self.growth, Growth::Bbr(bbr) if bbr.is_holding_back())
    }
}

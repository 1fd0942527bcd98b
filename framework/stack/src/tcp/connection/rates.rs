//! The rate of delivery, and who wants to know it.
//!
//! When the application, and not the network, is what limits the rate (draft-ietf-ccwg-bbr, section
//! 4.1.1.3), samples taken meanwhile say less than they could.

use fyke_clock::Instant;

use super::Connection;
use crate::tcp::config::Config;
use crate::tcp::congestion::Delivery;
use crate::tcp::scoreboard::Detection;

/// Whether the rate of delivery is measured.
pub(super) fn samples_rates(config: &Config) -> bool {
    config.congestion.rate_samples || config.congestion.algorithm.goes_by_rate()
}

impl Connection {
    /// Notes whether the connection has run out of data: called before something is written, an
    /// acknowledgement is taken in, or a timer sends something, because only who goes on then has
    /// left a gap.
    #[inline]
    pub(super) fn check_app_limited(&mut self) {
        if self.send.outgoing.as_ref().is_some_and(|outgoing| outgoing.board.samples_rates()) {
            self.mark_app_limited();
        }
    }

    fn mark_app_limited(&mut self) {
        let (unsent, mss) = (self.unsent(), self.mss());
        let Some(outgoing) = &mut self.send.outgoing else { return };
        // Less than a segment may be held back for more of its kind.
        let idle = unsent < mss
            && outgoing.board.pipe() < outgoing.congestion.window()
            && outgoing.board.lost() == 0;
        if idle {
            outgoing.board.mark_app_limited();
        }
    }

    /// An acknowledgement was taken in and its losses found: what it says of the rate. `limited` when
    /// the window was full before it.
    #[inline]
    pub(super) fn note_rate(&mut self, now: Instant, limited: bool) {
        let Some(outgoing) = &self.send.outgoing else { return };
        if outgoing.board.samples_rates() {
            self.tell_rate(now, limited);
        }
    }

    fn tell_rate(&mut self, now: Instant, limited: bool) {
        self.note_losses();
        let srtt = self.rtt.srtt().unwrap_or_default();
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let board = &mut outgoing.board;
        if let Some(rate) = board.rate_sample().copied() {
            outgoing.congestion.on_delivery(&Delivery {
                now,
                rate,
                pipe: board.pipe(),
                window_limited: limited,
                recovering: board.in_recovery(),
                sack: board.detection() != Detection::NewReno,
                srtt,
            });
        }
        if outgoing.congestion.is_holding_back() {
            board.mark_app_limited();
        }
    }

    /// What was given up, to an algorithm that weighs it against what was in flight.
    pub(super) fn note_losses(&mut self) {
        if let Some(outgoing) = &mut self.send.outgoing
            && outgoing.board.samples_rates()
        {
            let losses = outgoing.board.take_losses();
            outgoing.congestion.on_losses(&losses);
        }
    }
}

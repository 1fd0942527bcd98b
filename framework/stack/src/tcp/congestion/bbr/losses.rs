//! What losses and congestion marks change (sections 5.5.10 and 5.5.11), and how that is taken back.
//!
//! While the path is probed, too many losses say how much it takes. Otherwise losses say that somebody
//! else wants a share: once a round, rate and volume go down to what was delivered, by 30 % at most.

use super::{Bbr, Delivery, State, UNBOUND, UNBOUND_RATE, percent};
use crate::tcp::scoreboard::{Excess, LOSS_PERCENT_MAX, LossSample};

/// The least that is left by one reduction, in percent (Beta).
const BETA_PERCENT: u32 = 70;

/// What a recovery that was for nothing goes back to.
#[derive(Debug, Clone, Default)]
pub(super) struct Undo {
    /// The state that losses ended.
    pub(super) state: Option<State>,
    bw_shortterm: u64,
    inflight_shortterm: u32,
    inflight_longterm: u32,
}

impl Bbr {
    /// Near the beginning of an ACK: the delivery of this round.
    pub(super) fn update_latest_delivery(&mut self, delivery: &Delivery) {
        let rate = &delivery.rate;
        self.bw_latest = self.bw_latest.max(rate.rate);
        self.inflight_latest = self.inflight_latest.max(bytes(rate.delivered));
        self.loss_round_start = rate.prior_delivered >= self.loss_round_delivered;
        if self.loss_round_start {
            self.loss_round_delivered = rate.delivered_total;
        }
    }

    /// Near its end.
    pub(super) fn advance_latest_delivery(&mut self, delivery: &Delivery) {
        if self.loss_round_start {
            self.bw_latest = delivery.rate.rate;
            self.inflight_latest = bytes(delivery.rate.delivered);
        }
    }

    pub(super) fn reset_congestion_signals(&mut self) {
        self.loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    pub(super) fn update_congestion(&mut self, delivery: &Delivery) {
        self.update_max_bandwidth(delivery);
        if !self.loss_round_start {
            return;
        }
        if self.loss_in_round && !self.state.accelerates() {
            self.lower_short_term(delivery);
        }
        self.loss_in_round = false;
    }

    fn lower_short_term(&mut self, delivery: &Delivery) {
        if self.bw_shortterm == UNBOUND_RATE {
            self.bw_shortterm = self.filter.max();
        }
        if self.inflight_shortterm == UNBOUND {
            self.inflight_shortterm = self.window;
        }
        // What we held back on purpose, in DOWN and ProbeRTT and always a little, the path might have
        // delivered: it is no reason to go down. (The draft takes the rate as it is; then each round
        // with a loss costs one percent, however good the path, and one at the end of DOWN ten.)
        let (until, held) = self.held_back;
        let before = if delivery.rate.prior_delivered < until { held } else { self.state };
        let sent_percent = self.state.sent_percent().min(before.sent_percent());
        let rate = self.bw_latest.saturating_mul(10_000) / sent_percent;
        let least = self.bw_shortterm / 100 * u64::from(BETA_PERCENT);
        self.bw_shortterm = rate.min(self.bw_shortterm).max(least);
        let volume = u64::from(self.inflight_latest) * 10_000 / sent_percent;
        let least = percent(self.inflight_shortterm, BETA_PERCENT);
        self.inflight_shortterm = bytes(volume).min(self.inflight_shortterm).max(least);
    }

    /// Something was given up.
    pub(in crate::tcp::congestion) fn on_losses(&mut self, losses: &LossSample) {
        self.note_congestion(losses.delivered);
        self.loss_ranges = self.loss_ranges.saturating_add(losses.ranges);
        if let Some(excess) = losses.excess
            && self.is_bw_probe_sample
        {
            let at_loss = inflight_at_loss(&excess);
            self.inflight_was_too_high(at_loss, excess.app_limited);
        }
    }

    fn note_congestion(&mut self, delivered: u64) {
        if !self.loss_in_round {
            self.loss_round_delivered = delivered;
        }
        self.loss_in_round = true;
    }

    /// The probe put too much into the network: once a probe that is remembered.
    fn inflight_was_too_high(&mut self, in_flight: u32, app_limited: bool) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !app_limited {
            let least = percent(self.target_inflight(), BETA_PERCENT);
            self.inflight_longterm = in_flight.max(least);
        }
        if self.state == State::Up {
            self.undo.state = Some(State::Up);
            // The cycle's clock goes by ACKs; the last one is as good as now.
            self.start_down(self.acked_at);
        }
    }

    /// A window of data came back with a congestion mark (RFC 3168): what losses would mean. The
    /// draft (section 3.6) leaves the response open, but for there being one.
    pub(in crate::tcp::congestion) fn on_mark(&mut self, pipe: u32) {
        match self.state {
            State::Startup => self.note_startup_mark(),
            _ if self.is_bw_probe_sample => self.inflight_was_too_high(pipe, false),
            _ => self.note_congestion(self.delivered),
        }
    }

    /// Nobody told of a loss that a probe repaired.
    pub(in crate::tcp::congestion) fn on_repaired(&mut self) {
        self.note_congestion(self.delivered);
    }

    /// A recovery begins.
    pub(in crate::tcp::congestion) fn on_recovery(&mut self) {
        self.save_window();
        if !core::mem::replace(&mut self.recovering, true) {
            self.undo = Undo {
                state: None,
                bw_shortterm: self.bw_shortterm,
                inflight_shortterm: self.inflight_shortterm,
                inflight_longterm: self.inflight_longterm,
            };
        }
    }

    /// Nothing came back in time.
    pub(in crate::tcp::congestion) fn on_timeout(&mut self) {
        self.on_recovery();
        self.note_congestion(self.delivered);
        self.window = self.mss;
    }

    /// So much was not given up by the time-out: one segment more, and on from there (section 5.6.4.4).
    pub(in crate::tcp::congestion) fn keep_in_flight(&mut self, pipe: u32) {
        self.window = pipe.saturating_add(self.mss).min(self.prior_window.max(self.mss));
    }

    /// All is repaired.
    pub(in crate::tcp::congestion) fn on_recovered(&mut self) {
        self.recovering = false;
        self.recovered = true;
        self.restore_window();
    }

    /// Nothing had been lost.
    pub(in crate::tcp::congestion) fn undo(&mut self) {
        self.recovering = false;
        self.restore_window();
        self.loss_in_round = false;
        self.reset_full_bandwidth();
        let undo = core::mem::take(&mut self.undo);
        self.bw_shortterm = self.bw_shortterm.max(undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(undo.inflight_longterm);
        let probing_rtt = self.state == State::ProbeRtt;
        match undo.state {
            Some(State::Startup) if self.state != State::Startup => {
                self.full_bw_reached = false;
                if !probing_rtt {
                    self.enter_startup();
                }
            }
            Some(State::Up) if self.state != State::Up && !probing_rtt => self.start_refill(),
            _ => {}
        }
    }

    /// Remembers the last window that no recovery and no ProbeRTT made small.
    pub(super) fn save_window(&mut self) {
        let fine = !self.recovering && self.state != State::ProbeRtt;
        self.prior_window = if fine { self.window } else { self.prior_window.max(self.window) };
    }

    pub(super) fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }
}

/// How much was in flight when the losses became too many: somewhere within what left with this one.
/// The share x of it solves (lost before + x) / (in flight before + x) = 2 %.
fn inflight_at_loss(excess: &Excess) -> u32 {
    let before = u64::from(excess.in_flight.saturating_sub(excess.bytes));
    let lost_before = excess.lost.saturating_sub(u64::from(excess.bytes));
    let allowed = (before * LOSS_PERCENT_MAX).saturating_sub(lost_before * 100);
    bytes(before + allowed / (100 - LOSS_PERCENT_MAX))
}

fn bytes(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

//! Startup and Drain (sections 5.3.1 and 5.3.2): the rate doubles each round trip until it grows no
//! more, then the queue that this made is let run out.

use super::{Bbr, Delivery, State};
use crate::tcp::scoreboard::is_excess;

/// Growth of the rate, in percent, that says that there is still room.
const FULL_GROWTH_PERCENT: u64 = 125;

/// Rounds without such growth after which the pipe is full.
const FULL_ROUNDS: u8 = 3;

/// Ranges lost in a round without which losses do not end Startup (BBRStartupFullLossCnt).
const FULL_LOSS_RANGES: u32 = 6;

/// Marked windows that end Startup: one may be somebody else's burst.
const FULL_MARKED_WINDOWS: u8 = 2;

/// Rounds after which Drain is over whatever is in flight.
const DRAIN_ROUNDS_MAX: u64 = 3;

impl Bbr {
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    pub(super) fn reset_full_bandwidth(&mut self) {
        self.full_bw = 0;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// Whether more pressure brings no more rate (section 5.3.1.2).
    pub(super) fn check_full_bandwidth(&mut self, delivery: &Delivery) {
        if self.full_bw_now || !self.round_start || delivery.rate.app_limited {
            return;
        }
        let rate = u128::from(delivery.rate.rate) * 100;
        if rate >= u128::from(self.full_bw) * u128::from(FULL_GROWTH_PERCENT) {
            self.reset_full_bandwidth();
            self.full_bw = delivery.rate.rate;
            return;
        }
        self.full_bw_count += 1;
        self.full_bw_now = self.full_bw_count >= FULL_ROUNDS;
        self.full_bw_reached |= self.full_bw_now;
    }

    pub(super) fn check_startup_done(&mut self, delivery: &Delivery) {
        self.check_startup_loss(delivery);
        if self.state == State::Startup && self.full_bw_reached {
            self.state = State::Drain;
            self.drain_start_round = self.round_count;
        }
    }

    /// Losses end Startup when there are too many in too many places for a whole round (section
    /// 5.3.1.3); without SACK, which shows one in a round, any.
    fn check_startup_loss(&mut self, delivery: &Delivery) {
        if self.state != State::Startup || self.full_bw_reached {
            return;
        }
        let rate = &delivery.rate;
        let many =
            self.loss_ranges >= FULL_LOSS_RANGES && is_excess(rate.lost, rate.in_flight, self.mss);
        let any = !delivery.sack && self.loss_ranges > 0;
        let recovers = delivery.recovering || self.recovered;
        if recovers && self.loss_round_start && (many || any) {
            self.leave_startup_for_congestion();
        }
        if self.loss_round_start {
            self.loss_ranges = 0;
        }
    }

    fn leave_startup_for_congestion(&mut self) {
        self.undo.state = Some(State::Startup);
        (self.full_bw_now, self.full_bw_reached) = (true, true);
        self.inflight_longterm = self.bdp_of(self.filter.max()).max(self.inflight_latest);
    }

    /// A window came back with a congestion mark.
    pub(super) fn note_startup_mark(&mut self) {
        self.marked_windows = self.marked_windows.saturating_add(1);
        if self.marked_windows >= FULL_MARKED_WINDOWS {
            self.leave_startup_for_congestion();
        }
    }

    pub(super) fn check_drain_done(&mut self, delivery: &Delivery) {
        if self.state != State::Drain {
            return;
        }
        let long = self.round_count > self.drain_start_round + DRAIN_ROUNDS_MAX;
        if delivery.pipe <= self.inflight(self.bw) || long {
            self.start_down(delivery.now);
        }
    }
}

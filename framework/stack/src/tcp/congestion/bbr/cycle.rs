//! ProbeBW (section 5.3.3): most of a connection's life. A little slower than the path, to let queues
//! run out; as fast as it; and now and then faster, to see whether there is more.

use core::time::Duration;

use fyke_clock::Instant;

use super::{AckPhase, Bbr, Delivery, State, UNBOUND, UNBOUND_RATE, percent};
use crate::tcp::scoreboard::is_excess;

/// The shortest time between bandwidth probes by the clock; up to a second more is chance.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// The most rounds between probes: about what Reno needs to come back from a loss, up to that many
/// segments in flight (section 5.3.3.8).
const PROBE_ROUNDS_MAX: u32 = 63;

/// What is left free of the long-term bound for others, in percent (Headroom).
const HEADROOM_PERCENT: u32 = 15;

/// Rounds over which the growth of the long-term bound doubles, at most.
const PROBE_UP_ROUNDS_MAX: u8 = 30;

impl Bbr {
    pub(super) fn start_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_increase = UNBOUND;
        self.pick_probe_wait();
        self.cycle_at = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round();
        self.state = State::Down;
    }

    /// `held` is the state that ends, in which less was sent than the path takes.
    pub(super) fn start_cruise(&mut self, held: State) {
        // A sample tells how fast the round before its segment was sent, so the first two rounds that
        // follow are still of that.
        self.held_back = (self.delivered + 2 * u64::from(self.bdp_of(self.filter.max())), held);
        self.state = State::Cruise;
    }

    pub(super) fn start_refill(&mut self) {
        self.reset_short_term();
        self.probe_up_rounds = 0;
        self.probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = State::Refill;
    }

    fn start_up(&mut self, delivery: &Delivery) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round();
        self.reset_full_bandwidth();
        self.full_bw = delivery.rate.rate;
        self.state = State::Up;
        self.raise_longterm_slope();
    }

    /// What was learned of losses since the last probe is forgotten: the path is probed anew.
    pub(super) fn reset_short_term(&mut self) {
        self.bw_shortterm = UNBOUND_RATE;
        self.inflight_shortterm = UNBOUND;
    }

    /// Chance keeps flows from probing all at once (section 5.3.3.8).
    fn pick_probe_wait(&mut self) {
        let random = self.next_random();
        self.rounds_since_probe_up = u32::from(random & 1 == 1);
        self.probe_wait = PROBE_WAIT + Duration::from_nanos((random >> 1) % 1_000_000_000);
    }

    /// Goes on in the cycle, on each ACK.
    pub(super) fn update_cycle(&mut self, delivery: &Delivery) {
        if !self.full_bw_reached || self.adapt_longterm(delivery) {
            return;
        }
        let down = self.state == State::Up && self.is_time_to_go_down(delivery);
        match self.state {
            State::Down | State::Cruise if self.is_time_to_probe(delivery.now) => {
                self.start_refill();
            }
            State::Down if self.is_time_to_cruise(delivery.pipe) => self.start_cruise(State::Down),
            State::Refill if self.round_start => {
                self.is_bw_probe_sample = true;
                self.start_up(delivery);
            }
            State::Up if down => {
                self.prev_probe_too_high = false;
                self.start_down(delivery.now);
            }
            _ => {}
        }
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        let rounds = (self.target_inflight() / self.mss).min(PROBE_ROUNDS_MAX);
        now > self.cycle_at + self.probe_wait || self.rounds_since_probe_up >= rounds
    }

    /// There is room for others, and no queue of ours.
    fn is_time_to_cruise(&self, pipe: u32) -> bool {
        pipe <= self.inflight_with_headroom() && pipe <= self.inflight(self.filter.max())
    }

    fn is_time_to_go_down(&mut self, delivery: &Delivery) -> bool {
        if self.prev_probe_too_high && delivery.pipe >= self.inflight_longterm {
            // Here it was too much the last time: enough is known (section 5.3.3.6).
            self.prev_probe_precautionary = true;
            return true;
        }
        if delivery.window_limited && self.window >= self.inflight_longterm {
            // The bound, and not the path, limits the rate.
            self.reset_full_bandwidth();
            self.full_bw = delivery.rate.rate;
            return false;
        }
        self.full_bw_now
    }

    /// What we want in flight: the bandwidth-delay product, unless congestion cut the window.
    pub(super) fn target_inflight(&self) -> u32 {
        self.bdp().min(self.window)
    }

    /// The long-term bound without what is left to others.
    pub(super) fn inflight_with_headroom(&self) -> u32 {
        if self.inflight_longterm == UNBOUND {
            return UNBOUND;
        }
        let headroom = percent(self.inflight_longterm, HEADROOM_PERCENT).max(self.mss);
        self.inflight_longterm.saturating_sub(headroom).max(self.min_pipe_window())
    }

    /// The bound grows by one segment in the first round of a probe, then by two, four, eight.
    fn raise_longterm_slope(&mut self) {
        let growth = 1_u32 << self.probe_up_rounds;
        self.probe_up_rounds = (self.probe_up_rounds + 1).min(PROBE_UP_ROUNDS_MAX);
        self.probe_up_acked_per_increase = (self.window / growth).max(self.mss);
    }

    fn probe_longterm_upward(&mut self, delivery: &Delivery) {
        if !delivery.window_limited || self.window < self.inflight_longterm {
            return;
        }
        self.probe_up_acked = self.probe_up_acked.saturating_add(delivery.rate.newly_acked);
        let increases = self.probe_up_acked / self.probe_up_acked_per_increase.max(1);
        if increases > 0 {
            self.probe_up_acked -= increases * self.probe_up_acked_per_increase;
            let growth = increases.saturating_mul(self.mss);
            self.inflight_longterm = self.inflight_longterm.saturating_add(growth);
        }
        if self.round_start {
            self.raise_longterm_slope();
        }
    }

    /// What the probe's own ACKs say of the long-term bound; true when they ended a phase.
    fn adapt_longterm(&mut self, delivery: &Delivery) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round_start {
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round_start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            if self.state.is_probe_bw() {
                if !delivery.rate.app_limited {
                    self.filter.advance();
                }
                if self.prev_probe_precautionary && !self.prev_probe_too_high {
                    // The careful probe did no harm: now a whole one.
                    self.start_refill();
                    return true;
                }
            }
        }
        let rate = &delivery.rate;
        let too_high =
            is_excess(rate.lost, rate.in_flight, self.mss) || (rate.lost > 0 && !delivery.sack);
        if too_high || self.inflight_longterm == UNBOUND {
            return false;
        }
        self.inflight_longterm = self.inflight_longterm.max(rate.in_flight);
        if self.state == State::Up {
            self.probe_longterm_upward(delivery);
        }
        false
    }
}

//! ProbeRTT (section 5.3.4) and what comes after idleness (5.4): how long a round trip is when there
//! is no queue.

use core::time::Duration;

use fyke_clock::Instant;

use super::control::PROBE_RTT_WINDOW_GAIN;
use super::{AckPhase, Bbr, Delivery, State};

/// How long the smallest round trip is believed (MinRTTFilterLen).
const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);

/// How often the queue is let run out to measure it (ProbeRTTInterval).
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);

/// For how long, and one round at least (ProbeRTTDuration).
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);

impl Bbr {
    pub(super) fn update_min_rtt(&mut self, delivery: &Delivery) {
        let now = delivery.now;
        self.probe_rtt_expired = now > self.probe_rtt_min_at + PROBE_RTT_INTERVAL;
        if let Some(rtt) = delivery.rate.rtt
            && (self.probe_rtt_expired || self.probe_rtt_min.is_none_or(|min| rtt < min))
        {
            self.probe_rtt_min = Some(rtt);
            self.probe_rtt_min_at = now;
        }
        let expired = now > self.min_rtt_at + MIN_RTT_WINDOW;
        let Some(recent) = self.probe_rtt_min else { return };
        if expired || self.min_rtt.is_none_or(|min| recent < min) {
            self.min_rtt = Some(recent);
            self.min_rtt_at = self.probe_rtt_min_at;
        }
    }

    pub(super) fn check_probe_rtt(&mut self, delivery: &Delivery) {
        if self.state != State::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.probe_rtt_done_at = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round();
        }
        if self.state == State::ProbeRtt {
            self.go_on_with_probe_rtt(delivery);
        }
        if delivery.rate.delivered > 0 {
            self.idle_restart = false;
        }
    }

    fn go_on_with_probe_rtt(&mut self, delivery: &Delivery) {
        match self.probe_rtt_done_at {
            None if delivery.pipe <= self.probe_rtt_window() => {
                self.probe_rtt_done_at = Some(delivery.now + PROBE_RTT_DURATION);
                self.probe_rtt_round_done = false;
                self.start_round();
            }
            None => {}
            Some(_) => {
                self.probe_rtt_round_done |= self.round_start;
                if self.probe_rtt_round_done {
                    self.check_probe_rtt_done(delivery.now);
                }
            }
        }
    }

    fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done_at.is_none_or(|done| now <= done) {
            return;
        }
        self.probe_rtt_min_at = now;
        self.restore_window();
        self.reset_short_term();
        if self.full_bw_reached {
            self.start_down(now);
            self.start_cruise(State::ProbeRtt);
        } else {
            self.enter_startup();
        }
    }

    /// Half of what fills the path.
    pub(super) fn probe_rtt_window(&self) -> u32 {
        self.bdp_multiple(PROBE_RTT_WINDOW_GAIN).max(self.min_pipe_window())
    }

    /// Something is sent after there was nothing in flight and nothing to send: the queue has run
    /// out by itself, and the rate is the path's at once.
    pub(in crate::tcp::congestion) fn on_restart(&mut self, now: Instant) {
        if !self.begun {
            return;
        }
        self.idle_restart = true;
        self.aggregation.begin(now);
        if self.state.is_probe_bw() {
            self.set_pacing_rate_with(100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(now);
        }
    }
}

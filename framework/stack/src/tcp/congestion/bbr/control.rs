//! What comes out (section 5.6): the pacing rate, and the window.

use core::time::Duration;

use super::{Bbr, Delivery, State, UNBOUND};

/// How much slower than the bandwidth the rate is, so that queues do not stay (PacingMarginPercent).
const PACING_MARGIN_PERCENT: u64 = 1;

/// Half a bandwidth-delay product is in flight while the round trip is measured.
pub(super) const PROBE_RTT_WINDOW_GAIN: u32 = 50;

/// Quanta that are in the sender's, the receiver's and the device's hands (section 5.5.8).
const OFFLOAD_QUANTA: u32 = 3;

/// Segments with which a delayed acknowledgement stops nobody.
const MIN_PIPE_SEGMENTS: u32 = 4;

/// The largest super-segment.
const QUANTUM_BYTES_MAX: u64 = 65_536;

impl State {
    /// How fast, in percent of the bandwidth.
    fn pacing_gain(self) -> u64 {
        match self {
            Self::Startup => 277,
            Self::Drain => 50,
            Self::Down => 90,
            Self::Up => 125,
            Self::Cruise | Self::Refill | Self::ProbeRtt => 100,
        }
    }

    /// What is sent of the bandwidth, in hundredths of a percent.
    pub(super) fn sent_percent(self) -> u64 {
        let gain = self.pacing_gain().min(u64::from(self.window_gain()));
        gain * (100 - PACING_MARGIN_PERCENT)
    }

    /// How much, in percent of the bandwidth-delay product.
    fn window_gain(self) -> u32 {
        match self {
            Self::Up => 225,
            Self::ProbeRtt => PROBE_RTT_WINDOW_GAIN,
            _ => 200,
        }
    }
}

impl Bbr {
    /// Bytes in a second. Before the first ACK the initial window in a round trip is all there is to
    /// go by.
    pub(in crate::tcp::congestion) fn pacing_rate(&self, srtt: Option<Duration>) -> u64 {
        self.pacing_rate.unwrap_or_else(|| self.initial_rate(srtt.unwrap_or_default()))
    }

    pub(super) fn initial_rate(&self, srtt: Duration) -> u64 {
        let srtt = if srtt.is_zero() { Duration::from_millis(1) } else { srtt };
        let nanos = u64::try_from(srtt.as_nanos()).unwrap_or(u64::MAX);
        let window = u64::from(self.initial_window) * State::Startup.pacing_gain() / 100;
        window.saturating_mul(1_000_000_000) / nanos
    }

    pub(super) fn set_pacing_rate(&mut self) {
        self.set_pacing_rate_with(self.state.pacing_gain());
    }

    /// Until the pipe was full once, the rate only rises.
    pub(super) fn set_pacing_rate_with(&mut self, gain: u64) {
        let share = u128::from(gain) * u128::from(100 - PACING_MARGIN_PERCENT);
        let rate = u128::from(self.bw) * share / 10_000;
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        if rate > 0 && (self.full_bw_reached || rate > self.pacing_rate.unwrap_or(0)) {
            self.pacing_rate = Some(rate);
        }
    }

    /// What leaves together: a millisecond of data.
    fn quantum(&self) -> u32 {
        let millisecond = self.pacing_rate.unwrap_or(0) / 1000;
        let bytes = millisecond.min(QUANTUM_BYTES_MAX);
        u32::try_from(bytes).unwrap_or(UNBOUND).max(self.mss.saturating_mul(2))
    }

    pub(super) fn min_pipe_window(&self) -> u32 {
        self.mss.saturating_mul(MIN_PIPE_SEGMENTS)
    }

    /// At least so much that whole quanta can be under way.
    fn quantized(&self, inflight: u32) -> u32 {
        let budget = self.quantum().saturating_mul(OFFLOAD_QUANTA);
        let inflight = inflight.max(budget).max(self.min_pipe_window());
        let more = if self.state == State::Up { 2 * self.mss } else { 0 };
        inflight.saturating_add(more)
    }

    /// What is in flight when the path is full and its queue empty.
    pub(super) fn inflight(&self, bw: u64) -> u32 {
        self.quantized(self.bdp_of(bw))
    }

    fn max_inflight(&self) -> u32 {
        let inflight = self.bdp_multiple(self.state.window_gain());
        self.quantized(inflight.saturating_add(self.aggregation.max()))
    }

    /// The window follows the model: up by what is acknowledged, down at once (section 5.6.4.6).
    pub(super) fn set_window(&mut self, delivery: &Delivery) {
        let max_inflight = self.max_inflight();
        let grown = self.window.saturating_add(delivery.rate.newly_acked);
        let few = delivery.rate.delivered_total < u64::from(self.initial_window);
        if self.full_bw_reached {
            self.window = grown.min(max_inflight);
        } else if self.window < max_inflight || few {
            self.window = grown;
        }
        self.window = self.window.max(self.min_pipe_window());
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_rtt_window());
        }
        self.window = self.window.min(self.bound()).min(self.window_max);
    }

    /// What losses leave of the window (section 5.6.4.7).
    fn bound(&self) -> u32 {
        let bound = match self.state {
            State::Down | State::Refill | State::Up => self.inflight_longterm,
            State::Cruise | State::ProbeRtt => self.inflight_with_headroom(),
            State::Startup | State::Drain => UNBOUND,
        };
        bound.min(self.inflight_shortterm).max(self.min_pipe_window())
    }
}

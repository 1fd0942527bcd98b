//! Pacing: text leaves spread over the round trip and not in bursts, or no faster than it may.
//!
//! ```text
//!   |quantum|........|quantum|........|quantum|     gate open | shut until what left has had its time
//! ```
//! What leaves shuts a gate until the time at which the rate allows more. When it opens, a quantum
//! may leave, about a millisecond of data and never less than two segments, so that super-segments
//! still form. Text is held back, new or again; acknowledgements, probes, the SYN and resets are not.
//! When something is held back the gate's opening is one of the connection's timers, and only then.
//!
//! Reading list: draft-ietf-ccwg-bbr, sections 5.6.2 (pacing rate) and 5.6.3 (send quantum).

use core::time::Duration;

use fyke_clock::Instant;

use super::Connection;
use super::outgoing::Outgoing;
use super::timers::Purpose;
use crate::tcp::config::{Config, Pacing};

/// Segments that leave together at the lowest rate.
const QUANTUM_SEGMENTS_MIN: u32 = 2;

/// The largest quantum: more makes no super-segment larger.
const QUANTUM_BYTES_MAX: u64 = 65_536;

/// How many of them a second has: a quantum is about a millisecond of data.
const QUANTA_PER_SECOND: u64 = 1000;

/// What may leave when the gate opens.
fn quantum(rate: u64, mss: u32) -> u32 {
    let least = u64::from(mss) * u64::from(QUANTUM_SEGMENTS_MIN);
    let bytes = (rate / QUANTA_PER_SECOND).min(QUANTUM_BYTES_MAX).max(least);
    // Whole segments: what is left over would leave as a segment of its own.
    u32::try_from(bytes - bytes % u64::from(mss)).unwrap_or(u32::MAX)
}

/// How long `bytes` take at `rate`.
fn time_of(bytes: u32, rate: u64) -> Duration {
    Duration::from_nanos((u64::from(bytes) * 1_000_000_000).div_ceil(rate.max(1)))
}

/// Whether anything limits the rate of a connection.
pub(super) fn is_paced(config: &Config) -> bool {
    config.pacing != Pacing::Off
        || config.pacing_rate_max.is_some()
        || config.congestion.algorithm.goes_by_rate()
}

impl Connection {
    /// Bytes in a second that text may leave at; `None` when nothing limits it.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        let outgoing = self.send.outgoing.as_ref().filter(|outgoing| outgoing.paced)?;
        let own = outgoing.congestion.pacing_rate(self.rtt.srtt());
        let rate = own.or_else(|| self.rate_by_window(outgoing));
        match (rate, self.config.pacing_rate_max) {
            (Some(rate), Some(most)) => Some(rate.min(most).max(1)),
            (rate, most) => rate.or(most).map(|rate| rate.max(1)),
        }
    }

    /// A share of the window in a round trip. Before the first round trip is measured there is
    /// nothing to go by.
    fn rate_by_window(&self, outgoing: &Outgoing) -> Option<u64> {
        let Pacing::ByWindow { slow_start_percent, avoidance_percent } = self.config.pacing else {
            return None;
        };
        let congestion = &outgoing.congestion;
        // Near ssthresh the window does not double any more.
        let doubles = congestion.window() < congestion.ssthresh() / 2;
        let percent = if doubles { slow_start_percent } else { avoidance_percent };
        let nanos = u64::try_from(self.rtt.srtt()?.as_nanos()).ok()?.max(1);
        let window = u64::from(congestion.window().max(outgoing.board.pipe()));
        let share = window * u64::from(percent.max(1)) / 100;
        Some(share.saturating_mul(1_000_000_000) / nanos)
    }

    /// Before a text is picked: when the gate is open a whole quantum may leave.
    #[inline]
    pub(super) fn open_gate(&mut self, now: Instant) {
        if self.send.outgoing.as_ref().is_some_and(|outgoing| outgoing.paced) {
            self.refill(now);
        }
    }

    fn refill(&mut self, now: Instant) {
        self.timers.held = false;
        self.timers.held_again = false;
        let shut = self.timers.gate.get().is_some_and(|opens| opens > now);
        if shut {
            return;
        }
        let rate = self.pacing_rate();
        let mss = self.mss();
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.burst = rate.map_or(u32::MAX, |rate| quantum(rate, mss));
        }
    }

    /// Whether text has to wait for the gate; then its opening is waited for. A tail loss probe
    /// never has to.
    #[inline]
    pub(super) fn is_held_back(&mut self, again: bool) -> bool {
        let held =
            self.send.outgoing.as_ref().is_some_and(|out| out.burst == 0 && out.probe.is_none());
        self.timers.held |= held;
        self.timers.held_again |= held && again;
        held
    }

    /// When the time-out came, the segment that it is about had been lost already and waited for the
    /// gate: that is no other attempt, which begins when the segment leaves. Says whether it was so.
    pub(super) fn has_not_left_yet(&mut self, now: Instant) -> bool {
        let Some(outgoing) = &mut self.send.outgoing else { return false };
        let gate = self.timers.gate.get().filter(|_| self.timers.held_again);
        let Some(opens) = gate.filter(|opens| *opens > outgoing.restarted) else { return false };
        outgoing.restarted = opens.max(now);
        let at = outgoing.restarted + self.rto();
        self.arm(Purpose::Retransmit, at);
        true
    }

    /// Text left: the gate is shut for as long as it takes at the rate.
    pub(super) fn shut_gate(&mut self, now: Instant, bytes: u32) {
        let Some(rate) = self.pacing_rate() else { return };
        let cost = time_of(bytes, rate);
        let opens = self.timers.gate.get().unwrap_or(now);
        // Who comes late for a timer may catch up, but not make a burst of it.
        let late = now.saturating_duration_since(opens).min(cost / 2);
        self.timers.gate.set(opens.max(now) + (cost - late));
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.burst = outgoing.burst.saturating_sub(bytes);
        }
    }

    /// The rate is another: what was left before does not count against it.
    pub(super) fn pacing_changed(&mut self) {
        self.timers.gate.clear();
        self.timers.held = false;
        self.timers.held_again = false;
        let paced = is_paced(&self.config);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.paced = paced;
            outgoing.burst = u32::MAX;
        }
    }
}

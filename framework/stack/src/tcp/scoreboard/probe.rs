//! Tail loss probes (RFC 8985, section 7): when ACKs stop coming, one segment is sent before the
//! time-out, so that its ACK tells what is missing.

use core::time::Duration;

use super::{Ack, Acked, Detection, Scoreboard};
use crate::tcp::SeqNum;
use crate::tcp::rtt::RttEstimator;

/// The time-out of a probe before there is a round-trip time (section 7.2).
const PROBE_TIMEOUT_INITIAL: Duration = Duration::from_secs(1);

/// A probe that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outstanding {
    /// SND.NXT when it was sent (TLP.end_seq).
    end: SeqNum,
    again: bool,
}

/// What to send as a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A segment of new data, even if the congestion window does not allow it.
    New,
    /// This range again, the last that was sent.
    Again(SeqNum, u32),
}

/// What the answer to a probe said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// Nothing was lost.
    NothingLost,
    /// The probe repaired a loss that nothing else will tell of: the congestion control has to hear
    /// of it (section 7.4.2).
    Repaired,
}

impl Scoreboard {
    /// How long after sending, or after an ACK, to wait before a probe; none when the time-out alone
    /// must do. The caller lets a probe come no later than the time-out.
    #[must_use]
    pub fn probe_timeout(&self, rtt: &RttEstimator) -> Option<Duration> {
        let idle = self.entries.is_empty() || self.probe.is_some();
        if self.detection != Detection::Rack || idle || self.in_recovery() {
            return None;
        }
        // With something SACKed or lost, RACK's own timer is at work.
        if self.totals.sacked > 0 || self.totals.lost > 0 {
            return None;
        }
        let Some(srtt) = rtt.srtt() else { return Some(PROBE_TIMEOUT_INITIAL) };
        let alone = self.totals.segments == 1;
        Some(srtt * 2 + if alone { self.ack_delay_max } else { Duration::ZERO })
    }

    /// What to send as a probe; `new` tells whether there is data not yet sent that the peer's
    /// window allows.
    #[must_use]
    pub fn probe(&self, new: bool) -> Option<Probe> {
        if new {
            return Some(Probe::New);
        }
        let last = self.entries.back()?;
        // All its segments but the last are whole.
        let whole = (last.len() - 1) / last.segment_size() * last.segment_size();
        Some(Probe::Again(last.start + whole, last.len() - whole))
    }

    /// Whether a probe was sent and it is not known yet what its answer means.
    #[must_use]
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// The probe was sent; call it after [`on_sent`](Self::on_sent) or
    /// [`on_resent`](Self::on_resent) for it.
    pub fn on_probe_sent(&mut self, probe: Probe) {
        let again = matches!(probe, Probe::Again(..));
        self.probe = Some(Outstanding { end: self.nxt, again });
    }

    /// Section 7.4.2: what an ACK says of the outstanding probe.
    pub(super) fn probe_answered(&mut self, ack: &Ack<'_>, acked: &Acked) -> Option<ProbeResult> {
        let probe = self.probe?;
        if ack.ack.is_before(probe.end) {
            return None;
        }
        let twice = acked.duplicate.is_some_and(|(_, right)| right == probe.end);
        let plain = ack.duplicate && ack.blocks.is_empty();
        let result = if !probe.again || twice {
            ProbeResult::NothingLost
        } else if ack.ack.is_after(probe.end) {
            ProbeResult::Repaired
        } else if plain {
            ProbeResult::NothingLost
        } else {
            // Acknowledged once; a second ACK would say that both arrived.
            return None;
        };
        self.probe = None;
        Some(result)
    }
}

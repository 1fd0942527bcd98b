//! Proportional rate reduction (RFC 9937, before RFC 6937): how much each ACK of a recovery lets
//! out, so that the flight shrinks evenly to ssthresh and is there when the recovery ends.

/// The counters of one recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prr {
    ssthresh: u32,
    /// What was in flight when it began (RecoverFS).
    recover_fs: u32,
    delivered: u32,
    out: u32,
}

impl Prr {
    /// A recovery towards `ssthresh`.
    ///
    /// `recover_fs` is SND.NXT - SND.UNA before the ACK that began it, without what had been SACKed
    /// before that ACK: those bytes will not count as delivered again (RFC 9937, section 6).
    #[must_use]
    pub fn new(ssthresh: u32, recover_fs: u32) -> Self {
        Self { ssthresh, recover_fs: recover_fs.max(1), delivered: 0, out: 0 }
    }

    /// The window after an ACK that newly delivered `delivered` bytes and leaves `pipe` in flight.
    ///
    /// `safe` when it advanced SND.UNA and told of no further loss.
    pub fn on_ack(&mut self, delivered: u32, pipe: u32, safe: bool, mss: u32) -> u32 {
        self.delivered = self.delivered.saturating_add(delivered);
        let mut count = if delivered == 0 {
            0
        } else if pipe > self.ssthresh {
            let share = u64::from(self.delivered) * u64::from(self.ssthresh);
            let share = share.div_ceil(u64::from(self.recover_fs));
            u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(self.out)
        } else {
            // As much as was delivered by default; a segment more only while things get better.
            let bound = self.delivered.saturating_sub(self.out).max(delivered);
            let bound = if safe { bound.saturating_add(mss) } else { bound };
            bound.min(self.ssthresh - pipe)
        };
        if self.out == 0 {
            // The fast retransmit itself is never held back.
            count = count.max(mss);
        }
        pipe.saturating_add(count)
    }

    /// Whether the fast retransmit is out.
    pub(super) fn has_begun(&self) -> bool {
        self.out > 0
    }

    /// Bytes were sent, new or again.
    #[inline]
    pub fn on_sent(&mut self, bytes: u32) {
        self.out = self.out.saturating_add(bytes);
    }
}

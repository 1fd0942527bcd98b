//! Finding losses by counting: RFC 6675 with SACK, RFC 6582 without.

use super::entries::State;
use super::{Ack, Acked, Detection, RecoveryKind, Scoreboard};
use crate::tcp::SeqNum;

/// Entries that are looked at, back from the highest SACKed range, for enough SACKed ranges or bytes
/// above a hole. More lie between only while very little is SACKed, and then the next ACK tells.
const FRONTIER_STEPS_MAX: usize = 256;

impl Scoreboard {
    /// IsLost of RFC 6675, section 4, for all numbers at once: what lies before the result is lost.
    fn sack_frontier(&mut self) -> SeqNum {
        let bytes_enough = (u32::from(self.dup_thresh) - 1) * self.mss;
        let (mut ranges, mut bytes) = (0, 0);
        let mut place = Some(self.entries.find(self.high_sacked - 1));
        for _ in 0..FRONTIER_STEPS_MAX {
            let Some((at, entry)) = place.and_then(|at| Some((at, self.entries.get(at)?))) else {
                break;
            };
            self.steps += 1;
            if entry.state == State::Sacked {
                ranges += 1;
                bytes += entry.len();
                if ranges >= u32::from(self.dup_thresh) || bytes > bytes_enough {
                    return entry.start;
                }
            }
            place = self.entries.previous(at);
        }
        self.una
    }

    /// With SACK: marks what is lost and tells how many bytes that were.
    pub(super) fn sack_detect(&mut self) -> u32 {
        if self.entries.is_empty() {
            return 0;
        }
        let frontier = self.sack_frontier();
        let mut lost = 0;
        let mut place = self.entries.find(self.first_cursor);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(frontier)) {
            self.steps += 1;
            if entry.state == State::InFlight {
                lost += self.lose(place);
            }
            place = self.entries.next(place);
        }
        self.first_cursor = self.first_cursor.max(frontier);
        // Enough duplicate ACKs condemn the first segment even if they SACK little (section 5,
        // step 4).
        if lost == 0 && !self.in_recovery() && self.duplicates >= u32::from(self.dup_thresh) {
            lost += self.lose_first();
        }
        lost
    }

    /// Gives up the first segment if it is in flight for the first time.
    fn lose_first(&mut self) -> u32 {
        let first = self.entries.first();
        if self.entries.get(first).is_none_or(|entry| entry.state != State::InFlight) {
            return 0;
        }
        let place = self.isolate(first, self.una, self.una + self.mss);
        self.lose(place)
    }

    /// Without SACK: what a cumulative ACK and a duplicate say of the data behind.
    pub(super) fn reno_ack(&mut self, ack: &Ack<'_>, acked: &mut Acked) {
        if acked.advanced > 0 {
            // Duplicates had already counted these as delivered, all but the one that was missing.
            let counted = self.reno_sacked.min(acked.advanced.saturating_sub(self.mss));
            acked.delivered = acked.delivered.saturating_sub(counted);
            self.reno_sacked -= counted;
            match &mut self.episode {
                Some(episode) => episode.partial = true,
                None => self.reno_sacked = 0,
            }
        } else if ack.duplicate {
            // The first segment is what is missing; only what is behind it can have arrived.
            let behind = self.outstanding().saturating_sub(self.mss);
            let more = behind.saturating_sub(self.reno_sacked + self.totals.lost).min(self.mss);
            self.reno_sacked += more;
            acked.delivered += more;
        }
        self.reno_sacked = self.reno_sacked.min(self.outstanding() - self.totals.lost);
    }

    /// Without SACK: the third duplicate, and each partial ACK, give up the first segment.
    pub(super) fn reno_detect(&mut self) -> u32 {
        if let Some(episode) = &mut self.episode {
            let partial = core::mem::take(&mut episode.partial);
            let fast = episode.kind == RecoveryKind::Fast;
            return if partial && fast { self.lose_first() } else { 0 };
        }
        // Duplicates that a retransmission of the last recovery caused begin no new one (RFC 6582,
        // section 3.2, step 2).
        let old = self.recover.is_some_and(|recover| self.una.is_at_most(recover));
        if old || self.duplicates < u32::from(self.dup_thresh) {
            return 0;
        }
        self.lose_first()
    }

    /// Rules 3 and 4 of NextSeg (RFC 6675, section 4): something not known to be lost, so that the
    /// ACK clock goes on.
    pub(super) fn next_unsure(&mut self, len_max: u32) -> Option<(SeqNum, u32)> {
        if self.detection != Detection::Sack || self.totals.sacked == 0 {
            return None;
        }
        let fast = self.episode.as_ref().is_some_and(|e| e.kind == RecoveryKind::Fast);
        if !fast {
            return None;
        }
        let mut place = self.entries.find(self.high_resent.max(self.first_cursor));
        while let Some(entry) = self.entries.get(place) {
            self.steps += 1;
            if entry.start.is_at_least(self.high_sacked) {
                break;
            }
            if entry.state == State::InFlight {
                return Some((entry.start, entry.len().min(len_max)));
            }
            place = self.entries.next(place);
        }
        self.rescue(len_max)
    }

    /// Once a recovery, the segment with the highest number that is not SACKed (rule 4).
    fn rescue(&mut self, len_max: u32) -> Option<(SeqNum, u32)> {
        if self.episode.as_ref()?.rescued.is_some() {
            return None;
        }
        let entry = self.entries.iter().rev().find(|entry| entry.state != State::Sacked)?;
        let len = entry.segment_size().min(len_max).min(entry.len());
        let start = entry.end - len;
        self.episode.as_mut()?.rescued = Some(start);
        Some((start, len))
    }
}

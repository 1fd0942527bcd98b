//! Recoveries: when one begins and ends, and whether it was for nothing.

use alloc::boxed::Box;

use fyke_clock::Instant;

use super::entries::State;
use super::sack::Delivery;
use super::{Ack, Acked, Detection, Scoreboard};
use crate::tcp::SeqNum;
use crate::tcp::rtt::RttEstimator;

/// New segments that F-RTO sends before anything again (RFC 5682, section 3.1, step 2b).
const FORWARD_SEGMENTS: u8 = 2;

/// What began a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecoveryKind {
    /// Losses that ACKs told of.
    Fast,
    /// A retransmission time-out.
    Timeout,
}

/// How a recovery turned out to be for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Spurious {
    /// The first ACK echoed a timestamp from before the retransmission (Eifel, RFC 3522).
    Timestamp,
    /// The peer reported everything that was sent again as a duplicate (RFC 3708).
    Duplicates,
    /// All that was given up arrived before it was sent again.
    NothingResent,
    /// After a time-out, what had not been sent again was acknowledged (F-RTO, RFC 5682).
    Forward,
}

/// Where F-RTO stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Forward {
    Off,
    /// The first ACK after the time-out decides whether to try.
    First,
    /// New segments are being sent, so many are left; the next ACK decides.
    Second(u8),
}

/// A recovery that runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Episode {
    pub(super) kind: RecoveryKind,
    /// SND.NXT when it began: acknowledging that ends it (RecoveryPoint).
    high: SeqNum,
    /// Without SACK: an ACK advanced since losses were looked for.
    pub(super) partial: bool,
    /// Where the rescue retransmission began (RFC 6675, rule 4 of NextSeg).
    pub(super) rescued: Option<SeqNum>,
    forward: Forward,
}

/// What tells whether the last recovery was for nothing. It outlives the recovery, because D-SACKs
/// come late.
#[derive(Debug, Clone)]
pub(super) struct Undo {
    /// SND.UNA when it began.
    start: SeqNum,
    /// SND.NXT when it ended: what is acknowledged beyond has nothing to do with it.
    until: Option<SeqNum>,
    first_resent: Option<Instant>,
    /// Bytes that were sent again and not reported as duplicates.
    pending: u32,
    /// The ACK that Eifel judges by has not come yet.
    eifel: bool,
}

/// What a time-out changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    /// Bytes newly marked lost.
    pub lost: u32,
    /// It is the first time-out for what is outstanding: only that one lowers ssthresh.
    pub first: bool,
}

impl Scoreboard {
    /// Whether a recovery runs.
    #[must_use]
    #[inline]
    pub fn in_recovery(&self) -> bool {
        self.episode.is_some()
    }

    /// Which recovery runs.
    #[must_use]
    pub fn recovery(&self) -> Option<RecoveryKind> {
        self.episode.map(|episode| episode.kind)
    }

    /// A recovery begins, because losses were found.
    pub fn enter_recovery(&mut self) {
        self.begin(RecoveryKind::Fast, Forward::Off);
        // What the last recovery, or nobody's, sent again is acknowledged with the time of that: it is
        // earlier than anything this recovery sends, and tells nothing of it.
        let eifel = self.entries.front().is_none_or(|entry| entry.transmissions == 1);
        self.undo = Some(Box::new(Undo { eifel, ..Undo::new(self.una) }));
    }

    fn begin(&mut self, kind: RecoveryKind, forward: Forward) {
        let high = self.nxt;
        self.episode = Some(Episode { kind, high, partial: false, rescued: None, forward });
        self.recover = Some(high);
        self.high_resent = self.una;
        self.probe = None;
    }

    /// The retransmission timer ran out.
    ///
    /// With RACK what was sent only just now stays in flight (RFC 8985, section 6.3). What was SACKed
    /// stays so, unless the first range is SACKed, which means that the peer dropped it (RFC 2018,
    /// section 8).
    pub fn on_timeout(&mut self, now: Instant, rtt: &RttEstimator) -> TimedOut {
        let reneging = self.entries.front().is_some_and(|entry| entry.state == State::Sacked);
        let before = self.recovery();
        let first = before != Some(RecoveryKind::Timeout);
        let lost = if reneging || self.detection != Detection::Rack {
            self.note_all_lost(reneging);
            self.mark_all_lost(reneging)
        } else {
            self.rack_timeout(now, rtt)
        };
        if before.is_none() {
            self.undo = Some(Box::new(Undo::new(self.una)));
        }
        let tries = self.forward && first && !reneging;
        let forward = if tries { Forward::First } else { Forward::Off };
        self.begin(RecoveryKind::Timeout, forward);
        self.duplicates = 0;
        self.reno_sacked = 0;
        TimedOut { lost, first }
    }

    /// Gives up all that is in flight, and with `sacked` also what was SACKed; tells how many bytes
    /// that were.
    pub fn mark_all_lost(&mut self, sacked: bool) -> u32 {
        let before = self.totals.lost;
        for entry in self.entries.iter_mut() {
            self.steps += 1;
            if entry.state != State::Sacked || sacked {
                entry.state = State::Lost;
            }
        }
        if sacked {
            self.totals.sacked = 0;
            self.totals.sacked_segments = 0;
            self.high_sacked = self.una;
        }
        self.totals.resent = 0;
        self.totals.lost = self.outstanding() - self.totals.sacked;
        self.resent.clear();
        self.first_cursor = self.nxt;
        self.lost_cursor = self.una;
        self.totals.lost - before
    }

    /// Something is sent again: undoing counts it.
    pub(super) fn note_resent(&mut self, now: Instant, start: SeqNum, end: SeqNum) {
        if self.episode.is_some()
            && let Some(undo) = &mut self.undo
        {
            undo.first_resent.get_or_insert(now);
            undo.pending += end.saturating_distance_from(start);
        }
    }

    /// F-RTO wants new data to be sent now, before anything again.
    pub(super) fn wants_new(&mut self, new: bool) -> bool {
        let Some(episode) = &mut self.episode else { return false };
        let Forward::Second(left) = episode.forward else { return false };
        if left == 0 || !new {
            // Without new data there is nothing to learn (step 2b): on with the usual recovery.
            episode.forward = if new { episode.forward } else { Forward::Off };
            return false;
        }
        true
    }

    /// New data was sent.
    pub(super) fn note_new(&mut self) {
        if let Some(episode) = &mut self.episode
            && let Forward::Second(left) = episode.forward
        {
            episode.forward = Forward::Second(left.saturating_sub(1));
        }
    }

    /// Whether the recovery was spurious, and whether it is over.
    pub(super) fn conclude(&mut self, ack: &Ack<'_>, acked: &mut Acked, delivery: &Delivery) {
        acked.spurious = self.judge(ack, acked, delivery);
        let kind = self.recovery();
        if acked.spurious.is_some() {
            acked.recovered = kind;
            self.take_back();
            return;
        }
        if let Some(episode) = self.episode {
            let partial =
                self.partial_ack_ends && episode.kind == RecoveryKind::Fast && acked.advanced > 0;
            if self.una.is_at_least(episode.high) || partial {
                acked.recovered = kind;
                self.episode = None;
                self.duplicates = 0;
                self.reno_sacked = 0;
                if let Some(undo) = &mut self.undo {
                    undo.until = Some(self.nxt);
                }
            }
        }
        let until = self.undo.as_ref().and_then(|undo| undo.until);
        if until.is_some_and(|until| self.una.is_after(until)) {
            self.undo = None;
            acked.is_final = true;
        }
        if self.episode.is_none() && self.recover.is_some_and(|r| self.una.is_after(r)) {
            self.recover = None;
        }
    }

    fn judge(&mut self, ack: &Ack<'_>, acked: &Acked, delivery: &Delivery) -> Option<Spurious> {
        let forward = self.forward(acked, delivery);
        let lost = self.totals.lost;
        let recovering = self.episode.is_some();
        let undo = self.undo.as_mut()?;
        if let Some(first_resent) = undo.first_resent {
            if acked.advanced > 0 && core::mem::take(&mut undo.eifel) {
                // RFC 3522, section 3.2, step 4.
                if ack.echo.is_some_and(|echo| echo < first_resent) {
                    return Some(Spurious::Timestamp);
                }
            }
            if let Some((left, right)) = acked.duplicate
                && undo.pending > 0
            {
                let len = right.saturating_distance_from(left.max(undo.start));
                undo.pending = undo.pending.saturating_sub(len);
                if undo.pending == 0 {
                    return Some(Spurious::Duplicates);
                }
            }
        } else if recovering && lost == 0 && delivery.original {
            return Some(Spurious::NothingResent);
        }
        forward.then_some(Spurious::Forward)
    }

    /// The steps of F-RTO (RFC 5682, section 3.1); true when the time-out was spurious.
    fn forward(&mut self, acked: &Acked, delivery: &Delivery) -> bool {
        let Some(episode) = &mut self.episode else { return false };
        let news = acked.advanced > 0 || acked.sacked > 0;
        match episode.forward {
            Forward::Off => false,
            Forward::First => {
                let partial = acked.advanced > 0 && self.una.is_before(episode.high);
                episode.forward =
                    if partial { Forward::Second(FORWARD_SEGMENTS) } else { Forward::Off };
                false
            }
            Forward::Second(_) => {
                episode.forward = Forward::Off;
                // What was sent after the time-out says nothing while there are holes before it.
                let beyond = self.high_sacked.is_after(episode.high);
                let in_order = self.detection == Detection::NewReno && acked.advanced > 0;
                news && !beyond && (delivery.original || in_order)
            }
        }
    }

    /// Takes the recovery back: what was given up and not sent again is in flight.
    fn take_back(&mut self) {
        for entry in self.entries.iter_mut() {
            self.steps += 1;
            if entry.state == State::Lost && entry.transmissions == 1 {
                entry.state = State::InFlight;
                self.totals.lost -= entry.len();
            }
        }
        self.first_cursor = self.una;
        self.episode = None;
        self.undo = None;
        self.duplicates = 0;
        self.reno_sacked = 0;
    }
}

impl Undo {
    fn new(start: SeqNum) -> Self {
        Self { start, until: None, first_resent: None, pending: 0, eifel: true }
    }
}

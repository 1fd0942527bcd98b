//! What an ACK acknowledges: the cumulative part and the SACK blocks (RFC 2018, RFC 2883).

use super::entries::{Entry, Place, State};
use super::{Ack, Acked, Detection, Scoreboard};
use crate::tcp::{SackBlocks, SeqNum};

/// Entries per outstanding segment that SACK blocks may split into: blocks of an honest peer end
/// where segments end.
const ENTRIES_PER_SEGMENT: usize = 2;

/// What is collected over the segments of one ACK.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    oldest: Option<fyke_clock::Instant>,
    latest: Option<fyke_clock::Instant>,
    /// A segment that was sent more than once is among them.
    pub(super) again: bool,
    /// One that was given up, but never sent again, has arrived.
    pub(super) original: bool,
    /// One with higher numbers arrived before one of them.
    overtaken: bool,
}

impl Scoreboard {
    /// Takes in an ACK. One below SND.UNA was overtaken by a later one; what it says out of order and
    /// of duplicates may still be news.
    pub fn on_ack(&mut self, ack: &Ack<'_>) -> Acked {
        let mut acked = Acked::default();
        let overtaken = ack.ack.is_before(self.una);
        if ack.ack.is_after(self.nxt) || (overtaken && self.detection == Detection::NewReno) {
            return acked;
        }
        acked.recover_fs = self.outstanding() - self.totals.sacked;
        let reordering = self.rack.reordering_seen;
        let mut delivery = Delivery::default();
        acked.duplicate = reported_duplicate(ack);
        self.advance(ack, &mut acked, &mut delivery);
        if self.detection == Detection::NewReno {
            self.reno_ack(ack, &mut acked);
        } else {
            self.apply_blocks(ack, &mut acked, &mut delivery);
        }
        if acked.advanced > 0 {
            self.duplicates = 0;
        } else if acked.sacked > 0 || ack.duplicate {
            self.duplicates = self.duplicates.saturating_add(1);
        }
        self.note_silence(ack, &acked);
        acked.reneging = self.entries.front().is_some_and(|entry| entry.state == State::Sacked);
        self.rack.reordering.1 = self.rack.reordering.1.saturating_add(delivery.overtaken.into());
        acked.reordered = self.rack.reordering_seen && !reordering;
        // The way of an ACK that was overtaken was longer than that of the data.
        if !delivery.again && !overtaken {
            acked.rtt = delivery.oldest.map(|sent| ack.now.saturating_duration_since(sent));
            acked.rtt_latest = delivery.latest.map(|sent| ack.now.saturating_duration_since(sent));
        }
        if let Some(rates) = &mut self.rates {
            rates.conclude(ack, &acked, overtaken);
        }
        acked.probe = self.probe_answered(ack, &acked);
        self.conclude(ack, &mut acked, &delivery);
        self.rack.adapt(self.una, self.nxt, acked.duplicate.is_some(), acked.recovered.is_some());
        acked
    }

    /// SND.UNA goes on to the acknowledgement number.
    fn advance(&mut self, ack: &Ack<'_>, acked: &mut Acked, delivery: &mut Delivery) {
        acked.advanced = ack.ack.saturating_distance_from(self.una);
        if acked.advanced == 0 {
            return;
        }
        self.una = ack.ack;
        while let Some(entry) = self.entries.front_mut() {
            self.steps += 1;
            if entry.end.is_at_most(ack.ack) {
                let entry = *entry;
                self.entries.pop_front();
                self.leave(&entry, true);
                self.deliver(&entry, ack, acked, delivery);
                continue;
            }
            if entry.start.is_before(ack.ack) {
                let before = entry.segments;
                let part = entry.split_front(ack.ack);
                // Both halves of a split segment count as one, together one too many.
                let extra = part.segments + entry.segments - before;
                let sacked = part.state == State::Sacked;
                self.totals.segments += extra;
                self.totals.sacked_segments += if sacked { extra } else { 0 };
                self.leave(&part, true);
                self.deliver(&part, ack, acked, delivery);
            }
            break;
        }
        self.first_cursor = self.first_cursor.max(self.una);
        self.lost_cursor = self.lost_cursor.max(self.una);
        self.high_sacked = self.high_sacked.max(self.una);
        self.high_resent = self.high_resent.max(self.una);
        if self.entries.is_empty() {
            self.resent.clear();
        }
    }

    /// Takes an entry out of the totals: it is acknowledged, or changes its state.
    pub(super) fn leave(&mut self, entry: &Entry, acknowledged: bool) {
        let len = entry.len();
        if acknowledged {
            self.totals.segments -= entry.segments;
        }
        match entry.state {
            State::InFlight => {}
            State::Sacked => {
                self.totals.sacked -= len;
                self.totals.sacked_segments -= entry.segments;
            }
            State::Lost => self.totals.lost -= len,
            State::Resent => self.totals.resent -= len,
        }
    }

    /// A range is now known to have arrived.
    fn deliver(
        &mut self,
        entry: &Entry,
        ack: &Ack<'_>,
        acked: &mut Acked,
        delivery: &mut Delivery,
    ) {
        if entry.state == State::Sacked {
            return;
        }
        acked.delivered += entry.len();
        acked.segments += entry.segments;
        if let Some(rates) = &mut self.rates {
            rates.note(entry);
        }
        delivery.overtaken |= self.rack.delivered(entry, ack.now, ack.echo, ack.min_rtt);
        if entry.transmissions > 1 {
            delivery.again = true;
            return;
        }
        delivery.original |= entry.state == State::Lost;
        delivery.oldest = Some(delivery.oldest.map_or(entry.sent, |sent| sent.min(entry.sent)));
        delivery.latest = Some(delivery.latest.map_or(entry.sent, |sent| sent.max(entry.sent)));
    }

    /// The SACK blocks, by sequence number: reordering shows in the order of arrival, and an ACK
    /// says nothing of the order within itself.
    fn apply_blocks(&mut self, ack: &Ack<'_>, acked: &mut Acked, delivery: &mut Delivery) {
        let mut blocks = [(self.una, self.una); SackBlocks::MAX];
        let mut len = 0;
        let skip = usize::from(acked.duplicate.is_some());
        let overtaken = ack.ack.is_before(self.una);
        for &(left, right) in ack.blocks.iter().skip(skip).take(SackBlocks::MAX) {
            // Part of what was missing then may be acknowledged now.
            let left = if overtaken { left.max(self.una) } else { left };
            let outstanding = left.is_before(right)
                && left.is_at_least(self.una)
                && right.is_at_most(self.nxt)
                && left.is_before(self.nxt);
            if outstanding {
                blocks[len] = (left, right);
                len += 1;
            }
        }
        let una = self.una;
        let blocks = &mut blocks[..len];
        blocks.sort_unstable_by_key(|(left, _)| left.saturating_distance_from(una));
        for &(left, right) in blocks.iter() {
            self.apply_block(left, right, ack, acked, delivery);
        }
    }

    fn apply_block(
        &mut self,
        left: SeqNum,
        right: SeqNum,
        ack: &Ack<'_>,
        acked: &mut Acked,
        delivery: &mut Delivery,
    ) {
        let mut place = self.entries.find(left);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(right)) {
            self.steps += 1;
            if entry.state == State::Sacked {
                place = self.entries.next(place);
                continue;
            }
            let from = entry.start.max(left);
            let to = entry.end.min(right);
            let Some((part, next)) = self.take_sacked(place, from, to) else {
                place = self.entries.next(place);
                continue;
            };
            acked.sacked += part.len();
            self.deliver(&part, ack, acked, delivery);
            self.high_sacked = self.high_sacked.max(part.end);
            place = next;
        }
    }

    /// Whether `more` entries may be added by SACK blocks.
    fn may_split(&self, more: usize) -> bool {
        let honest = ENTRIES_PER_SEGMENT * self.totals.segments as usize + 16;
        self.entries.len() + more <= honest.min(self.entries_max as usize)
    }

    /// Makes a part of the entry at `place` sacked. Gives the part as it was, and the place behind
    /// it; nothing when there are too many entries to split one more.
    fn take_sacked(&mut self, place: Place, from: SeqNum, to: SeqNum) -> Option<(Entry, Place)> {
        let entry = *self.entries.get(place)?;
        let (cut_left, cut_right) = (from != entry.start, to != entry.end);
        let joins_left = !cut_left && self.is_sacked(self.entries.previous(place));
        let joins_right = !cut_right && self.is_sacked(Some(self.entries.next(place)));
        let more = usize::from(cut_left) + usize::from(cut_right);
        if !joins_left && !joins_right && more > 0 && !self.may_split(more) {
            return None;
        }
        // Split into what stays before, the part, and what stays behind.
        let mut rest = entry;
        let before = cut_left.then(|| rest.split_front(from));
        let part = if cut_right { rest.split_front(to) } else { rest };
        let behind = cut_right.then_some(rest);
        let pieces =
            before.map_or(0, |e| e.segments) + part.segments + behind.map_or(0, |e| e.segments);
        self.totals.segments += pieces - entry.segments;
        self.leave(&part, false);
        self.totals.sacked += part.len();
        self.totals.sacked_segments += part.segments;
        let next = self.put_sacked(place, before, part, behind, (joins_left, joins_right));
        Some((part, next))
    }

    fn is_sacked(&self, place: Option<Place>) -> bool {
        place.and_then(|place| self.entries.get(place)).is_some_and(|e| e.state == State::Sacked)
    }

    /// Writes the three parts back, joining the sacked one with its neighbours where it can.
    fn put_sacked(
        &mut self,
        mut place: Place,
        before: Option<Entry>,
        part: Entry,
        behind: Option<Entry>,
        (joins_left, joins_right): (bool, bool),
    ) -> Place {
        if joins_left {
            if let Some(left) = self.entries.previous(place).and_then(|p| self.entries.get_mut(p)) {
                left.end = part.end;
                left.segments += part.segments;
            }
            if let (Some(behind), Some(entry)) = (behind, self.entries.get_mut(place)) {
                *entry = behind;
                return place;
            }
            place = self.entries.remove(place);
            return if joins_right { self.join_sacked(place) } else { place };
        }
        if joins_right {
            let right = self.entries.next(place);
            if let Some(right) = self.entries.get_mut(right) {
                right.start = part.start;
                right.segments += part.segments;
            }
            if let (Some(before), Some(entry)) = (before, self.entries.get_mut(place)) {
                *entry = before;
                return right;
            }
            return self.entries.remove(place);
        }
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Entry { state: State::Sacked, ..part };
        }
        if let Some(before) = before {
            place = self.entries.insert_before(place, before);
        }
        place = self.entries.next(place);
        match behind {
            Some(behind) => {
                let next = self.entries.insert_before(place, behind);
                self.entries.previous(next).unwrap_or(next)
            }
            None => place,
        }
    }

    /// Joins the sacked entry at `place` with the sacked one before it.
    fn join_sacked(&mut self, place: Place) -> Place {
        let Some(right) = self.entries.get(place).copied() else { return place };
        if let Some(left) = self.entries.previous(place).and_then(|p| self.entries.get_mut(p)) {
            left.end = right.end;
            left.segments += right.segments;
        }
        self.entries.remove(place)
    }
}

/// The duplicate an ACK reports: its first block, when that is at or below the acknowledgement
/// number or within the second block (RFC 2883, section 4).
fn reported_duplicate(ack: &Ack<'_>) -> Option<(SeqNum, SeqNum)> {
    let &(left, right) = ack.blocks.first()?;
    if !left.is_before(right) {
        return None;
    }
    let below = left.is_before(ack.ack) && right.is_at_most(ack.ack);
    let within = ack.blocks.get(1).is_some_and(|&(outer_left, outer_right)| {
        left.is_at_least(outer_left) && right.is_at_most(outer_right)
    });
    (below || within).then_some((left, right))
}

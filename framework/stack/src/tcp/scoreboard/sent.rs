//! What was sent, for the first time and again.

use fyke_clock::Instant;

use super::Scoreboard;
use super::entries::{Entry, Place, State};
use crate::tcp::SeqNum;

impl Scoreboard {
    /// Numbers from SND.NXT on were sent for the first time, in `segments` segments.
    pub fn on_sent(&mut self, now: Instant, len: u32, segments: u32) {
        if len == 0 {
            return;
        }
        if self.entries.is_empty() {
            self.high_sacked = self.una;
        }
        let idle = self.pipe() == 0;
        let (start, end) = (self.nxt, self.nxt + len);
        self.nxt = end;
        self.note_new();
        self.note_departure(now, end, idle);
        let segments = segments.clamp(1, len);
        self.totals.segments += segments;
        if self.entries.len() >= self.entries_max as usize {
            self.join_last(now, end, segments);
            return;
        }
        let size = self.size_of(len, segments);
        if let Some(last) = self.entries.back_mut() {
            // Segments of one size that were sent at one time need no entry each.
            let whole = last.len() == last.segment_size() * last.segments;
            let alike = last.state == State::InFlight
                && last.sent == now
                && last.transmissions == 1
                && (size == last.segment_size() || (segments == 1 && len < last.segment_size()));
            if alike && whole && start != self.apart {
                last.end = end;
                last.segments += segments;
                return;
            }
        }
        self.entries.push_back(Entry {
            start,
            end,
            sent: now,
            segments,
            size: u16::try_from(size).unwrap_or(u16::MAX),
            transmissions: 1,
            state: State::InFlight,
        });
    }

    /// How long each of `segments` segments of `len` bytes was, all but the last.
    fn size_of(&self, len: u32, segments: u32) -> u32 {
        if segments == 1 {
            return len;
        }
        let last = self.entries.back().map_or(self.mss, Entry::segment_size);
        // With timestamps each segment carries twelve bytes less than the MSS.
        let usual = [last, self.mss, self.mss.saturating_sub(12)];
        let fits = |size: &u32| *size > 0 && len.div_ceil(*size) == segments;
        usual.into_iter().find(fits).unwrap_or_else(|| len.div_ceil(segments))
    }

    /// There are too many entries: what was sent now joins the last, and no sample may come from it.
    /// What was known of that one is forgotten; at worst it is sent once more.
    fn join_last(&mut self, now: Instant, end: SeqNum, segments: u32) {
        let Some(mut last) = self.entries.back().copied() else { return };
        self.leave(&last, false);
        last.state = State::InFlight;
        last.sent = now;
        last.transmissions = last.transmissions.max(2);
        last.end = end;
        last.segments += segments;
        self.first_cursor = self.first_cursor.min(last.start);
        if let Some(entry) = self.entries.back_mut() {
            *entry = last;
        }
    }

    /// The `len` numbers from `start` on were sent again.
    pub fn on_resent(&mut self, now: Instant, start: SeqNum, len: u32) {
        let start = start.max(self.una);
        let end = (start + len).min(self.nxt);
        let idle = self.pipe() == 0;
        let mut place = self.entries.find(start);
        self.note_resent(now, start, end);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(end)) {
            self.steps += 1;
            if entry.state == State::Sacked {
                place = self.entries.next(place);
                continue;
            }
            place = self.isolate(place, start, end);
            let Some(entry) = self.entries.get_mut(place) else { break };
            entry.sent = now;
            entry.transmissions = entry.transmissions.saturating_add(1);
            let (len, state) = (entry.len(), entry.state);
            entry.state = State::Resent;
            self.totals.resent += len;
            match state {
                State::Lost => self.totals.lost -= len,
                State::Resent => self.totals.resent -= len,
                State::InFlight | State::Sacked => {}
            }
            place = self.entries.next(place);
        }
        if self.episode.as_ref().is_none_or(|episode| episode.rescued != Some(start)) {
            self.high_resent = self.high_resent.max(end);
        }
        self.queue_resent(now, start, end);
        self.note_departure(now, end, idle);
    }

    fn queue_resent(&mut self, now: Instant, start: SeqNum, end: SeqNum) {
        if let Some(last) = self.resent.back_mut()
            && last.0 == now
            && last.2 == start
        {
            last.2 = end;
            return;
        }
        if self.resent.len() >= self.entries_max as usize {
            // Most are stale by now, or the peer is not worth being exact for.
            let una = self.una;
            self.resent.retain(|item| item.2.is_after(una));
            if self.resent.len() >= self.entries_max as usize {
                self.resent.pop_front();
            }
        }
        self.resent.push_back((now, start, end));
    }

    /// Cuts the entry at `place`, which is not sacked, to what lies within a range, and tells where
    /// that is. When there is no room for more entries it stays whole: then more counts as sent
    /// again than was, and will be found lost again.
    pub(super) fn isolate(&mut self, mut place: Place, start: SeqNum, end: SeqNum) -> Place {
        if self.entries.len() + 2 > self.entries_max as usize {
            return place;
        }
        if let Some(entry) = self.entries.get_mut(place)
            && entry.start.is_before(start)
        {
            let before = entry.segments;
            let front = entry.split_front(start);
            // A segment that is cut counts on both sides.
            self.totals.segments += front.segments + entry.segments - before;
            place = self.entries.insert_before(place, front);
        }
        if let Some(entry) = self.entries.get_mut(place)
            && entry.end.is_after(end)
        {
            let before = entry.segments;
            let middle = entry.split_front(end);
            self.totals.segments += middle.segments + entry.segments - before;
            place = self.entries.insert_before(place, middle);
            return self.entries.previous(place).unwrap_or(place);
        }
        place
    }
}

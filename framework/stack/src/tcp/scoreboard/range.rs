//! One segment apart from the others: a probe of the path MTU, whose loss says nothing of the
//! network's load (RFC 4821, section 7.6.2).

use super::Scoreboard;
use super::entries::State;
use crate::tcp::SeqNum;

impl Scoreboard {
    /// What is sent next is no part of an entry with what was sent before.
    pub fn keep_apart(&mut self) {
        self.apart = self.nxt;
    }

    /// How many bytes of a range are given up and not sent again.
    #[must_use]
    pub fn lost_within(&self, start: SeqNum, end: SeqNum) -> u32 {
        let mut lost = 0;
        let mut place = self.entries.find(start);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(end)) {
            if entry.state == State::Lost {
                let (from, to) = (entry.start.max(start), entry.end.min(end));
                lost += to.saturating_distance_from(from);
            }
            place = self.entries.next(place);
        }
        lost
    }

    /// Gives up what of a range is in flight, and tells how many bytes that were.
    pub fn give_up(&mut self, start: SeqNum, end: SeqNum) -> u32 {
        let start = start.max(self.una);
        let mut lost = 0;
        let mut place = self.entries.find(start);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(end)) {
            self.steps += 1;
            if matches!(entry.state, State::InFlight | State::Resent) {
                place = self.isolate(place, start, end);
                lost += self.lose(place);
            }
            place = self.entries.next(place);
        }
        lost
    }
}

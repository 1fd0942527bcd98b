//! What to send next.

use super::entries::{Place, State};
use super::{NextSegment, Scoreboard};
use crate::tcp::SeqNum;

impl Scoreboard {
    /// What to send next, at most `len_max` bytes of it; `new` tells whether there is data not yet
    /// sent that the peer's window allows.
    pub fn next_segment(&mut self, new: bool, len_max: u32) -> Option<NextSegment> {
        if self.wants_new(new) {
            return Some(NextSegment::New);
        }
        if let Some((start, len)) = self.next_lost(len_max) {
            return Some(NextSegment::Lost(start, len));
        }
        if new {
            return Some(NextSegment::New);
        }
        let (start, len) = self.next_unsure(len_max)?;
        Some(NextSegment::Unsure(start, len))
    }

    /// The first range to be sent again because it is lost, at most `len_max` bytes of it.
    pub fn next_lost(&mut self, len_max: u32) -> Option<(SeqNum, u32)> {
        if self.totals.lost == 0 {
            return None;
        }
        let mut place = self.entries.find(self.lost_cursor.max(self.una));
        while let Some(entry) = self.entries.get(place) {
            self.steps += 1;
            if entry.state == State::Lost {
                self.lost_cursor = entry.start;
                return Some((entry.start, self.lost_length(place, len_max)));
            }
            place = self.entries.next(place);
        }
        None
    }

    /// How far what is lost goes on from `place`: segments may be cut anew.
    fn lost_length(&mut self, mut place: Place, len_max: u32) -> u32 {
        let mut len = 0;
        while let Some(entry) = self.entries.get(place).filter(|e| e.state == State::Lost) {
            self.steps += 1;
            let entry_len = entry.len();
            if self.join_lost(place) {
                continue;
            }
            len += entry_len;
            if len >= len_max {
                return len_max;
            }
            place = self.entries.next(place);
        }
        len
    }

    /// Joins what is lost at `place` with what is lost behind it, when both go into one segment:
    /// they will be sent as one. So a flight of tiny segments is walked once and not at each ACK.
    fn join_lost(&mut self, place: Place) -> bool {
        let next = self.entries.next(place);
        let Some(behind) = self.entries.get(next).filter(|e| e.state == State::Lost).copied()
        else {
            return false;
        };
        let mss = self.mss;
        let Some(entry) = self.entries.get_mut(place).filter(|e| e.len() + behind.len() <= mss)
        else {
            return false;
        };
        entry.end = behind.end;
        entry.segments += behind.segments;
        // The earlier time makes no round trip too short; what was sent again gives none.
        entry.sent = entry.sent.min(behind.sent);
        entry.transmissions = entry.transmissions.max(behind.transmissions);
        self.entries.remove(next);
        true
    }
}

//! The hole at SND.UNA, when duplicate ACKs that say nothing else say that it is still there.
//!
//! RACK and RFC 6675 find a loss by what was SACKed beyond it. A receiver may drop what it had
//! out of order, and need not report what it drops at once (RFC 2018, section 8): then its ACKs
//! are bare duplicates, and a retransmission that was lost, or a range it took back, would wait for
//! the time-out.

use fyke_clock::Instant;

use super::entries::State;
use super::{Ack, Acked, Scoreboard};
use crate::tcp::rtt::RttEstimator;

impl Scoreboard {
    /// Notes whether an ACK is a duplicate without news.
    pub(super) fn note_silence(&mut self, ack: &Ack<'_>, acked: &Acked) {
        if acked.advanced > 0 {
            self.silent_duplicates = 0;
        }
        let news = acked.advanced > 0 || acked.sacked > 0 || acked.duplicate.is_some();
        self.silent = ack.duplicate && !news;
    }

    /// Gives up what is first when as many such duplicates as make a loss (RFC 5681) came, each at
    /// least a round trip after it was sent last: every one was caused by a segment that was there
    /// when it should have been. Tells how many bytes that were.
    pub(super) fn front_detect(&mut self, now: Instant, rtt: &RttEstimator) -> u32 {
        if !core::mem::take(&mut self.silent) {
            return 0;
        }
        let Some(front) = self.entries.front() else { return 0 };
        let counts = match front.state {
            State::Lost => false,
            // Nobody acknowledges less than he has: the peer took it back.
            State::Sacked => true,
            State::InFlight | State::Resent => {
                let wait = rtt.srtt().map(|srtt| srtt.max(self.rack.rtt));
                let late = rtt.min_rtt().unwrap_or_default() / 4;
                wait.is_some_and(|wait| now > front.sent && now >= front.sent + wait + late)
            }
        };
        if !counts {
            return 0;
        }
        self.silent_duplicates = self.silent_duplicates.saturating_add(1);
        if self.silent_duplicates < self.dup_thresh {
            return 0;
        }
        self.silent_duplicates = 0;
        if front.state == State::Sacked { self.take_back_front() } else { self.lose_front() }
    }

    /// One segment of what is first is lost.
    fn lose_front(&mut self) -> u32 {
        let place = self.isolate(self.entries.first(), self.una, self.una + self.mss);
        self.lose(place)
    }

    /// What is first was SACKed, and is not there.
    fn take_back_front(&mut self) -> u32 {
        let Some(front) = self.entries.front_mut() else { return 0 };
        front.state = State::Lost;
        let (len, segments) = (front.len(), front.segments);
        self.totals.sacked -= len;
        self.totals.sacked_segments -= segments;
        self.totals.lost += len;
        self.lost_cursor = self.una;
        len
    }
}

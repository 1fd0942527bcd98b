//! RACK (RFC 8985, section 6): a segment is lost when one sent sufficiently later has arrived.

use core::time::Duration;

use fyke_clock::Instant;

use super::entries::{Entry, State};
use super::{Losses, Scoreboard};
use crate::tcp::SeqNum;
use crate::tcp::rtt::RttEstimator;

/// Recoveries during which a widened reordering window stays wide.
const REO_WND_PERSIST: u8 = 16;

/// Entries within the reordering window that are looked at for the exact end of the timer.
const TIMER_STEPS_MAX: usize = 16;

/// The variables of section 5.2, with their names there.
#[derive(Debug, Clone)]
pub(super) struct Rack {
    /// Of the segment sent last among those known to have arrived.
    pub(super) xmit_ts: Option<Instant>,
    pub(super) end_seq: SeqNum,
    pub(super) rtt: Duration,
    /// The highest sequence number acknowledged, cumulatively or selectively.
    fack: SeqNum,
    pub(super) reordering_seen: bool,
    /// By how many bytes a segment was overtaken at most, and how many ACKs showed it.
    pub(super) reordering: (u32, u32),
    dsack_round: Option<SeqNum>,
    reo_wnd_mult: u8,
    reo_wnd_persist: u8,
}

/// Whether the first of two segments was sent after the second.
pub(super) fn sent_after(first: (Instant, SeqNum), second: (Instant, SeqNum)) -> bool {
    first.0 > second.0 || (first.0 == second.0 && first.1.is_after(second.1))
}

impl Rack {
    pub(super) fn new(start: SeqNum) -> Self {
        Self {
            xmit_ts: None,
            end_seq: start,
            rtt: Duration::ZERO,
            fack: start,
            reordering_seen: false,
            reordering: (0, 0),
            dsack_round: None,
            reo_wnd_mult: 1,
            reo_wnd_persist: REO_WND_PERSIST,
        }
    }

    /// Steps 2 and 3, for one newly acknowledged segment, in the order of their sequence numbers.
    /// Tells whether it was overtaken.
    pub(super) fn delivered(
        &mut self,
        entry: &Entry,
        now: Instant,
        echo: Option<Instant>,
        min_rtt: Option<Duration>,
    ) -> bool {
        let again = entry.transmissions > 1;
        let mut overtaken = false;
        if entry.end.is_after(self.fack) {
            self.fack = entry.end;
        } else if entry.end.is_before(self.fack) && !again {
            self.reordering_seen = true;
            let distance = self.fack.saturating_distance_from(entry.start);
            self.reordering.0 = self.reordering.0.max(distance);
            overtaken = true;
        }
        let rtt = now.saturating_duration_since(entry.sent);
        // An ACK that may be for an earlier transmission says nothing about the last one.
        let earlier = echo.is_some_and(|echo| echo < entry.sent)
            || min_rtt.is_some_and(|min_rtt| rtt < min_rtt);
        if again && earlier {
            return overtaken;
        }
        self.rtt = rtt;
        let sent = (entry.sent, entry.end);
        if self.xmit_ts.is_none_or(|last| sent_after(sent, (last, self.end_seq))) {
            self.xmit_ts = Some(entry.sent);
            self.end_seq = entry.end;
        }
        overtaken
    }

    /// The part of step 4 that happens once an ACK: widen by D-SACK, narrow after recoveries.
    pub(super) fn adapt(&mut self, una: SeqNum, nxt: SeqNum, duplicate: bool, recovered: bool) {
        if self.dsack_round.is_some_and(|round| una.is_at_least(round)) {
            self.dsack_round = None;
        }
        if duplicate && self.dsack_round.is_none() {
            self.dsack_round = Some(nxt);
            self.reo_wnd_mult = self.reo_wnd_mult.saturating_add(1);
            self.reo_wnd_persist = REO_WND_PERSIST;
        } else if recovered {
            self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
            if self.reo_wnd_persist == 0 {
                self.reo_wnd_mult = 1;
            }
        }
    }

    fn reo_wnd(&self, at_once: bool, rtt: &RttEstimator) -> Duration {
        if !self.reordering_seen && at_once {
            return Duration::ZERO;
        }
        let min_rtt = rtt.min_rtt().unwrap_or_default();
        let window = min_rtt.saturating_mul(u32::from(self.reo_wnd_mult)) / 4;
        window.min(rtt.srtt().unwrap_or_default())
    }
}

impl Scoreboard {
    /// How long a segment may still be under way: RACK.rtt + RACK.reo_wnd.
    fn patience(&self, rtt: &RttEstimator) -> Duration {
        let dup_thresh = u32::from(self.dup_thresh);
        let at_once = self.in_recovery() || self.totals.sacked_segments >= dup_thresh;
        self.rack.rtt + self.rack.reo_wnd(at_once, rtt)
    }

    /// Step 5. Segments sent once are in the order of their sending, and so are those sent again,
    /// so each of the two is walked from a cursor to the first that is not due.
    pub(super) fn rack_detect(&mut self, now: Instant, rtt: &RttEstimator) -> Losses {
        let mut losses = Losses::default();
        let Some(xmit_ts) = self.rack.xmit_ts else { return losses };
        let patience = self.patience(rtt);
        let latest = (xmit_ts, self.rack.end_seq);
        self.rack_detect_first(now, latest, patience, &mut losses);
        self.rack_detect_resent(now, latest, patience, &mut losses);
        losses
    }

    fn rack_detect_first(
        &mut self,
        now: Instant,
        latest: (Instant, SeqNum),
        patience: Duration,
        losses: &mut Losses,
    ) {
        let mut place = self.entries.find(self.first_cursor);
        let mut waiting = 0;
        while let Some(entry) = self.entries.get(place) {
            self.steps += 1;
            if entry.state == State::InFlight {
                if !sent_after(latest, (entry.sent, entry.end)) {
                    break;
                }
                let due = entry.sent + patience;
                if due > now {
                    waiting += 1;
                    if waiting > TIMER_STEPS_MAX {
                        // None of the others is due later than this.
                        losses.wait_until(latest.0 + patience);
                        return;
                    }
                    losses.wait_until(due);
                    place = self.entries.next(place);
                    continue;
                }
                losses.bytes += self.lose(place);
            }
            place = self.entries.next(place);
            if waiting == 0 {
                self.first_cursor = self.entries.get(place).map_or(self.nxt, |entry| entry.start);
            }
        }
    }

    fn rack_detect_resent(
        &mut self,
        now: Instant,
        latest: (Instant, SeqNum),
        patience: Duration,
        losses: &mut Losses,
    ) {
        while let Some(&(sent, start, end)) = self.resent.front() {
            if !sent_after(latest, (sent, start)) {
                return;
            }
            let due = sent + patience;
            let mut place = self.entries.find(start);
            let mut alive = false;
            while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(end)) {
                self.steps += 1;
                if entry.state == State::Resent && entry.sent == sent {
                    if !sent_after(latest, (sent, entry.end)) {
                        return;
                    }
                    // When all of a round trip is one instant, the numbers do not tell which of
                    // two was sent first: new data may have left before this. An ACK of the
                    // instant in which it left cannot be for want of it.
                    alive = due > now || sent >= now;
                    if alive {
                        break;
                    }
                    losses.bytes += self.lose(place);
                }
                place = self.entries.next(place);
            }
            if alive {
                losses.wait_until(self.last_resent_before(latest) + patience);
                return;
            }
            self.resent.pop_front();
        }
    }

    /// When the last of what was sent again before `latest` was sent, or a bound of it.
    fn last_resent_before(&self, latest: (Instant, SeqNum)) -> Instant {
        let mut last = latest.0;
        for (step, &(sent, start, _)) in self.resent.iter().enumerate() {
            if !sent_after(latest, (sent, start)) {
                break;
            }
            if step == TIMER_STEPS_MAX {
                return latest.0;
            }
            last = sent;
        }
        last
    }

    /// What a time-out says is lost (RFC 8985, section 6.3): the first segment, and those that had
    /// their time. What was sent only just now may well arrive.
    pub(super) fn rack_timeout(&mut self, now: Instant, rtt: &RttEstimator) -> u32 {
        let patience = self.patience(rtt);
        let mut lost = 0;
        let mut place = self.entries.first();
        let first = place;
        while let Some(entry) = self.entries.get(place) {
            self.steps += 1;
            let open = matches!(entry.state, State::InFlight | State::Resent);
            if open && (place == first || entry.sent + patience <= now) {
                lost += self.lose(place);
            }
            place = self.entries.next(place);
        }
        lost
    }
}

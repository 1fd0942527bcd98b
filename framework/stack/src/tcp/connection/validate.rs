//! Which segments are taken at all: timestamps, window, RST, SYN (RFC 9293, section 3.10.7.4,
//! steps one to four; RFC 7323, section 5; RFC 5961).

use fyke_clock::Instant;

use super::{Connection, State};
use crate::tcp::{CloseReason, Flags, Segment};

/// Timestamps older than this say nothing about order: the clock may have gone half round
/// (RFC 7323, section 5.5).
const RECENT_SECONDS_MAX: u32 = 24 * 24 * 3600;

/// The timestamps of both ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    /// TS.Recent: the value to echo.
    pub(super) recent: u32,
    /// When it was set, in seconds of our time line.
    pub(super) recent_at: u32,
    /// What is added to our clock.
    pub(super) offset: u32,
}

impl Times {
    pub(super) fn set(&mut self, value: u32, now: Instant) {
        self.recent = value;
        self.recent_at = seconds(now);
    }

    /// Whether `value` is from before what was seen last (PAWS).
    fn is_old(&self, value: u32, now: Instant) -> bool {
        let behind = self.recent.wrapping_sub(value).cast_signed() > 0;
        behind && seconds(now).wrapping_sub(self.recent_at) < RECENT_SECONDS_MAX
    }
}

/// How many challenge ACKs went out in the current second. Each connection counts for itself: a
/// count shared by all would tell an attacker what others receive (CVE-2016-5696).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Challenges {
    second: u32,
    sent: u8,
}

impl Challenges {
    fn permits(&mut self, now: Instant, per_second: u8) -> bool {
        if self.second != seconds(now) {
            *self = Self { second: seconds(now), sent: 0 };
        }
        let permitted = self.sent < per_second;
        self.sent += u8::from(permitted);
        permitted
    }
}

fn seconds(now: Instant) -> u32 {
    u32::try_from(now.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX)
}

impl Connection {
    /// Whether the segment goes on to the fifth step. If not it has been dealt with.
    pub(super) fn admit(&mut self, now: Instant, segment: &Segment) -> bool {
        let flags = segment.flags;
        let reset = flags.contains(Flags::RST);
        // Resets are judged by their number alone (RFC 7323, section 5.2).
        if !reset && self.agreed.timestamps && !self.is_of_its_time(now, segment) {
            return false;
        }
        if !self.is_in_window(segment) {
            if !reset {
                self.out_of_window(now, segment);
                self.take_news_of_duplicate(now, segment);
            }
            return false;
        }
        if reset {
            self.on_reset(now, segment);
            return false;
        }
        if flags.contains(Flags::SYN) && !self.is_second_syn(segment) {
            if self.config.reset_on_syn && self.state.is_synchronized() {
                self.reset_with(CloseReason::Reset);
            } else {
                self.challenge(now);
            }
            return false;
        }
        true
    }

    /// PAWS, which answers what it drops (RFC 7323, section 5.3), and the missing option once it is
    /// agreed, which is dropped in silence (section 3.2).
    fn is_of_its_time(&mut self, now: Instant, segment: &Segment) -> bool {
        let Some(timestamp) = segment.options.timestamp else {
            return !self.config.timestamps_required;
        };
        if self.times.is_old(timestamp.value, now) {
            let count = &mut self.stats.rare().old_timestamps;
            *count = count.saturating_add(1);
            self.answer_invalid(now, segment);
            return false;
        }
        true
    }

    /// The first step's table. In addition, acknowledgements that stand exactly at a window's edge
    /// count (the peer has filled our window and says something), and so does a segment at
    /// RCV.NXT while the window is closed: its text is dropped later, its acknowledgement is not.
    fn is_in_window(&self, segment: &Segment) -> bool {
        let next = self.receive.assembler.next();
        let window = self.receive.acceptable();
        let length = segment.sequence_length();
        if segment.seq == next || self.is_second_syn(segment) {
            return true;
        }
        if length == 0 {
            let reset = segment.flags.contains(Flags::RST);
            return segment.seq.is_within(next, window + u32::from(!reset));
        }
        let last = segment.seq + (length - 1);
        segment.seq.is_within(next, window)
            || (window > 0 && last.is_within(next, window))
            || (segment.seq.is_before(next) && last.is_at_least(next + window) && window > 0)
    }

    /// The peer's SYN-ACK of a simultaneous open: its SYN was received before, its acknowledgement
    /// is what SYN-RECEIVED waits for (RFC 9293, figure 8).
    pub(super) fn is_second_syn(&self, segment: &Segment) -> bool {
        self.state == State::SynReceived
            && self.active
            && segment.flags.contains(Flags::SYN | Flags::ACK)
            && segment.seq == self.receive.irs
    }

    /// The last segment of the peer's came again because our acknowledgement was lost, and by now
    /// acknowledges more than the first time: that counts, although nothing of it is in the window.
    /// Otherwise our FIN, acknowledged by the peer's FIN sent again, would wait in CLOSING for an
    /// acknowledgement that the peer does not owe. It takes as much guessing to forge as a segment
    /// in the window.
    fn take_news_of_duplicate(&mut self, now: Instant, segment: &Segment) {
        let last = segment.sequence_length() > 0
            && segment.seq + segment.sequence_length() == self.receive.assembler.next();
        let news = segment.flags.contains(Flags::ACK)
            && !segment.flags.contains(Flags::SYN)
            && segment.ack.is_after(self.send.una)
            && segment.ack.is_at_most(self.send.nxt);
        if last && news && self.state.is_synchronized() {
            self.receive.heard = now;
            self.take_acknowledgement(now, segment);
        }
    }

    fn out_of_window(&mut self, now: Instant, segment: &Segment) {
        let syn = segment.flags.contains(Flags::SYN);
        if syn && self.state == State::SynReceived && segment.seq == self.receive.irs {
            // The peer did not get our SYN-ACK, or its SYN came twice.
            self.due.syn = true;
        } else if syn {
            self.challenge(now);
        } else {
            self.answer_invalid(now, segment);
        }
    }

    /// An unacceptable segment is answered by an acknowledgement, which lets a peer that is out of
    /// step find its way. Without text the answers are spaced, and never more in a second than
    /// challenges are, so that two ends cannot answer each other for ever.
    pub(super) fn answer_invalid(&mut self, now: Instant, segment: &Segment) {
        let text = !segment.payload.is_empty() && !segment.flags.contains(Flags::SYN);
        let next = self.receive.assembler.next();
        let length = segment.sequence_length();
        if text || segment.flags.contains(Flags::FIN) {
            // A FIN alone is no data that arrived twice (RFC 2883).
            if segment.seq.is_before(next) && !segment.payload.is_empty() {
                self.receive.assembler.note_duplicate(segment.seq, segment.seq + length);
            }
            self.acknowledge_now();
            return;
        }
        let since = now.saturating_duration_since(self.receive.invalid_answered);
        let spaced = self.receive.invalid_answered == Instant::ZERO
            || since >= self.config.invalid_ack_interval;
        if spaced && self.challenges.permits(now, self.config.challenge_acks_per_second.max(1)) {
            self.receive.invalid_answered = now;
            self.acknowledge_now();
        }
    }

    /// A challenge ACK (RFC 5961): a true peer answers it, a blind attacker never sees it.
    pub(super) fn challenge(&mut self, now: Instant) {
        if self.challenges.permits(now, self.config.challenge_acks_per_second) {
            let count = &mut self.stats.rare().challenges;
            *count = count.saturating_add(1);
            self.acknowledge_now();
        }
    }

    /// A reset in the window: believed only at exactly RCV.NXT (RFC 5961, section 3.2), unless the
    /// configuration is of older times.
    fn on_reset(&mut self, now: Instant, segment: &Segment) {
        let next = self.receive.assembler.next();
        if segment.seq != next && !self.config.reset_anywhere {
            self.challenge(now);
        } else if self.state == State::SynReceived && self.active {
            self.finish(CloseReason::Refused);
        } else {
            self.finish(CloseReason::Reset);
        }
    }

    /// TS.Recent follows segments that begin at or before what was acknowledged last: with delayed
    /// acknowledgements it is the earliest of those answered (RFC 7323, section 4.3). Only those
    /// whose acknowledgement is acceptable count: otherwise a number guessed inside the window would
    /// be enough to make every true segment an old one.
    pub(super) fn note_timestamp(&mut self, now: Instant, segment: &Segment) {
        if !self.agreed.timestamps || !segment.seq.is_at_most(self.receive.acked) {
            return;
        }
        if let Some(timestamp) = segment.options.timestamp
            && !self.times.is_old(timestamp.value, now)
        {
            self.times.set(timestamp.value, now);
        }
    }
}

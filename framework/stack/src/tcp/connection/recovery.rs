//! What is in flight, what of it is lost, what goes again, and how much may be out at once.

use fyke_clock::Instant;

use super::Connection;
use super::timers::Purpose;
use super::transmit::Text;
use crate::tcp::congestion::{AckSample, Controller};
use crate::tcp::{CloseReason, Segment, SeqNum};

/// What was sent and not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// From here to `until` goes again.
    again: SeqNum,
    until: SeqNum,
    /// What is timed, when it was sent once.
    timed: Option<(SeqNum, Instant)>,
}

impl Connection {
    pub(super) fn forget_flight(&mut self) {
        self.flight = Flight { again: self.send.nxt, until: self.send.nxt, timed: None };
    }

    /// The handshake is complete: what it agreed upon decides the first window.
    pub(super) fn begin_congestion(&mut self, _now: Instant) {
        let (mss, nxt) = (self.plain_mss(), self.send.nxt);
        self.congestion = Controller::new(&self.config.congestion, mss, nxt);
        if self.send.syn_resent && self.send.attempts > 1 {
            self.congestion.syn_was_lost();
        }
        self.forget_flight();
    }

    /// Segments are of another size.
    pub(super) fn mss_changed(&mut self) {
        let (mss, untouched) = (self.plain_mss(), !self.state.is_synchronized());
        self.congestion.set_mss(mss, &self.config.congestion, untouched);
    }

    /// What is in flight was cut for a path that carries less now.
    pub(super) fn resegment(&mut self, now: Instant) {
        self.flight.again = self.send.una;
        self.flight.until = self.send.nxt;
        self.flight.timed = None;
        if self.send.has_unacknowledged() {
            self.arm_retransmit(now);
        }
    }

    /// SND.NXT - SND.UNA.
    pub(super) fn outstanding(&self) -> u32 {
        self.send.nxt.saturating_distance_from(self.send.una)
    }

    /// How much the congestion window leaves.
    pub(super) fn congestion_room(&self, _now: Instant) -> u32 {
        let again = self.flight.until.saturating_distance_from(self.flight.again);
        let out = self.outstanding().saturating_sub(again);
        self.congestion.window().saturating_sub(out)
    }

    /// Takes in an acknowledgement at or after SND.UNA.
    pub(super) fn recover_with(&mut self, now: Instant, segment: &Segment, _window: bool) {
        let ack = segment.ack;
        let newly = ack.saturating_distance_from(self.send.una);
        if newly == 0 {
            return;
        }
        let limited = self.congestion.is_limiting(self.outstanding());
        let rtt = self.flight.timed.filter(|(seq, _)| ack.is_after(*seq)).map(|(_, at)| now - at);
        if let Some(rtt) = rtt.or_else(|| self.echoed_rtt(now, segment)) {
            self.rtt.sample(now, rtt, 1);
            self.flight.timed = None;
        }
        self.send.una = ack;
        self.send.buffer.advance(ack);
        self.flight.again = self.flight.again.max(ack);
        self.flight.until = self.flight.until.max(ack);
        self.send.attempts = 0;
        self.send.progress = now;
        self.soft_error = false;
        let pipe = self.outstanding();
        self.congestion.on_ack(&AckSample {
            now,
            una: ack,
            nxt: self.send.nxt,
            delivered: newly,
            pipe,
            safe: true,
            rtt,
            srtt: self.rtt.srtt().unwrap_or_default(),
            limited,
        });
        if self.flight.again == self.flight.until {
            self.congestion.on_recovered();
        }
        if self.send.has_unacknowledged() {
            self.arm_retransmit(now);
        } else {
            self.timers.retransmit.clear();
        }
    }

    /// The next lost segment.
    pub(super) fn next_retransmission(&mut self, now: Instant) -> Option<Text> {
        let flight = &self.flight;
        if !flight.again.is_before(flight.until) || self.congestion_room(now) == 0 {
            return None;
        }
        let seq = flight.again;
        let data_end = self.send.buffer.end().min(flight.until);
        let len = data_end.saturating_distance_from(seq).min(self.mss());
        let fin = self.send.fin_sent() && seq + len == self.send.buffer.end();
        Some(Text { seq, len, fin, again: true })
    }

    /// A segment with text goes out.
    pub(super) fn note_sent(&mut self, now: Instant, text: Text) {
        if text.again {
            self.flight.again = text.end();
            self.flight.timed = None;
        } else {
            if !self.send.has_unacknowledged() {
                self.send.progress = now;
            }
            if self.flight.timed.is_none() {
                self.flight.timed = Some((text.seq, now));
            }
            self.send.nxt = text.end();
            self.flight.again = self.flight.again.max(text.seq);
            if self.flight.again == self.flight.until {
                self.flight.again = text.end();
            }
            self.flight.until = self.flight.again.max(self.flight.until);
        }
        if text.len > 0 && text.len < self.plain_mss() {
            self.send.small = text.end();
        }
        self.due.push = false;
        self.send.last = now;
        self.congestion.on_sent(text.len);
        if !self.timers.retransmit.is_set() || self.timers.purpose != Purpose::Retransmit {
            self.arm_retransmit(now);
        }
    }

    /// Nothing came back in time: all of it goes again.
    pub(super) fn on_retransmission_timeout(&mut self, now: Instant) {
        if !self.send.has_unacknowledged() {
            return;
        }
        if self.is_over_user_timeout(now) {
            self.reset_with(CloseReason::UserTimeout);
            return;
        }
        let limit = if self.orphan { self.config.orphan_retries } else { self.config.retries };
        if self.send.attempts >= limit {
            self.give_up();
            return;
        }
        self.congestion.on_rto(self.outstanding(), self.send.attempts == 0);
        self.send.attempts += 1;
        self.rtt.back_off();
        self.flight.again = self.send.una;
        self.flight.until = self.send.nxt;
        self.flight.timed = None;
        self.stats.timeouts += 1;
        self.arm_retransmit(now);
    }

    fn give_up(&mut self) {
        let reason = if self.soft_error { CloseReason::Unreachable } else { CloseReason::TimedOut };
        self.reset_with(reason);
    }

    pub(super) fn on_tail_loss_probe(&mut self, now: Instant) {
        self.on_retransmission_timeout(now);
    }

    pub(super) fn on_reorder_timer(&mut self, now: Instant) {
        self.on_retransmission_timeout(now);
    }

    /// The window is closed and nothing is in flight: the timer that finds out when it opens.
    pub(super) fn arm_persist(&mut self, now: Instant) {
        let at = now + self.rto().min(self.config.persist_max);
        self.arm(Purpose::Persist, at);
    }

    /// Asks for the window (RFC 9293, section 3.8.6.1): for ever, as long as somebody answers and
    /// somebody cares.
    pub(super) fn on_persist_timer(&mut self, now: Instant) {
        if self.send.has_unacknowledged() || !self.state.may_transmit() {
            return;
        }
        if self.is_over_user_timeout(now) {
            self.reset_with(CloseReason::UserTimeout);
            return;
        }
        if self.orphan && self.send.attempts >= self.config.orphan_probes {
            self.give_up();
            return;
        }
        self.send.attempts = self.send.attempts.saturating_add(1);
        if self.window_left() > 0 && self.unsent() > 0 {
            // A small segment was held back for too long.
            self.due.push = true;
            return;
        }
        self.rtt.back_off();
        self.due.probe = true;
        self.arm_persist(now);
    }
}

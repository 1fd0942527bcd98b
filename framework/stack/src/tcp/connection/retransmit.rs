//! The first timer: time-outs (RFC 6298), tail loss probes and reordering (RFC 8985), closed windows
//! (RFC 9293, section 3.8.6.1).

use core::time::Duration;

use fyke_clock::Instant;

use super::Connection;
use super::timers::Purpose;
use crate::tcp::CloseReason;

/// The least a timer waits, so that none can be set to now again and again.
const TIMER_LEAST: Duration = Duration::from_nanos(1);

impl Connection {
    /// Sets the timer for what is in flight: the reordering window's end, a probe or the time-out,
    /// whichever is meant to come next.
    pub(super) fn arm_recovery(&mut self, now: Instant) {
        let Some(outgoing) = &self.send.outgoing else { return };
        if outgoing.board.outstanding() == 0 {
            return;
        }
        let least = now + TIMER_LEAST;
        let time_out = (outgoing.restarted + self.rto()).max(least);
        if let Some(at) = outgoing.reorder {
            self.arm(Purpose::Reorder, at.max(least).min(time_out));
            return;
        }
        let probe = if self.config.tail_loss_probe && self.send.attempts == 0 {
            outgoing.board.probe_timeout(&self.rtt).map(|wait| (now + wait).max(least))
        } else {
            None
        };
        match probe {
            // A probe is never later than the time-out: it takes its place (RFC 8985, section 7.2).
            Some(at) => self.arm(Purpose::TailLoss, at.min(time_out)),
            _ => self.arm(Purpose::Retransmit, time_out),
        }
    }

    /// Nothing came back in time.
    pub(super) fn on_retransmission_timeout(&mut self, now: Instant) {
        if !self.send.has_unacknowledged() {
            return;
        }
        let over = self.is_over_user_timeout(now);
        if (!over && self.has_not_left_yet(now)) || self.is_given_up(now) {
            return;
        }
        let flight = self.outstanding();
        self.rtt.back_off();
        let count = &mut self.stats.rare().timeouts;
        *count = count.saturating_add(1);
        self.send.attempts = self.send.attempts.saturating_add(1);
        self.mtu_probe_timed_out(now);
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let timed_out = outgoing.board.on_timeout(now, &self.rtt);
        outgoing.force = true;
        outgoing.probe = None;
        outgoing.reorder = None;
        outgoing.restarted = now;
        outgoing.congestion.on_rto(flight, timed_out.first);
        outgoing.congestion.on_rto_left(outgoing.board.pipe());
        self.note_losses();
        self.due.cwr = true;
        self.suspect_black_hole(now);
        self.arm_recovery(now);
    }

    /// Time-outs in a row of what is in flight: nothing has come back since the first of them.
    pub(crate) fn time_outs(&self) -> u8 {
        if self.send.has_unacknowledged() { self.send.attempts } else { 0 }
    }

    /// Whether it was for nothing so long that the connection has ended now.
    fn is_given_up(&mut self, now: Instant) -> bool {
        if self.is_over_user_timeout(now) {
            self.time_out(CloseReason::UserTimeout);
            return true;
        }
        let limit = if self.orphan { self.config.orphan_retries } else { self.config.retries };
        if self.send.attempts >= limit {
            self.give_up();
            return true;
        }
        false
    }

    fn give_up(&mut self) {
        self.time_out(self.no_answer());
    }

    /// Why nothing came back: the network may have told (RFC 9293, section 3.9.2.2).
    pub(super) fn no_answer(&self) -> CloseReason {
        if self.soft_error { CloseReason::Unreachable } else { CloseReason::TimedOut }
    }

    /// Acknowledgements stopped coming: one segment more, so that its acknowledgement tells what
    /// is missing.
    pub(super) fn on_tail_loss_probe(&mut self, now: Instant) {
        if !self.send.has_unacknowledged() {
            return;
        }
        if self.is_over_user_timeout(now) {
            self.time_out(CloseReason::UserTimeout);
            return;
        }
        let new = self.unsent() > 0 && self.window_left() >= self.unsent().min(self.mss());
        // What Nagle or a cork holds back can go now.
        self.due.push |= new;
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.probe = outgoing.board.probe(new);
            outgoing.restarted = now;
        }
        // A probe that cannot go is followed by the time-out all the same.
        let time_out = now + self.rto();
        self.arm(Purpose::Retransmit, time_out);
    }

    /// What may have been reordered had its time.
    pub(super) fn on_reorder_timer(&mut self, now: Instant) {
        if self.send.has_unacknowledged() && self.is_over_user_timeout(now) {
            self.time_out(CloseReason::UserTimeout);
            return;
        }
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let before = outgoing.board.pipe();
        let losses = outgoing.board.detect_losses(now, &self.rtt);
        outgoing.reorder = losses.timer;
        let recover_fs = outgoing.board.outstanding() - outgoing.board.sacked();
        if losses.bytes == 0 && now >= outgoing.restarted + self.rto() {
            self.on_retransmission_timeout(now);
            return;
        }
        let losses = self.judge_mtu_probe(now, losses);
        self.begin_recovery(losses, recover_fs);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.congestion.on_loss_by_timer(before, outgoing.board.pipe());
        }
        self.note_losses();
        self.arm_recovery(now);
    }

    /// The window is closed and nothing is in flight: the timer that finds out when it opens.
    pub(super) fn arm_persist(&mut self, now: Instant) {
        let at = now + self.rto().min(self.config.persist_max).max(TIMER_LEAST);
        self.arm(Purpose::Persist, at);
    }

    /// Asks for the window (RFC 9293, section 3.8.6.1): for ever, as long as somebody answers and
    /// somebody cares.
    pub(super) fn on_persist_timer(&mut self, now: Instant) {
        if self.send.has_unacknowledged() || !self.state.may_transmit() {
            return;
        }
        if self.is_over_user_timeout(now) {
            self.time_out(CloseReason::UserTimeout);
            return;
        }
        if self.orphan && self.send.attempts >= self.config.orphan_probes {
            self.give_up();
            return;
        }
        self.send.attempts = self.send.attempts.saturating_add(1);
        if self.window_left() > 0 {
            // A small segment was held back for too long.
            self.due.push = true;
            return;
        }
        self.rtt.back_off();
        self.due.probe = true;
        self.arm_persist(now);
    }
}

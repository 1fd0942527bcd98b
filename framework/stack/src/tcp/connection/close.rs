//! How a connection ends: in both directions, in one, at once (RFC 9293, sections 3.6 and
//! 3.10.4/3.10.5).

use bytes::Bytes;
use fyke_clock::Instant;

use super::{Connection, Reset, State};
use crate::tcp::{CloseReason, Flags, Segment, SeqNum};

impl Connection {
    /// Says that nothing more will be written: the FIN follows what is queued. Reading goes on.
    pub fn shutdown(&mut self) {
        if !self.state.may_write() || self.send.fin {
            return;
        }
        self.send.fin = true;
        self.outgoing();
        match self.state {
            State::Established => self.state = State::FinWait1,
            State::CloseWait => self.state = State::LastAck,
            // The open comes first: then FIN-WAIT-1.
            _ => {}
        }
    }

    /// The process is done with the connection: what is queued and the FIN still go out. Unread
    /// data, now or later, is lost, and the peer learns it by a reset (RFC 2525, section 2.17).
    pub fn close(&mut self, now: Instant) {
        if self.orphan || self.state == State::Closed {
            self.receive.inbox.clear();
            self.orphan = true;
            return;
        }
        self.orphan = true;
        let unread = self.receive.inbox.clear() > 0;
        match self.state {
            State::SynSent => self.finish(CloseReason::Aborted),
            State::TimeWait => {}
            _ if self.config.reset_on_close => self.reset_with(CloseReason::Aborted),
            _ if unread => self.reset_with(CloseReason::ClosedWithUnreadData),
            State::FinWait2 => self.arm_fin_wait_2(now),
            _ => self.shutdown(),
        }
    }

    /// Ends the connection at once: everything queued is dropped and the peer is told by a reset.
    pub fn abort(&mut self) {
        self.receive.inbox.clear();
        self.orphan = true;
        match self.state {
            State::Closed | State::TimeWait | State::SynSent => {
                let was = self.state;
                if was != State::Closed {
                    self.finish(CloseReason::Aborted);
                }
            }
            _ => self.reset_with(CloseReason::Aborted),
        }
    }

    /// A reset to the peer, and the end.
    pub(super) fn reset_with(&mut self, reason: CloseReason) {
        self.finish(reason);
        self.due.reset = Some(Reset::Here);
    }

    /// Nothing came back in time: the end, and a reset if that is the habit.
    pub(super) fn time_out(&mut self, reason: CloseReason) {
        self.finish(reason);
        self.due.reset = self.config.reset_on_timeout.then_some(Reset::Here);
    }

    /// The connection is gone. What was received in order can still be read.
    pub(super) fn finish(&mut self, reason: CloseReason) {
        if self.state != State::TimeWait {
            self.events.closed = Some(reason);
        }
        self.state = State::Closed;
        self.events.writable = false;
        self.due = super::Due::default();
        self.timers.clear();
        self.release();
    }

    /// Gives back what only a living connection needs.
    fn release(&mut self) {
        self.receive.assembler.clear();
        self.forget_outgoing();
    }

    /// Everything is acknowledged both ways. Our last acknowledgement may be lost, so the state
    /// stays for twice a segment's life (RFC 9293, section 3.6).
    pub(super) fn enter_time_wait(&mut self, now: Instant) {
        self.events.closed = Some(CloseReason::Finished);
        self.state = State::TimeWait;
        self.timers.clear();
        self.timers.slow.set(now + self.config.time_wait);
        self.release();
    }

    pub(super) fn arm_fin_wait_2(&mut self, now: Instant) {
        self.timers.slow.set(now + self.config.fin_wait_2);
    }

    /// Our FIN is acknowledged.
    pub(super) fn fin_acknowledged(&mut self, now: Instant) {
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.orphan {
                    self.arm_fin_wait_2(now);
                }
            }
            State::Closing => self.enter_time_wait(now),
            State::LastAck => {
                // An acknowledgement that was due is not: the peer has told all it had to tell.
                self.finish(CloseReason::Finished);
            }
            _ => {}
        }
    }

    /// A segment in TIME-WAIT. Resets are ignored: an old duplicate must not end the wait
    /// (RFC 1337). An acknowledgement that says nothing new is not answered.
    pub(super) fn on_time_wait(&mut self, now: Instant, segment: &Segment) {
        let flags = segment.flags;
        if flags.contains(Flags::RST) || !flags.contains(Flags::ACK) && !flags.contains(Flags::SYN)
        {
            return;
        }
        let next = self.receive.assembler.next();
        let inside = segment.seq.is_within(next, self.receive.window());
        if flags.contains(Flags::SYN) && self.config.reset_on_syn && inside {
            self.reset_with(CloseReason::Reset);
            return;
        }
        let text = !segment.payload.is_empty() || flags.contains(Flags::FIN);
        if flags.contains(Flags::FIN) && segment.seq + segment.sequence_length() == next {
            // Our last acknowledgement was lost: the wait begins anew.
            self.timers.slow.set(now + self.config.time_wait);
        }
        if !text && segment.seq == next && segment.ack == self.send.nxt {
            return;
        }
        self.answer_invalid(now, segment);
    }

    /// Whether a SYN may open a new connection between the same ends although this one is in
    /// TIME-WAIT: it cannot be an old duplicate, by its timestamp or by its number (RFC 6191).
    #[must_use]
    pub fn may_be_reused_by(&self, syn: &Segment) -> bool {
        let opens = syn.flags.contains(Flags::SYN)
            && !syn.flags.intersects(Flags::ACK | Flags::RST | Flags::FIN);
        if self.state != State::TimeWait || !opens || !self.config.time_wait_reuse {
            return false;
        }
        let later = syn.seq.is_after(self.receive.assembler.next());
        match syn.options.timestamp.filter(|_| self.agreed.timestamps) {
            Some(timestamp) => {
                let ahead = timestamp.value.wrapping_sub(self.times.recent).cast_signed();
                ahead > 0 || (ahead == 0 && later)
            }
            None => later,
        }
    }

    /// Queues what the application wrote and tells how much was taken; when that is not all,
    /// [`Writable`](crate::tcp::Event::Writable) follows. Nothing is taken once writing is over.
    pub fn write(&mut self, mut data: Bytes, now: Instant) -> usize {
        // Nothing to write makes no sending half.
        if !self.state.may_write() || self.send.fin || data.is_empty() {
            return 0;
        }
        self.before_write(now);
        let len = data.len();
        data.truncate(self.send.free());
        let taken = self.outgoing().buffer.write(data);
        self.send.blocked |= taken < len;
        taken
    }

    /// As [`write`](Self::write), for bytes that are the caller's to keep: few are copied behind their
    /// predecessors, many into one piece.
    pub fn write_slice(&mut self, data: &[u8], now: Instant) -> usize {
        if !self.state.may_write() || self.send.fin || data.is_empty() {
            return 0;
        }
        self.before_write(now);
        let room = self.send.free().min(data.len());
        let taken = self.outgoing().buffer.write_slice(&data[..room]);
        self.send.blocked |= taken < data.len();
        taken
    }

    /// As after a write that did not take everything: [`Writable`](crate::tcp::Event::Writable) is
    /// told once there is room, which may be now.
    pub fn want_writable(&mut self) {
        if self.state.may_write() && !self.send.fin {
            self.send.blocked = true;
            self.tell_writable();
        }
    }

    /// The number before which everything the application wrote was acknowledged; neither SYN nor
    /// FIN counts.
    #[must_use]
    pub fn acknowledged_to(&self) -> SeqNum {
        let send = &self.send;
        match self.state {
            State::SynSent | State::SynReceived => send.iss + 1,
            _ if send.fin_sent && send.una == send.nxt => send.una - 1,
            _ => send.una,
        }
    }

    /// How many bytes [`write`](Self::write) would take now.
    #[must_use]
    pub fn writable(&self) -> usize {
        if self.state.may_write() && !self.send.fin { self.send.free() } else { 0 }
    }
}

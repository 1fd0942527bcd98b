//! Acknowledgements and the peer's window (RFC 9293, section 3.10.7.4, fifth step; RFC 5961,
//! section 5).

use fyke_clock::Instant;

use super::{Connection, State};
use crate::tcp::{Flags, Segment};

impl Connection {
    /// Takes the acknowledgement of a segment. `false` when it is unacceptable: then the whole
    /// segment is.
    pub(super) fn take_acknowledgement(&mut self, now: Instant, segment: &Segment) -> bool {
        let ack = segment.ack;
        // Of something never sent: an optimistic receiver, or an attacker.
        if ack.is_after(self.send.nxt) {
            if self.config.answer_unsent_ack {
                self.challenge(now);
            }
            return false;
        }
        if ack.is_before(self.send.una - self.oldest_ack()) {
            self.challenge(now);
            return false;
        }
        let window_changed = self.take_window(segment);
        // An acknowledgement that was overtaken may still tell what arrived out of order, or twice
        // (RFC 2018, section 4; RFC 2883).
        let tells = self.agreed.sack && !segment.options.sack.as_slice().is_empty();
        if ack.is_at_least(self.send.una) || tells {
            self.recover_with(now, segment, !window_changed);
        }
        if self.send.wnd == 0 && self.send.has_unacknowledged() && !self.orphan {
            // It answers, it only has no room: no reason to give it up.
            self.send.attempts = 0;
        }
        if self.send.fin_sent && self.send.una == self.send.nxt {
            self.fin_acknowledged(now);
        }
        self.tell_writable();
        self.state != State::Closed
    }

    /// How far behind SND.UNA an acknowledgement may be: as far as any window could explain (RFC 5961,
    /// section 5.2), and not before what was sent first.
    fn oldest_ack(&self) -> u32 {
        let acknowledged = u32::try_from(self.bytes_acknowledged()).unwrap_or(u32::MAX);
        acknowledged.saturating_add(1).min(self.send.wnd_max)
    }

    /// The peer's window, when this segment is newer than the one that told it last. An
    /// acknowledgement of new data is newer in any case: after losses the numbers need not be.
    fn take_window(&mut self, segment: &Segment) -> bool {
        let window = self.window_of(segment);
        let send = &mut self.send;
        if segment.ack.is_before(send.una) {
            return false;
        }
        let newer = segment.ack.is_after(send.una)
            || segment.seq.is_after(send.wl1)
            || (segment.seq == send.wl1 && (segment.ack.is_after(send.wl2) || window > send.wnd));
        if !newer {
            return segment.seq == send.wl1 && window != send.wnd && {
                // The same numbers with less room: the receiver took its buffer back, which it
                // should not (RFC 9293, section 3.8.6), but may.
                send.wnd = window;
                true
            };
        }
        let changed = window != send.wnd;
        if send.wnd == 0 && window > 0 && !send.has_unacknowledged() {
            // What the probes of a closed window made of the time-out says nothing of the path.
            self.rtt.reset_back_off();
            self.timers.retransmit.clear();
        }
        send.wnd = window;
        send.wnd_max = send.wnd_max.max(window);
        send.wl1 = segment.seq;
        send.wl2 = segment.ack;
        changed
    }

    /// The receiver's half of ECN: marks are echoed until the sender says that it slowed down
    /// (RFC 3168, section 6.1.3).
    pub(super) fn take_congestion_mark(&mut self, segment: &Segment) {
        if !self.agreed.ecn {
            return;
        }
        if segment.flags.contains(Flags::CWR) && !segment.payload.is_empty() {
            self.receive.congestion_seen = false;
        }
        if segment.ecn == crate::tcp::Ecn::Congestion {
            if !self.receive.congestion_seen {
                self.acknowledge_now();
            }
            self.receive.congestion_seen = true;
        }
    }

    /// After a refused write: room again, once it is worth waking somebody.
    pub(super) fn tell_writable(&mut self) {
        let send = &self.send;
        if !send.blocked || send.fin || !self.state.may_write() {
            return;
        }
        let (free, used) = (send.free(), send.kept());
        let unsent = send.data_end().saturating_distance_from(send.nxt);
        if free * 2 >= used && free > 0 && unsent <= self.config.not_sent_low_water_bytes {
            self.send.blocked = false;
            self.events.writable = true;
        }
    }
}

//! Whether new data, or our FIN, may go out now: the peer's window, ours, silly windows (RFC 9293,
//! section 3.8.6.2.1), Nagle and corks (section 3.7.4).

use fyke_clock::Instant;

use super::timers::Purpose;
use super::transmit::Text;
use super::{Connection, State};
use crate::tcp::SackBlocks;

/// The most that a super-segment carries, whatever the device would cut: with the longest headers it
/// is a packet whose length the IP header can say.
const SUPER_SEGMENT_MAX: u32 = 65_535 - 40 - 60;

impl Connection {
    /// The payload of a full segment: the least of what the peer takes, the path carries and we
    /// want, without the options that go out with it (RFC 6691).
    pub(super) fn mss(&self) -> u32 {
        let blocks = self.blocks_to_report();
        let sack = if blocks == 0 { 0 } else { 4 + 8 * blocks };
        self.plain_mss().saturating_sub(sack).max(1)
    }

    /// The payload of a full segment while nothing is missing.
    pub(super) fn plain_mss(&self) -> u32 {
        let send = &self.send;
        // Our own link may carry less than the smallest that a peer is believed to want.
        let ours = send.path_mss.min(self.config.mss_max.max(self.config.mss_min));
        let options = if self.agreed.timestamps { 12 } else { 0 };
        u32::from(send.peer_mss.min(ours)).saturating_sub(options).max(1)
    }

    fn blocks_to_report(&self) -> u32 {
        let assembler = &self.receive.assembler;
        if !self.agreed.sack || (assembler.is_empty() && !assembler.has_duplicate()) {
            return 0;
        }
        let blocks = assembler.ranges() + usize::from(assembler.has_duplicate());
        let most = if self.agreed.timestamps { 3 } else { SackBlocks::MAX };
        u32::try_from(blocks.min(most)).unwrap_or(0)
    }

    /// What was written and not sent.
    pub(super) fn unsent(&self) -> u32 {
        self.send.data_end().saturating_distance_from(self.send.nxt)
    }

    /// What the peer's window leaves.
    pub(super) fn window_left(&self) -> u32 {
        // The peer's SYN told of room behind ours, which is not acknowledged while data goes early.
        let first = self.send.una + u32::from(self.state == State::SynReceived);
        (first + self.send.wnd).saturating_distance_from(self.send.nxt)
    }

    /// The next segment with new data, or the FIN, when the congestion window leaves `room`.
    pub(super) fn next_new(&mut self, room: u32) -> Option<Text> {
        if self.send.fin_sent {
            return None;
        }
        let (unsent, mss) = (self.unsent(), self.mss());
        if unsent == 0 && !self.send.fin {
            return None;
        }
        let window = self.window_left();
        let room = window.min(room);
        let whole = self.super_segment(mss, room);
        let len = unsent.min(whole).min(room);
        // A FIN needs a number in the window, too.
        let fin = self.send.fin && len == unsent && window > len;
        let text = Text { seq: self.send.nxt, len, fin, again: false, probe: false };
        if len == 0 {
            return fin.then_some(text);
        }
        let full = len >= mss;
        if full || fin || self.may_send_small(len, len == unsent) {
            let rest = len % mss;
            // Only the last of a super-segment may be small, and only when nothing holds it.
            if full && rest > 0 && !fin && !(len == unsent && self.may_send_small(rest, true)) {
                return Some(Text { len: len - rest, ..text });
            }
            return Some(text);
        }
        None
    }

    /// The most that goes to the device at once.
    pub(super) fn super_segment(&self, mss: u32, room: u32) -> u32 {
        let burst = self.send.outgoing.as_ref().map_or(u32::MAX, |outgoing| outgoing.burst);
        let whole = self.config.gso_bytes_max.min(SUPER_SEGMENT_MAX).min(room).min(burst);
        (whole - whole % mss).max(mss)
    }

    /// Whether a segment that is not full may go: `last` when it is all there is.
    fn may_send_small(&mut self, len: u32, last: bool) -> bool {
        // Our SYN-ACK, which early data follows, is no data.
        let only_syn = self.early && self.send.nxt == self.send.iss + 1;
        let quiet = !self.send.has_unacknowledged() || only_syn;
        if self.due.push {
            return true;
        }
        // A window that was never large makes small segments the best there is.
        if len >= (self.send.wnd_max / 2).max(1) && !self.cork {
            return true;
        }
        if !last || self.cork {
            return false;
        }
        if self.no_delay || quiet {
            return true;
        }
        let small = self.send.outgoing.as_ref().map_or(self.send.una, |outgoing| outgoing.small);
        self.config.minshall && !small.is_after(self.send.una)
    }

    /// Data or a FIN that nothing will send by itself has a timer: a closed window is probed, a
    /// cork comes out.
    pub(super) fn watch_unsent(&mut self, now: Instant) {
        if !self.state.may_transmit() || self.send.has_unacknowledged() {
            return;
        }
        let waits = self.unsent() > 0 || (self.send.fin && !self.send.fin_sent);
        if !waits {
            self.timers.retransmit.clear();
            return;
        }
        if self.timers.retransmit.is_set() || self.timers.held {
            return;
        }
        if self.send.attempts == 0 {
            // It waits from now on: the silence before it does not count for the user time-out.
            self.send.progress = now;
        }
        if self.cork && self.unsent() < self.mss() && self.window_left() >= self.unsent() {
            self.arm(Purpose::Cork, now + self.config.cork_timeout);
        } else {
            self.arm_persist(now);
        }
    }

    /// Bytes were written: after a pause the congestion window is not what it was.
    pub(super) fn before_write(&mut self, now: Instant) {
        self.check_app_limited();
        let idle = now.saturating_duration_since(self.send.last);
        let rto = self.rto();
        let quiet = !self.send.has_unacknowledged() && self.send.kept() == 0;
        if quiet && self.state != State::SynSent && self.config.slow_start_after_idle && idle > rto
        {
            self.outgoing().congestion.after_idle(now, idle, rto);
        }
        if quiet {
            self.send.progress = now;
        }
    }
}

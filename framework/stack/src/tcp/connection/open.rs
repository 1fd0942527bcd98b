//! How a connection begins: active, passive, both at once (RFC 9293, sections 3.5 and 3.10.7.3).

use alloc::sync::Arc;

use fyke_clock::Instant;

use super::{Connection, Reset, State};
use crate::tcp::config::{Config, EcnMode};
use crate::tcp::handshake::{Handshake, Initial, Mss, WINDOW_SCALE_MAX, first_window, peer_mss};
use crate::tcp::{CloseReason, Flags, Segment};

impl Connection {
    /// An active open: the SYN goes out at the next poll.
    #[must_use]
    pub fn connect(config: Arc<Config>, initial: Initial, now: Instant) -> Self {
        let mut new = Self::new(config, initial, State::SynSent, now);
        new.active = true;
        new.agreed.timestamps = new.config.timestamps;
        new.agreed.ecn = new.config.ecn == EcnMode::Active;
        new.due.syn = true;
        new
    }

    /// A passive open: the answer to `syn` goes out at the next poll. Whether `syn` may open
    /// anything is the listener's matter: [`listen`](crate::tcp::listen).
    #[must_use]
    pub fn accept(config: Arc<Config>, syn: &Segment, initial: Initial, now: Instant) -> Self {
        let handshake = Handshake::of_syn(&config, syn, initial);
        let mut new = Self::new(config, initial, State::SynReceived, now);
        new.agree(&handshake, now);
        new.take_syn_payload(now, syn);
        new.due.syn = true;
        new
    }

    /// A connection whose SYN-ACK was sent by a SYN cache, or with a cookie, and is now being
    /// acknowledged: give that segment to [`on_segment`](Self::on_segment) next. It is checked as
    /// in SYN-RECEIVED; its data and its FIN are not lost.
    #[must_use]
    pub fn from_handshake(
        config: Arc<Config>,
        handshake: &Handshake,
        mss: Mss,
        now: Instant,
    ) -> Self {
        let (iss, timestamp_offset) = (handshake.iss, handshake.timestamp_offset);
        let initial = Initial { iss, timestamp_offset, mss };
        let mut new = Self::new(config, initial, State::SynReceived, now);
        new.agree(handshake, now);
        // When the SYN-ACK went out may be unknown; an echoed timestamp tells the round trip then.
        new.send.syn_resent = handshake.sent.is_none();
        new.send.progress = handshake.sent.unwrap_or(now);
        new.receive.edge = new.receive.assembler.next() + u32::from(first_window(&new.config));
        new.receive.acked = new.receive.assembler.next();
        new.arm_retransmit(now);
        new
    }

    /// The SYN-ACK of [`from_handshake`](Self::from_handshake) had to be sent again so often.
    pub(crate) fn syn_ack_was_lost(&mut self, times: u8) {
        self.send.attempts = times;
    }

    /// Takes over what the two SYNs say.
    pub(super) fn agree(&mut self, handshake: &Handshake, now: Instant) {
        self.receive.begin(handshake.irs, &self.config);
        self.send.peer_mss = handshake.peer_mss;
        self.agreed.sack = handshake.sack;
        self.agreed.timestamps = handshake.timestamp.is_some();
        self.agreed.ecn = handshake.ecn;
        if let Some(shift) = handshake.window_scale {
            self.agreed.scaling = true;
            self.send.scale = shift;
        } else {
            self.receive.scale = 0;
        }
        if let Some(value) = handshake.timestamp {
            self.times.set(value, now);
        }
        // The window of a SYN is never scaled (RFC 7323, section 2.2).
        self.send.wnd = u32::from(handshake.window);
        self.send.wnd_max = self.send.wnd;
        self.send.wl1 = handshake.irs;
        self.send.wl2 = self.send.iss;
        self.mss_changed();
        if self.config.receive_buffer_in_segments {
            let segment = u32::from(handshake.peer_mss.min(self.own_mss()).max(1));
            let whole = self.receive.buffer.checked_next_multiple_of(segment);
            self.receive.buffer = whole.unwrap_or(self.receive.buffer);
        }
    }

    /// A segment in SYN-SENT (RFC 9293, section 3.10.7.3).
    pub(super) fn on_syn_sent(&mut self, now: Instant, segment: &Segment) {
        let flags = segment.flags;
        let acks_us = flags.contains(Flags::ACK);
        // First: an acknowledgement of something never sent.
        let sent = self.send.nxt + self.syn_data_len();
        if acks_us && (segment.ack.is_at_most(self.send.iss) || segment.ack.is_after(sent)) {
            if !flags.contains(Flags::RST) {
                self.due.reset = Some(Reset::At(segment.ack));
            }
            return;
        }
        // Second: a reset counts only when it acknowledges our SYN.
        if flags.contains(Flags::RST) {
            if acks_us {
                self.finish(CloseReason::Refused);
            }
            return;
        }
        if !flags.contains(Flags::SYN) {
            return;
        }
        self.agree_with_answer(now, segment);
        self.note_fast_open(segment);
        self.count_syn_data(self.send.progress);
        if acks_us {
            self.on_syn_ack(now, segment);
        } else {
            // Both opened at once: our SYN again, now with an acknowledgement.
            self.state = State::SynReceived;
            self.due.syn = true;
            // Which of the two the peer answers is not known (Karn).
            self.send.syn_resent = true;
            self.take_syn_payload(now, segment);
        }
    }

    /// What the peer's SYN answers to what ours asked.
    fn agree_with_answer(&mut self, now: Instant, segment: &Segment) {
        let options = &segment.options;
        let config = &self.config;
        let ecn_flags = Flags::ECE | Flags::CWR;
        let ecn = if segment.flags.contains(Flags::ACK) {
            // A SYN-ACK with both flags is a peer that reflects what it does not know.
            self.agreed.ecn
                && segment.flags.contains(Flags::ECE)
                && !segment.flags.contains(Flags::CWR)
        } else {
            config.ecn != EcnMode::Off && segment.flags.contains(ecn_flags)
        };
        let handshake = Handshake {
            iss: self.send.iss,
            irs: segment.seq,
            window: segment.window,
            peer_mss: peer_mss(config, options),
            window_scale: options
                .window_scale
                .filter(|_| config.window_scaling)
                .map(|shift| shift.min(WINDOW_SCALE_MAX)),
            sack: config.sack && options.sack_permitted,
            timestamp: options.timestamp.filter(|_| self.agreed.timestamps).map(|t| t.value),
            timestamp_offset: self.times.offset,
            ecn,
            sent: None,
        };
        self.agree(&handshake, now);
    }

    /// Our SYN is acknowledged by a SYN of the peer's: the active open is complete.
    fn on_syn_ack(&mut self, now: Instant, segment: &Segment) {
        self.send.wl2 = segment.ack;
        self.syn_acknowledged(now, segment);
        self.due.ack = true;
        if segment.ack.is_after(self.send.una) {
            self.recover_with(now, segment, true);
        }
        self.resume_early(now, true);
        self.take_syn_payload(now, segment);
    }

    /// The acknowledgement that completes the open, in SYN-SENT and in SYN-RECEIVED.
    pub(super) fn syn_acknowledged(&mut self, now: Instant, segment: &Segment) {
        self.send.una = self.send.iss + 1;
        self.receive.heard = now;
        self.stats.heard_text(now);
        let whole = segment.ack == self.send.nxt && self.send.has_unacknowledged();
        self.syn_data |= self.active && whole;
        // A SYN that went with data is one segment with it.
        self.stats.delivered += u32::from(!(self.active && whole));
        self.sample_handshake(now, segment);
        self.timers.retransmit.clear();
        let lost = core::mem::take(&mut self.send.attempts);
        self.send.progress = now;
        self.state = if self.send.fin { State::FinWait1 } else { State::Established };
        self.begin_mtu_search(now);
        self.begin_congestion(lost);
        // Who could read before has been told.
        self.events.connected |= !self.early;
        self.arm_keep_alive(now);
    }

    /// The round trip of the handshake: measured, when the SYN was sent once (Karn), or echoed.
    fn sample_handshake(&mut self, now: Instant, segment: &Segment) {
        if !self.send.syn_resent {
            self.rtt.sample(now, now.saturating_duration_since(self.send.progress), 1);
        } else if let Some(rtt) = self.echoed_rtt(now, segment) {
            self.rtt.sample(now, rtt, 1);
        } else if self.send.attempts > 0 {
            self.rtt.syn_was_lost();
        }
    }

    /// Data, and a FIN, in a SYN: they wait until the open is complete (RFC 9293, section 3.4).
    fn take_syn_payload(&mut self, now: Instant, segment: &Segment) {
        if segment.payload.is_empty() && !segment.flags.contains(Flags::FIN) {
            return;
        }
        self.take_text(now, segment);
    }

    /// An acknowledgement in SYN-RECEIVED (RFC 9293, section 3.10.7.4, fifth step): whether it
    /// completes the open. If not it is answered by a reset.
    pub(super) fn complete_open(&mut self, now: Instant, segment: &Segment) -> bool {
        if !segment.ack.is_after(self.send.una) || segment.ack.is_after(self.send.nxt) {
            self.due.reset = Some(Reset::At(segment.ack));
            return false;
        }
        self.syn_acknowledged(now, segment);
        self.send.wnd = self.window_of(segment);
        self.send.wnd_max = self.send.wnd_max.max(self.send.wnd);
        self.send.wl1 = segment.seq;
        self.send.wl2 = segment.ack;
        self.resume_early(now, self.active);
        self.events.readable |= !self.receive.inbox.is_empty() && !self.early;
        if self.active && !self.receive.inbox.is_empty() {
            // What came with the SYN has waited as well.
            self.timers.ack.set(now + self.config.delayed_ack);
        }
        // A FIN in the peer's SYN has waited until now.
        self.take_peer_fin(now);
        true
    }
}

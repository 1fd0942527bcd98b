//! What goes out, and in which order: a reset, the SYN, probes, retransmissions, new data, and an
//! acknowledgement when nothing else carried it.

use fyke_clock::Instant;

use super::{Connection, Reset, State};
use crate::tcp::config::EcnMode;
use crate::tcp::handshake::{Handshake, first_window, own_window_scale, timestamp_clock};
use crate::tcp::{
    Ecn, Flags, Options, Payload, SackBlocks, Segment, SegmentSink, SeqNum, Timestamp,
};

/// SACK blocks that fit beside a timestamp (RFC 2018, section 3).
const SACK_BLOCKS_WITH_TIMESTAMP: usize = 3;

/// What a segment with data carries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) seq: SeqNum,
    pub(super) len: u32,
    pub(super) fin: bool,
    pub(super) again: bool,
    /// It is a probe of the path MTU: one segment, longer than others.
    pub(super) probe: bool,
}

impl Text {
    /// The number after the last one it takes.
    pub(super) fn end(self) -> SeqNum {
        self.seq + self.len + u32::from(self.fin)
    }
}

impl Connection {
    /// Sends what is due and what may be sent, as long as `out` has room. Returns whether it
    /// stopped for want of room: then poll again when there is some.
    pub fn poll(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        let stopped = loop {
            if !out.has_room() {
                break true;
            }
            if !self.emit_next(now, out) {
                break false;
            }
        };
        if core::mem::take(&mut self.due.timer) {
            self.arm_recovery(now);
        }
        if stopped {
            return true;
        }
        self.watch_unsent(now);
        self.note_limit(now);
        false
    }

    fn emit_next(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        if let Some(reset) = self.due.reset.take() {
            self.emit_reset(now, reset, out);
            return true;
        }
        match self.state {
            State::Closed => false,
            State::SynSent | State::SynReceived => self.emit_opening(now, out),
            _ => {
                self.emit_probe(now, out)
                    || self.emit_text(now, out)
                    || self.emit_acknowledgement(now, out)
            }
        }
    }

    fn emit_reset(&mut self, now: Instant, reset: Reset, out: &mut impl SegmentSink) {
        let mut segment = Segment { flags: Flags::RST, ..Segment::default() };
        match reset {
            Reset::At(seq) => segment.seq = seq,
            Reset::Here => {
                segment.seq = self.send.nxt;
                segment.ack = self.receive.assembler.next();
                segment.flags |= Flags::ACK;
                segment.options.timestamp = self.timestamp(now);
            }
        }
        self.hand_over(&segment, Payload::default(), out);
    }

    fn emit_opening(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        if core::mem::take(&mut self.due.syn) {
            let mut segment = self.opening(now);
            let mut text =
                Text { seq: self.send.nxt, len: 0, fin: false, again: false, probe: false };
            if let Some((cookie, len)) = self.fast_syn() {
                segment.options.fast_open = Some(cookie);
                text.len = len;
            }
            if !self.send.syn_resent {
                self.send.progress = now;
            }
            if self.state == State::SynReceived {
                self.acknowledged();
            }
            self.arm_retransmit(now);
            self.stats.segments_out += 1;
            match self.send.chunks(text) {
                Some(chunks) => out.send(&segment, Payload::new(chunks, text.len as usize)),
                None => out.send(&segment, Payload::default()),
            }
            return true;
        }
        let received = self.state == State::SynReceived;
        received && (self.emit_text(now, out) || self.emit_acknowledgement(now, out))
    }

    /// Our SYN, or SYN-ACK.
    fn opening(&self, now: Instant) -> Segment {
        let config = &self.config;
        if self.state == State::SynReceived {
            let handshake = Handshake {
                iss: self.send.iss,
                irs: self.receive.irs,
                window: 0,
                peer_mss: self.send.peer_mss,
                window_scale: self.agreed.scaling.then_some(self.send.scale),
                sack: self.agreed.sack,
                timestamp: self.agreed.timestamps.then_some(self.times.recent),
                timestamp_offset: self.times.offset,
                ecn: self.agreed.ecn,
                sent: None,
            };
            let mut answer = handshake.syn_ack(config, self.receive.link_mss, now);
            // Data that came with the peer's SYN is acknowledged with it (RFC 7413), but waits when
            // both opened at once (RFC 9293, section 3.10.7.3).
            if !self.active {
                answer.ack = self.receive.assembler.next();
                // It takes room that was offered: the right edge stays where it is.
                answer.window = u16::try_from(self.receive.window()).unwrap_or(u16::MAX);
            }
            return answer;
        }
        let mut flags = Flags::SYN;
        // A lost SYN may have been lost for its ECN flags (RFC 3168, section 6.1.1.1).
        if config.ecn == EcnMode::Active
            && self.agreed.ecn
            && self.send.attempts <= config.syn_ecn_retries
        {
            flags |= Flags::ECE | Flags::CWR;
        }
        Segment {
            seq: self.send.iss,
            flags,
            window: first_window(config),
            options: self.syn_options(now),
            ..Segment::default()
        }
    }

    /// What our SYN asks for. A SYN that was lost often may have been lost for its options.
    fn syn_options(&self, now: Instant) -> Options {
        let config = &self.config;
        let most = if config.syn_tells_path { self.send.path_mss } else { u16::MAX };
        let mss = Some(self.own_mss().min(most).max(1));
        if config.plain_syn {
            return Options::default();
        }
        if self.send.attempts > config.syn_option_retries {
            return Options { mss, ..Options::default() };
        }
        Options {
            mss,
            window_scale: config.window_scaling.then(|| own_window_scale(config)),
            sack_permitted: config.sack,
            timestamp: config
                .timestamps
                .then(|| Timestamp { value: timestamp_clock(now, self.times.offset), echo: 0 }),
            ..Options::default()
        }
    }

    /// A segment without text before SND.UNA: unacceptable, so the peer answers it (RFC 9293,
    /// section 3.8.4).
    fn emit_probe(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        if !core::mem::take(&mut self.due.probe) {
            return false;
        }
        let mut segment = self.bare(now);
        segment.seq = self.send.una - 1;
        let sent = &mut self.stats.rare().probes_sent;
        *sent = sent.saturating_add(1);
        self.acknowledged();
        self.hand_over(&segment, Payload::default(), out);
        true
    }

    fn emit_text(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        let early = self.early && self.state == State::SynReceived;
        if !self.state.may_transmit() && !early {
            return false;
        }
        self.open_gate(now);
        let Some(text) = self.next_text_or_mtu_probe(now, out) else {
            return false;
        };
        if self.is_held_back(text.again) {
            return false;
        }
        // Before what is reported once has been: the segment that reports it needs the room.
        let mss = self.mss();
        let mut segment = self.bare(now);
        segment.seq = text.seq;
        if text.fin {
            segment.flags |= Flags::FIN;
        }
        // The peer's application should have it now: nothing follows.
        if text.len > 0 && text.seq + text.len == self.send.data_end() {
            segment.flags |= Flags::PSH;
        }
        if text.len > mss && !text.probe {
            segment.gso_size = u16::try_from(mss).unwrap_or(u16::MAX);
        }
        self.mark_ecn(&mut segment, text);
        let segments = if text.probe { 1 } else { text.len.div_ceil(mss).max(1) };
        self.note_sent(now, text, segments);
        self.acknowledged();
        // Data both ways is a conversation: acknowledgements find something to travel with.
        if text.len > 0 && self.receive.assembler.next() != self.receive.irs + 1 {
            self.receive.quick = 0;
        }
        self.stats.note_sent(&segment, text);
        let payload = match self.send.chunks(text) {
            Some(chunks) => Payload::new(chunks, text.len as usize),
            None => Payload::default(),
        };
        out.send(&segment, payload);
        if text.probe {
            out.note_mtu_probe();
        }
        true
    }

    /// New data is sent as ECN-capable, retransmissions are not (RFC 3168, section 6.1.5).
    fn mark_ecn(&mut self, segment: &mut Segment, text: Text) {
        if !self.agreed.ecn || text.again || text.len == 0 {
            return;
        }
        segment.ecn = Ecn::Capable0;
        if core::mem::take(&mut self.due.cwr) {
            segment.flags |= Flags::CWR;
        }
    }

    fn emit_acknowledgement(&mut self, now: Instant, out: &mut impl SegmentSink) -> bool {
        if !self.due.ack {
            return false;
        }
        let mut segment = self.bare(now);
        let again = core::mem::take(&mut self.due.fin_again) && self.send.fin_sent;
        if again && self.state == State::Closing {
            // The FIN's own number: data before it may be under way as well.
            segment.seq = self.send.nxt - 1;
            segment.flags |= Flags::FIN;
        }
        let more = self.due.duplicates.saturating_sub(1);
        self.acknowledged();
        if more > 0 {
            self.due.ack = true;
            self.due.duplicates = more;
        }
        self.hand_over(&segment, Payload::default(), out);
        true
    }

    /// An acknowledgement at SND.NXT, with what every segment carries.
    fn bare(&mut self, now: Instant) -> Segment {
        let mss = u32::from(self.own_mss());
        let mut flags = Flags::ACK;
        if self.receive.congestion_seen {
            flags |= Flags::ECE;
        }
        let timestamp = self.timestamp(now);
        Segment {
            seq: self.send.nxt,
            ack: self.receive.assembler.next(),
            flags,
            window: self.receive.offer(mss),
            options: Options { timestamp, sack: self.sack_blocks(), ..Options::default() },
            ..Segment::default()
        }
    }

    fn timestamp(&self, now: Instant) -> Option<Timestamp> {
        self.agreed.timestamps.then(|| Timestamp {
            value: timestamp_clock(now, self.times.offset),
            echo: self.times.recent,
        })
    }

    fn sack_blocks(&mut self) -> SackBlocks {
        if !self.agreed.sack {
            return SackBlocks::EMPTY;
        }
        let most =
            if self.agreed.timestamps { SACK_BLOCKS_WITH_TIMESTAMP } else { SackBlocks::MAX };
        self.receive.assembler.sack_blocks(most)
    }

    /// The segment that goes out now acknowledges all that was received.
    fn acknowledged(&mut self) {
        self.due.ack = false;
        self.due.duplicates = 0;
        self.receive.acked = self.receive.assembler.next();
        self.receive.unacked_segments = 0;
        self.timers.ack.clear();
    }

    fn hand_over(&mut self, segment: &Segment, payload: Payload<'_>, out: &mut impl SegmentSink) {
        self.stats.segments_out += 1;
        out.send(segment, payload);
    }
}

//! Text and FIN of the peer's (RFC 9293, section 3.10.7.4, steps six to eight), and when they are
//! acknowledged.

use bytes::Bytes;
use fyke_clock::Instant;

use super::{Connection, Reset, State};
use crate::tcp::{CloseReason, Flags, Segment, SeqNum};

/// Duplicate acknowledgements owed at once; beyond it they tell the peer nothing new.
const DUPLICATES_MAX: u8 = 16;

impl Connection {
    /// Takes payload and FIN of an admitted segment. The urgent pointer is not looked at: urgent
    /// data is read in line (RFC 6093), and a receiver is told of every byte as it comes.
    pub(super) fn take_text(&mut self, now: Instant, segment: &Segment) {
        let syn = u32::from(segment.flags.contains(Flags::SYN));
        let seq = segment.seq + syn;
        let end = seq + length_of(&segment.payload);
        if segment.flags.contains(Flags::FIN) {
            self.note_fin(end);
        }
        if !segment.payload.is_empty() {
            if self.is_orphan_with_news(end) {
                // As where there is no connection: at the number that the peer waits for.
                self.reset_with(CloseReason::ClosedWithUnreadData);
                self.due.reset = Some(Reset::At(segment.ack));
                return;
            }
            self.stats.note_text(now, segment.segments());
            self.measure_peer_segment(segment);
            self.measure_round(now, segment);
            let payload = self.before_fin(seq, segment.payload.clone());
            self.insert(now, seq, payload, segment.segments());
        } else if segment.flags.contains(Flags::FIN) {
            // A FIN alone is never held back: it came again, or it ends the stream.
            self.acknowledge_now();
        }
        if self.state.is_synchronized() {
            self.take_peer_fin(now);
        }
    }

    /// Remembers where the peer's stream ends, when that is within the window. What came first
    /// counts: not a FIN before bytes that are here already, or they would carry the stream over its
    /// end, behind which nothing is taken any more.
    fn note_fin(&mut self, at: SeqNum) {
        let received = self.receive.assembler.highest();
        let within = at.is_at_least(received) && at.is_at_most(self.receive.edge);
        if within && self.receive.fin.is_none() && !self.receive.finished {
            self.receive.fin = Some(at);
        }
    }

    /// Nothing follows a FIN: what claims to is cut off.
    fn before_fin(&self, seq: SeqNum, mut payload: Bytes) -> Bytes {
        if let Some(fin) = self.receive.fin {
            payload.truncate(fin.saturating_distance_from(seq) as usize);
        }
        payload
    }

    /// Whether this is new data for a process that is gone: it must learn that it is lost
    /// (RFC 9293, section 3.6.1).
    fn is_orphan_with_news(&self, end: SeqNum) -> bool {
        self.orphan && self.state.may_receive() && end.is_after(self.receive.assembler.next())
    }

    /// The size of the peer's full segments, as they come.
    fn measure_peer_segment(&mut self, segment: &Segment) {
        let size = match segment.gso_size {
            0 => segment.payload.len(),
            size => usize::from(size),
        };
        let size = u16::try_from(size).unwrap_or(u16::MAX).min(self.own_mss());
        self.receive.segment = self.receive.segment.max(size);
    }

    fn insert(&mut self, now: Instant, seq: SeqNum, payload: Bytes, segments: usize) {
        let receive = &mut self.receive;
        let had_holes = !receive.assembler.is_empty();
        let inserted = receive.assembler.insert(seq, payload, receive.edge);
        let (in_order, duplicate) = (inserted.in_order, inserted.duplicate);
        let delivered = !in_order.is_empty();
        if delivered {
            let mut received = in_order.len();
            receive.inbox.push(in_order);
            while let Some(piece) = receive.assembler.pop() {
                received += piece.len();
                receive.inbox.push(piece);
            }
            self.events.readable = self.may_deliver();
            self.stats.bytes_received += received as u64;
        }
        let has_holes = !self.receive.assembler.is_empty();
        if !delivered || had_holes || has_holes || duplicate > 0 {
            self.acknowledge_disorder(delivered);
        } else {
            self.acknowledge_in_order(now, segments);
        }
    }

    /// Out of order, twice, or filling a hole: the peer's recovery lives on these, so they are
    /// never held back (RFC 5681, section 4.2).
    fn acknowledge_disorder(&mut self, delivered: bool) {
        if !delivered && !self.agreed.sack {
            // Without SACK the peer counts them: each segment has its own.
            self.due.duplicates = (self.due.duplicates + 1).min(DUPLICATES_MAX);
        }
        self.acknowledge_now();
    }

    /// In order: every second full-sized segment at once, the rest a little later (RFC 9293,
    /// section 3.8.6.3). Counted in bytes, so that a super-segment counts for what it stands.
    fn acknowledge_in_order(&mut self, now: Instant, segments: usize) {
        let receive = &mut self.receive;
        receive.unacked_segments =
            receive.unacked_segments.saturating_add(u8::try_from(segments).unwrap_or(u8::MAX));
        let every = self.config.ack_every_segments.max(1);
        let waiting = receive.assembler.next().saturating_distance_from(receive.acked);
        let enough = waiting > u32::from(every - 1) * u32::from(receive.segment);
        let counted = self.config.ack_small_segments && receive.unacked_segments >= every;
        let quick = receive.quick > 0 || self.quick_ack;
        if enough || counted || quick || self.config.delayed_ack.is_zero() {
            receive.quick = receive.quick.saturating_sub(1);
            self.acknowledge_now();
        } else if !self.timers.ack.is_set() {
            self.timers.ack.set(now + self.config.delayed_ack);
        }
    }

    /// An acknowledgement goes out at the next poll, alone if need be.
    pub(super) fn acknowledge_now(&mut self) {
        self.due.ack = true;
    }

    /// The peer's FIN, once everything before it is here (eighth step).
    pub(super) fn take_peer_fin(&mut self, now: Instant) {
        if self.receive.fin != Some(self.receive.assembler.next()) {
            return;
        }
        self.receive.fin = None;
        self.receive.finished = true;
        self.receive.assembler.clear();
        self.receive.assembler.skip(1);
        self.receive.edge = self.receive.edge.max(self.receive.assembler.next());
        self.acknowledge_now();
        self.events.peer_fin = true;
        match self.state {
            State::Established => self.state = State::CloseWait,
            // Ours is not acknowledged, or the fifth step would have gone on to FIN-WAIT-2.
            State::FinWait1 => {
                self.state = State::Closing;
                self.due.fin_again = self.config.ack_repeats_fin;
            }
            State::FinWait2 => self.enter_time_wait(now),
            _ => {}
        }
    }
}

pub(super) fn length_of(bytes: &Bytes) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

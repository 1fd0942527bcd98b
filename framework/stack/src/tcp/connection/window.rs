//! The window we offer: what it is, when its growth is worth telling, and how the buffer behind it
//! grows (RFC 9293, section 3.8.6.2.2; RFC 7323, section 2).

use core::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;

use super::{Connection, Receive, State};
use crate::tcp::{Segment, SeqNum};

/// How the receive buffer finds its size: bytes read in a round trip, as the receiver sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tuning {
    /// When the current measurement began.
    since: Instant,
    /// What had been read by then.
    from: SeqNum,
    /// The most read in one round trip.
    most: u32,
}

impl Receive {
    /// RCV.WND: what is left of the window that was offered.
    pub(super) fn window(&self) -> u32 {
        self.edge.saturating_distance_from(self.assembler.next())
    }

    /// What is in the window for a segment that comes in: what was offered, or the room behind it.
    pub(super) fn acceptable(&self) -> u32 {
        if self.tells_room { self.window().max(self.room()) } else { self.window() }
    }

    /// Room in the buffer. Bytes out of order lie within the offered window and are counted by it.
    fn room(&self) -> u32 {
        self.limit().saturating_sub(u32::try_from(self.inbox.len()).unwrap_or(u32::MAX))
    }

    /// The right edge that may be offered now: never left of what was, and not a little right of
    /// it (silly windows).
    fn next_edge(&self, mss: u32) -> SeqNum {
        let largest = u32::from(u16::MAX) << self.scale;
        let room = self.room().min(largest);
        let possible = self.assembler.next() + room;
        if self.tells_room {
            let silly = room < mss.min(self.limit() / 4);
            return if silly { self.edge } else { possible.max(self.edge) };
        }
        let growth = possible.saturating_distance_from(self.edge);
        if growth >= mss.min(self.limit() / 2).max(1) { possible } else { self.edge }
    }

    /// The window field of a segment that goes out now, and the edge moves to what it says.
    ///
    /// The field has no bits for the remainder. It is rounded up where rounding down would take back
    /// what was offered, or would never offer a small buffer; but not by more than one unit beyond the
    /// buffer, or segments smaller than that would move the edge without end while nobody reads. Then
    /// the field says less than was offered, and what was offered is taken all the same (RFC 7323,
    /// section 2.4).
    pub(super) fn offer(&mut self, mss: u32) -> u16 {
        let next = self.assembler.next();
        let old = self.window();
        let window = self.next_edge(mss).saturating_distance_from(next);
        let unit = 1u32 << self.scale;
        let mut field = window >> self.scale;
        if field << self.scale < old || (field == 0 && window > 0) {
            let up = window.div_ceil(unit);
            if up << self.scale < self.room().saturating_add(unit) {
                field = up;
            }
        }
        let field = u16::try_from(field).unwrap_or(u16::MAX);
        self.edge = self.edge.max(next + (u32::from(field) << self.scale));
        field
    }
}

impl Connection {
    /// Takes at most `max` received bytes, as they lie together; `None` when there are none.
    pub fn read(&mut self, max: usize, now: Instant) -> Option<Bytes> {
        if !self.may_deliver() {
            return None;
        }
        let bytes = self.receive.inbox.pop(max)?;
        self.was_read(now);
        Some(bytes)
    }

    /// Copies received bytes until there are none or `to` is full; says how many. However many
    /// segments they came in, the peer hears of the room once.
    pub fn read_into(&mut self, to: &mut [u8], now: Instant) -> usize {
        if !self.may_deliver() {
            return 0;
        }
        let count = self.receive.inbox.copy_to(to);
        if count > 0 {
            self.was_read(now);
        }
        count
    }

    fn was_read(&mut self, now: Instant) {
        if self.state.may_receive() {
            self.tune_buffer(now);
            self.update_window();
        }
    }

    /// How many bytes can be read.
    #[must_use]
    pub fn readable(&self) -> usize {
        if self.may_deliver() { self.receive.inbox.len() } else { 0 }
    }

    /// What came with a SYN waits until the open is complete (RFC 9293, section 3.10.3), unless a cookie
    /// of ours vouched for it (RFC 7413).
    pub(super) fn may_deliver(&self) -> bool {
        self.early || !matches!(self.state, State::SynSent | State::SynReceived)
    }

    /// How many of them, `max` at most, lie in pieces shorter than `piece_min` before the first that
    /// is not: none when [`read`](Self::read) would give so long a piece now.
    #[must_use]
    pub fn readable_scattered(&self, piece_min: usize, max: usize) -> usize {
        if self.may_deliver() { self.receive.inbox.scattered(piece_min, max) } else { 0 }
    }

    /// Whether everything the peer ever sent has been read: its FIN came and nothing is left.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.receive.inbox.is_empty() && (self.receive.finished || self.state == State::Closed)
    }

    /// Tells the peer of new room when it is worth a segment: when the peer may be waiting for it,
    /// or when it is a good part of the buffer.
    pub(super) fn update_window(&mut self) {
        let mss = u32::from(self.own_mss());
        let receive = &self.receive;
        let growth = receive.next_edge(mss).saturating_distance_from(receive.edge);
        let left = receive.window();
        let limit = receive.limit();
        let worth = growth >= limit / 2
            || (growth >= 2 * mss && growth >= limit / 4)
            || (growth > 0 && left < 2 * mss);
        if worth {
            self.acknowledge_now();
        }
    }

    /// Whether the receive buffer may still grow.
    fn is_tuned(&self) -> bool {
        !self.receive.fixed
            && !self.receive.tight
            && self.receive.buffer < self.config.receive_buffer_bytes_max
    }

    /// How old the acknowledgement is that a full segment answers: a round trip with all the queues on
    /// the path, of which the smallest round trip knows nothing.
    pub(super) fn measure_round(&mut self, now: Instant, segment: &Segment) {
        if !self.is_tuned() || segment.payload.len() < usize::from(self.receive.segment) {
            return;
        }
        let Some(sample) = self.echoed_rtt(now, segment) else { return };
        let sample = u16::try_from(sample.as_millis()).unwrap_or(u16::MAX);
        let smoothed = (7 * u32::from(self.receive.round_ms) + u32::from(sample) + 4) / 8;
        self.receive.round_ms = match self.receive.round_ms {
            0 => sample,
            _ => u16::try_from(smoothed).unwrap_or(u16::MAX),
        };
    }

    /// Twice what the application reads in a round trip keeps the peer sending while the next
    /// update is under way, and lets it grow its own window.
    fn tune_buffer(&mut self, now: Instant) {
        if !self.is_tuned() {
            return;
        }
        let receive = &mut self.receive;
        let unread = u32::try_from(receive.inbox.len()).unwrap_or(u32::MAX);
        let read_to = receive.assembler.next() - unread;
        if receive.tuning.since == Instant::ZERO {
            receive.tuning = Tuning { since: now, from: read_to, most: receive.buffer / 2 };
            return;
        }
        let round = self.rtt.min_rtt().unwrap_or(Duration::from_millis(100));
        let round = round.max(Duration::from_millis(receive.round_ms.into()));
        let elapsed = now.saturating_duration_since(receive.tuning.since);
        if elapsed < round || elapsed.is_zero() {
            return;
        }
        let copied = read_to.saturating_distance_from(receive.tuning.from);
        if copied > receive.tuning.most {
            let slack = 16 * u32::from(receive.segment);
            let wanted = copied.saturating_mul(2).saturating_add(slack);
            receive.buffer = receive.buffer.max(wanted.min(self.config.receive_buffer_bytes_max));
            receive.tuning.most = copied;
        }
        receive.tuning.since = now;
        receive.tuning.from = read_to;
    }
}

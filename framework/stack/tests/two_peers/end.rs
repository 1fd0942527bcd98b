//! One end: a connection, the application that writes and reads, and what must hold at every step.

use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::congestion::Phase;
use fyke_stack::tcp::{CloseReason, Connection, Event, Flags, Info, Segment, SeqNum, State};

use crate::link::option_bytes;
use crate::rng::Rng;

/// What the application does.
#[derive(Debug, Clone)]
pub struct Program {
    /// Bytes it writes before it is done.
    pub total: u64,
    /// The most it writes, and reads, at once.
    pub write_max: usize,
    pub read_max: usize,
    /// It pauses before a read or a write so often, and so long.
    pub pause: f64,
    pub pause_max: Duration,
    /// It shuts down when its bytes are written; otherwise when the peer has.
    pub finishes_first: bool,
    /// It aborts when it has read so much.
    pub abort_at: Option<u64>,
    /// The host is short of memory at times; the seed of when.
    pub shortages: Option<u64>,
}

/// The byte at `offset` of the stream that `end` writes.
pub fn pattern(end: usize, offset: u64) -> u8 {
    let mixed = (offset + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 + ((end as u64) << 7));
    (mixed >> 33) as u8
}

#[derive(Debug)]
pub struct End {
    pub index: usize,
    pub connection: Connection,
    pub program: Program,
    pub written: u64,
    pub read: u64,
    pub connected: bool,
    pub peer_fin: bool,
    pub closed: Option<CloseReason>,
    may_read: bool,
    may_write: bool,
    /// The application sleeps until then.
    pub wakes: Option<Instant>,
    shut: bool,
    pub iss: SeqNum,
    /// What of the peer's sequence space was handed to the connection: ranges from its ISS.
    received: Vec<(u64, u64)>,
    peer_fin_at: Option<u64>,
    edge_told: Option<SeqNum>,
    edge_seen: Option<SeqNum>,
    peer_scale: u8,
    last: Option<Info>,
    short: Option<Rng>,
    tight: bool,
}

impl End {
    pub fn new(index: usize, connection: Connection, program: Program, iss: SeqNum) -> Self {
        Self {
            index,
            connection,
            short: program.shortages.map(Rng::new),
            tight: false,
            program,
            written: 0,
            read: 0,
            connected: false,
            peer_fin: false,
            closed: None,
            may_read: false,
            may_write: true,
            wakes: None,
            shut: false,
            iss,
            received: Vec::new(),
            peer_fin_at: None,
            edge_told: None,
            edge_seen: None,
            peer_scale: 0,
            last: None,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.closed.is_some() && self.connection.readable() == 0
    }

    /// The application's turn.
    pub fn run(&mut self, now: Instant, rng: &mut Rng) {
        if self.short.as_mut().is_some_and(|short| short.chance(0.05)) {
            self.tight = !self.tight;
            self.connection.set_tight(self.tight);
        }
        while let Some(event) = self.connection.poll_event() {
            self.on_event(event);
        }
        if self.wakes.is_some_and(|at| at > now) {
            return;
        }
        self.wakes = None;
        while self.may_read || self.may_write {
            if rng.chance(self.program.pause) {
                let nanos = rng.below(self.program.pause_max.as_nanos() as u64 + 1);
                self.wakes = Some(now + Duration::from_nanos(nanos.max(1)));
                return;
            }
            if self.may_read {
                self.read_some(now, rng);
            }
            if self.may_write {
                self.write_some(now, rng);
            }
        }
        let peer_is_done = self.peer_fin && self.connection.is_at_end();
        let done = self.written == self.program.total;
        if done && !self.shut && (self.program.finishes_first || peer_is_done) {
            self.shut = true;
            self.connection.shutdown();
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected => {
                assert!(!self.connected, "connected twice");
                self.connected = true;
            }
            Event::Readable => self.may_read = true,
            Event::Writable => self.may_write = true,
            Event::PeerFin => {
                assert!(!self.peer_fin, "two FINs");
                self.peer_fin = true;
            }
            Event::Closed(reason) => {
                assert!(self.closed.is_none(), "closed twice");
                self.closed = Some(reason);
                self.may_write = false;
            }
            other => panic!("what is {other:?}?"),
        }
    }

    fn read_some(&mut self, now: Instant, rng: &mut Rng) {
        let max = rng.within(1..=self.program.read_max as u64) as usize;
        let Some(bytes) = self.connection.read(max, now) else {
            self.may_read = false;
            return;
        };
        assert!(!bytes.is_empty() && bytes.len() <= max, "{} of {max} bytes read", bytes.len());
        for (offset, byte) in (self.read..).zip(bytes.iter()) {
            assert_eq!(*byte, pattern(1 - self.index, offset), "byte {offset} is another");
        }
        self.read += bytes.len() as u64;
        if self.program.abort_at.is_some_and(|at| self.read >= at) {
            self.connection.abort();
            self.may_read = false;
            self.may_write = false;
        }
    }

    fn write_some(&mut self, now: Instant, rng: &mut Rng) {
        let left = self.program.total - self.written;
        if left == 0 {
            self.may_write = false;
            return;
        }
        let len = rng.within(1..=self.program.write_max as u64).min(left);
        let data: Bytes =
            (self.written..self.written + len).map(|at| pattern(self.index, at)).collect();
        let taken = self.connection.write(data, now) as u64;
        assert!(taken <= len);
        self.written += taken;
        self.may_write = taken == len;
    }

    /// A segment is about to be handed over.
    pub fn arrives(&mut self, segment: &Segment, peer_iss: SeqNum) {
        if segment.flags.contains(Flags::RST) {
            return;
        }
        if segment.flags.contains(Flags::SYN) {
            self.peer_scale = segment.options.window_scale.unwrap_or(0);
            self.received.push((0, 1));
        }
        let start = u64::from(segment.seq.saturating_distance_from(peer_iss));
        let syn = u64::from(segment.flags.contains(Flags::SYN));
        let end = start + syn + segment.payload.len() as u64;
        if segment.flags.contains(Flags::FIN) {
            self.peer_fin_at = Some(end);
        }
        if end > start {
            self.received.push((start, end));
            merge(&mut self.received);
        }
        // What we may send, at most.
        if segment.flags.contains(Flags::ACK) {
            let scale = if segment.flags.contains(Flags::SYN) { 0 } else { self.scale() };
            let edge = segment.ack + (u32::from(segment.window) << scale);
            self.edge_seen = Some(self.edge_seen.map_or(edge, |seen| seen.max(edge)));
        }
    }

    fn scale(&self) -> u8 {
        self.connection.info().window_scales.map_or(0, |(peer, _)| peer)
    }

    /// A segment comes out: it acknowledges only what came, offers no less than before, carries
    /// what was written, and fits into the peer's window and segment size.
    pub fn leaves(&mut self, segment: &Segment, peer_iss: SeqNum, mss_max: usize) {
        if segment.flags.contains(Flags::RST) {
            return;
        }
        let info = self.connection.info();
        if segment.flags.contains(Flags::ACK) {
            let acked = u64::from(segment.ack.saturating_distance_from(peer_iss));
            assert!(acked <= self.acknowledgeable(), "acknowledges {acked}: never received");
            let syn = segment.flags.contains(Flags::SYN);
            let scale = info.window_scales.filter(|_| !syn).map_or(0, |(_, own)| own);
            let edge = segment.ack + (u32::from(segment.window) << scale);
            let told = self.edge_told.unwrap_or(edge);
            // Less than the unit of the field may be taken back (RFC 7323, section 2.4).
            let rounded = edge + ((1 << scale) - 1);
            assert!(rounded.is_at_least(told), "the right edge went back from {told} to {edge}");
            self.edge_told = Some(edge.max(told));
        }
        let base = self.iss + 1;
        for (offset, byte) in segment.payload.iter().enumerate() {
            let at = u64::from((segment.seq + offset as u32).saturating_distance_from(base));
            assert_eq!(*byte, pattern(self.index, at), "sent a wrong byte {at}");
        }
        let size = match segment.gso_size {
            0 => segment.payload.len(),
            size => usize::from(size),
        };
        let options = option_bytes(segment);
        assert!(size == 0 || size + options <= mss_max, "{size} bytes and {options} of options");
        if let Some(edge) = self.edge_seen.filter(|_| !segment.payload.is_empty()) {
            let end = segment.seq + segment.payload.len() as u32;
            assert!(end.is_at_most(edge), "sent up to {end}, the window ends at {edge}");
        }
    }

    /// The end of what came without a hole, in the peer's sequence space.
    fn acknowledgeable(&self) -> u64 {
        let whole = self.received.first().filter(|r| r.0 == 0).map_or(0, |r| r.1);
        whole + u64::from(self.peer_fin_at == Some(whole))
    }

    /// What must hold between any two steps.
    pub fn check(&mut self, now: Instant) {
        let info = self.connection.info();
        assert!(info.snd_una.is_at_most(info.snd_nxt), "SND.UNA beyond SND.NXT");
        if let Some(edge) = self.edge_seen.filter(|_| info.state.is_synchronized()) {
            assert!(info.snd_nxt.is_at_most(edge + 1), "SND.NXT beyond the window");
        }
        if let Some(last) = self.last.take().filter(|last| last.state.is_synchronized()) {
            assert!(info.snd_una.is_at_least(last.snd_una), "SND.UNA went back");
            assert!(info.rcv_nxt.is_at_least(last.rcv_nxt), "RCV.NXT went back");
            let edges = (info.rcv_nxt + info.rcv_wnd, last.rcv_nxt + last.rcv_wnd);
            assert!(edges.0.is_at_least(edges.1), "the right edge went back");
        }
        assert!(info.unread as u64 + u64::from(info.out_of_order) <= 64 << 20);
        assert!(
            self.connection.check(),
            "the connection contradicts itself: {:?}",
            self.connection
        );
        assert!(info.sacked + info.lost + info.resent <= info.unacknowledged);
        assert!(info.congestion_window >= 1 || info.phase == Phase::Recovery);
        let waits = info.unsent > 0 || info.unacknowledged > 0;
        if waits && info.state.may_transmit() {
            // What is to be sent, or to be acknowledged, has a timer: nothing else may ever happen.
            assert!(self.connection.next_deadline().is_some(), "nothing will move it: {info:?}");
        }
        if let Some(deadline) = self.connection.next_deadline() {
            assert!(deadline > now, "a deadline at {deadline}, which is no later than now");
            assert!(info.state != State::Closed, "a closed connection waits for {deadline}");
        }
        self.last = Some(info);
    }
}

fn merge(ranges: &mut Vec<(u64, u64)>) {
    ranges.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(ranges.len());
    for range in ranges.drain(..) {
        match merged.last_mut() {
            Some(last) if range.0 <= last.1 => last.1 = last.1.max(range.1),
            _ => merged.push(range),
        }
    }
    *ranges = merged;
}

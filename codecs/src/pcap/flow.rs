//! A connection as packets: who says what, and the sequence numbers of both.

use std::net::SocketAddr;
use std::time::Duration;

use super::packet::{ACK, FIN, PSH, RST, SYN, Segment, packet};
use super::pcapng::packet_block;

/// The most bytes of one segment: what IPv4 can carry, rounded down.
const SEGMENT_BYTES_MAX: usize = 32 * 1024;

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The peer.
    Peer,
    /// We.
    Us,
}

/// A connection that is written down as packets of TCP.
#[derive(Clone, Debug)]
pub struct Flow {
    peer: SocketAddr,
    us: SocketAddr,
    peer_seq: u32,
    our_seq: u32,
    begun: bool,
    peer_ended: bool,
    we_ended: bool,
}

impl Flow {
    /// A connection between these two.
    #[must_use]
    pub fn new(peer: SocketAddr, us: SocketAddr) -> Self {
        let (peer_seq, our_seq) = (0, 0);
        Self { peer, us, peer_seq, our_seq, begun: false, peer_ended: false, we_ended: false }
    }

    fn segment(&self, side: Side, flags: u8) -> Segment {
        match side {
            Side::Peer => Segment {
                from: self.peer,
                to: self.us,
                seq: self.peer_seq,
                ack: self.our_seq,
                flags,
            },
            Side::Us => Segment {
                from: self.us,
                to: self.peer,
                seq: self.our_seq,
                ack: self.peer_seq,
                flags,
            },
        }
    }

    fn emit(&mut self, at: Duration, side: Side, flags: u8, out: &mut Vec<u8>) {
        let (packet, length) = packet(self.segment(side, flags), &[], 0);
        packet_block(at, &packet, length, out);
        // SYN and FIN take a number each.
        self.advance(side, u32::from(flags & (SYN | FIN) != 0));
    }

    fn advance(&mut self, side: Side, n: u32) {
        match side {
            Side::Peer => self.peer_seq = self.peer_seq.wrapping_add(n),
            Side::Us => self.our_seq = self.our_seq.wrapping_add(n),
        }
    }

    /// The handshake, begun by `client`.
    pub fn open(&mut self, at: Duration, client: Side, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let server = other(client);
        self.emit(at, client, SYN, out);
        self.emit(at, server, SYN | ACK, out);
        self.emit(at, client, ACK, out);
    }

    /// Bytes, in as many segments as they need, and the other side's acknowledgement.
    pub fn data(&mut self, at: Duration, side: Side, bytes: &[u8], out: &mut Vec<u8>) {
        for chunk in bytes.chunks(SEGMENT_BYTES_MAX) {
            self.piece(at, side, chunk, chunk.len(), out);
        }
        if !bytes.is_empty() {
            self.emit(at, other(side), ACK, out);
        }
    }

    /// Bytes that the program has not got, those of a file say: packets that were cut.
    pub fn unseen(&mut self, at: Duration, side: Side, mut length: u64, out: &mut Vec<u8>) {
        let any = length > 0;
        while length > 0 {
            let piece = length.min(SEGMENT_BYTES_MAX as u64);
            self.piece(at, side, &[], piece as usize, out);
            length -= piece;
        }
        if any {
            self.emit(at, other(side), ACK, out);
        }
    }

    fn piece(&mut self, at: Duration, side: Side, bytes: &[u8], len: usize, out: &mut Vec<u8>) {
        let (packet, length) = packet(self.segment(side, PSH | ACK), bytes, len);
        packet_block(at, &packet, length, out);
        self.advance(side, len as u32);
    }

    /// One side has nothing more to say.
    pub fn end(&mut self, at: Duration, side: Side, out: &mut Vec<u8>) {
        let ended = match side {
            Side::Peer => &mut self.peer_ended,
            Side::Us => &mut self.we_ended,
        };
        if !self.begun || std::mem::replace(ended, true) {
            return;
        }
        self.emit(at, side, FIN | ACK, out);
        self.emit(at, other(side), ACK, out);
    }

    /// The connection broke: a reset, by the one who broke it.
    pub fn reset(&mut self, at: Duration, side: Side, out: &mut Vec<u8>) {
        if self.begun && !(self.peer_ended && self.we_ended) {
            (self.peer_ended, self.we_ended) = (true, true);
            self.emit(at, side, RST | ACK, out);
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Peer => Side::Us,
        Side::Us => Side::Peer,
    }
}

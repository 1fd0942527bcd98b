//! Fragments become datagrams again (RFC 815, RFC 8200 section 4.5).
//!
//! A datagram with overlapping fragments is dropped as a whole, and what comes of it later, too
//! (RFC 5722): what hides behind overlaps was never anything good. An exact copy of a fragment is
//! just a copy. The pieces of all datagrams share a cap in bytes, and the oldest datagram makes
//! room.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;

use crate::stack::counters::DropReason;
use crate::wire::IpProtocol;

/// The longest payload of an IP packet.
const LENGTH_MAX: usize = 65_535;
/// What a datagram and a fragment cost besides their bytes: places in trees whose nodes are half empty.
const DATAGRAM_BYTES: usize = 1024;
const PIECE_BYTES: usize = 128;

/// The ECN bits of a packet that met congestion.
const CONGESTION: u8 = 3;

/// What the fragments of one datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) identification: u32,
    /// Of IPv4; IPv6 does not tell by it (RFC 8200, section 4.5).
    pub(crate) protocol: u8,
}

/// A fragment.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) offset: usize,
    pub(crate) more: bool,
    pub(crate) payload: Bytes,
    /// What the payload begins with; counts for the first one.
    pub(crate) protocol: IpProtocol,
    /// The packet it came in.
    pub(crate) packet: Bytes,
    /// ECN and the rest; of the first.
    pub(crate) traffic_class: u8,
}

/// A datagram that is whole again.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    pub(crate) payload: Bytes,
    pub(crate) protocol: IpProtocol,
    /// The packet of the first fragment.
    pub(crate) packet: Bytes,
    pub(crate) traffic_class: u8,
}

#[derive(Debug)]
struct Datagram {
    /// When its first fragment came, and as the how manyth.
    order: u64,
    expires: Instant,
    /// By offset, without gaps or overlaps being possible to hide.
    pieces: BTreeMap<usize, Bytes>,
    first: Option<(IpProtocol, Bytes, u8)>,
    end: Option<usize>,
    received: usize,
    /// Bytes that count for the cap.
    cost: usize,
    /// A router marked congestion on one of the pieces (RFC 3168, section 5.3).
    marked: bool,
    /// Overlaps were seen: everything of it is dropped until its time is over.
    poisoned: bool,
}

/// What a fragment led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is kept.
    Waiting,
    /// It was the last one missing.
    Whole(Whole),
    /// It is dropped, perhaps with its datagram.
    Dropped(DropReason),
}

/// Datagrams in pieces.
#[derive(Debug)]
pub(crate) struct Reassembly {
    datagrams: BTreeMap<Key, Datagram>,
    /// By age.
    order: BTreeMap<u64, Key>,
    next_order: u64,
    bytes: usize,
    bytes_max: usize,
    pieces_max: usize,
    /// Of IPv4 and of IPv6.
    timeouts: [Duration; 2],
    /// Deadlines, the earliest first.
    deadlines: BTreeMap<(Instant, u64), Key>,
}

impl Reassembly {
    /// The times are those that an IPv4 and an IPv6 datagram have.
    pub(crate) fn new(bytes_max: usize, pieces_max: usize, timeouts: (Duration, Duration)) -> Self {
        Self {
            datagrams: BTreeMap::new(),
            order: BTreeMap::new(),
            next_order: 0,
            bytes: 0,
            bytes_max,
            pieces_max,
            timeouts: [timeouts.0, timeouts.1],
            deadlines: BTreeMap::new(),
        }
    }

    /// Bytes that are held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// When the time of the next datagram is over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes out the next datagram whose time is over: the packet of its first fragment, when
    /// that came and an error about it makes sense.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Option<Bytes>> {
        if self.next_deadline()? > now {
            return None;
        }
        let (_, key) = self.deadlines.first_key_value()?;
        let key = *key;
        let datagram = self.remove(&key)?;
        let told = datagram.first.filter(|_| !datagram.poisoned);
        Some(told.map(|(_, packet, _)| packet))
    }

    fn remove(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.order.remove(&datagram.order);
        self.deadlines.remove(&(datagram.expires, datagram.order));
        self.bytes -= datagram.cost;
        Some(datagram)
    }

    /// Drops the pieces of a datagram, and what is still to come of it.
    fn poison(&mut self, key: &Key) {
        if let Some(datagram) = self.datagrams.get_mut(key) {
            self.bytes -= datagram.cost - DATAGRAM_BYTES;
            datagram.cost = DATAGRAM_BYTES;
            datagram.pieces.clear();
            datagram.first = None;
            datagram.poisoned = true;
        }
    }

    /// Takes a fragment. `evicted` is told how many datagrams made room for it.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        key: Key,
        piece: Piece,
        evicted: &mut u64,
    ) -> Outcome {
        let end = piece.offset + piece.payload.len();
        let ragged = piece.more && !piece.payload.len().is_multiple_of(8);
        if end > LENGTH_MAX || ragged || (piece.more && piece.payload.is_empty()) {
            return Outcome::Dropped(DropReason::FragmentBounds);
        }
        if !self.datagrams.contains_key(&key) {
            self.begin(now, key);
        }
        let Some(datagram) = self.datagrams.get_mut(&key) else {
            return Outcome::Dropped(DropReason::FragmentEvicted);
        };
        match datagram.check(&piece, end, self.pieces_max) {
            Check::Copy => return Outcome::Waiting,
            Check::Bad(reason) => {
                self.poison(&key);
                return Outcome::Dropped(reason);
            }
            Check::Good => {}
        }
        let first = if piece.offset == 0 { piece.packet.len() } else { 0 };
        let cost = piece.payload.len() + first + PIECE_BYTES;
        datagram.insert(piece, end, cost);
        self.bytes += cost;
        if datagram.end == Some(datagram.received) {
            let datagram = self.remove(&key);
            return datagram.and_then(Datagram::join).map_or(Outcome::Waiting, Outcome::Whole);
        }
        self.make_room(&key, evicted)
    }

    fn begin(&mut self, now: Instant, key: Key) {
        let order = self.next_order;
        self.next_order += 1;
        let expires = now + self.timeouts[usize::from(key.source.is_ipv6())];
        self.order.insert(order, key);
        self.deadlines.insert((expires, order), key);
        self.bytes += DATAGRAM_BYTES;
        self.datagrams.insert(
            key,
            Datagram {
                order,
                expires,
                pieces: BTreeMap::new(),
                first: None,
                end: None,
                received: 0,
                cost: DATAGRAM_BYTES,
                marked: false,
                poisoned: false,
            },
        );
    }

    /// The oldest datagrams go until the cap holds; it may be the new one itself.
    fn make_room(&mut self, key: &Key, evicted: &mut u64) -> Outcome {
        while self.bytes > self.bytes_max
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let oldest = *oldest;
            self.remove(&oldest);
            *evicted += 1;
            if oldest == *key {
                return Outcome::Dropped(DropReason::FragmentEvicted);
            }
        }
        Outcome::Waiting
    }
}

enum Check {
    Good,
    Copy,
    Bad(DropReason),
}

impl Datagram {
    fn check(&self, piece: &Piece, end: usize, pieces_max: usize) -> Check {
        if self.poisoned {
            return Check::Bad(DropReason::FragmentOverlap);
        }
        if self.pieces.get(&piece.offset).is_some_and(|there| *there == piece.payload) {
            return Check::Copy;
        }
        // Behind the end, or an end before what is there.
        let beyond = self.end.is_some_and(|last| end > last || (!piece.more && end != last));
        let last = self.pieces.last_key_value().map_or(0, |(at, bytes)| at + bytes.len());
        if beyond || (!piece.more && end < last) {
            return Check::Bad(DropReason::FragmentBounds);
        }
        let before = self.pieces.range(..=piece.offset).next_back();
        let overlaps = before.is_some_and(|(at, bytes)| at + bytes.len() > piece.offset)
            || self.pieces.range(piece.offset..end).next().is_some();
        if overlaps {
            return Check::Bad(DropReason::FragmentOverlap);
        }
        if self.pieces.len() >= pieces_max {
            return Check::Bad(DropReason::FragmentCount);
        }
        Check::Good
    }

    /// Keeps a copy: what a frame lies in may be much larger than the fragment, and must not live as
    /// long.
    fn insert(&mut self, piece: Piece, end: usize, cost: usize) {
        if piece.offset == 0 {
            let packet = Bytes::copy_from_slice(&piece.packet);
            self.first = Some((piece.protocol, packet, piece.traffic_class));
        }
        if !piece.more {
            self.end = Some(end);
        }
        self.marked |= piece.traffic_class & CONGESTION == CONGESTION;
        self.received += piece.payload.len();
        self.cost += cost;
        self.pieces.insert(piece.offset, Bytes::copy_from_slice(&piece.payload));
    }

    /// All pieces in one. There are no overlaps, so as many bytes as the end says are all of them.
    fn join(self) -> Option<Whole> {
        let (protocol, packet, traffic_class) = self.first?;
        let traffic_class = if self.marked { traffic_class | CONGESTION } else { traffic_class };
        let mut payload = Vec::with_capacity(self.received);
        self.pieces.values().for_each(|piece| payload.extend_from_slice(piece));
        Some(Whole { payload: payload.into(), protocol, packet, traffic_class })
    }
}

#[cfg(test)]
mod tests;

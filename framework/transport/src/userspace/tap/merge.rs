//! Plain frames in, super-segments out: TCP segments that follow each other are put together before
//! the stack sees them, when the device does not do it (Linux calls it GRO).
//!
//! While a chain grows, the next frame is read in two parts: its headers beside the block, the rest
//! behind what the chain has. If it continues the chain, its payload is where it belongs and nothing
//! was copied; if not, it is moved up behind its headers.
//!
//! Only what a cut of one super-segment could have made is put together: same headers but for number,
//! checksums and PSH, same payload lengths but for the last. Checksums are verified here, for a sum of
//! several cannot be verified any more. A frame that stays alone is the stack's to look at.

use fyke_stack::wire::virtio_net;
use fyke_stack::wire::{IpProtocol, PseudoHeader, Sum};

use super::header::Span;

const NETWORK: usize = 14;
pub(super) const TRANSPORT: usize = NETWORK + 20;
const LENGTH: usize = NETWORK + 2;
const NETWORK_CHECKSUM: usize = NETWORK + 10;
const SEQ: usize = TRANSPORT + 4;
pub(super) const FLAGS: usize = TRANSPORT + 13;

pub(super) const ACK: u8 = 0x10;
pub(super) const PSH: u8 = 0x08;

/// The longest headers of a chain: no options before TCP, all that it can have behind.
pub(super) const HEADERS_MAX: usize = TRANSPORT + 60;

/// The longest IP packet.
const PACKET_MAX: usize = 65_535;

/// What is the same in all segments of a chain. Between are lengths, numbers and checksums.
const SAME: [std::ops::Range<usize>; 6] = [
    0..LENGTH,                      // addresses, traffic class
    NETWORK + 6..NETWORK_CHECKSUM,  // no fragment, the hop limit, TCP
    NETWORK + 12..SEQ,              // addresses, ports
    TRANSPORT + 8..FLAGS,           // what is acknowledged, the length of the header
    FLAGS + 1..TRANSPORT + 16,      // window
    TRANSPORT + 18..TRANSPORT + 20, // urgent pointer
];

/// Segments that follow each other.
#[derive(Debug)]
pub(super) struct Chain {
    /// Where its headers begin in the block.
    start: usize,
    /// Where its payload ends in the block.
    end: usize,
    headers: usize,
    /// Payload of the first, and of all but the last.
    size: usize,
    next: u32,
    segments: usize,
    /// The first one's checksums are right.
    verified: bool,
}

impl Chain {
    /// A chain that begins with the frame at `start..end` of `block`, if that may be continued.
    pub(super) fn begin(block: &[u8], start: usize, end: usize) -> Option<Self> {
        let frame = &block[start..end];
        let headers = headers_of(frame)?;
        let size = frame.len() - headers;
        if size == 0 || frame[FLAGS] != ACK {
            return None;
        }
        let next = number(frame).wrapping_add(size as u32);
        Some(Self { start, end, headers, size, next, segments: 1, verified: false })
    }

    /// How long the headers of the next segment are.
    pub(super) fn headers(&self) -> usize {
        self.headers
    }

    /// Where the payload of the next segment belongs.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// Continues with the segment of these headers, whose `payload` bytes are at the chain's end.
    /// Answers whether it is one of this chain, and whether another one may follow.
    pub(super) fn push(&mut self, block: &[u8], headers: &[u8], payload: usize) -> (bool, bool) {
        let first = &block[self.start..self.end];
        let longest = PACKET_MAX.min(block.len() - self.start) + NETWORK;
        let follows = headers_of_length(headers, payload) == Some(self.headers)
            && number(headers) == self.next
            && headers[FLAGS] & !PSH == ACK
            && payload > 0
            && payload <= self.size
            && self.end - self.start + payload <= longest
            && SAME.iter().all(|part| headers[part.clone()] == first[part.clone()])
            && headers[TRANSPORT + 20..] == first[TRANSPORT + 20..self.headers];
        if !follows {
            return (false, false);
        }
        if !self.verified {
            let (head, rest) = first.split_at(self.headers);
            if !checksums_are_right(head, rest) {
                return (false, false);
            }
            self.verified = true;
        }
        if !checksums_are_right(headers, &block[self.end..self.end + payload]) {
            return (false, false);
        }
        self.end += payload;
        self.next = self.next.wrapping_add(payload as u32);
        self.segments += 1;
        (true, headers[FLAGS] & PSH == 0 && payload == self.size)
    }

    /// The chain is complete: what stands for it in the block, if it is more than one segment. `pushed`
    /// says that its last one had PSH set.
    pub(super) fn finish(&self, block: &mut [u8], span: &mut Span, pushed: bool) {
        if self.segments < 2 {
            return;
        }
        let frame = &mut block[self.start..self.end];
        let length = (frame.len() - NETWORK) as u16;
        frame[LENGTH..LENGTH + 2].copy_from_slice(&length.to_be_bytes());
        frame[NETWORK_CHECKSUM..NETWORK_CHECKSUM + 2].fill(0);
        let sum = Sum::new().with([&frame[NETWORK..TRANSPORT]]).checksum();
        frame[NETWORK_CHECKSUM..NETWORK_CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        if pushed {
            frame[FLAGS] |= PSH;
        }
        span.end = self.end;
        span.header.checksum = virtio_net::Checksum::Valid;
        let (kind, size) = (virtio_net::GsoKind::TcpV4, self.size as u16);
        span.header.gso = Some(virtio_net::Gso { kind, ecn: false, size });
    }
}

/// Whether two segments have the same ends and nothing that differs before TCP's numbers.
pub(super) fn same_flow(one: &[u8], other: &[u8]) -> bool {
    SAME[..3].iter().all(|part| one[part.clone()] == other[part.clone()])
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes([frame[SEQ], frame[SEQ + 1], frame[SEQ + 2], frame[SEQ + 3]])
}

/// The length of the headers of a whole TCP segment over IPv4, without padding.
pub(super) fn headers_of(frame: &[u8]) -> Option<usize> {
    let headers = frame.get(..HEADERS_MAX.min(frame.len()))?;
    headers_of_length(headers, frame.len() - headers.len())
}

/// As [`headers_of`], for a frame in two parts.
fn headers_of_length(front: &[u8], rest: usize) -> Option<usize> {
    const MORE_OR_OFFSET: u16 = 0x3fff;
    if front.len() < TRANSPORT + 20 || front[NETWORK - 2..NETWORK + 1] != [0x08, 0x00, 0x45] {
        return None;
    }
    let word = |at: usize| u16::from_be_bytes([front[at], front[at + 1]]);
    let whole = usize::from(word(LENGTH)) + NETWORK == front.len() + rest;
    let fragment = word(NETWORK + 6) & MORE_OR_OFFSET != 0;
    let headers = TRANSPORT + usize::from(front[TRANSPORT + 12] >> 4) * 4;
    let tcp = front[NETWORK + 9] == 6 && front[TRANSPORT + 12] & 0xf == 0;
    let fits = headers >= TRANSPORT + 20 && headers <= front.len();
    (whole && tcp && !fragment && fits).then_some(headers)
}

/// Whether the checksums of both headers are right.
pub(super) fn checksums_are_right(headers: &[u8], payload: &[u8]) -> bool {
    let (network, transport) = headers[NETWORK..].split_at(TRANSPORT - NETWORK);
    let address = |at: usize| <[u8; 4]>::try_from(&network[at..at + 4]).map(std::net::IpAddr::from);
    let (Ok(source), Ok(destination)) = (address(12), address(16)) else { return false };
    let Some(pseudo) = PseudoHeader::new(source, destination) else { return false };
    let length = transport.len() + payload.len();
    Sum::new().with([network]).checksum() == 0
        && pseudo.sum(IpProtocol::TCP, length).with([transport, payload]).checksum() == 0
}

#[cfg(test)]
mod tests;

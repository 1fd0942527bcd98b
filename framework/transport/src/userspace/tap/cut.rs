//! Super-segments in, plain frames out, for a kernel that is not asked to do it: the stack goes
//! through its layers once for many frames, and here each frame is copied and summed once.
//!
//! [`Segmenter`](fyke_stack::Segmenter) does the same in general; this writes each frame into one
//! piece of memory, because a system call with one piece is cheaper than one with several.

use std::net::IpAddr;

use fyke_stack::wire::virtio_net;
use fyke_stack::wire::{IpProtocol, PseudoHeader, Sum};
use fyke_stack::{TxChecksum, TxFrame};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;
const CHECKSUM: usize = 16;
const CHECKSUM_V4: usize = 10;

/// Writes `frame` into `out` with `front` zero bytes before it, completes its checksum, and gives it
/// to `send`; a super-segment in pieces. Answers how many.
pub(super) fn cut(
    frame: &TxFrame<'_>,
    front: usize,
    out: &mut Vec<u8>,
    mut send: impl FnMut(&[u8]),
) -> usize {
    out.clear();
    out.resize(front, 0);
    out.extend_from_slice(frame.header);
    let (Some(gso), Some(pseudo)) = (frame.gso, pseudo_of(frame)) else {
        frame.payload.iter().for_each(|piece| out.extend_from_slice(piece));
        if let TxChecksum::Partial { start, offset } = frame.checksum {
            // A field that is not in the frame is the stack's mistake: then it goes as it is.
            let _ = virtio_net::complete_checksum(&mut out[front..], start, offset);
        }
        send(out);
        return 1;
    };
    let headers = out.len();
    let same = Same::of(frame, &pseudo);
    let size = usize::from(gso.size).max(1);
    let mut left: usize = frame.payload.iter().map(|piece| piece.len()).sum();
    let mut pieces = Pieces { rest: frame.payload, at: 0 };
    let (mut offset, mut number) = (0, 0);
    loop {
        let piece = left.min(size);
        pieces.copy(piece, out);
        left -= piece;
        let at = Position { offset, number, last: left == 0 };
        same.fix(&mut out[front..], &at);
        send(out);
        (offset, number) = (offset.wrapping_add(piece as u32), number + 1);
        if left == 0 {
            return usize::from(number);
        }
        // The next one's headers are the first one's again.
        out.truncate(headers);
        out[front..].copy_from_slice(frame.header);
    }
}

/// Where a piece stands in its super-segment.
struct Position {
    offset: u32,
    number: u16,
    last: bool,
}

/// A payload that is taken from the front.
struct Pieces<'a> {
    rest: &'a [&'a [u8]],
    at: usize,
}

impl Pieces<'_> {
    fn copy(&mut self, mut count: usize, out: &mut Vec<u8>) {
        while count > 0
            && let Some(piece) = self.rest.first()
        {
            let part = &piece[self.at..piece.len().min(self.at + count)];
            out.extend_from_slice(part);
            (self.at, count) = (self.at + part.len(), count - part.len());
            if self.at == piece.len() {
                (self.rest, self.at) = (&self.rest[1..], 0);
            }
        }
    }
}

/// The addresses of a frame whose headers are where it says.
fn pseudo_of(frame: &TxFrame<'_>) -> Option<PseudoHeader> {
    let (from, to) = (usize::from(frame.network_offset), usize::from(frame.transport_offset));
    frame.header.get(to..).filter(|transport| transport.len() >= 20)?;
    let network = frame.header.get(from..to)?;
    let v4 = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(network.get(at..at + 4)?).ok()?));
    let v6 = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(network.get(at..at + 16)?).ok()?));
    match network.first()? >> 4 {
        4 => PseudoHeader::new(v4(12)?, v4(16)?),
        6 => PseudoHeader::new(v6(8)?, v6(24)?),
        _ => None,
    }
}

/// What is the same in all pieces, summed once.
struct Same {
    network: usize,
    transport: usize,
    headers: usize,
    /// Of IPv4's header without length, identification and checksum; for IPv6 there is none.
    network_sum: Option<Sum>,
    /// Of the pseudo-header without the length, and of TCP's header without number, flags and checksum.
    transport_sum: Sum,
}

impl Same {
    fn of(frame: &TxFrame<'_>, pseudo: &PseudoHeader) -> Self {
        let (from, to) = (usize::from(frame.network_offset), usize::from(frame.transport_offset));
        let (network, transport) = (&frame.header[from..to], &frame.header[to..]);
        let ipv4 = network[0] >> 4 == 4;
        let network_sum = ipv4.then(|| {
            Sum::new().with([&network[..2], &network[6..CHECKSUM_V4], &network[CHECKSUM_V4 + 2..]])
        });
        let parts =
            [&transport[..4], &transport[8..12], &transport[14..CHECKSUM], &transport[18..]];
        let transport_sum = pseudo.sum(IpProtocol::TCP, 0).with(parts);
        Self {
            network: from,
            transport: to,
            headers: frame.header.len(),
            network_sum,
            transport_sum,
        }
    }

    /// Lengths, numbers, flags and checksums of one piece: PSH and FIN belong to the last, CWR to the
    /// first (RFC 3168, section 6.1.2).
    fn fix(&self, bytes: &mut [u8], at: &Position) {
        let length = bytes.len() - self.network;
        let (headers, transport) = bytes.split_at_mut(self.transport);
        let network = &mut headers[self.network..];
        if let Some(mut sum) = self.network_sum {
            let number = word(network, 4).wrapping_add(at.number);
            sum.add_word(length as u16);
            sum.add_word(number);
            network[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            network[4..6].copy_from_slice(&number.to_be_bytes());
            network[CHECKSUM_V4..][..2].copy_from_slice(&sum.checksum().to_be_bytes());
        } else {
            network[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
        }
        let seq = u32::from_be_bytes([transport[4], transport[5], transport[6], transport[7]]);
        let seq = seq.wrapping_add(at.offset);
        transport[4..8].copy_from_slice(&seq.to_be_bytes());
        if !at.last {
            transport[13] &= !(FIN | PSH);
        }
        if at.number > 0 {
            transport[13] &= !CWR;
        }
        let mut sum = self.transport_sum;
        // Less than 2^16, as what was cut was an IP packet.
        sum.add_word(transport.len() as u16);
        sum.add_word((seq >> 16) as u16);
        sum.add_word(seq as u16);
        sum.add_word(word(transport, 12));
        sum.add(&transport[self.headers - self.transport..]);
        transport[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.checksum().to_be_bytes());
    }
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use fyke_stack::{Gso, GsoKind, Segmenter, TxSink};

    /// Headers of a TCP segment; for IPv4 with flags that belong to certain pieces only.
    fn headers(v6: bool) -> (Vec<u8>, u16) {
        let mut bytes = vec![0; 14];
        if v6 {
            bytes.extend([0x60, 0, 0, 0, 0, 0, 6, 64]);
            bytes.extend([0xfd; 32]);
        } else {
            bytes.extend([
                0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, 6, 0, 0, 10, 7, 0, 2, 10, 7, 0, 1,
            ]);
        }
        let transport = bytes.len() as u16;
        bytes.extend([0x1b, 0x58, 0xc0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 9, 0x50]);
        bytes.extend([0x10 | FIN | PSH | CWR, 1, 0, 0, 0, 0, 0]);
        (bytes, transport)
    }

    #[test]
    fn pieces_are_those_of_the_segmenter() {
        let payload: Vec<u8> = (0..2500_u32).map(|n| n as u8).collect();
        let parts = [&payload[..700], &payload[700..701], &[], &payload[701..]];
        for (v6, kind) in [(false, GsoKind::Tcp4), (true, GsoKind::Tcp6)] {
            let (header, transport_offset) = headers(v6);
            for size in [1000, 2500, 7, 2499] {
                let frame = TxFrame {
                    header: &header,
                    payload: &parts,
                    network_offset: 14,
                    transport_offset,
                    gso: Some(Gso { size, kind }),
                    checksum: TxChecksum::Partial { start: transport_offset, offset: 16 },
                };
                let mut wanted: Vec<Bytes> = Vec::new();
                Segmenter::new(&mut wanted).transmit(frame);
                let mut got = Vec::new();
                let count = cut(&frame, 10, &mut Vec::new(), |piece| got.push(piece.to_vec()));
                assert_eq!((got.len(), count), (wanted.len(), wanted.len()));
                for (got, wanted) in got.iter().zip(wanted) {
                    assert_eq!((&got[..10], &got[10..]), (&[0; 10][..], &wanted[..]), "{size}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_super_segment_is_completed_in_one_piece() {
        let (header, transport_offset) = headers(false);
        for checksum in [
            TxChecksum::Complete,
            TxChecksum::Partial { start: transport_offset, offset: 16 },
            TxChecksum::Partial { start: 60_000, offset: 16 },
        ] {
            let frame = TxFrame {
                header: &header,
                payload: &[b"one", b"two"],
                network_offset: 14,
                transport_offset,
                gso: None,
                checksum,
            };
            let mut wanted: Vec<Bytes> = Vec::new();
            Segmenter::new(&mut wanted).transmit(frame);
            let mut got = Vec::new();
            assert_eq!(cut(&frame, 0, &mut Vec::new(), |piece| got.push(piece.to_vec())), 1);
            assert_eq!(got, wanted);
        }
    }
}

//! The wire's side of the case: frames that are not a segment in its place.

use bytes::Bytes;
use fyke_stack::wire::{Emit, IpProtocol, PseudoHeader, Sum, ipv4, ipv6};
use fyke_stack::{RxChecksum, RxMeta};
use std::net::IpAddr;

use super::{Bits, Host, OURS, OURS4, OURS6, THEIRS, THEIRS4, THEIRS6};

impl Host {
    /// A frame of the stack's own, turned round or not, with damage.
    pub(super) fn throw_back(&mut self, bits: &mut Bits<'_>) {
        let (which, damage) = (usize::from(bits.byte()), bits.byte());
        let Some(frame) = self.sent.get(which % self.sent.len().max(1)) else { return };
        let mut bytes = frame.to_vec();
        let link = if self.ethernet { 14 } else { 0 };
        if damage & 1 != 0 && bytes.len() >= link + 40 {
            if self.ethernet {
                bytes[..6].copy_from_slice(&OURS.octets());
                bytes[6..12].copy_from_slice(&THEIRS.octets());
            }
            turn(&mut bytes[link..]);
        }
        for _ in 0..damage >> 1 & 7 {
            let at = usize::from(bits.word()) % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits.byte();
            }
        }
        let meta = RxMeta {
            checksum: if damage & 0x80 == 0 { RxChecksum::Valid } else { RxChecksum::None },
            gso_size: if damage & 0x40 == 0 { 0 } else { bits.word() },
        };
        self.stack.input(self.now, bytes.into(), meta);
    }

    /// Any bytes: as a frame, or behind a header that leads somewhere.
    pub(super) fn raw(&mut self, bits: &mut Bits<'_>) {
        let (how, len) = (bits.byte(), usize::from(bits.byte()));
        let bytes = bits.some(len);
        let meta = RxMeta { checksum: RxChecksum::Valid, gso_size: 0 };
        match how & 3 {
            0 => self.stack.input(self.now, Bytes::copy_from_slice(bytes), meta),
            1 => self.give(bytes, meta),
            _ => {
                let (from, to) = ends(how & 4 != 0);
                self.give(&ip(from, to, IpProtocol(bits.byte()), bytes), meta);
            }
        }
    }

    /// ICMP, ICMPv6, IGMP or UDP with its checksum right.
    pub(super) fn control(&mut self, bits: &mut Bits<'_>) {
        let (how, len) = (bits.byte(), usize::from(bits.byte()));
        let (from, to) = ends(how & 1 != 0);
        let mut body = bits.some(len.max(8)).to_vec();
        body.resize(body.len().max(8), 0);
        let (protocol, at) = match (how & 6, how & 1) {
            (0, _) => (IpProtocol::UDP, 6),
            (2, 0) => (IpProtocol::IGMP, 2),
            (_, 0) => (IpProtocol::ICMPV4, 2),
            _ => (IpProtocol::ICMPV6, 2),
        };
        if protocol == IpProtocol::UDP {
            body[2..4].copy_from_slice(&53_u16.to_be_bytes());
            let len = body.len() as u16;
            body[4..6].copy_from_slice(&len.to_be_bytes());
        }
        body[at..at + 2].fill(0);
        let mut sum = Sum::new();
        if matches!(protocol, IpProtocol::UDP | IpProtocol::ICMPV6) {
            let pseudo = PseudoHeader::new(from, to).unwrap();
            sum = pseudo.sum(protocol, body.len());
        }
        sum.add(&body);
        body[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
        let mut packet = ip(from, to, protocol, &body);
        if how & 8 != 0 && how & 1 != 0 {
            // Neighbour discovery comes from the link only.
            packet[7] = 255;
        }
        self.give(&packet, RxMeta::default());
    }

    /// A segment in pieces of the input's choosing.
    pub(super) fn pieces(&mut self, bits: &mut Bits<'_>) {
        let (id, count) = (bits.byte(), bits.byte() & 7);
        let body = [id; 1400];
        for _ in 0..count {
            let (at, len, more) = (bits.word() & 0x1fff, bits.byte(), bits.byte() & 3 != 0);
            let len = (usize::from(len) * 8).min(body.len());
            let mut header = ipv4::Header::new(THEIRS4, OURS4, IpProtocol::UDP, len as u16);
            header.identification = u16::from(id);
            header.more_fragments = more;
            header.fragment_offset = (at & 0xff) * 8;
            let mut packet = header.to_vec();
            packet.extend_from_slice(&body[..len]);
            self.give(&packet, RxMeta::default());
        }
    }

    /// An ICMP error about one of the stack's own packets.
    pub(super) fn error(&mut self, bits: &mut Bits<'_>) {
        let which = usize::from(bits.byte());
        let Some(frame) = self.sent.get(which % self.sent.len().max(1)) else { return };
        let quoted = frame.get(if self.ethernet { 14 } else { 0 }..).unwrap_or_default().to_vec();
        let six = quoted.first().is_some_and(|first| first >> 4 == 6);
        let mut body = vec![bits.byte(), bits.byte(), 0, 0, 0, 0, bits.byte(), bits.byte()];
        body.extend_from_slice(&quoted[..quoted.len().min(usize::from(bits.byte()))]);
        let (from, to) = ends(six);
        let mut sum = Sum::new();
        let protocol = if six { IpProtocol::ICMPV6 } else { IpProtocol::ICMPV4 };
        if six {
            sum = PseudoHeader::new(from, to).unwrap().sum(protocol, body.len());
        }
        sum.add(&body);
        body[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
        self.give(&ip(from, to, protocol, &body), RxMeta::default());
    }
}

/// Theirs and ours.
pub(super) fn ends(six: bool) -> (IpAddr, IpAddr) {
    if six { (THEIRS6.into(), OURS6.into()) } else { (THEIRS4.into(), OURS4.into()) }
}

pub(super) fn ip(from: IpAddr, to: IpAddr, protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4::Header::new(from, to, protocol, len).to_vec(),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6::Header::new(from, to, protocol, len).to_vec(),
        _ => unreachable!("of one family"),
    };
    bytes.extend_from_slice(payload);
    bytes
}

/// Source and destination change places, which leaves every checksum as it was.
fn turn(packet: &mut [u8]) {
    let (first, len) = if packet[0] >> 4 == 4 { (12, 4) } else { (8, 16) };
    let (head, tail) = packet.split_at_mut(first + len);
    head[first..].swap_with_slice(&mut tail[..len]);
    let ports = if first == 12 { 20 } else { 40 };
    if let Some([a, b, c, d]) = packet.get_mut(ports..ports + 4) {
        (*a, *b, *c, *d) = (*c, *d, *a, *b);
    }
}

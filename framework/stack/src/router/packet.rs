//! Packets under way in a router, and those that it makes or changes.

use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{Buf, BytesMut};

use crate::wire::checksum::{self, PseudoHeader};
use crate::wire::ethernet;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, icmpv4, icmpv6, ipv4, ipv6};

/// Bytes in front of a packet of the router's own: a link header, and one of a tunnel.
const ROOM: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN;

/// An IP packet in the buffer it came in, with what is in front of it.
pub(crate) struct Packet {
    bytes: BytesMut,
    /// Where the IP header begins.
    at: usize,
    /// What goes with it.
    pub(crate) mark: u32,
}

impl Packet {
    /// One that was received, behind `at` bytes.
    pub(super) const fn received(bytes: BytesMut, at: usize, mark: u32) -> Self {
        Self { bytes, at, mark }
    }

    /// One of the router's own.
    pub(super) fn own(parts: &[&[u8]], mark: u32) -> Self {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = BytesMut::with_capacity(ROOM + length);
        bytes.resize(ROOM, 0);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        Self { bytes, at: ROOM, mark }
    }

    /// The packet, from its IP header on.
    pub(crate) fn ip(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub(super) fn ip_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.at..).unwrap_or_default()
    }

    /// Bytes of the packet.
    pub(super) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// Cuts off what is behind so many bytes: the link's padding.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.at + len);
    }

    /// What is behind the first so many bytes is the packet from now on.
    pub(super) fn strip(&mut self, len: usize) {
        self.at = (self.at + len).min(self.bytes.len());
    }

    /// So many more bytes in front belong to the packet. When there are none the rest is copied.
    pub(super) fn grow_front(&mut self, len: usize) -> &mut [u8] {
        if self.at < len {
            let room = ROOM.max(len);
            let mut bytes = BytesMut::with_capacity(room + self.len());
            bytes.resize(room, 0);
            bytes.extend_from_slice(self.ip());
            (self.bytes, self.at) = (bytes, room);
        }
        self.at -= len;
        &mut self.bytes[self.at..][..len]
    }

    /// The packet, with nothing in front of it.
    pub(super) fn into_bytes(mut self) -> BytesMut {
        self.bytes.advance(self.at);
        self.bytes
    }

    /// The buffer as it came, or nearly so: for somebody who looks at what was dropped.
    pub(super) fn into_buffer(self) -> BytesMut {
        self.bytes
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packet").field("len", &self.len()).field("mark", &self.mark).finish()
    }
}

/// What a router has to say about a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Complaint {
    TimeExceeded,
    NoRoute,
    HostUnreachable,
    TooBig { mtu: usize },
}

/// Bytes of the quoted packet: with the headers an error stays within what every link carries
/// (RFC 1812, section 4.3.2.3; RFC 4443, section 2.4).
const QUOTE_V4_MAX: usize = 576 - 20 - 8;
const QUOTE_V6_MAX: usize = 1280 - 40 - 8;

/// The IP packet of an error about `packet`, from `source`; `None` when there must be none.
pub(super) fn error_about(packet: &[u8], source: IpAddr, what: Complaint) -> Option<Vec<u8>> {
    match source {
        IpAddr::V4(source) => error_v4(packet, source, what),
        IpAddr::V6(source) => error_v6(packet, source, what),
    }
}

fn error_v4(packet: &[u8], source: Ipv4Addr, what: Complaint) -> Option<Vec<u8>> {
    let about = ipv4::Packet::parse(packet).ok()?;
    let to = about.source();
    // RFC 1812, section 4.3.2.7: none about errors, later fragments, or senders that are no host.
    let is_error = about.protocol() == IpProtocol::ICMPV4
        && icmpv4::Packet::parse(about.payload()).map_or(true, |icmp| icmp.message().is_error());
    let nobody = to.is_unspecified() || to.is_broadcast() || to.is_multicast() || to.is_loopback();
    let group = about.destination().is_multicast() || about.destination().is_broadcast();
    if is_error || nobody || group || about.fragment_offset() != 0 {
        return None;
    }
    let message = match what {
        Complaint::TimeExceeded => {
            icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::TRANSIT }
        }
        Complaint::NoRoute => icmpv4::Message::Unreachable { code: icmpv4::unreachable::NET },
        Complaint::HostUnreachable => {
            icmpv4::Message::Unreachable { code: icmpv4::unreachable::HOST }
        }
        Complaint::TooBig { mtu } => {
            icmpv4::Message::FragmentationNeeded { mtu: u16::try_from(mtu).unwrap_or(u16::MAX) }
        }
    };
    let quote = &about.as_bytes()[..about.as_bytes().len().min(QUOTE_V4_MAX)];
    Some(icmp_v4(source, to, message, quote))
}

/// An ICMP message as an IP packet.
pub(super) fn icmp_v4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    message: icmpv4::Message,
    payload: &[u8],
) -> Vec<u8> {
    let length = icmpv4::HEADER_LEN + payload.len();
    let header = ipv4::Header::new(source, destination, IpProtocol::ICMPV4, length as u16);
    let header = ipv4::Header { dont_fragment: false, ..header };
    let mut bytes = header.to_vec();
    let mut icmp = message.to_vec();
    icmpv4::Message::fill_checksum(&mut icmp, &[payload]);
    bytes.extend_from_slice(&icmp);
    bytes.extend_from_slice(payload);
    bytes
}

fn error_v6(packet: &[u8], source: Ipv6Addr, what: Complaint) -> Option<Vec<u8>> {
    let about = ipv6::Packet::parse(packet).ok()?;
    let to = about.source();
    let is_error = about.may_be_icmp_error();
    let too_big = matches!(what, Complaint::TooBig { .. });
    let group = about.destination().is_multicast() && !too_big;
    if is_error || to.is_unspecified() || to.is_multicast() || group {
        return None;
    }
    let message = match what {
        Complaint::TimeExceeded => {
            icmpv6::Message::TimeExceeded { code: icmpv6::time_exceeded::TRANSIT }
        }
        Complaint::NoRoute => icmpv6::Message::Unreachable { code: icmpv6::unreachable::NO_ROUTE },
        Complaint::HostUnreachable => {
            icmpv6::Message::Unreachable { code: icmpv6::unreachable::ADDRESS }
        }
        Complaint::TooBig { mtu } => {
            icmpv6::Message::PacketTooBig { mtu: u32::try_from(mtu).unwrap_or(u32::MAX) }
        }
    };
    let quote = &about.as_bytes()[..about.as_bytes().len().min(QUOTE_V6_MAX)];
    Some(icmp_v6(source, to, 64, &message.to_vec(), quote))
}

/// An ICMPv6 message (`head` is what was emitted of it) as an IP packet.
pub(super) fn icmp_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    hop_limit: u8,
    head: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let length = head.len() + payload.len();
    let header = ipv6::Header::new(source, destination, IpProtocol::ICMPV6, length as u16);
    let mut bytes = ipv6::Header { hop_limit, ..header }.to_vec();
    let mut icmp = head.to_vec();
    let addresses = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut icmp, &addresses, &[payload], ChecksumIntent::Full);
    bytes.extend_from_slice(&icmp);
    bytes.extend_from_slice(payload);
    bytes
}

/// Whether a packet whose header was checked has a hop left.
pub(super) fn has_hop(packet: &[u8]) -> bool {
    let at = if packet[0] >> 4 == 6 { 7 } else { 8 };
    packet[at] > 1
}

/// Takes one off the TTL of a packet that has a hop left.
pub(super) fn count_hop(packet: &mut [u8]) {
    if packet[0] >> 4 == 6 {
        packet[7] -= 1;
        return;
    }
    let word = |packet: &[u8]| u16::from_be_bytes([packet[8], packet[9]]);
    let old = word(packet);
    packet[8] -= 1;
    let sum = u16::from_be_bytes([packet[10], packet[11]]);
    let sum = checksum::update(sum, old, word(packet));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// Cuts an IPv4 packet into fragments of at most `mtu` bytes (RFC 791, section 3.2).
pub(super) fn fragments(packet: &Packet, mtu: usize) -> Vec<Packet> {
    let Ok(whole) = ipv4::Packet::parse(packet.ip()) else { return Vec::new() };
    let (mut header, payload) = (whole.header(), whole.payload());
    let later = header.options.copied();
    let (start, more_behind) = (usize::from(header.fragment_offset), header.more_fragments);
    let (mut pieces, mut offset) = (Vec::new(), 0);
    // A fragment that ends behind the longest packet is none.
    if start + payload.len() > usize::from(u16::MAX) {
        return pieces;
    }
    while offset < payload.len() {
        if offset > 0 {
            header.options = later;
        }
        let room = mtu.saturating_sub(header.wire_len()) & !7;
        if room == 0 {
            return Vec::new();
        }
        let end = payload.len().min(offset + room);
        header.fragment_offset = (start + offset) as u16;
        header.more_fragments = more_behind || end < payload.len();
        header.payload_len = (end - offset) as u16;
        let mut bytes = [0; 60];
        let bytes = &mut bytes[..header.wire_len()];
        header.emit(bytes);
        pieces.push(Packet::own(&[bytes, &payload[offset..end]], packet.mark));
        offset = end;
    }
    pieces
}

/// Both addresses of a packet whose header was checked.
pub(super) fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    if let Ok(packet) = ipv4::Packet::parse_quoted(packet) {
        return Some((packet.source().into(), packet.destination().into()));
    }
    let packet = ipv6::Packet::parse_quoted(packet).ok()?;
    Some((packet.source().into(), packet.destination().into()))
}

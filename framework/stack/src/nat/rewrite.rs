//! Changing addresses and ports in a packet, with the checksums that cover them.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::wire::checksum::update_bytes;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, ipv4, tcp, udp};

use super::keys::{Endpoint, Protocol};

/// Which end of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    Source,
    Destination,
}

/// What a NAT box looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) protocol: Protocol,
    pub(super) source: Endpoint,
    pub(super) destination: Endpoint,
    /// TCP's control bits.
    pub(super) flags: u16,
}

/// The ends of a packet that can be translated. A ping has its identifier in place of both ports.
pub(super) fn ends_of(packet: &ipv4::Packet<'_>) -> Option<Ends> {
    if packet.fragment_offset() != 0 {
        return None;
    }
    let (protocol, from, to, flags) = match packet.protocol() {
        IpProtocol::TCP => {
            let &[a, b, c, d] = packet.payload().first_chunk()?;
            let flags = packet
                .payload()
                .get(12..14)
                .map_or(0, |word| u16::from_be_bytes([word[0], word[1]]) & 0x0fff);
            (Protocol::Tcp, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), flags)
        }
        IpProtocol::UDP => {
            let &[a, b, c, d] = packet.payload().first_chunk()?;
            (Protocol::Udp, u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), 0)
        }
        IpProtocol::ICMPV4 => {
            let icmp = icmpv4::Packet::parse(packet.payload()).ok()?;
            let identifier = match icmp.message() {
                icmpv4::Message::EchoRequest { identifier, .. }
                | icmpv4::Message::EchoReply { identifier, .. } => identifier,
                _ => return None,
            };
            (Protocol::Icmp, identifier, identifier, 0)
        }
        _ => return None,
    };
    let (source, destination) = ((packet.source(), from), (packet.destination(), to));
    Some(Ends { protocol, source, destination, flags })
}

/// Puts `to` in the place of one end of `packet`, whose header is whole. Behind it, what is cut off
/// is left alone, as in the quotes of ICMP errors.
pub(super) fn rewrite(packet: &mut [u8], which: Which, to: Endpoint) {
    let header_len = usize::from(packet[0] & 0xf) * 4;
    let protocol = IpProtocol(packet[9]);
    let address_at = if which == Which::Source { 12 } else { 16 };
    let old = [0, 1, 2, 3].map(|n| packet[address_at + n]);
    let new = to.0.octets();
    packet[address_at..address_at + 4].copy_from_slice(&new);
    fix(packet, 10, &old, &new);
    let (port_at, sum_at, pseudo) = match protocol {
        IpProtocol::TCP => (if which == Which::Source { 0 } else { 2 }, 16, true),
        IpProtocol::UDP => (if which == Which::Source { 0 } else { 2 }, 6, true),
        // The identifier.
        _ => (4, 2, false),
    };
    let (port_at, sum_at) = (header_len + port_at, header_len + sum_at);
    let Some(field) = packet.get_mut(port_at..port_at + 2) else { return };
    let old_port = [field[0], field[1]];
    let new_port = to.1.to_be_bytes();
    field.copy_from_slice(&new_port);
    let none = protocol == IpProtocol::UDP
        && packet.get(sum_at..sum_at + 2).is_some_and(|sum| sum == [0, 0]);
    if packet.len() < sum_at + 2 || none {
        return;
    }
    fix(packet, sum_at, &old_port, &new_port);
    if pseudo {
        fix(packet, sum_at, &old, &new);
    }
    if protocol == IpProtocol::UDP && packet[sum_at..sum_at + 2] == [0, 0] {
        // Zero would say that there is none (RFC 768).
        packet[sum_at..sum_at + 2].fill(0xff);
    }
}

fn fix(packet: &mut [u8], at: usize, old: &[u8], new: &[u8]) {
    let sum = u16::from_be_bytes([packet[at], packet[at + 1]]);
    packet[at..at + 2].copy_from_slice(&update_bytes(sum, old, new).to_be_bytes());
}

/// The reset that answers a segment, as RFC 9293 (section 3.10.7.1) has it for CLOSED; `None` when
/// it must not be answered.
pub(super) fn reset_for(packet: &[u8]) -> Option<Vec<u8>> {
    let ip = ipv4::Packet::parse(packet).ok()?;
    let segment = tcp::Packet::parse(ip.payload()).ok()?;
    if segment.flags() & tcp::RST != 0 {
        return None;
    }
    let has_ack = segment.flags() & tcp::ACK != 0;
    let control =
        u32::from(segment.flags() & tcp::SYN != 0) + u32::from(segment.flags() & tcp::FIN != 0);
    let length = segment.payload().len() as u32 + control;
    let header = tcp::Header {
        source_port: segment.destination_port(),
        destination_port: segment.source_port(),
        seq: if has_ack { segment.ack() } else { 0 },
        ack: if has_ack { 0 } else { segment.seq().wrapping_add(length) },
        flags: if has_ack { tcp::RST } else { tcp::RST | tcp::ACK },
        ..tcp::Header::default()
    };
    let (source, destination) = (ip.destination(), ip.source());
    let length = header.wire_len() as u16;
    let mut bytes = ipv4::Header::new(source, destination, IpProtocol::TCP, length).to_vec();
    let mut emitted = header.to_vec();
    let addresses = PseudoHeader::V4 { source, destination };
    tcp::Header::fill_checksum(&mut emitted, &addresses, &[], ChecksumIntent::Full);
    bytes.extend_from_slice(&emitted);
    Some(bytes)
}

/// Translates the packet that an ICMP error quotes, and the error's own checksum.
pub(super) fn rewrite_quote(packet: &mut [u8], which: Which, to: Endpoint) {
    let header_len = usize::from(packet[0] & 0xf) * 4;
    let quote = header_len + icmpv4::HEADER_LEN;
    if packet.len() < quote + ipv4::HEADER_LEN {
        return;
    }
    rewrite(&mut packet[quote..], which, to);
    let (head, payload) = packet[header_len..].split_at_mut(icmpv4::HEADER_LEN);
    head[2..4].fill(0);
    icmpv4::Message::fill_checksum(head, &[payload]);
}

/// Puts `to` in the place of one address of a packet whose transport has none of it: ICMP, and what
/// is behind the first fragment.
pub(super) fn rewrite_address(packet: &mut [u8], which: Which, to: Ipv4Addr) {
    let at = if which == Which::Source { 12 } else { 16 };
    let old = [0, 1, 2, 3].map(|n| packet[at + n]);
    packet[at..at + 4].copy_from_slice(&to.octets());
    fix(packet, 10, &old, &to.octets());
}

const _: () = assert!(udp::CHECKSUM_OFFSET == 6 && tcp::CHECKSUM_OFFSET == 16);

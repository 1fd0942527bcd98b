//! Headers of IP (RFC 791, RFC 8200) and TCP (RFC 9293) around bytes.

use std::net::{IpAddr, SocketAddr};

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const PSH: u8 = 8;
pub(super) const ACK: u8 = 16;

const TCP: u8 = 6;
const TCP_HEADER_BYTES: usize = 20;
const IPV4_HEADER_BYTES: usize = 20;
const HOPS: u8 = 64;

/// A segment to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
}

/// The ones' complement sum of RFC 1071.
fn checksum(parts: &[&[u8]]) -> u16 {
    // Every part but the last has an even length.
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum = words.fold(0_u64, |sum, word| {
        sum + u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]))
    });
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xFFFF) + (sum >> 16));
    !(folded as u16)
}

/// The packet of a segment with `length` bytes, of which `payload` are known. Answers how long the
/// packet would be with all of them.
pub(super) fn packet(segment: Segment, payload: &[u8], length: usize) -> (Vec<u8>, usize) {
    let tcp_length = TCP_HEADER_BYTES + length;
    let mut tcp = Vec::with_capacity(TCP_HEADER_BYTES);
    tcp.extend(segment.from.port().to_be_bytes());
    tcp.extend(segment.to.port().to_be_bytes());
    tcp.extend(segment.seq.to_be_bytes());
    tcp.extend(if segment.flags & ACK == 0 { 0 } else { segment.ack }.to_be_bytes());
    // Five words of header, flags, an open window, checksum, no urgent data.
    tcp.extend([5 << 4, segment.flags, 0xFF, 0xFF, 0, 0, 0, 0]);
    let (ip, pseudo) = match (segment.from.ip(), segment.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = ((IPV4_HEADER_BYTES + tcp_length) as u16).to_be_bytes();
            let mut ip = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, HOPS, TCP, 0, 0];
            ip.extend(from.octets());
            ip.extend(to.octets());
            let sum = checksum(&[&ip]).to_be_bytes();
            ip[10..12].copy_from_slice(&sum);
            let mut pseudo = [from.octets(), to.octets()].concat();
            pseudo.extend([0, TCP]);
            pseudo.extend((tcp_length as u16).to_be_bytes());
            (ip, pseudo)
        }
        (from, to) => {
            let octets = |ip: IpAddr| match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
                IpAddr::V6(ip) => ip.octets(),
            };
            let mut ip = vec![0x60, 0, 0, 0];
            ip.extend((tcp_length as u16).to_be_bytes());
            ip.extend([TCP, HOPS]);
            ip.extend(octets(from));
            ip.extend(octets(to));
            let mut pseudo = [octets(from), octets(to)].concat();
            pseudo.extend((tcp_length as u32).to_be_bytes());
            pseudo.extend([0, 0, 0, TCP]);
            (ip, pseudo)
        }
    };
    // Without all bytes there is no right checksum; readers know that of packets that were cut.
    let sum = checksum(&[&pseudo, &tcp, payload]).to_be_bytes();
    tcp[16..18].copy_from_slice(&sum);
    let whole = ip.len() + tcp_length;
    ([&ip[..], &tcp, payload].concat(), whole)
}

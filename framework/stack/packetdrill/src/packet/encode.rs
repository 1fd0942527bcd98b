//! Packets to bytes.

use std::net::IpAddr;

use super::checksum::{checksum, pseudo_header};
use super::{Datagram, Icmp, IpHeader, Packet, Payload, Segment, options, protocol};

impl Packet {
    /// The packet as bytes, with its checksums.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (number, body) = match &self.payload {
            Payload::Tcp(segment) => (protocol::TCP, segment.to_bytes(&self.ip)),
            Payload::Udp(datagram) => (protocol::UDP, datagram.to_bytes(&self.ip)),
            Payload::Icmp(icmp) if self.ip.source.is_ipv4() => {
                (protocol::ICMP, icmp.to_bytes(None))
            }
            Payload::Icmp(icmp) => (protocol::ICMPV6, icmp.to_bytes(Some(&self.ip))),
            Payload::Other(number, body) => (*number, body.clone()),
        };
        let mut out = self.ip.to_bytes(number, body.len());
        out.extend(body);
        out
    }
}

impl IpHeader {
    /// The header of a packet with `length` bytes of this protocol.
    #[must_use]
    pub fn to_bytes(&self, protocol: u8, length: usize) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let word = 6 << 28 | u32::from(self.tos) << 20 | self.flow_label & 0xf_ffff;
                let mut out = word.to_be_bytes().to_vec();
                out.extend((length as u16).to_be_bytes());
                out.extend([protocol, self.ttl]);
                out.extend(source.octets());
                out.extend(destination.octets());
                out
            }
            (source, destination) => {
                let mut out = vec![0x45, self.tos];
                out.extend((length as u16 + 20).to_be_bytes());
                // No identification, may be fragmented nowhere.
                out.extend([0, 0, 0x40, 0, self.ttl, protocol, 0, 0]);
                for address in [source, destination] {
                    if let IpAddr::V4(address) = address {
                        out.extend(address.octets());
                    }
                }
                let sum = checksum(&[&out]);
                out[10..12].copy_from_slice(&sum.to_be_bytes());
                out
            }
        }
    }
}

impl Segment {
    /// The segment as bytes, with its checksum.
    #[must_use]
    pub fn to_bytes(&self, ip: &IpHeader) -> Vec<u8> {
        let mut options = match &self.raw_options {
            Some(raw) => raw.clone(),
            None => options::encode(&self.options),
        };
        options.resize(options.len().next_multiple_of(4), 0);
        let mut out = Vec::with_capacity(20 + options.len() + self.data.len());
        out.extend(self.source_port.to_be_bytes());
        out.extend(self.destination_port.to_be_bytes());
        out.extend(self.seq.to_be_bytes());
        out.extend(self.ack.to_be_bytes());
        let words = (20 + options.len()) / 4;
        out.extend([(words as u8) << 4 | u8::from(self.ae), self.flags]);
        out.extend(self.window.to_be_bytes());
        out.extend([0, 0]);
        out.extend(self.urgent.to_be_bytes());
        out.extend(options);
        out.extend(&self.data);
        let pseudo = pseudo_header(ip.source, ip.destination, protocol::TCP, out.len());
        let sum = checksum(&[&pseudo, &out]);
        out[16..18].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

impl Datagram {
    fn to_bytes(&self, ip: &IpHeader) -> Vec<u8> {
        let length = 8 + self.data.len();
        let mut out = Vec::with_capacity(length);
        out.extend(self.source_port.to_be_bytes());
        out.extend(self.destination_port.to_be_bytes());
        out.extend((length as u16).to_be_bytes());
        out.extend([0, 0]);
        out.extend(&self.data);
        let pseudo = pseudo_header(ip.source, ip.destination, protocol::UDP, length);
        // Zero would say "no checksum" (RFC 768).
        let sum = match checksum(&[&pseudo, &out]) {
            0 => 0xffff,
            sum => sum,
        };
        out[6..8].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

impl Icmp {
    /// `pseudo` is the IPv6 header, which version 6 sums too.
    fn to_bytes(&self, pseudo: Option<&IpHeader>) -> Vec<u8> {
        let mut out = vec![self.kind, self.code, 0, 0];
        out.extend(self.rest);
        out.extend(&self.body);
        let pseudo = pseudo.map_or(Vec::new(), |ip| {
            pseudo_header(ip.source, ip.destination, protocol::ICMPV6, out.len())
        });
        let sum = checksum(&[&pseudo, &out]);
        out[2..4].copy_from_slice(&sum.to_be_bytes());
        out
    }
}

//! Bytes to packets. What the stack sends must be sound: checksums are verified here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{checksum, pseudo_header};
use super::{Datagram, Icmp, IpHeader, Malformed, Packet, Payload, Segment, options, protocol};

impl Packet {
    /// Reads a packet and verifies its checksums.
    ///
    /// # Errors
    ///
    /// What is not an IP packet, contradicts itself, or has a wrong checksum.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let (ip, number, body) = match bytes.first().map(|b| b >> 4) {
            Some(4) => ipv4(bytes)?,
            Some(6) => ipv6(bytes)?,
            _ => return Err(Malformed("neither IPv4 nor IPv6")),
        };
        let payload = match number {
            protocol::TCP => {
                verify(&ip, number, body, "TCP checksum")?;
                Payload::Tcp(segment(body)?)
            }
            protocol::UDP => {
                let unsummed = ip.source.is_ipv4() && body.get(6..8) == Some(&[0, 0]);
                if !unsummed {
                    verify(&ip, number, body, "UDP checksum")?;
                }
                Payload::Udp(datagram(body)?)
            }
            protocol::ICMP => {
                if checksum(&[body]) != 0 {
                    return Err(Malformed("ICMP checksum"));
                }
                Payload::Icmp(icmp(body)?)
            }
            protocol::ICMPV6 => {
                verify(&ip, number, body, "ICMPv6 checksum")?;
                Payload::Icmp(icmp(body)?)
            }
            _ => Payload::Other(number, body.to_vec()),
        };
        Ok(Self { ip, payload })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    let pair = bytes.get(at..at + 2).ok_or(Malformed("too short"))?;
    Ok(u16::from_be_bytes([pair[0], pair[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    Ok(u32::from(u16_at(bytes, at)?) << 16 | u32::from(u16_at(bytes, at + 2)?))
}

fn verify(ip: &IpHeader, number: u8, body: &[u8], what: &'static str) -> Result<(), Malformed> {
    let pseudo = pseudo_header(ip.source, ip.destination, number, body.len());
    if checksum(&[&pseudo, body]) == 0 { Ok(()) } else { Err(Malformed(what)) }
}

type Split<'a> = (IpHeader, u8, &'a [u8]);

fn ipv4(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    let header = usize::from(bytes[0] & 15) * 4;
    let total = usize::from(u16_at(bytes, 2)?);
    if header < 20 || total < header || total != bytes.len() {
        return Err(Malformed("IPv4 lengths"));
    }
    if checksum(&[&bytes[..header]]) != 0 {
        return Err(Malformed("IPv4 header checksum"));
    }
    if u16_at(bytes, 6)? & 0x3fff != 0 {
        return Err(Malformed("an IPv4 fragment"));
    }
    let ip = IpHeader {
        source: IpAddr::V4(Ipv4Addr::from(u32_at(bytes, 12)?)),
        destination: IpAddr::V4(Ipv4Addr::from(u32_at(bytes, 16)?)),
        tos: bytes[1],
        ttl: bytes[8],
        flow_label: 0,
    };
    Ok((ip, bytes[9], &bytes[header..]))
}

fn ipv6(bytes: &[u8]) -> Result<Split<'_>, Malformed> {
    let word = u32_at(bytes, 0)?;
    let length = usize::from(u16_at(bytes, 4)?);
    let body = bytes.get(40..).ok_or(Malformed("too short"))?;
    if length != body.len() {
        return Err(Malformed("IPv6 length"));
    }
    let address = |at: usize| {
        let octets: [u8; 16] = bytes[at..at + 16].try_into().unwrap_or_default();
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let ip = IpHeader {
        source: address(8),
        destination: address(24),
        tos: (word >> 20) as u8,
        ttl: bytes[7],
        flow_label: word & 0xf_ffff,
    };
    Ok((ip, bytes[6], body))
}

fn segment(body: &[u8]) -> Result<Segment, Malformed> {
    let offset = usize::from(body.get(12).ok_or(Malformed("too short"))? >> 4) * 4;
    if offset < 20 || offset > body.len() {
        return Err(Malformed("TCP data offset"));
    }
    Ok(Segment {
        source_port: u16_at(body, 0)?,
        destination_port: u16_at(body, 2)?,
        seq: u32_at(body, 4)?,
        ack: u32_at(body, 8)?,
        ae: body[12] & 1 != 0,
        flags: body[13],
        window: u16_at(body, 14)?,
        urgent: u16_at(body, 18)?,
        options: options::decode(&body[20..offset])?,
        raw_options: None,
        data: body[offset..].to_vec(),
    })
}

fn datagram(body: &[u8]) -> Result<Datagram, Malformed> {
    if usize::from(u16_at(body, 4)?) != body.len() || body.len() < 8 {
        return Err(Malformed("UDP length"));
    }
    Ok(Datagram {
        source_port: u16_at(body, 0)?,
        destination_port: u16_at(body, 2)?,
        data: body[8..].to_vec(),
    })
}

fn icmp(body: &[u8]) -> Result<Icmp, Malformed> {
    let rest = u32_at(body, 4)?.to_be_bytes();
    Ok(Icmp { kind: body[0], code: body[1], rest, body: body[8..].to_vec() })
}

//! The packet that an ICMP error quotes: as much of it as the reporter sent back.

use core::net::IpAddr;

use super::{Error, IpProtocol, ipv4, ipv6};

/// What identifies the flow of a quoted packet. It was sent by us, or somebody pretends so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Who sent it: one of our addresses.
    pub source: IpAddr,
    /// Where it was going.
    pub destination: IpAddr,
    /// What it carried.
    pub protocol: IpProtocol,
    /// The front of the transport header; at least eight bytes in most cases, but it may be empty.
    pub transport: &'a [u8],
    /// Whether it was a later fragment, so that `transport` is the middle of something.
    pub is_later_fragment: bool,
}

impl<'a> Quoted<'a> {
    /// From the payload of an ICMP error (RFC 792).
    ///
    /// # Errors
    /// When the quoted IPv4 header is not whole or not one.
    pub fn parse_v4(bytes: &'a [u8]) -> Result<Self, Error> {
        let packet = ipv4::Packet::parse_quoted(bytes)?;
        Ok(Self {
            source: packet.source().into(),
            destination: packet.destination().into(),
            protocol: packet.protocol(),
            transport: packet.payload(),
            is_later_fragment: packet.fragment_offset() != 0,
        })
    }

    /// From the payload of an ICMPv6 error (RFC 4443, section 2.4).
    ///
    /// # Errors
    /// When the quoted IPv6 header or its extension headers are not whole.
    pub fn parse_v6(bytes: &'a [u8]) -> Result<Self, Error> {
        let packet = ipv6::Packet::parse_quoted(bytes)?;
        let upper = packet.upper_layer()?;
        Ok(Self {
            source: packet.source().into(),
            destination: packet.destination().into(),
            protocol: upper.protocol,
            transport: upper.payload,
            is_later_fragment: upper.fragment.is_some_and(|fragment| fragment.header.offset != 0),
        })
    }

    /// Source and destination port, of TCP and UDP, when they were quoted.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        let has_ports = matches!(self.protocol, IpProtocol::TCP | IpProtocol::UDP);
        let &[a, b, c, d] = self.transport.first_chunk()?;
        (has_ports && !self.is_later_fragment)
            .then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    /// The sequence number of a TCP segment, which must be in flight for the error to be believed
    /// (RFC 5927, section 4.1).
    #[must_use]
    pub fn tcp_seq(&self) -> Option<u32> {
        let &[_, _, _, _, a, b, c, d] = self.transport.first_chunk()?;
        (self.protocol == IpProtocol::TCP && !self.is_later_fragment)
            .then_some(u32::from_be_bytes([a, b, c, d]))
    }

    /// Identifier and sequence number of an echo request, which is what `ping` wants to know.
    #[must_use]
    pub fn echo(&self) -> Option<(u16, u16)> {
        let &[kind, _, _, _, a, b, c, d] = self.transport.first_chunk()?;
        let is_request =
            matches!((self.protocol, kind), (IpProtocol::ICMPV4, 8) | (IpProtocol::ICMPV6, 128));
        (is_request && !self.is_later_fragment)
            .then_some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }
}

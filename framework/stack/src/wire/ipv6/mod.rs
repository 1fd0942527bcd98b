//! IPv6 (RFC 8200): the fixed header; extension headers are in the files beside it.

mod extension;
mod fragment;
mod options;

use core::net::Ipv6Addr;

pub use extension::{EXTENSION_HEADERS_MAX, Extension, Extensions, Fragment, Routing, UpperLayer};
pub use fragment::{FRAGMENT_HEADER_LEN, FragmentHeader};
pub use options::{
    Action, Ipv6Option, OPTIONS_MAX, OptionsHeader, OptionsIter, OptionsView, Refused,
};

use super::emit::{Emit, fixed};
use super::{Error, IpProtocol};

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;
/// The smallest maximum transmission unit a link may have (RFC 8200, section 5).
pub const MTU_MIN: usize = 1280;

/// A packet whose lengths have been checked.
///
/// A payload length of zero means an empty payload: jumbograms (RFC 2675) are not supported.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A packet in the front of `bytes`; what is behind its payload length is the link's padding.
    ///
    /// # Errors
    /// When it is not version 6, or bytes are missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let packet = Self::parse_quoted(bytes)?;
        if packet.payload.len() < usize::from(packet.payload_len()) {
            return Err(Error::Truncated);
        }
        Ok(packet)
    }

    /// Like [`parse`](Self::parse), but the payload may have been cut off, as in ICMPv6 errors.
    ///
    /// # Errors
    /// When the header is not whole or not version 6.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        if fixed[0] >> 4 != 6 {
            return Err(Error::Version);
        }
        let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let payload = &rest[..rest.len().min(length)];
        Ok(Self { bytes: &bytes[..HEADER_LEN + payload.len()], fixed, payload })
    }

    /// The value that emits the same header.
    #[must_use]
    pub const fn header(&self) -> Header {
        Header {
            traffic_class: self.traffic_class(),
            flow_label: self.flow_label(),
            payload_len: self.payload_len(),
            next_header: self.next_header(),
            hop_limit: self.hop_limit(),
            source: self.source(),
            destination: self.destination(),
        }
    }

    /// The packet from its version to the end of its payload, without padding.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// DSCP and ECN.
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        self.fixed[0] << 4 | self.fixed[1] >> 4
    }

    /// The differentiated services code point (RFC 2474).
    #[must_use]
    pub const fn dscp(&self) -> u8 {
        self.traffic_class() >> 2
    }

    /// The two ECN bits (RFC 3168).
    #[must_use]
    pub const fn ecn(&self) -> u8 {
        self.traffic_class() & 3
    }

    /// The flow label, 20 bits (RFC 6437).
    #[must_use]
    pub const fn flow_label(&self) -> u32 {
        u32::from_be_bytes([0, self.fixed[1] & 0xf, self.fixed[2], self.fixed[3]])
    }

    /// Bytes behind the fixed header, as it says; extension headers are among them.
    #[must_use]
    pub const fn payload_len(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    /// What is behind the fixed header.
    #[must_use]
    pub const fn next_header(&self) -> IpProtocol {
        IpProtocol(self.fixed[6])
    }

    /// How many hops it may still take.
    #[must_use]
    pub const fn hop_limit(&self) -> u8 {
        self.fixed[7]
    }

    /// Who sends.
    #[must_use]
    pub const fn source(&self) -> Ipv6Addr {
        let [_, _, _, _, _, _, _, _, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] =
            *self.fixed;
        Ipv6Addr::from_octets([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Who shall receive.
    #[must_use]
    pub const fn destination(&self) -> Ipv6Addr {
        let [.., a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *self.fixed;
        Ipv6Addr::from_octets([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// Everything behind the fixed header, extension headers first.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A fixed IPv6 header to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// The flow label; its low 20 bits count.
    pub flow_label: u32,
    /// Bytes behind the fixed header, extension headers among them.
    pub payload_len: u16,
    /// What is behind the fixed header.
    pub next_header: IpProtocol,
    /// How many hops it may take.
    pub hop_limit: u8,
    /// Who sends.
    pub source: Ipv6Addr,
    /// Who shall receive.
    pub destination: Ipv6Addr,
}

impl Header {
    /// A header with hop limit 64 and without traffic class and flow label.
    #[must_use]
    pub const fn new(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        next_header: IpProtocol,
        payload_len: u16,
    ) -> Self {
        Self {
            traffic_class: 0,
            flow_label: 0,
            payload_len,
            next_header,
            hop_limit: 64,
            source,
            destination,
        }
    }
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        HEADER_LEN
    }

    fn emit(&self, out: &mut [u8]) {
        let (head, _) = fixed::<HEADER_LEN>(out);
        let word = 6 << 28 | u32::from(self.traffic_class) << 20 | (self.flow_label & 0x000f_ffff);
        head[0..4].copy_from_slice(&word.to_be_bytes());
        head[4..6].copy_from_slice(&self.payload_len.to_be_bytes());
        head[6] = self.next_header.0;
        head[7] = self.hop_limit;
        head[8..24].copy_from_slice(&self.source.octets());
        head[24..40].copy_from_slice(&self.destination.octets());
    }
}

//! IPv4 (RFC 791).

mod options;

use core::net::Ipv4Addr;

pub use options::{Ipv4Option, Options, OptionsIter};

use super::emit::{Emit, fixed};
use super::{Error, IpProtocol, Sum};

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// The smallest maximum transmission unit a link may have (RFC 791, section 3.2).
pub const MTU_MIN: usize = 68;
/// What every host must be able to put together (RFC 1122, section 3.3.2).
pub const REASSEMBLY_MIN: usize = 576;

/// Reserved, "do not fragment" and "more fragments" in the word that holds the offset.
const RESERVED: u16 = 0x8000;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET_MASK: u16 = 0x1fff;

/// A datagram whose lengths have been checked.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A datagram in the front of `bytes`; what is behind its total length is the link's padding.
    ///
    /// # Errors
    /// When it is not version 4, its lengths contradict each other, or bytes are missing.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let packet = Self::parse_quoted(bytes)?;
        if packet.bytes.len() < usize::from(packet.total_len()) {
            return Err(Error::Truncated);
        }
        Ok(packet)
    }

    /// Like [`parse`](Self::parse), but the payload may have been cut off, as in ICMP errors.
    ///
    /// # Errors
    /// When the header is not whole or contradicts itself.
    pub fn parse_quoted(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        let [first, _, a, b, ..] = *fixed;
        if first >> 4 != 4 {
            return Err(Error::Version);
        }
        let header_len = usize::from(first & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([a, b]));
        let options_len = header_len.checked_sub(HEADER_LEN).ok_or(Error::Length)?;
        if total < header_len {
            return Err(Error::Length);
        }
        let (options, payload) = rest.split_at_checked(options_len).ok_or(Error::Truncated)?;
        let payload = &payload[..payload.len().min(total - header_len)];
        let bytes = &bytes[..header_len + payload.len()];
        Ok(Self { bytes, fixed, options, payload })
    }

    /// The value that emits the same header.
    #[must_use]
    pub fn header(&self) -> Header {
        Header {
            traffic_class: self.traffic_class(),
            identification: self.identification(),
            dont_fragment: self.dont_fragment(),
            more_fragments: self.more_fragments(),
            fragment_offset: self.fragment_offset(),
            ttl: self.ttl(),
            protocol: self.protocol(),
            source: self.source(),
            destination: self.destination(),
            options: Options::from_bytes(self.options),
            payload_len: self.total_len() - (HEADER_LEN + self.options.len()) as u16,
        }
    }

    /// The datagram from its version to the end of its payload, without padding.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the header with its options.
    #[must_use]
    pub const fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// The type of service: DSCP and ECN.
    #[must_use]
    pub const fn traffic_class(&self) -> u8 {
        self.fixed[1]
    }

    /// The differentiated services code point (RFC 2474).
    #[must_use]
    pub const fn dscp(&self) -> u8 {
        self.fixed[1] >> 2
    }

    /// The two ECN bits (RFC 3168).
    #[must_use]
    pub const fn ecn(&self) -> u8 {
        self.fixed[1] & 3
    }

    /// Bytes of header and payload, as the header says.
    #[must_use]
    pub const fn total_len(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// What fragments of one datagram have in common.
    #[must_use]
    pub const fn identification(&self) -> u16 {
        u16::from_be_bytes([self.fixed[4], self.fixed[5]])
    }

    const fn flags_and_offset(&self) -> u16 {
        u16::from_be_bytes([self.fixed[6], self.fixed[7]])
    }

    /// The bit that must be zero.
    #[must_use]
    pub const fn reserved_bit(&self) -> bool {
        self.flags_and_offset() & RESERVED != 0
    }

    /// Whether routers must not fragment it.
    #[must_use]
    pub const fn dont_fragment(&self) -> bool {
        self.flags_and_offset() & DONT_FRAGMENT != 0
    }

    /// Whether it is a fragment and not the last.
    #[must_use]
    pub const fn more_fragments(&self) -> bool {
        self.flags_and_offset() & MORE_FRAGMENTS != 0
    }

    /// Where the payload belongs in the whole datagram's, in bytes.
    #[must_use]
    pub const fn fragment_offset(&self) -> u16 {
        (self.flags_and_offset() & OFFSET_MASK) * 8
    }

    /// Whether it is a fragment of a larger datagram.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.flags_and_offset() & (MORE_FRAGMENTS | OFFSET_MASK) != 0
    }

    /// How many hops it may still take.
    #[must_use]
    pub const fn ttl(&self) -> u8 {
        self.fixed[8]
    }

    /// What the payload is.
    #[must_use]
    pub const fn protocol(&self) -> IpProtocol {
        IpProtocol(self.fixed[9])
    }

    /// The header's checksum.
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[10], self.fixed[11]])
    }

    /// Whether the header's checksum is right.
    #[must_use]
    pub fn checksum_is_valid(&self) -> bool {
        Sum::new().with([&self.fixed[..], self.options]).is_valid()
    }

    /// Who sends.
    #[must_use]
    pub const fn source(&self) -> Ipv4Addr {
        let [.., a, b, c, d, _, _, _, _] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Who shall receive.
    #[must_use]
    pub const fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.fixed;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The options, one after the other.
    #[must_use]
    pub const fn options(&self) -> OptionsIter<'a> {
        OptionsIter::new(self.options)
    }

    /// Whether the sender chose the route, which hosts should not follow (RFC 7126, section 4.3).
    #[must_use]
    pub fn has_source_route(&self) -> bool {
        self.options().any(|option| {
            matches!(option, Ipv4Option::LooseSourceRoute(_) | Ipv4Option::StrictSourceRoute(_))
        })
    }

    /// Where an option begins whose length is less than its own two bytes or more than what is left.
    #[must_use]
    pub fn malformed_option(&self) -> Option<usize> {
        let mut options = self.options();
        options.by_ref().for_each(drop);
        let rest = options.rest().len();
        (rest > 0).then(|| self.header_len() - rest)
    }

    /// What the datagram carries, without the link's padding.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// An IPv4 header to emit. Its checksum is always filled in: devices do not do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// What fragments of one datagram have in common.
    pub identification: u16,
    /// Whether routers must not fragment it.
    pub dont_fragment: bool,
    /// Whether it is a fragment and not the last.
    pub more_fragments: bool,
    /// Where the payload belongs in the whole datagram's, in bytes; a multiple of 8, the rest is cut.
    pub fragment_offset: u16,
    /// How many hops it may take.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Who sends.
    pub source: Ipv4Addr,
    /// Who shall receive.
    pub destination: Ipv4Addr,
    /// The options.
    pub options: Options,
    /// Bytes of the payload. With the header they must be at most 65535.
    pub payload_len: u16,
}

impl Header {
    /// A header as hosts send it mostly: TTL 64, may not be fragmented, no options.
    #[must_use]
    pub const fn new(
        source: Ipv4Addr,
        destination: Ipv4Addr,
        protocol: IpProtocol,
        payload_len: u16,
    ) -> Self {
        Self {
            traffic_class: 0,
            identification: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol,
            source,
            destination,
            options: Options::EMPTY,
            payload_len,
        }
    }
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        HEADER_LEN + self.options.padded_len()
    }

    fn emit(&self, out: &mut [u8]) {
        let header_len = self.wire_len();
        let out = &mut out[..header_len];
        let (head, options) = fixed::<HEADER_LEN>(out);
        let total = header_len + usize::from(self.payload_len);
        debug_assert!(total <= usize::from(u16::MAX), "a datagram of {total} bytes");
        let total = u16::try_from(total).unwrap_or(u16::MAX);
        let mut word = self.fragment_offset / 8;
        word |= if self.dont_fragment { DONT_FRAGMENT } else { 0 };
        word |= if self.more_fragments { MORE_FRAGMENTS } else { 0 };
        head[0] = 0x40 | (header_len / 4) as u8;
        head[1] = self.traffic_class;
        head[2..4].copy_from_slice(&total.to_be_bytes());
        head[4..6].copy_from_slice(&self.identification.to_be_bytes());
        head[6..8].copy_from_slice(&word.to_be_bytes());
        head[8] = self.ttl;
        head[9] = self.protocol.0;
        head[10..12].fill(0);
        head[12..16].copy_from_slice(&self.source.octets());
        head[16..20].copy_from_slice(&self.destination.octets());
        self.options.emit_padded(options);
        let checksum = super::checksum::checksum(out);
        out[10..12].copy_from_slice(&checksum.to_be_bytes());
    }
}

//! UDP (RFC 768).

use super::checksum::{self, ChecksumIntent, PseudoHeader};
use super::emit::{Emit, fixed};
use super::{Error, IpProtocol};

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;
/// Where the checksum is, for a device that completes it.
pub const CHECKSUM_OFFSET: usize = 6;

/// A datagram whose length has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    fixed: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// A datagram in the front of an IP payload; what is behind its length is not its own.
    ///
    /// # Errors
    /// When bytes are missing or the length is less than the header's. A length of zero, which
    /// stands for a jumbogram (RFC 2675), is an error too.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        let length = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
        let length = length.checked_sub(HEADER_LEN).ok_or(Error::Length)?;
        let payload = rest.get(..length).ok_or(Error::Truncated)?;
        Ok(Self { fixed, payload })
    }

    /// The value that emits the same header.
    #[must_use]
    pub const fn header(&self) -> Header {
        Header {
            source_port: self.source_port(),
            destination_port: self.destination_port(),
            payload_len: self.payload.len() as u16,
        }
    }

    /// The sender's port.
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// The receiver's port.
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The checksum; zero when the sender made none.
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[6], self.fixed[7]])
    }

    /// Whether the checksum is right between the two addresses.
    ///
    /// No checksum is right over IPv4 and wrong over IPv6 (RFC 8200, section 8.1).
    #[must_use]
    pub fn checksum_is_valid(&self, addresses: &PseudoHeader) -> bool {
        if self.checksum() == 0 {
            return matches!(addresses, PseudoHeader::V4 { .. });
        }
        let pseudo = addresses.sum(IpProtocol::UDP, HEADER_LEN + self.payload.len());
        pseudo.with([&self.fixed[..], self.payload]).is_valid()
    }

    /// The data.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A UDP header to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The sender's port.
    pub source_port: u16,
    /// The receiver's port.
    pub destination_port: u16,
    /// Bytes of the data; at most 65527.
    pub payload_len: u16,
}

impl Header {
    /// Fills in the checksum of an emitted header.
    ///
    /// `header` is what [`emit`](Emit::emit) wrote, no more and no less; `payload` is what will
    /// stand behind it. A whole checksum that comes out as zero is sent as all ones, because zero
    /// says that there is none.
    pub fn fill_checksum(
        header: &mut [u8],
        addresses: &PseudoHeader,
        payload: &[&[u8]],
        intent: ChecksumIntent,
    ) {
        let length = header.len() + payload.iter().map(|slice| slice.len()).sum::<usize>();
        let pseudo = addresses.sum(IpProtocol::UDP, length);
        let value = checksum::fill(header, CHECKSUM_OFFSET, pseudo, payload, intent);
        if value == 0 && intent == ChecksumIntent::Full {
            header[CHECKSUM_OFFSET..CHECKSUM_OFFSET + 2].fill(0xff);
        }
    }
}

impl Emit for Header {
    fn wire_len(&self) -> usize {
        HEADER_LEN
    }

    /// The checksum field is zero; see [`fill_checksum`](Self::fill_checksum).
    fn emit(&self, out: &mut [u8]) {
        let (head, _) = fixed::<HEADER_LEN>(out);
        let length = self.payload_len.saturating_add(HEADER_LEN as u16);
        head[0..2].copy_from_slice(&self.source_port.to_be_bytes());
        head[2..4].copy_from_slice(&self.destination_port.to_be_bytes());
        head[4..6].copy_from_slice(&length.to_be_bytes());
        head[6..8].fill(0);
    }
}

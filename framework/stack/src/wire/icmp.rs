//! What ICMP (RFC 792) and ICMPv6 (RFC 4443) have in common: the first eight bytes of a message.

use crate::wire::emit::fixed;
use crate::wire::error::Error;

/// Type, code, checksum, and four bytes whose meaning is the type's.
pub(super) const HEADER_LEN: usize = 8;

/// The first eight bytes of a message and what stands behind them; the length has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (fixed, payload) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Error::Truncated)?;
        Ok(Self { bytes, fixed, payload })
    }

    /// The message's type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.fixed[0]
    }

    /// The message's code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.fixed[1]
    }

    /// The four bytes behind the checksum: an echo's identifier and number.
    #[must_use]
    pub const fn rest(&self) -> [u8; 4] {
        let [.., a, b, c, d] = *self.fixed;
        [a, b, c, d]
    }

    /// The checksum.
    #[must_use]
    pub const fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The whole message.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What stands behind the first eight bytes: an echo's data, an error's quoted packet.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Two words as the four bytes behind the checksum.
pub(super) const fn two_words(first: u16, second: u16) -> [u8; 4] {
    ((first as u32) << 16 | second as u32).to_be_bytes()
}

/// Writes a message's first eight bytes, with a checksum of zero.
pub(super) fn emit((kind, code, rest): (u8, u8, [u8; 4]), out: &mut [u8]) {
    let (head, _) = fixed::<HEADER_LEN>(out);
    head[..4].copy_from_slice(&[kind, code, 0, 0]);
    head[4..].copy_from_slice(&rest);
}

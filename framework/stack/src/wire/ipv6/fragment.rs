//! The fragment header (RFC 8200, section 4.5).

use crate::wire::emit::{Emit, fixed};
use crate::wire::{Error, IpProtocol};

/// Bytes of a fragment header.
pub const FRAGMENT_HEADER_LEN: usize = 8;

/// A fragment header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FragmentHeader {
    /// What the fragmentable part begins with.
    pub next_header: IpProtocol,
    /// Where the piece belongs in the fragmentable part, in bytes; a multiple of 8, the rest is cut.
    pub offset: u16,
    /// Whether it is not the last.
    pub more: bool,
    /// What the fragments of one packet have in common.
    pub identification: u32,
}

impl FragmentHeader {
    /// From the front of `bytes`.
    ///
    /// # Errors
    /// When there are fewer than eight.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let &[next, _, a, b, c, d, e, f] = bytes.first_chunk().ok_or(Error::Truncated)?;
        let word = u16::from_be_bytes([a, b]);
        Ok(Self {
            next_header: IpProtocol(next),
            offset: word & !7,
            more: word & 1 != 0,
            identification: u32::from_be_bytes([c, d, e, f]),
        })
    }

    /// Whether it is the only piece, which is handled as if it were no fragment (RFC 6946).
    #[must_use]
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }
}

impl Emit for FragmentHeader {
    fn wire_len(&self) -> usize {
        FRAGMENT_HEADER_LEN
    }

    fn emit(&self, out: &mut [u8]) {
        let (out, _) = fixed::<FRAGMENT_HEADER_LEN>(out);
        let word = self.offset & !7 | u16::from(self.more);
        out[..2].copy_from_slice(&[self.next_header.0, 0]);
        out[2..4].copy_from_slice(&word.to_be_bytes());
        out[4..].copy_from_slice(&self.identification.to_be_bytes());
    }
}

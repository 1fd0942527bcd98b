//! The end of a response's head: framing, connection, the empty line.

use super::chars::Digits;

/// The last lines of a head, put together where constants become single stores, and written once.
pub(super) struct Tail {
    text: [u8; Self::BYTES_MAX],
    len: usize,
}

impl Tail {
    /// The longest length or coding, the longest connection, and the empty line.
    const BYTES_MAX: usize = 80;

    #[inline]
    pub(super) const fn new() -> Self {
        Self { text: [0; Self::BYTES_MAX], len: 0 }
    }

    #[inline]
    pub(super) fn push<const N: usize>(&mut self, piece: &[u8; N]) {
        debug_assert!(self.len + N <= Self::BYTES_MAX, "room for all that is ever pushed");
        if let Some(place) = self.text.get_mut(self.len..self.len + N) {
            place.copy_from_slice(piece);
            self.len += N;
        }
    }

    #[inline]
    pub(super) fn push_decimal(&mut self, n: u64) {
        // Most bodies are short.
        match n {
            0..10 => self.push(&[b'0' + n as u8]),
            10..100 => self.push(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]),
            _ => {
                let digits = Digits::decimal(n);
                let digits = digits.as_slice();
                self.text[self.len..self.len + digits.len()].copy_from_slice(digits);
                self.len += digits.len();
            }
        }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.text[..self.len]
    }
}

//! Room for a few short texts in a row, where constants become single stores.

use super::chars::Digits;

/// A place that has been made, and how much of it is used.
///
/// Whoever makes it knows how long what goes in can get at most. Something longer is a mistake of the
/// program and panics.
pub(super) struct Room<'a> {
    place: &'a mut [u8],
    len: usize,
}

impl<'a> Room<'a> {
    #[inline]
    pub(super) const fn new(place: &'a mut [u8]) -> Self {
        Self { place, len: 0 }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, text: &[u8]) {
        self.place[self.len..][..text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    /// The same for a text whose length the compiler knows.
    #[inline(always)]
    pub(super) fn push_array<const N: usize>(&mut self, text: &[u8; N]) {
        self.push(text);
    }

    #[inline(always)]
    pub(super) fn push_decimal(&mut self, n: u64) {
        // Most bodies are short.
        match n {
            0..10 => self.push_array(&[b'0' + n as u8]),
            10..100 => self.push_array(&[b'0' + (n / 10) as u8, b'0' + (n % 10) as u8]),
            _ => self.push(Digits::decimal(n).as_slice()),
        }
    }

    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.place[..self.len]
    }
}

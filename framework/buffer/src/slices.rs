//! Reading and writing slices and arrays; what all numbers are made of.

use alloc::vec::Vec;

use crate::ByteBuf;
use crate::byte_buf::exceeded;
use crate::error::{CapacityExceeded, OutOfBounds};
use crate::hex::HexDump;

impl ByteBuf {
    /// The readable bytes.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.window.readable()
    }

    /// The readable bytes, for changing them in place.
    #[inline]
    #[must_use]
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.window.readable_mut()
    }

    /// A copy of the readable bytes.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_slice().to_vec()
    }

    /// Reads `n` bytes in place.
    ///
    /// # Errors
    /// When fewer are readable; then nothing is read.
    #[inline]
    pub fn read_slice(&mut self, n: usize) -> Result<&[u8], OutOfBounds> {
        self.window.consume(n)
    }

    /// Reads `n` bytes into a buffer of their own that shares the memory (see
    /// [`split_to`](Self::split_to)).
    ///
    /// # Errors
    /// When fewer are readable; then nothing is read.
    #[inline]
    pub fn read_bytes(&mut self, n: usize) -> Result<Self, OutOfBounds> {
        self.try_split_to(n)
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// When that would go beyond `max_capacity`; then nothing is written.
    #[inline]
    pub fn try_write_slice(&mut self, bytes: &[u8]) -> Result<(), CapacityExceeded> {
        self.window.claim(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// When that would go beyond `max_capacity`.
    #[inline]
    #[track_caller]
    pub fn write_slice(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_write_slice(bytes) {
            exceeded(error);
        }
    }

    /// Appends the UTF-8 bytes of `text`.
    ///
    /// # Panics
    /// When that would go beyond `max_capacity`.
    #[inline]
    #[track_caller]
    pub fn write_str(&mut self, text: &str) {
        self.write_slice(text.as_bytes());
    }

    /// Appends `count` times `byte`.
    ///
    /// # Panics
    /// When that would go beyond `max_capacity`.
    #[track_caller]
    pub fn write_bytes(&mut self, byte: u8, count: usize) {
        match self.window.claim(count) {
            Ok(room) => room.fill(byte),
            Err(error) => exceeded(error),
        }
    }

    /// Appends an array; the fast path of all integers.
    #[inline]
    pub(crate) fn try_write_array<const N: usize>(
        &mut self,
        bytes: [u8; N],
    ) -> Result<(), CapacityExceeded> {
        self.window.claim(N)?.copy_from_slice(&bytes);
        Ok(())
    }

    /// Appends an array or panics.
    #[inline]
    #[track_caller]
    pub(crate) fn write_array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Err(error) = self.try_write_array(bytes) {
            exceeded(error);
        }
    }

    /// Reads an array; the fast path of all integers.
    #[inline]
    pub(crate) fn read_array<const N: usize>(&mut self) -> Result<[u8; N], OutOfBounds> {
        match self.window.readable().first_chunk::<N>() {
            Some(&bytes) => {
                // Cannot fail: N bytes are there.
                let _ = self.window.advance_reader(N);
                Ok(bytes)
            }
            None => Err(OutOfBounds { needed: N, available: self.readable() }),
        }
    }

    /// The readable bytes as a table of offset, 16 bytes in hexadecimal and ASCII.
    #[must_use]
    pub fn hex_dump(&self) -> HexDump<'_> {
        HexDump(self.as_slice())
    }
}

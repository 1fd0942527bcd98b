//! Reading a rope over the edges of its segments without using it up.

use alloc::collections::vec_deque;
use core::fmt;

use bytes::Buf;

use crate::error::OutOfBounds;
use crate::segment::Segment;

/// A reader over a [`CompositeBuf`](crate::CompositeBuf) that leaves the bytes where they are.
///
/// Numbers and copies come from [`bytes::Buf`] (`get_*` panic, `try_get_*` do not), and may lie
/// across segments.
///
/// ```
/// use bytes::Buf;
/// use fyke_buffer::CompositeBuf;
///
/// let rope: CompositeBuf = [&[0u8, 0][..], &[1, 2, 7][..]].into_iter().collect();
/// let mut cursor = rope.cursor();
/// assert_eq!(cursor.try_get_u32(), Ok(0x0102));
/// assert_eq!(cursor.position(), 4);
/// assert!(cursor.try_get_u16().is_err());
/// assert_eq!(rope.len(), 5);
/// ```
#[derive(Clone)]
pub struct Cursor<'a> {
    /// The rest of the current segment; empty only at the end.
    chunk: &'a [u8],
    segments: vec_deque::Iter<'a, Segment>,
    remaining: usize,
    length: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(mut segments: vec_deque::Iter<'a, Segment>, length: usize) -> Self {
        let chunk = segments.next().map_or(&[][..], Segment::as_slice);
        Self { chunk, segments, remaining: length, length }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.length - self.remaining
    }

    /// Skips `n` bytes.
    ///
    /// # Errors
    /// When fewer are left; then nothing is skipped.
    pub fn skip(&mut self, n: usize) -> Result<(), OutOfBounds> {
        if n > self.remaining {
            return Err(OutOfBounds { needed: n, available: self.remaining });
        }
        self.remaining -= n;
        let mut left = n;
        while left >= self.chunk.len() {
            left -= self.chunk.len();
            match self.segments.next() {
                Some(segment) => self.chunk = segment.as_slice(),
                None => {
                    self.chunk = &[];
                    return Ok(());
                }
            }
        }
        self.chunk = &self.chunk[left..];
        Ok(())
    }
}

impl Buf for Cursor<'_> {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.chunk
    }

    /// # Panics
    /// When fewer than `cnt` bytes are left.
    #[track_caller]
    fn advance(&mut self, cnt: usize) {
        if let Err(error) = self.skip(cnt) {
            panic!("cannot advance: {error}");
        }
    }
}

impl fmt::Debug for Cursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("position", &self.position())
            .field("remaining", &self.remaining)
            .finish()
    }
}

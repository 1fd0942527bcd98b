//! Splitting and freezing: handles to the same memory, no copies.

use bytes::Bytes;

use crate::ByteBuf;
use crate::byte_buf::out_of_bounds;
use crate::error::OutOfBounds;

impl ByteBuf {
    /// Splits the first `n` readable bytes off, sharing the memory: one atomic add, no copy.
    ///
    /// The bytes that were read before are given up. Both sides may go on writing, each inside
    /// its own part: the one split off has no spare room (it moves when it grows), `self` keeps
    /// all of it. Indexes of `self` count from the first byte that was not split off.
    ///
    /// A small part keeps the whole block alive; copy what shall live long.
    ///
    /// # Panics
    /// When fewer than `n` bytes are readable.
    ///
    /// ```
    /// use fyke_buffer::ByteBuf;
    ///
    /// let mut buf = ByteBuf::from("hello world");
    /// let hello = buf.split_to(5);
    /// assert_eq!((&hello[..], &buf[..]), (&b"hello"[..], &b" world"[..]));
    /// ```
    #[inline(always)]
    #[must_use = "the bytes split off are lost otherwise; `skip` is cheaper"]
    #[track_caller]
    pub fn split_to(&mut self, n: usize) -> Self {
        match self.window.split_front(n) {
            Ok(window) => Self { window },
            Err(error) => out_of_bounds(error),
        }
    }

    /// Like [`split_to`](Self::split_to), with an error value.
    ///
    /// # Errors
    /// When fewer than `n` bytes are readable; then nothing changes.
    #[inline]
    pub fn try_split_to(&mut self, n: usize) -> Result<Self, OutOfBounds> {
        self.window.split_front(n).map(|window| Self { window })
    }

    /// Splits all readable bytes off; `self` keeps the spare room.
    #[inline]
    #[must_use = "the bytes split off are lost otherwise; `clear` is cheaper"]
    pub fn split(&mut self) -> Self {
        self.split_to(self.readable())
    }

    /// Turns the readable bytes into a [`Bytes`] without copying them. The memory goes back
    /// where it came from when the last clone of the `Bytes` is dropped.
    #[must_use]
    pub fn freeze(self) -> Bytes {
        if self.is_empty() {
            Bytes::new()
        } else if let Some(bytes) = self.window.lender() {
            bytes
        } else {
            Bytes::from_owner(self)
        }
    }
}

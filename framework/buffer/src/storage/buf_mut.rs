//! `bytes::BufMut` for `ByteBuf`; here because the trait is unsafe to implement.

use bytes::Buf;
use bytes::buf::{BufMut, UninitSlice};

use crate::ByteBuf;

/// How much room `chunk_mut` makes when there is none.
const CHUNK_BYTES_MIN: usize = 64;

// SAFETY: `chunk_mut` gives the initialised bytes behind the writer index, `advance_mut` moves
// the writer index and checks that it stays inside the capacity; nothing else moves in between.
unsafe impl BufMut for ByteBuf {
    /// Grows like the `write_*` functions, so this is what is left to the maximum capacity.
    #[inline]
    fn remaining_mut(&self) -> usize {
        self.max_capacity() - self.writer_index()
    }

    /// # Panics
    /// When `cnt` is more than `writable()`.
    #[inline]
    unsafe fn advance_mut(&mut self, cnt: usize) {
        self.advance_writer(cnt);
    }

    #[inline]
    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.writable() == 0 {
            let more = self.remaining_mut().min(CHUNK_BYTES_MIN);
            self.reserve(more);
        }
        UninitSlice::new(self.spare_mut())
    }

    fn put<T: Buf>(&mut self, mut src: T)
    where
        Self: Sized,
    {
        self.reserve(src.remaining());
        while src.has_remaining() {
            let chunk = src.chunk();
            let length = chunk.len();
            self.write_slice(chunk);
            src.advance(length);
        }
    }

    #[inline]
    fn put_slice(&mut self, src: &[u8]) {
        self.write_slice(src);
    }

    #[inline]
    fn put_bytes(&mut self, val: u8, cnt: usize) {
        self.write_bytes(val, cnt);
    }

    #[inline]
    fn put_u8(&mut self, n: u8) {
        self.write_u8(n);
    }

    #[inline]
    fn put_i8(&mut self, n: i8) {
        self.write_i8(n);
    }
}

//! The bytes of one direction of a connection: chunks in order, never more than a limit.
//!
//! Written bytes are copied once, into a chunk; the reader is handed the chunk itself. Small
//! writes fill up the last chunk, so many of them do not cost a block each.

use std::collections::VecDeque;
use std::io::IoSlice;

use fyke_buffer::{ByteBuf, Pool};

/// Smallest chunk that is taken for written bytes.
const CHUNK_BYTES_MIN: usize = 4 * 1024;

/// Largest chunk.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Pipe {
    chunks: VecDeque<ByteBuf>,
    bytes: usize,
    limit: usize,
    /// Somebody asked for this limit, so another wish can only lower it.
    asked: bool,
    /// The reader was told that there is nothing more, and is owed a notice.
    pub(super) reader_waits: bool,
    /// The writer was told that there is no room, and is owed a notice.
    pub(super) writer_waits: bool,
    /// The writer has sent its last byte.
    pub(super) ended: bool,
    /// The reader has gone: nobody will ever read what is written.
    pub(super) deserted: bool,
}

impl Pipe {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            bytes: 0,
            limit,
            asked: false,
            reader_waits: true,
            writer_waits: false,
            ended: false,
            deserted: false,
        }
    }

    /// One of the ends asks for a limit: the smaller wish of the two counts.
    pub(super) fn ask_limit(&mut self, bytes: Option<usize>) {
        if let Some(bytes) = bytes {
            let bytes = bytes.max(1);
            self.limit = if self.asked { self.limit.min(bytes) } else { bytes };
            self.asked = true;
        }
    }

    /// How many bytes can be written.
    pub(super) fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a read would give something: bytes or the end.
    pub(super) fn has_something(&self) -> bool {
        self.bytes > 0 || self.ended
    }

    /// Copies as many bytes of `slices` as there is room for; answers how many.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>], offered: usize, pool: &Pool) -> usize {
        let taken = offered.min(self.room());
        let mut left = taken;
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            self.append(part, left, pool);
            left -= part.len();
            if left == 0 {
                break;
            }
        }
        self.bytes += taken;
        self.writer_waits = taken < offered;
        taken
    }

    /// Appends `part`; `expected` bytes come in all, so that a new chunk has their size.
    fn append(&mut self, mut part: &[u8], mut expected: usize, pool: &Pool) {
        while !part.is_empty() {
            if self.chunks.back().is_none_or(|last| last.writable() == 0) {
                let size = expected.clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
                self.chunks.push_back(pool.take(size));
            }
            let Some(last) = self.chunks.back_mut() else { return };
            let n = part.len().min(last.writable());
            last.write_slice(&part[..n]);
            part = &part[n..];
            expected -= n;
        }
    }

    /// Appends a chunk that the writer has filled itself; it was given room for it before.
    pub(super) fn push(&mut self, chunk: ByteBuf) {
        self.bytes += chunk.readable();
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Takes up to `want` bytes (at least one) off the front.
    pub(super) fn read(&mut self, want: usize) -> Option<ByteBuf> {
        let front = self.chunks.front_mut()?;
        let want = want.max(1);
        let bytes =
            if front.readable() <= want { self.chunks.pop_front()? } else { front.split_to(want) };
        self.bytes -= bytes.readable();
        if self.chunks.is_empty() {
            // An idle connection holds no memory; a busy one gets its queue back at once.
            self.chunks.shrink_to(4);
        }
        Some(bytes)
    }

    /// Drops what is in it.
    pub(super) fn discard(&mut self) {
        self.chunks = VecDeque::new();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(pipe: &mut Pipe, bytes: &[u8], pool: &Pool) -> usize {
        pipe.write(&[IoSlice::new(bytes)], bytes.len(), pool)
    }

    #[test]
    fn takes_what_fits_and_hands_the_chunk_itself_over() {
        let pool = Pool::new();
        let mut pipe = Pipe::new(8);
        assert_eq!(write(&mut pipe, b"hello", &pool), 5);
        assert!(!pipe.writer_waits);
        assert_eq!(write(&mut pipe, b"world", &pool), 3);
        assert!(pipe.writer_waits);
        assert_eq!(pool.stats().misses, 1, "both writes share one chunk");
        assert_eq!(pipe.read(3).unwrap(), b"hel");
        assert_eq!(pipe.room(), 3);
        assert_eq!(pipe.read(100).unwrap(), b"lowor");
        assert!(pipe.read(1).is_none());
    }

    #[test]
    fn many_small_writes_do_not_cost_a_block_each() {
        let pool = Pool::new();
        let mut pipe = Pipe::new(64 * 1024);
        for _ in 0..64 * 1024 {
            assert_eq!(write(&mut pipe, b"x", &pool), 1);
        }
        assert_eq!(write(&mut pipe, b"x", &pool), 0);
        assert_eq!(pool.stats().outstanding, 16);
    }

    #[test]
    fn gathers_slices_across_chunks() {
        let pool = Pool::new();
        let mut pipe = Pipe::new(200_000);
        let (a, b) = (vec![1; 70_000], vec![2; 80_000]);
        let slices = [IoSlice::new(&a), IoSlice::new(&[]), IoSlice::new(&b)];
        assert_eq!(pipe.write(&slices, 150_000, &pool), 150_000);
        let mut read = Vec::new();
        while let Some(chunk) = pipe.read(usize::MAX) {
            read.extend_from_slice(&chunk);
        }
        assert_eq!(read, [a, b].concat());
        assert_eq!(pipe.bytes(), 0);
    }

    #[test]
    fn the_smaller_wish_counts() {
        let mut pipe = Pipe::new(100);
        pipe.ask_limit(None);
        assert_eq!(pipe.room(), 100);
        pipe.ask_limit(Some(300));
        assert_eq!(pipe.room(), 300);
        pipe.ask_limit(Some(200));
        pipe.ask_limit(Some(400));
        assert_eq!(pipe.room(), 200);
        pipe.ask_limit(Some(0));
        assert_eq!(pipe.room(), 1);
    }
}

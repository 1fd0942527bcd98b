//! What the application wrote and the peer has not acknowledged yet.
//!
//! ```text
//!   SND.UNA                                        end
//!   | chunk | chunk | chunk | ... | chunk | open tail |
//! ```
//! A large write is kept as the [`Bytes`] it came in; small ones are copied together into the open
//! tail, so that a thousand writes of one byte cost one block. Any range can be read without
//! copying: the chunk of a sequence number is found at the cursor of the last look-up (sending goes
//! on where it stopped) or by bisection (retransmission).

use alloc::collections::{VecDeque, vec_deque};
use core::iter::FusedIterator;

use bytes::{Buf, Bytes, BytesMut};

use super::SeqNum;

/// Writes up to this size are copied together.
const MERGE_BYTES_MAX: usize = 1024;

/// The first block for small writes, and the largest.
const BLOCK_BYTES_MIN: usize = 512;
const BLOCK_BYTES_MAX: usize = 16 * 1024;

/// Sequence numbers are compared within half of their circle, so no buffer is larger.
const CAPACITY_BYTES_MAX: usize = 1 << 30;

#[derive(Debug)]
struct Chunk {
    start: SeqNum,
    bytes: Bytes,
}

/// The queue of bytes from the application, by sequence number.
#[derive(Debug)]
pub struct SendBuffer {
    chunks: VecDeque<Chunk>,
    /// Small writes at the end, after the chunks.
    tail: BytesMut,
    start: SeqNum,
    len: u32,
    capacity: u32,
    /// The size of the last block for small writes.
    block: u32,
    /// The chunk the last look-up ended in.
    cursor: usize,
}

impl SendBuffer {
    /// An empty buffer whose first byte will be `start` (ISS + 1), for `capacity` bytes.
    #[must_use]
    pub fn new(start: SeqNum, capacity: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            tail: BytesMut::new(),
            start,
            len: 0,
            capacity: count(capacity.min(CAPACITY_BYTES_MAX)),
            block: 0,
            cursor: 0,
        }
    }

    /// The sequence number of the first byte that is kept.
    #[must_use]
    pub fn start(&self) -> SeqNum {
        self.start
    }

    /// The sequence number after the last byte.
    #[must_use]
    pub fn end(&self) -> SeqNum {
        self.start + self.len
    }

    /// How many bytes are kept, sent or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no byte is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes it is for, at most 2^30.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Changes the capacity. What is kept stays, also when it is more.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = count(capacity.min(CAPACITY_BYTES_MAX));
    }

    /// How many bytes [`write`](Self::write) would take.
    #[must_use]
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.len) as usize
    }

    /// How many bytes from `seq` on are kept; none when `seq` is outside.
    #[must_use]
    pub fn available(&self, seq: SeqNum) -> usize {
        if seq.is_before(self.start) {
            0
        } else {
            self.end().saturating_distance_from(seq) as usize
        }
    }

    /// Takes as much of `data` as there is room for and tells how much that was.
    pub fn write(&mut self, mut data: Bytes) -> usize {
        let taken = data.len().min(self.free());
        if taken <= MERGE_BYTES_MAX {
            self.append(&data[..taken]);
        } else {
            data.truncate(taken);
            self.close_tail();
            self.chunks.push_back(Chunk { start: self.end(), bytes: data });
            self.len += count(taken);
        }
        taken
    }

    /// As [`write`](Self::write), for bytes that have to be copied.
    pub fn write_slice(&mut self, data: &[u8]) -> usize {
        let data = &data[..data.len().min(self.free())];
        if data.len() <= MERGE_BYTES_MAX {
            self.append(data);
            data.len()
        } else {
            self.write(Bytes::copy_from_slice(data))
        }
    }

    /// Copies a small write into the tail. A full tail becomes a chunk, and the next block is twice
    /// as large: a trickle costs little memory, a stream of small writes few blocks.
    fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = self.tail.capacity() - self.tail.len();
            if room == 0 {
                self.close_tail();
                let size = (self.block as usize * 2).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
                self.block = count(size);
                self.tail = BytesMut::with_capacity(size);
                continue;
            }
            let (part, rest) = data.split_at(room.min(data.len()));
            self.tail.extend_from_slice(part);
            self.len += count(part.len());
            data = rest;
        }
    }

    /// Makes what the tail holds a chunk; its spare room stays for the next small writes.
    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let start = self.tail_start();
            let bytes = self.tail.split().freeze();
            self.chunks.push_back(Chunk { start, bytes });
        }
    }

    fn tail_start(&self) -> SeqNum {
        self.end() - count(self.tail.len())
    }

    /// The payload of a segment: the bytes from `seq` on, at most `len` of them.
    ///
    /// They are shared when they lie in one chunk and copied together otherwise, so a sender that
    /// may send less to avoid the copy asks [`contiguous`](Self::contiguous) first.
    pub fn slice(&mut self, seq: SeqNum, len: usize) -> Bytes {
        let len = len.min(self.available(seq));
        if len == 0 {
            return Bytes::new();
        }
        if (seq + count(len)).is_after(self.tail_start()) {
            self.close_tail();
        }
        let index = self.find(seq);
        self.cursor = index;
        let chunk = &self.chunks[index];
        let offset = seq.saturating_distance_from(chunk.start) as usize;
        if len <= chunk.bytes.len() - offset {
            return chunk.bytes.slice(offset..offset + len);
        }
        let mut together = BytesMut::with_capacity(len);
        self.chunks(seq, len).for_each(|part| together.extend_from_slice(part));
        // The next segment most likely begins where this one ends.
        self.cursor = self.find(seq + count(len - 1));
        together.freeze()
    }

    /// How many bytes from `seq` on [`slice`](Self::slice) can share without copying.
    #[must_use]
    pub fn contiguous(&self, seq: SeqNum) -> usize {
        self.chunks(seq, usize::MAX).next().map_or(0, <[u8]>::len)
    }

    /// The bytes from `seq` on, at most `len` of them, as they lie in memory.
    #[must_use]
    pub fn chunks(&self, seq: SeqNum, len: usize) -> Chunks<'_> {
        let left = len.min(self.available(seq));
        let index = if left == 0 { self.chunks.len() } else { self.find(seq) };
        let start = self.chunks.get(index).map_or(self.tail_start(), |chunk| chunk.start);
        let skip = seq.saturating_distance_from(start) as usize;
        Chunks { chunks: self.chunks.range(index..), tail: &self.tail, skip, left }
    }

    /// The index of the chunk with `seq`, which is kept; the number of chunks stands for the tail.
    fn find(&self, seq: SeqNum) -> usize {
        for index in [self.cursor, self.cursor + 1] {
            if let Some(chunk) = self.chunks.get(index)
                && seq.is_within(chunk.start, count(chunk.bytes.len()))
            {
                return index;
            }
        }
        if seq.is_at_least(self.tail_start()) {
            return self.chunks.len();
        }
        self.chunks.partition_point(|chunk| chunk.start.is_at_most(seq)) - 1
    }

    /// Forgets the bytes before `una`, which the peer has; tells how many these were.
    ///
    /// A `una` beyond the end (it counts the FIN too) means all bytes; one before the start, none.
    pub fn advance(&mut self, una: SeqNum) -> usize {
        let freed = una.saturating_distance_from(self.start).min(self.len);
        self.start += freed;
        self.len -= freed;
        if self.len == 0 {
            self.release();
            return freed as usize;
        }
        while let Some(chunk) = self.chunks.front_mut() {
            let used = self.start.saturating_distance_from(chunk.start) as usize;
            if used < chunk.bytes.len() {
                chunk.bytes.advance(used);
                chunk.start += count(used);
                return freed as usize;
            }
            self.chunks.pop_front();
            self.cursor = self.cursor.saturating_sub(1);
        }
        let used = self.tail.len() - self.len as usize;
        self.tail.advance(used);
        freed as usize
    }

    /// Forgets everything, and begins anew at `start`.
    pub fn reset(&mut self, start: SeqNum) {
        self.start = start;
        self.len = 0;
        self.release();
    }

    /// Gives the memory back: an idle connection keeps none.
    fn release(&mut self) {
        self.chunks = VecDeque::new();
        self.tail = BytesMut::new();
        self.block = 0;
        self.cursor = 0;
    }
}

/// Lengths here are at most the capacity, which fits.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// A range of a [`SendBuffer`] as it lies in memory; from [`SendBuffer::chunks`].
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    chunks: vec_deque::Iter<'a, Chunk>,
    tail: &'a [u8],
    skip: usize,
    left: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        let bytes = match self.chunks.next() {
            Some(chunk) => &chunk.bytes[..],
            None => core::mem::take(&mut self.tail),
        };
        let part = &bytes[self.skip.min(bytes.len())..];
        let part = &part[..part.len().min(self.left)];
        self.skip = 0;
        self.left -= part.len();
        (!part.is_empty()).then_some(part)
    }
}

impl FusedIterator for Chunks<'_> {}

//! Received bytes in order, until the application reads them.
//!
//! A large segment is kept as it came, sharing the frame. A small one is copied behind its
//! predecessor, so that a peer that sends single bytes does not make us keep a frame for each.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Payloads up to this size are copied together.
const MERGE_BYTES_MAX: usize = 512;
/// The blocks they are copied into: each twice as large as the one before, so that two bytes that nobody
/// reads do not cost what a stream of small segments is worth.
const BLOCK_BYTES_MIN: usize = 512;
const BLOCK_BYTES_MAX: usize = 4096;

/// The queue of bytes for the application.
///
/// A connection whose data is read segment by segment never allocates here: the first chunk has its
/// own place.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    first: Bytes,
    rest: Option<Box<Rest>>,
    len: usize,
}

#[derive(Debug, Default)]
struct Rest {
    chunks: VecDeque<Bytes>,
    /// Small payloads, after the chunks.
    tail: BytesMut,
    /// The size of the last block for them.
    block: usize,
}

impl Inbox {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes, `max` at most, come before the first piece of `piece_min` or more.
    pub(super) fn scattered(&self, piece_min: usize, max: usize) -> usize {
        let rest = self.rest.iter().flat_map(|rest| rest.chunks.iter().map(Bytes::len));
        let tail = self.rest.iter().map(|rest| rest.tail.len());
        let mut before = 0;
        for piece in [self.first.len()].into_iter().chain(rest).chain(tail) {
            if piece >= piece_min || before >= max {
                break;
            }
            before += piece;
        }
        before.min(max)
    }

    /// Adds what follows.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let empty = self.len == 0;
        self.len += bytes.len();
        if empty {
            self.first = bytes;
            return;
        }
        let rest = self.rest.get_or_insert_with(Box::default);
        if bytes.len() <= MERGE_BYTES_MAX {
            rest.merge(&bytes);
        } else {
            rest.close_tail();
            rest.chunks.push_back(bytes);
        }
    }

    /// Takes at most `max` bytes, as they lie together.
    pub(super) fn pop(&mut self, max: usize) -> Option<Bytes> {
        if self.len == 0 || max == 0 {
            return None;
        }
        self.refill();
        let taken = self.first.split_to(max.min(self.first.len()));
        self.forget(taken.len());
        Some(taken)
    }

    /// Moves as many bytes as there are and fit; says how many.
    pub(super) fn copy_to(&mut self, to: &mut [u8]) -> usize {
        let mut done = 0;
        while done < to.len() && self.len > 0 {
            self.refill();
            let count = self.first.len().min(to.len() - done);
            to[done..done + count].copy_from_slice(&self.first[..count]);
            self.first.advance(count);
            done += count;
            self.forget(count);
        }
        done
    }

    /// Makes the first chunk one that has bytes.
    fn refill(&mut self) {
        if self.first.is_empty() {
            self.first = self.rest.as_mut().and_then(|rest| rest.pop()).unwrap_or_default();
        }
    }

    /// Counts bytes that were taken from the first chunk; an empty inbox holds no memory.
    fn forget(&mut self, count: usize) {
        self.len -= count;
        if self.len == 0 {
            *self = Self::default();
        }
    }

    /// Forgets everything and tells how much that was.
    pub(super) fn clear(&mut self) -> usize {
        let len = self.len;
        *self = Self::default();
        len
    }
}

impl Rest {
    fn merge(&mut self, bytes: &[u8]) {
        if self.tail.capacity() - self.tail.len() < bytes.len() {
            self.close_tail();
            self.block = (2 * self.block).clamp(BLOCK_BYTES_MIN, BLOCK_BYTES_MAX);
            self.tail = BytesMut::with_capacity(self.block);
        }
        self.tail.extend_from_slice(bytes);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.close_tail();
        }
        self.chunks.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn what_is_scattered_ends_where_a_long_piece_begins() {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.scattered(1000, 100), 0);
        for len in [600, 700, 100, 2000, 900] {
            inbox.push(vec![7; len].into());
        }
        assert_eq!(inbox.scattered(1000, usize::MAX), 1400);
        assert_eq!(inbox.scattered(1000, 1000), 1000);
        assert_eq!(inbox.scattered(10_000, usize::MAX), inbox.len());
        assert_eq!(inbox.copy_to(&mut [0; 1400]), 1400);
        assert_eq!(inbox.scattered(1000, usize::MAX), 0, "a long piece is next");
        // What is left of it is short, and so is all that follows.
        assert_eq!(inbox.pop(1500).map(|piece| piece.len()), Some(1500));
        assert_eq!(inbox.scattered(1000, usize::MAX), 1400);
        assert_eq!(inbox.clear(), 1400);
    }
}

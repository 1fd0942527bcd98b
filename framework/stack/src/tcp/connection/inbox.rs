//! Received bytes in order, until the application reads them.
//!
//! A large segment is kept as it came, sharing the frame. A small one is copied behind its
//! predecessor, so that a peer that sends single bytes does not make us keep a frame for each.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Payloads up to this size are copied together.
const MERGE_BYTES_MAX: usize = 512;
/// The block they are copied into.
const BLOCK_BYTES: usize = 4096;

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
}

impl Inbox {
    /// How many bytes wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of them lie together at the front: what [`pop`](Self::pop) gives at most.
    pub(super) fn front_len(&self) -> usize {
        let rest = || self.rest.as_ref().map_or(0, |rest| rest.front_len());
        if self.first.is_empty() { rest() } else { self.first.len() }
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
            self.tail = BytesMut::with_capacity(BLOCK_BYTES);
        }
        self.tail.extend_from_slice(bytes);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    fn front_len(&self) -> usize {
        self.chunks.front().map_or(self.tail.len(), Bytes::len)
    }

    fn pop(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.close_tail();
        }
        self.chunks.pop_front()
    }
}

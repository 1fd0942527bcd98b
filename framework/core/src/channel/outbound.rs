//! What a stream channel has still to send: chunks in order, promises between them.
//!
//! A promise is an entry of its own, so it is kept exactly when everything before it has gone.
//! Nothing is held while nothing waits: the last buffer goes back to the pool.

mod gather;
mod share;

use std::collections::VecDeque;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, Pool, Segment};

use crate::error::Error;
use crate::outgoing::{FileRegion, Outgoing};
use crate::promise::Promise;
pub use gather::{FILE_BYTES_PER_WRITE, Front, GATHER_SLICES_MAX, Gather, file_shrank};
pub use share::Share;

/// A buffer of at most so many bytes is appended to the one before it instead of becoming a slice
/// of its own: a copy of this size costs less than a slice in the system call.
const COALESCE_BYTES_MAX: usize = 512;

/// An empty queue of chunks keeps room for so many.
const CHUNKS_KEPT_MAX: usize = 8;

/// Size of the buffer that encoders write into first, and of those that follow it while it waits.
const ENCODE_BUFFER_BYTES: usize = 4 * 1024;
const NEXT_ENCODE_BUFFER_BYTES: usize = 16 * 1024;

/// With less room than this an encoder gets a new buffer: letting the old one grow would copy it.
const ENCODE_ROOM_BYTES_MIN: usize = 512;

#[derive(Debug)]
enum Chunk {
    Buf(ByteBuf),
    Bytes(Bytes),
    File(FileRegion),
    Promise(Promise),
}

/// The outbound queue of one stream channel.
///
/// Most of what is ever sent goes through `tail` alone, so a channel whose answers are encoded
/// needs no queue of chunks at all.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    chunks: VecDeque<Chunk>,
    /// What follows the chunks: encoders append to it.
    tail: ByteBuf,
    /// Bytes in the chunks, and those that the transport took with their buffer and has not reported
    /// yet.
    in_chunks: u64,
    /// Of these, the latter.
    taken: u64,
    /// Of these, bytes of files, which take no memory.
    in_files: u64,
}

impl Outbound {
    /// Bytes that wait.
    #[inline]
    pub(crate) fn pending(&self) -> u64 {
        self.in_chunks + self.tail.readable() as u64
    }

    /// Bytes that wait in memory.
    #[inline]
    pub(crate) fn in_memory(&self) -> u64 {
        self.pending() - self.in_files
    }

    /// Whether neither bytes nor promises wait.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
    }

    /// Takes the only message that waits, one of a buffer. `None` when something else waits, or it is
    /// another message.
    #[inline]
    pub(crate) fn push_first(&mut self, message: Outgoing) -> Option<Outgoing> {
        match message {
            Outgoing::Buf(buf)
                if self.pending() == 0 && self.chunks.is_empty() && !buf.is_empty() =>
            {
                self.tail = buf;
                None
            }
            other => Some(other),
        }
    }

    /// Appends a message.
    pub(crate) fn push(&mut self, message: Outgoing, promise: Promise) {
        match message {
            _ if message.is_empty() => {}
            Outgoing::Buf(buf) => self.push_buf(buf),
            Outgoing::Bytes(bytes) => self.push_bytes(bytes),
            Outgoing::Composite(mut rope) => {
                while let Some(segment) = rope.pop_front() {
                    match segment {
                        Segment::Buf(buf) => self.push_buf(buf),
                        other => self.push_bytes(other.into_bytes()),
                    }
                }
            }
            Outgoing::File(region) => {
                self.seal();
                self.in_chunks += region.len();
                self.in_files += region.len();
                self.chunks.push_back(Chunk::File(region));
            }
        }
        self.push_promise(promise);
    }

    fn push_buf(&mut self, buf: ByteBuf) {
        let n = buf.readable();
        if n <= COALESCE_BYTES_MAX && self.tail.writable() >= n {
            self.tail.write_slice(buf.as_slice());
        } else {
            self.seal();
            self.tail = buf;
        }
    }

    fn push_bytes(&mut self, bytes: Bytes) {
        self.seal();
        self.in_chunks += bytes.len() as u64;
        self.chunks.push_back(Chunk::Bytes(bytes));
    }

    /// Appends a promise, to be kept when all that is queued now has gone.
    #[inline]
    pub(crate) fn push_promise(&mut self, promise: Promise) {
        if promise.is_observed() {
            self.seal();
            self.chunks.push_back(Chunk::Promise(promise));
        }
    }

    /// Makes the tail a chunk, so that something else can follow it.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.in_chunks += self.tail.readable() as u64;
            self.chunks.push_back(Chunk::Buf(std::mem::take(&mut self.tail)));
        }
    }

    /// The buffer that an encoder may append to (a new one of `pool` if need be), which then has to
    /// tell [`encoded`](Self::encoded).
    #[inline(always)]
    pub(crate) fn open_tail(&mut self, pool: &Pool) -> &mut ByteBuf {
        if self.tail.writable() < ENCODE_ROOM_BYTES_MIN {
            self.open(pool);
        }
        &mut self.tail
    }

    /// An encoder has appended to a buffer that held `before` bytes. When it failed, what it
    /// appended is taken back.
    #[inline(always)]
    pub(crate) fn encoded(&mut self, before: usize, failed: bool) {
        if failed {
            self.tail.truncate(before);
        }
        if self.tail.is_empty() {
            // No buffer is held while nothing waits.
            self.tail = ByteBuf::new();
        }
    }

    /// A new tail to encode into.
    #[cold]
    #[inline(never)]
    fn open(&mut self, pool: &Pool) {
        let first = self.is_empty();
        self.seal();
        self.tail = pool.take(if first { ENCODE_BUFFER_BYTES } else { NEXT_ENCODE_BUFFER_BYTES });
    }

    /// What can be offered to the transport now.
    pub(crate) fn gather(&mut self) -> Gather<'_> {
        Gather(self)
    }

    /// The transport has taken `n` bytes: drops them and keeps the promises that they held up. Answers
    /// whether nothing more waits.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize, pool: &Pool) -> bool {
        debug_assert!(n as u64 <= self.pending(), "more was written than was offered");
        if self.in_chunks == 0 && self.chunks.is_empty() && n == self.tail.readable() {
            pool.give(std::mem::take(&mut self.tail));
            true
        } else {
            self.advance_in_parts(n);
            self.is_empty()
        }
    }

    /// Not all, or not of the tail alone.
    #[inline(never)]
    fn advance_in_parts(&mut self, n: usize) {
        let taken = self.taken.min(n as u64);
        self.taken -= taken;
        self.in_chunks -= taken;
        let left = self.advance_chunks(n - taken as usize);
        if left == self.tail.readable() {
            self.tail = ByteBuf::new();
        } else {
            bytes::Buf::advance(&mut self.tail, left);
        }
    }

    /// Answers what was taken of the tail.
    fn advance_chunks(&mut self, mut n: usize) -> usize {
        while let Some(front) = self.chunks.front_mut() {
            let len = match front {
                Chunk::Promise(_) => 0,
                Chunk::Buf(buf) => buf.readable(),
                Chunk::Bytes(bytes) => bytes.len(),
                Chunk::File(region) => usize::try_from(region.len()).unwrap_or(usize::MAX),
            };
            let taken = n.min(len);
            self.in_chunks -= taken as u64;
            if n < len {
                match front {
                    Chunk::Buf(buf) => bytes::Buf::advance(buf, n),
                    Chunk::Bytes(bytes) => bytes::Buf::advance(bytes, n),
                    Chunk::File(region) => {
                        region.advance(n as u64);
                        self.in_files -= n as u64;
                    }
                    Chunk::Promise(_) => {}
                }
                return 0;
            }
            n -= taken;
            match self.chunks.pop_front() {
                Some(Chunk::Promise(promise)) => promise.succeed(),
                Some(Chunk::File(_)) => self.in_files -= len as u64,
                _ => {}
            }
        }
        if self.chunks.capacity() > CHUNKS_KEPT_MAX {
            self.chunks = VecDeque::new();
        }
        n
    }

    /// The front is nothing but promises: keeps them.
    pub(crate) fn keep_leading_promises(&mut self) {
        self.advance_in_parts(0);
    }

    /// Drops everything and fails the promises.
    pub(crate) fn fail(&mut self, mut error: impl FnMut() -> Error) {
        self.in_chunks = 0;
        self.taken = 0;
        self.in_files = 0;
        self.tail = ByteBuf::new();
        for chunk in std::mem::take(&mut self.chunks) {
            if let Chunk::Promise(promise) = chunk {
                promise.fail(error());
            }
        }
    }
}

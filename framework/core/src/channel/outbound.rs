//! What a stream channel has still to send: chunks in order, promises between them.
//!
//! A promise is an entry of its own, so it is kept exactly when everything before it has gone.
//! Nothing is held while nothing waits: the last buffer goes back to the pool.

mod share;

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, Pool, Segment};

use crate::error::Error;
use crate::outgoing::{FileRegion, Outgoing};
use crate::promise::Promise;
pub use share::Share;

/// Most slices that are offered in one gathering write.
pub const GATHER_SLICES_MAX: usize = 64;

/// Most bytes of a file that are offered in one write.
pub const FILE_BYTES_PER_WRITE: u64 = 1 << 30;

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
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.tail.is_empty()
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

    /// The transport has taken `n` bytes: drops them and keeps the promises that they held up.
    pub(crate) fn advance(&mut self, n: usize) {
        debug_assert!(n as u64 <= self.pending(), "more was written than was offered");
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
        self.advance(0);
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

/// The front of an outbound queue, offered to a transport.
#[derive(Debug)]
pub struct Gather<'a>(&'a mut Outbound);

/// What comes first in a [`Gather`].
#[derive(Debug)]
pub enum Front<'a> {
    /// Bytes, and whether more bytes follow in other chunks.
    Bytes(&'a [u8], bool),
    /// A piece of a file.
    File(&'a FileRegion),
    /// Nothing at all.
    Nothing,
}

/// Bytes, or a piece of a file.
enum Part<'a> {
    Bytes(&'a [u8]),
    File(&'a FileRegion),
}

impl Gather<'_> {
    /// What is to be sent, in order.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let chunks = self.0.chunks.iter().filter_map(|chunk| match chunk {
            Chunk::Promise(_) => None,
            Chunk::Buf(buf) => Some(Part::Bytes(buf.as_slice())),
            Chunk::Bytes(bytes) => Some(Part::Bytes(bytes)),
            Chunk::File(region) => Some(Part::File(region)),
        });
        let tail = &self.0.tail;
        chunks.chain((!tail.is_empty()).then_some(Part::Bytes(tail.as_slice())))
    }

    /// Takes the first buffer itself, if it holds no more than `max` bytes: for transports that
    /// keep buffers, which need not copy then. `None` when something else comes first.
    ///
    /// What is taken counts as written: the transport reports it like bytes that it copied.
    pub fn take(&mut self, max: usize) -> Option<ByteBuf> {
        let out = &mut *self.0;
        let buf = match out.chunks.iter().position(|c| !matches!(c, Chunk::Promise(_))) {
            Some(at) => match &out.chunks[at] {
                Chunk::Buf(buf) if buf.readable() <= max => match out.chunks.remove(at) {
                    Some(Chunk::Buf(buf)) => buf,
                    _ => return None,
                },
                _ => return None,
            },
            None if !out.tail.is_empty() && out.tail.readable() <= max => {
                out.in_chunks += out.tail.readable() as u64;
                std::mem::take(&mut out.tail)
            }
            None => return None,
        };
        out.taken += buf.readable() as u64;
        Some(buf)
    }

    /// What comes first. A single slice needs no gathering.
    #[must_use]
    pub fn front(&self) -> Front<'_> {
        if self.0.chunks.is_empty() && !self.0.tail.is_empty() {
            return Front::Bytes(self.0.tail.as_slice(), false);
        }
        let mut parts = self.parts();
        match parts.next() {
            None => Front::Nothing,
            Some(Part::File(region)) => Front::File(region),
            Some(Part::Bytes(bytes)) => {
                Front::Bytes(bytes, matches!(parts.next(), Some(Part::Bytes(_))))
            }
        }
    }

    /// How many bytes one [`Transport::write`](crate::transport::Transport::write) is offered.
    #[must_use]
    pub fn offered(&self) -> u64 {
        let mut offered = 0;
        for (index, part) in self.parts().take(GATHER_SLICES_MAX).enumerate() {
            match part {
                Part::Bytes(bytes) => offered += bytes.len() as u64,
                Part::File(region) if index == 0 => return region.len().min(FILE_BYTES_PER_WRITE),
                Part::File(_) => break,
            }
        }
        offered
    }

    /// Fills `slices` with the bytes up to the first file region; answers how many were filled.
    pub fn slices<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        let mut filled = 0;
        for (part, slot) in self.parts().zip(slices) {
            let Part::Bytes(bytes) = part else { break };
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Copies up to `into.len()` bytes of the front, of file regions too: for transports that
    /// keep their own buffers. Answers how many.
    ///
    /// # Errors
    /// When a file cannot be read, or has become shorter than its region.
    pub fn copy_to(&self, into: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        for part in self.parts() {
            let room = &mut into[filled..];
            if room.is_empty() {
                break;
            }
            filled += match part {
                Part::Bytes(bytes) => copy_front(bytes, room),
                Part::File(region) => {
                    let want = room.len().min(usize::try_from(region.len()).unwrap_or(usize::MAX));
                    let read = region.source().read_at(region.offset(), &mut room[..want])?;
                    if read == 0 {
                        return Err(file_shrank());
                    }
                    if read < want {
                        filled += read;
                        break;
                    }
                    read
                }
            };
        }
        Ok(filled)
    }
}

/// The error of a file that became shorter while it was being sent.
pub fn file_shrank() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::UnexpectedEof,
        "a file became shorter while it was being sent",
    )
}

fn copy_front(from: &[u8], to: &mut [u8]) -> usize {
    let n = from.len().min(to.len());
    to[..n].copy_from_slice(&from[..n]);
    n
}

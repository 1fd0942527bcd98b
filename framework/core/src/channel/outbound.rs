//! What a stream channel has still to send: chunks in order, promises between them.
//!
//! A promise is an entry of its own, so it is kept exactly when everything before it has gone.
//! Nothing is held while nothing waits: the last buffer goes back to the pool.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use fyke_buffer::{ByteBuf, Pool};

use crate::error::Error;
use crate::outgoing::{FileRegion, Outgoing};
use crate::promise::Promise;

/// Most slices that are offered in one gathering write.
pub const GATHER_SLICES_MAX: usize = 64;

/// Most bytes of a file that are offered in one write.
pub const FILE_BYTES_PER_WRITE: u64 = 1 << 30;

/// A buffer of at most so many bytes is appended to the one before it instead of becoming a slice
/// of its own: a copy of this size costs less than a slice in the system call.
const COALESCE_BYTES_MAX: usize = 512;

/// Size of the buffers that encoders write into.
const ENCODE_BUFFER_BYTES: usize = 4096;

#[derive(Debug)]
enum Chunk {
    /// A buffer of ours; encoders append to it while it is the last one.
    Buf(ByteBuf),
    Bytes(Bytes),
    File(FileRegion),
    Promise(Promise),
}

/// The outbound queue of one stream channel.
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    chunks: VecDeque<Chunk>,
    pending: u64,
    /// Of these, bytes of files, which take no memory.
    in_files: u64,
}

impl Outbound {
    /// Bytes that wait.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }

    /// Bytes that wait in memory.
    pub(crate) fn in_memory(&self) -> u64 {
        self.pending - self.in_files
    }

    /// Whether neither bytes nor promises wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends a message.
    pub(crate) fn push(&mut self, message: Outgoing, promise: Promise) {
        self.pending += message.len();
        match message {
            Outgoing::Buf(buf) if buf.is_empty() => {}
            Outgoing::Buf(buf) => match self.chunks.back_mut() {
                Some(Chunk::Buf(last))
                    if buf.readable() <= COALESCE_BYTES_MAX
                        && last.writable() >= buf.readable() =>
                {
                    last.write_slice(buf.as_slice());
                }
                _ => self.chunks.push_back(Chunk::Buf(buf)),
            },
            Outgoing::Bytes(bytes) if bytes.is_empty() => {}
            Outgoing::Bytes(bytes) => self.chunks.push_back(Chunk::Bytes(bytes)),
            Outgoing::File(region) if region.is_empty() => {}
            Outgoing::File(region) => {
                self.in_files += region.len();
                self.chunks.push_back(Chunk::File(region));
            }
        }
        self.push_promise(promise);
    }

    /// Appends a promise, to be kept when all that is queued now has gone.
    #[inline]
    pub(crate) fn push_promise(&mut self, promise: Promise) {
        if promise.is_observed() {
            self.chunks.push_back(Chunk::Promise(promise));
        }
    }

    /// Lets `encode` append to the last buffer (a new one of `pool` if need be). When it fails,
    /// what it appended is taken back.
    #[inline]
    pub(crate) fn encode<E>(
        &mut self,
        pool: &Pool,
        encode: impl FnOnce(&mut ByteBuf) -> Result<(), E>,
    ) -> Result<(), E> {
        let reuse = matches!(self.chunks.back(), Some(Chunk::Buf(last)) if last.writable() > 0);
        if !reuse {
            self.chunks.push_back(Chunk::Buf(pool.take(ENCODE_BUFFER_BYTES)));
        }
        let Some(Chunk::Buf(last)) = self.chunks.back_mut() else {
            unreachable!("a buffer was pushed above")
        };
        let before = last.readable();
        let result = encode(last);
        if result.is_err() {
            last.truncate(before);
        }
        let after = last.readable();
        self.pending += (after - before) as u64;
        if after == 0 {
            self.chunks.pop_back();
        }
        result
    }

    /// What can be offered to the transport now.
    pub(crate) fn gather(&mut self) -> Gather<'_> {
        Gather { chunks: &mut self.chunks }
    }

    /// The transport has taken `n` bytes: drops them and keeps the promises that they held up.
    pub(crate) fn advance(&mut self, mut n: usize) {
        debug_assert!(n as u64 <= self.pending, "more was written than was offered");
        self.pending -= n as u64;
        while let Some(front) = self.chunks.front_mut() {
            let len = match front {
                Chunk::Promise(_) => 0,
                Chunk::Buf(buf) => buf.readable(),
                Chunk::Bytes(bytes) => bytes.len(),
                Chunk::File(region) => usize::try_from(region.len()).unwrap_or(usize::MAX),
            };
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
                break;
            }
            n -= len;
            match self.chunks.pop_front() {
                Some(Chunk::Promise(promise)) => promise.succeed(),
                Some(Chunk::File(_)) => self.in_files -= len as u64,
                _ => {}
            }
        }
        if self.chunks.is_empty() && self.chunks.capacity() > 8 {
            self.chunks = VecDeque::new();
        }
    }

    /// The front is nothing but promises: keeps them.
    pub(crate) fn keep_leading_promises(&mut self) {
        self.advance(0);
    }

    /// Drops everything and fails the promises.
    pub(crate) fn fail(&mut self, mut error: impl FnMut() -> Error) {
        self.pending = 0;
        self.in_files = 0;
        for chunk in std::mem::take(&mut self.chunks) {
            if let Chunk::Promise(promise) = chunk {
                promise.fail(error());
            }
        }
    }
}

/// The front of an outbound queue, offered to a transport.
#[derive(Debug)]
pub struct Gather<'a> {
    chunks: &'a mut VecDeque<Chunk>,
}

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

impl Gather<'_> {
    /// What comes first. A single slice needs no gathering.
    #[must_use]
    pub fn front(&self) -> Front<'_> {
        let mut chunks = self.chunks.iter().filter(|c| !matches!(c, Chunk::Promise(_)));
        match chunks.next() {
            None | Some(Chunk::Promise(_)) => Front::Nothing,
            Some(Chunk::File(region)) => Front::File(region),
            Some(Chunk::Buf(buf)) => {
                Front::Bytes(buf.as_slice(), matches!(chunks.next(), Some(c) if c.is_bytes()))
            }
            Some(Chunk::Bytes(bytes)) => {
                Front::Bytes(bytes, matches!(chunks.next(), Some(c) if c.is_bytes()))
            }
        }
    }

    /// How many bytes one [`Transport::write`](crate::transport::Transport::write) is offered.
    #[must_use]
    pub fn offered(&self) -> u64 {
        let mut offered = 0;
        let bytes = self.chunks.iter().filter(|c| !matches!(c, Chunk::Promise(_)));
        for (index, chunk) in bytes.take(GATHER_SLICES_MAX).enumerate() {
            match chunk {
                Chunk::File(region) if index == 0 => return region.len().min(FILE_BYTES_PER_WRITE),
                Chunk::File(_) | Chunk::Promise(_) => break,
                Chunk::Buf(buf) => offered += buf.readable() as u64,
                Chunk::Bytes(bytes) => offered += bytes.len() as u64,
            }
        }
        offered
    }

    /// Fills `slices` with the bytes up to the first file region; answers how many were filled.
    pub fn slices<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        let mut filled = 0;
        for chunk in self.chunks.iter() {
            let bytes: &[u8] = match chunk {
                Chunk::Promise(_) => continue,
                Chunk::File(_) => break,
                Chunk::Buf(buf) => buf.as_slice(),
                Chunk::Bytes(bytes) => bytes,
            };
            let Some(slot) = slices.get_mut(filled) else { break };
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
        for chunk in self.chunks.iter() {
            let room = &mut into[filled..];
            if room.is_empty() {
                break;
            }
            filled += match chunk {
                Chunk::Promise(_) => 0,
                Chunk::Buf(buf) => copy_front(buf.as_slice(), room),
                Chunk::Bytes(bytes) => copy_front(bytes, room),
                Chunk::File(region) => {
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

impl Chunk {
    fn is_bytes(&self) -> bool {
        matches!(self, Self::Buf(_) | Self::Bytes(_))
    }
}

//! The front of an outbound queue, as a transport is offered it: slices, one buffer, or a file.

use std::io::IoSlice;

use fyke_buffer::ByteBuf;

use super::{Chunk, Outbound};
use crate::outgoing::FileRegion;

/// Most slices that are offered in one gathering write.
pub const GATHER_SLICES_MAX: usize = 64;

/// Most bytes of a file that are offered in one write.
pub const FILE_BYTES_PER_WRITE: u64 = 1 << 30;

/// The front of an outbound queue, offered to a transport.
#[derive(Debug)]
pub struct Gather<'a>(pub(super) &'a mut Outbound);

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
    #[inline]
    pub fn front(&self) -> Front<'_> {
        if self.0.chunks.is_empty() && !self.0.tail.is_empty() {
            return Front::Bytes(self.0.tail.as_slice(), false);
        }
        self.front_of_parts()
    }

    #[inline(never)]
    fn front_of_parts(&self) -> Front<'_> {
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
    #[inline]
    pub fn offered(&self) -> u64 {
        if self.0.chunks.is_empty() {
            return self.0.tail.readable() as u64;
        }
        self.offered_in_parts()
    }

    #[inline(never)]
    fn offered_in_parts(&self) -> u64 {
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

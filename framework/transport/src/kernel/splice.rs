//! Bytes of one socket that go to another through a pipe, without entering the program.
//!
//! ```text
//! socket --splice--> pipe = a FileRegion --any channel's queue--> splice --> socket
//!                                        \-- another transport, a stage --> read from the pipe
//! ```
//!
//! A pipe belongs to a region from the read that filled it until its last byte is gone; then it goes back
//! to the transport that made it. So there are as many pipes as there are reads on their way, not as
//! connections. When there are no more (a limit, or no descriptors), the bytes are read as others are.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_core::transport::{Handle, ReadRegion};
use fyke_core::{FileRegion, RegionSource};
use fyke_poller::sys;
use rustix::io::Errno;

use super::Kernel;
use super::table::Role;

/// How many pipes (of two descriptors each) one transport has at most, unless it is told otherwise.
pub(super) const PIPES_MAX: usize = 256;

/// Pipes that are kept while nobody needs them; what is beyond is closed.
const PIPES_KEPT_MAX: usize = 16;

/// What a pipe is asked to hold. The kernel counts pages, and a packet's piece of any size takes one.
const PIPE_BYTES: usize = 256 * 1024;

#[derive(Debug)]
struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
    capacity: usize,
}

/// The pipes of one transport. Regions may travel to other loops, so they come back from anywhere.
#[derive(Debug)]
pub(super) struct Pipes {
    free: Mutex<Vec<Pipe>>,
    open: AtomicUsize,
    max: AtomicUsize,
}

impl Pipes {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let (free, open) = (Mutex::default(), AtomicUsize::new(0));
        Arc::new(Self { free, open, max: AtomicUsize::new(max) })
    }

    pub(super) fn set_max(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
    }

    /// How many there are, in use or not.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn free(&self) -> MutexGuard<'_, Vec<Pipe>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty pipe; `None` when there is none to be had.
    fn take(&self) -> Option<Pipe> {
        if let Some(pipe) = self.free().pop() {
            return Some(pipe);
        }
        // Only the transport's own thread takes, so nobody can come between these two.
        if self.open() >= self.max.load(Ordering::Relaxed) {
            return None;
        }
        match sys::pipe(PIPE_BYTES) {
            Ok((reader, writer, capacity)) => {
                self.open.fetch_add(1, Ordering::Relaxed);
                Some(Pipe { reader, writer, capacity })
            }
            Err(error) => {
                tracing::debug!(%error, "no pipe to splice with: copying");
                None
            }
        }
    }

    /// Takes an empty pipe back.
    fn give(&self, pipe: Pipe) {
        let mut free = self.free();
        if free.len() < PIPES_KEPT_MAX.min(self.max.load(Ordering::Relaxed)) {
            free.push(pipe);
        } else {
            drop(free);
            self.close(pipe);
        }
    }

    fn close(&self, pipe: Pipe) {
        drop(pipe);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes in a pipe as the source of a region. They can be sent once, from the front to the end.
#[derive(Debug)]
pub(super) struct PipeSource {
    state: Mutex<State>,
    pipes: Arc<Pipes>,
}

#[derive(Debug)]
enum State {
    /// In the pipe, from `offset` on.
    Piped { pipe: Pipe, offset: u64, left: usize },
    /// Taken out, because somebody wanted to see them: the bytes from `offset` on.
    Copied { offset: u64, bytes: Vec<u8> },
    /// All gone.
    Spent,
}

impl PipeSource {
    fn new(pipe: Pipe, bytes: usize, pipes: &Arc<Pipes>) -> Arc<Self> {
        let state = State::Piped { pipe, offset: 0, left: bytes };
        Arc::new(Self { state: Mutex::new(state), pipes: Arc::clone(pipes) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves up to `count` bytes from `offset` on to `socket`.
    pub(super) fn send(&self, socket: &OwnedFd, offset: u64, count: u64) -> io::Result<usize> {
        let mut state = self.state();
        match &mut *state {
            State::Piped { pipe, offset: at, left } if *at == offset => {
                let count = usize::try_from(count).map_or(*left, |count| count.min(*left));
                let sent = sys::splice(&pipe.reader, socket, count)?;
                *at += sent as u64;
                *left -= sent;
                if *left == 0
                    && let State::Piped { pipe, .. } = std::mem::replace(&mut *state, State::Spent)
                {
                    self.pipes.give(pipe);
                }
                Ok(sent)
            }
            State::Copied { offset: at, bytes } => {
                let rest = piece(*at, bytes, offset).ok_or_else(sent_already)?;
                let count =
                    usize::try_from(count).map_or(rest.len(), |count| count.min(rest.len()));
                sys::send(socket, &rest[..count])
            }
            _ => Err(sent_already()),
        }
    }

    /// Takes the bytes out of the pipe: from now on they can be read as often as is liked.
    fn copy(&self, state: &mut State) -> io::Result<()> {
        let State::Piped { pipe, offset, left } = state else { return Ok(()) };
        let mut bytes = vec![0; *left];
        let mut filled = 0;
        while filled < bytes.len() {
            match sys::read_pipe(&pipe.reader, &mut bytes[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => filled += n,
            }
        }
        let copied = State::Copied { offset: *offset, bytes };
        if let State::Piped { pipe, .. } = std::mem::replace(state, copied) {
            self.pipes.give(pipe);
        }
        Ok(())
    }
}

impl RegionSource for PipeSource {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        self.copy(&mut state)?;
        let State::Copied { offset: at, bytes } = &*state else { return Err(sent_already()) };
        let rest = piece(*at, bytes, offset).ok_or_else(sent_already)?;
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Drop for PipeSource {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // What is in it would come out before the next one's bytes.
        if let State::Piped { pipe, .. } = std::mem::replace(state, State::Spent) {
            self.pipes.close(pipe);
        }
    }
}

/// What is left from `offset` on of `bytes`, which begin at `at`.
fn piece(at: u64, bytes: &[u8], offset: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(offset.checked_sub(at)?).ok()?..)
}

fn sent_already() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "spliced bytes can be sent only once, and in order")
}

impl Kernel {
    pub(super) fn read_spliced(&mut self, handle: Handle, want: usize) -> io::Result<ReadRegion> {
        let endpoint = self.table.get(handle)?;
        if !matches!(endpoint.role, Role::Stream(_)) {
            return Ok(ReadRegion::Copy);
        }
        let Some(pipe) = self.pipes.take() else { return Ok(ReadRegion::Copy) };
        let want = want.clamp(1, pipe.capacity);
        match sys::splice(&endpoint.fd, &pipe.writer, want) {
            Ok(0) => {
                endpoint.watch.note_end_read();
                self.pipes.give(pipe);
                Ok(ReadRegion::End)
            }
            Ok(bytes) => {
                // A short count may mean that the pipe has no place for another piece, so only a level
                // may be left to report what remains.
                let more = bytes == want || endpoint.watch.is_edge() || endpoint.watch.has_ended();
                let source = PipeSource::new(pipe, bytes, &self.pipes);
                Ok(ReadRegion::Region { region: FileRegion::new(source, 0, bytes as u64), more })
            }
            Err(error) => {
                self.pipes.give(pipe);
                match Errno::from_io_error(&error) {
                    // Urgent data stops a splice, not a read: so that one has the last word on whether
                    // there is nothing. Without it such a level would be reported for ever.
                    Some(Errno::AGAIN | Errno::INVAL | Errno::NOSYS) => Ok(ReadRegion::Copy),
                    _ => Err(error),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pipes: &Arc<Pipes>, content: &[u8]) -> Arc<PipeSource> {
        let pipe = pipes.take().unwrap();
        assert_eq!(rustix::io::write(&pipe.writer, content).unwrap(), content.len());
        PipeSource::new(pipe, content.len(), pipes)
    }

    fn pair() -> (OwnedFd, std::os::unix::net::UnixStream) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (ours.into(), theirs)
    }

    #[test]
    fn a_spent_pipe_is_used_again_and_a_full_one_is_not() {
        let pipes = Pipes::new(2);
        let (socket, _peer) = pair();
        let source = filled(&pipes, b"0123456789");
        assert_eq!(source.send(&socket, 0, 4).unwrap(), 4);
        assert_eq!(source.send(&socket, 4, 99).unwrap(), 6);
        assert_eq!((pipes.open(), pipes.free().len()), (1, 1));
        let source = filled(&pipes, b"left");
        assert_eq!((pipes.open(), pipes.free().len()), (1, 0));
        drop(source);
        assert_eq!((pipes.open(), pipes.free().len()), (0, 0));
    }

    #[test]
    fn there_are_no_more_pipes_than_the_limit() {
        let pipes = Pipes::new(2);
        let held = (pipes.take().unwrap(), pipes.take().unwrap());
        assert!(pipes.take().is_none());
        pipes.give(held.0);
        assert!(pipes.take().is_some());
        pipes.set_max(0);
        pipes.give(held.1);
        assert_eq!((pipes.open(), pipes.free().len()), (1, 0));
    }

    #[test]
    fn bytes_are_sent_once_and_in_order() {
        let pipes = Pipes::new(2);
        let (socket, _peer) = pair();
        let source = filled(&pipes, b"0123456789");
        source.send(&socket, 1, 4).unwrap_err();
        assert_eq!(source.send(&socket, 0, 10).unwrap(), 10);
        let error = source.send(&socket, 0, 10).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        source.read_at(0, &mut [0; 4]).unwrap_err();
    }

    #[test]
    fn bytes_that_were_looked_at_are_a_copy() {
        let pipes = Pipes::new(2);
        let (socket, mut peer) = pair();
        let source = filled(&pipes, b"0123456789");
        assert_eq!(source.send(&socket, 0, 2).unwrap(), 2);
        let mut into = [0; 5];
        assert_eq!(source.read_at(3, &mut into).unwrap(), 5);
        assert_eq!(&into, b"34567");
        assert_eq!(pipes.free().len(), 1, "the pipe is free");
        assert_eq!(source.send(&socket, 2, 99).unwrap(), 8);
        assert_eq!(source.read_at(9, &mut into).unwrap(), 1);
        source.read_at(1, &mut into).unwrap_err();
        let mut got = [0; 10];
        io::Read::read_exact(&mut peer, &mut got).unwrap();
        assert_eq!(&got, b"0123456789");
    }
}

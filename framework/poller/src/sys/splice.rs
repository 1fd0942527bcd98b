//! Pipes, and moving bytes between a pipe and a socket inside the kernel.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::retry_on_intr;
use rustix::pipe::{PipeFlags, SpliceFlags};

/// A pipe whose both ends never block: what is written to the second can be read from the first.
///
/// It is asked to hold `bytes`; a system that grants no more (a user may have so many pages in pipes)
/// gives one of its usual size, or of a page or two. Answers what it holds.
///
/// # Errors
/// Too many open descriptors.
pub fn pipe(bytes: usize) -> io::Result<(OwnedFd, OwnedFd, usize)> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let granted = rustix::pipe::fcntl_setpipe_size(&writer, bytes)
        .or_else(|_| rustix::pipe::fcntl_getpipe_size(&writer))?;
    Ok((reader, writer, granted))
}

/// Moves up to `count` bytes from one descriptor to another, one of which is a pipe, without waiting
/// and without copying where the kernel can. 0 is the end of the stream (or a pipe without a writer).
///
/// A short count says nothing: pipes have places for so many pieces, whatever their size.
///
/// # Errors
/// `WouldBlock` when the source is empty or the destination full; `InvalidInput` for descriptors that
/// cannot be spliced (then read and write); otherwise what became of the connection.
pub fn splice(from: impl AsFd, to: impl AsFd, count: usize) -> io::Result<usize> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    Ok(retry_on_intr(|| rustix::pipe::splice(&from, None, &to, None, count, flags))?)
}

/// Reads from a pipe into `buffer`; 0 when nobody can write to it any more.
///
/// # Errors
/// `WouldBlock` when it is empty.
pub fn read_pipe(pipe: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::io::read(&pipe, &mut *buffer))?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn bytes_go_from_a_socket_through_a_pipe_to_a_socket() {
        let (mut far, near) = UnixStream::pair().unwrap();
        let (out, mut sink) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let (reader, writer, bytes) = pipe(256 * 1024).unwrap();
        assert!(bytes >= 4096);
        let error = splice(&near, &writer, bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        far.write_all(b"from here to there").unwrap();
        assert_eq!(splice(&near, &writer, bytes).unwrap(), 18);
        assert_eq!(splice(&reader, &out, 10).unwrap(), 10);
        let mut rest = [0; 20];
        assert_eq!(read_pipe(&reader, &mut rest).unwrap(), 8);
        assert_eq!(&rest[..8], b"to there");
        let mut got = [0; 10];
        sink.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"from here ");
        drop(far);
        assert_eq!(splice(&near, &writer, bytes).unwrap(), 0);
    }

    #[test]
    fn an_empty_pipe_would_block_and_a_deserted_one_ends() {
        let (reader, writer, _) = pipe(4096).unwrap();
        let error = read_pipe(&reader, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(writer);
        assert_eq!(read_pipe(&reader, &mut [0; 4]).unwrap(), 0);
    }
}

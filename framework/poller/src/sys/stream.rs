//! Reading and writing sockets.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::AsFd;

/// The kernel refuses a vector of more slices than this (UIO_MAXIOV).
const SLICES_MAX: usize = 1024;

/// Reads into `buffer`; 0 is the end of the stream (or an empty datagram or buffer).
///
/// # Errors
/// `WouldBlock` when there is nothing; otherwise what became of the connection.
pub fn recv(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let (count, _) =
        retry_on_intr(|| rustix::net::recv(&socket, &mut *buffer, RecvFlags::empty()))?;
    Ok(count)
}

/// Reads into several buffers, filling one after the other. Uses the first 1024.
///
/// # Errors
/// As for [`recv`].
pub fn recv_vectored(socket: impl AsFd, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
    let count = buffers.len().min(SLICES_MAX);
    Ok(retry_on_intr(|| rustix::io::readv(&socket, &mut buffers[..count]))?)
}

/// Writes the front of `bytes` and returns how many of them.
///
/// # Errors
/// `WouldBlock` when there is no room; `BrokenPipe` or `ConnectionReset` when nobody will read it.
pub fn send(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::net::send(&socket, bytes, SendFlags::NOSIGNAL))?)
}

/// Writes the front of `slices`, taken as one sequence, and returns how many bytes. Looks at the first
/// 1024 slices.
///
/// # Errors
/// As for [`send`].
pub fn send_vectored(socket: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let slices = &slices[..slices.len().min(SLICES_MAX)];
    Ok(retry_on_intr(|| {
        let mut control = SendAncillaryBuffer::default();
        rustix::net::sendmsg(&socket, slices, &mut control, SendFlags::NOSIGNAL)
    })?)
}

/// Closes one direction of a connection, or both.
///
/// # Errors
/// `NotConnected` when there is none (any more).
pub fn shutdown(socket: impl AsFd, how: std::net::Shutdown) -> io::Result<()> {
    let how = match how {
        std::net::Shutdown::Read => Shutdown::Read,
        std::net::Shutdown::Write => Shutdown::Write,
        std::net::Shutdown::Both => Shutdown::Both,
    };
    rustix::net::shutdown(&socket, how).map_err(Errno::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn bytes_cross_in_one_and_in_many_slices() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        assert_eq!(send(&ours, b"one").unwrap(), 3);
        let slices = [IoSlice::new(b" tw"), IoSlice::new(b""), IoSlice::new(b"o")];
        assert_eq!(send_vectored(&ours, &slices).unwrap(), 4);

        let mut front = [0; 2];
        assert_eq!(recv(&theirs, &mut front).unwrap(), 2);
        let (mut a, mut b) = ([0; 3], [0; 9]);
        let mut rest = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(recv_vectored(&theirs, &mut rest).unwrap(), 5);
        assert_eq!((&front, &a, &b[..2]), (b"on", b"e t", &b"wo"[..]));
    }

    #[test]
    fn more_slices_than_the_kernel_takes_are_a_short_write() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let slices = vec![IoSlice::new(b"x"); SLICES_MAX + 5];
        assert_eq!(send_vectored(&ours, &slices).unwrap(), SLICES_MAX);
        let mut cells = vec![[0u8; 1]; SLICES_MAX + 5];
        let mut buffers: Vec<_> = cells.iter_mut().map(|cell| IoSliceMut::new(cell)).collect();
        assert_eq!(recv_vectored(&theirs, &mut buffers).unwrap(), SLICES_MAX);
    }

    #[test]
    fn writing_to_nobody_is_an_error_and_not_a_signal() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        assert_eq!(send(&ours, b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let slices = [IoSlice::new(b"x")];
        let error = send_vectored(&ours, &slices).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_shut_direction_is_an_end_of_stream_at_the_other_side() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        shutdown(&ours, std::net::Shutdown::Write).unwrap();
        assert_eq!(recv(&theirs, &mut [0; 8]).unwrap(), 0);
        assert_eq!(send(&theirs, b"back").unwrap(), 4);
        assert_eq!(recv(&ours, &mut [0; 8]).unwrap(), 4);
    }
}

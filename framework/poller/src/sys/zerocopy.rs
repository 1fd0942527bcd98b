//! Sending without a copy (`MSG_ZEROCOPY`), and hearing when the kernel is done with the memory.
//!
//! The kernel counts the calls of a socket that sent something, from zero on, and reports ranges of
//! that count on the socket's error queue once it refers to their memory no more.

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// What the kernel reports: calls `first` to `last` (inclusive, modulo 2^32) are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The first call of the range.
    pub first: u32,
    /// The last.
    pub last: u32,
    /// The kernel had to copy after all, as it does on loopback: the effort was for nothing.
    pub copied: bool,
}

/// Slices beyond this are left to the next call, as each takes a place in the kernel's packet.
pub const ZERO_COPY_SLICES_MAX: usize = 16;

/// Allows [`send_zero_copy`] on a TCP socket.
///
/// # Errors
/// What the system says; mostly that the socket is of another kind.
pub fn set_zero_copy(socket: impl AsFd) -> io::Result<()> {
    super::options::set_int(socket, libc::SOL_SOCKET, libc::SO_ZEROCOPY, 1)
}

/// Sends the front of `slices` (the first [`ZERO_COPY_SLICES_MAX`]) from where they lie and returns how
/// many bytes. Each call that answers `Ok` counts one towards [`Completion`]; until it is reported the
/// memory must stay as it is, or the peer gets what it becomes.
///
/// # Errors
/// `WouldBlock` when there is no room. ENOBUFS when so many reports wait that the socket's option memory
/// is used up: send with a copy then.
pub fn send_zero_copy(socket: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let count = slices.len().min(ZERO_COPY_SLICES_MAX);
    // SAFETY: `msghdr` consists of integers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    // IoSlice is documented to have the layout of `iovec`; sending only reads it.
    message.msg_iov = slices.as_ptr().cast_mut().cast();
    message.msg_iovlen = count as _;
    loop {
        // SAFETY: the header points to `count` vectors over borrowed memory and to nothing else. That
        // the kernel reads the memory later, too, is no matter of memory safety: it holds the pages,
        // and a reader that sees other bytes is the peer.
        let sent = unsafe {
            libc::sendmsg(
                socket.as_fd().as_raw_fd(),
                &raw const message,
                libc::MSG_ZEROCOPY | libc::MSG_NOSIGNAL,
            )
        };
        if let Ok(sent) = usize::try_from(sent) {
            return Ok(sent);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EINTR) {
            return Err(error);
        }
    }
}

/// Room for one report: its header, the extended error, and the address that follows it.
#[repr(C, align(8))]
struct Control([u8; 128]);

/// Takes one report from the socket's error queue; `None` when none waits. Reports of other kinds are
/// skipped.
///
/// # Errors
/// What the system says of the socket.
pub fn zero_copy_completion(socket: impl AsFd) -> io::Result<Option<Completion>> {
    loop {
        let mut control = Control([0; 128]);
        // SAFETY: as above.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_control = ptr::from_mut(&mut control).cast();
        message.msg_controllen = size_of::<Control>() as _;
        // SAFETY: the header points to a control buffer of the stated length, which outlives the call,
        // and to no data.
        let result = unsafe {
            libc::recvmsg(
                socket.as_fd().as_raw_fd(),
                &raw mut message,
                libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(None),
                Some(libc::EINTR) => continue,
                _ => return Err(error),
            }
        }
        if let Some(completion) = decode(&message) {
            return Ok(Some(completion));
        }
    }
}

/// The report in the control data of `message`, if it is one.
fn decode(message: &libc::msghdr) -> Option<Completion> {
    // SAFETY: the kernel has filled the control buffer and stated its length in `message`; the macro
    // answers null or a pointer to a whole header inside it, which is aligned as the buffer is.
    let header = unsafe { libc::CMSG_FIRSTHDR(message).as_ref() }?;
    let kind = (header.cmsg_level, header.cmsg_type);
    let known = [(libc::SOL_IP, libc::IP_RECVERR), (libc::SOL_IPV6, libc::IPV6_RECVERR)];
    let needed = size_of::<libc::cmsghdr>() + size_of::<libc::sock_extended_err>();
    if !known.contains(&kind) || (header.cmsg_len as usize) < needed {
        return None;
    }
    // SAFETY: the header says that so many bytes follow it; the structure consists of integers and is
    // read without asking for alignment.
    let error: libc::sock_extended_err =
        unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast()) };
    let is_completion = error.ee_origin == ORIGIN_ZERO_COPY && error.ee_errno == 0;
    is_completion.then_some(Completion {
        first: error.ee_info,
        last: error.ee_data,
        copied: error.ee_code & CODE_COPIED != 0,
    })
}

/// SO_EE_ORIGIN_ZEROCOPY and SO_EE_CODE_ZEROCOPY_COPIED of linux/errqueue.h.
const ORIGIN_ZERO_COPY: u8 = 5;
const CODE_COPIED: u8 = 1;

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use rustix::event::{PollFd, PollFlags};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[test]
    fn a_send_is_reported_when_the_kernel_is_done() {
        let (ours, mut theirs) = pair();
        assert_eq!(zero_copy_completion(&ours).unwrap(), None);
        set_zero_copy(&ours).unwrap();
        let bytes = vec![7; 40_000];
        for _ in 0..2 {
            let slices = [IoSlice::new(&bytes[..30_000]), IoSlice::new(&bytes[30_000..])];
            assert_eq!(send_zero_copy(&ours, &slices).unwrap(), 40_000);
        }
        let mut got = vec![0; 80_000];
        theirs.read_exact(&mut got).unwrap();
        assert!(got.iter().all(|&byte| byte == 7));
        let mut done = Vec::new();
        while done.last() != Some(&1) {
            // Errors are reported whether asked for or not.
            rustix::event::poll(&mut [PollFd::new(&ours, PollFlags::empty())], None).unwrap();
            let completion = zero_copy_completion(&ours).unwrap().unwrap();
            assert!(completion.copied, "loopback copies");
            done.extend(completion.first..=completion.last);
        }
        assert_eq!(done, [0, 1]);
        assert_eq!(zero_copy_completion(&ours).unwrap(), None);
    }

    #[test]
    fn it_is_for_tcp_and_has_to_be_allowed() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        set_zero_copy(&ours).unwrap_err();
        let (ours, _theirs) = pair();
        // Without being allowed the flag is ignored, and nothing is reported.
        assert_eq!(send_zero_copy(&ours, &[IoSlice::new(b"plain")]).unwrap(), 5);
        assert_eq!(zero_copy_completion(&ours).unwrap(), None);
    }
}

//! Packet sockets: every frame that passes an interface of the kernel, for looking on (Linux:
//! `packet(7)`).

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// `ETH_P_ALL` in network byte order: every protocol.
const ALL: u16 = (libc::ETH_P_ALL as u16).to_be();

/// Sees what an interface sends and receives, and changes nothing of it.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// What a [`PacketSocket`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// How many of its bytes are in the buffer.
    pub len: usize,
    /// How long it is.
    pub full_len: usize,
    /// It leaves this machine; otherwise it comes, or passes.
    pub outgoing: bool,
}

impl PacketSocket {
    /// Looks on at the interface called `interface`.
    ///
    /// # Errors
    /// `PermissionDenied` without CAP_NET_RAW in the network namespace, and the system's "no such
    /// device".
    pub fn open(interface: &str) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // Without a protocol nothing arrives before the socket is bound to its interface.
        // SAFETY: no pointers; the result is checked.
        let raw = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(raw) };
        let index = rustix::net::netdevice::name_to_index(&socket, interface)?;
        // SAFETY: all bytes zero is a value of this plain structure.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = ALL;
        address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
        // SAFETY: the pointer and the length are those of a local structure that outlives the call.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(socket)) }
    }

    /// How long [`receive`](Self::receive) waits at most; for ever by default.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        use rustix::net::sockopt::{Timeout, set_socket_timeout};
        Ok(set_socket_timeout(&self.0, Timeout::Recv, Some(timeout))?)
    }

    /// Waits for the next frame; one that is longer than `buffer` is cut.
    ///
    /// # Errors
    /// `WouldBlock` when the time is over, `Interrupted` by a signal, and "network is down" when the
    /// interface has gone.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Seen> {
        // SAFETY: all bytes zero is a value of this plain structure.
        let mut from: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the buffer's pointer and length belong together, the address is a local structure
        // of the length given; the kernel writes no more than those, and keeps nothing.
        let result = unsafe {
            libc::recvfrom(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_TRUNC,
                (&raw mut from).cast(),
                &raw mut size,
            )
        };
        let full_len = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        let outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        Ok(Seen { len: full_len.min(buffer.len()), full_len, outgoing })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

//! Accepting connections, and the address of a peer.

use rustix::net::{SocketAddrAny, SocketAddrUnix, SocketFlags, acceptfrom_with};
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Where a connection or datagram comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// An IP address and port.
    Inet(SocketAddr),
    /// A Unix socket; `None` when it has no name. An abstract name begins with a zero byte, as it does
    /// for `socket2::SockAddr::unix`.
    Unix(Option<PathBuf>),
}

impl PeerAddress {
    /// The IP address and port, if it has such.
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            PeerAddress::Inet(address) => Some(*address),
            PeerAddress::Unix(_) => None,
        }
    }

    /// Reads what the kernel wrote. A Unix socket without a name may come with no address at all.
    pub(super) fn from_system(address: Option<SocketAddrAny>) -> io::Result<PeerAddress> {
        let Some(address) = address else { return Ok(PeerAddress::Unix(None)) };
        if let Ok(unix) = SocketAddrUnix::try_from(address.clone()) {
            // What has no name may also be reported as an abstract name of no bytes.
            let name = unix.abstract_name().filter(|name| !name.is_empty());
            let path = unix
                .path_bytes()
                .map(<[u8]>::to_vec)
                .or_else(|| name.map(|name| [b"\0", name].concat()));
            return Ok(PeerAddress::Unix(path.map(|bytes| OsString::from_vec(bytes).into())));
        }
        Ok(PeerAddress::Inet(SocketAddr::try_from(address)?))
    }
}

/// Accepts one connection without waiting, if `listener` is non-blocking; the new descriptor is
/// non-blocking and closed on exec.
///
/// # Errors
/// `WouldBlock` when nobody waits. `ConnectionAborted` and other network errors concern one connection
/// that is gone already; the listener is fine. With too many open descriptors (EMFILE, ENFILE) the
/// connection stays in the queue, so a level-triggered poller goes on reporting the listener.
pub fn accept(listener: impl AsFd) -> io::Result<(OwnedFd, PeerAddress)> {
    accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)
}

/// The same for a thread that serves one connection: the new descriptor is blocking.
///
/// # Errors
/// As for [`accept`].
pub fn accept_blocking(listener: impl AsFd) -> io::Result<(OwnedFd, PeerAddress)> {
    accept_with(listener, SocketFlags::CLOEXEC)
}

fn accept_with(listener: impl AsFd, flags: SocketFlags) -> io::Result<(OwnedFd, PeerAddress)> {
    let (fd, address) = rustix::io::retry_on_intr(|| acceptfrom_with(&listener, flags))?;
    Ok((fd, PeerAddress::from_system(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::OFlags;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn an_accepted_tcp_connection_knows_its_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (fd, peer) = accept(&listener).unwrap();
        assert_eq!(peer.as_inet(), Some(client.local_addr().unwrap()));
        assert!(rustix::fs::fcntl_getfl(&fd).unwrap().contains(OFlags::NONBLOCK));
        let flags = rustix::io::fcntl_getfd(&fd).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));

        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (fd, _) = accept_blocking(&listener).unwrap();
        assert!(!rustix::fs::fcntl_getfl(&fd).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn an_empty_queue_would_block() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(accept(&listener).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn unix_peers_come_with_and_without_a_name() {
        let name = format!("fyke-accept-{}", std::process::id());
        let dir = std::env::temp_dir();
        let (server, client) = (dir.join(format!("{name}-s")), dir.join(format!("{name}-c")));
        let listener = UnixListener::bind(&server).unwrap();
        let _unnamed = UnixStream::connect(&server).unwrap();
        assert_eq!(accept(&listener).unwrap().1, PeerAddress::Unix(None));

        for own in [client.clone(), format!("\0{name}").into()] {
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
            let socket = socket.unwrap();
            socket.bind(&socket2::SockAddr::unix(&own).unwrap()).unwrap();
            socket.connect(&socket2::SockAddr::unix(&server).unwrap()).unwrap();
            assert_eq!(accept(&listener).unwrap().1, PeerAddress::Unix(Some(own)));
        }
        std::fs::remove_file(server).unwrap();
        std::fs::remove_file(client).unwrap();
    }
}

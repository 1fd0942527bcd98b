//! One datagram at a time. For many, see [`recv_mmsg`](super::recv_mmsg).

use super::PeerAddress;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

/// Receives one datagram: its length in `buffer`, whether the rest of it was cut off, its sender.
///
/// # Errors
/// `WouldBlock` when there is none. On a connected socket also what came back for earlier ones, like
/// `ConnectionRefused`.
pub fn recv_from(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, bool, PeerAddress)> {
    // With TRUNC the kernel tells the whole length, and rustix cuts what it says of the buffer.
    let (filled, length, address) =
        retry_on_intr(|| rustix::net::recvfrom(&socket, &mut *buffer, RecvFlags::TRUNC))?;
    Ok((filled, length > filled, PeerAddress::from_system(address)?))
}

/// Sends one datagram, whole or not at all. `None` sends to whom the socket is connected.
///
/// # Errors
/// `WouldBlock` when there is no room; what the system says of the destination.
pub fn send_to(socket: impl AsFd, bytes: &[u8], to: Option<&PeerAddress>) -> io::Result<()> {
    let flags = SendFlags::NOSIGNAL;
    let sent = match to {
        None => retry_on_intr(|| rustix::net::send(&socket, bytes, flags)),
        Some(PeerAddress::Inet(to)) => {
            retry_on_intr(|| rustix::net::sendto(&socket, bytes, flags, to))
        }
        Some(PeerAddress::Unix(Some(path))) => {
            let to = match path.as_os_str().as_bytes() {
                [0, name @ ..] => SocketAddrUnix::new_abstract_name(name),
                path => SocketAddrUnix::new(path),
            }?;
            retry_on_intr(|| rustix::net::sendto(&socket, bytes, flags, &to))
        }
        Some(PeerAddress::Unix(None)) => Err(Errno::DESTADDRREQ),
    }?;
    debug_assert_eq!(sent, bytes.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn a_datagram_too_long_for_the_buffer_says_so() {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
        let (a, b) = (a.unwrap(), b.unwrap());
        let to = PeerAddress::Inet(b.local_addr().unwrap());
        let from = PeerAddress::Inet(a.local_addr().unwrap());
        send_to(&a, b"12345678", Some(&to)).unwrap();
        send_to(&a, b"1234", Some(&to)).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(recv_from(&b, &mut buffer).unwrap(), (4, true, from.clone()));
        assert_eq!(recv_from(&b, &mut buffer).unwrap(), (4, false, from));
    }

    #[test]
    fn unix_datagrams_go_to_a_name_and_tell_theirs() {
        let name = format!("\0fyke-datagram-{}", std::process::id());
        let bind = |name: &str| {
            let kind = socket2::Type::DGRAM;
            let socket = socket2::Socket::new(socket2::Domain::UNIX, kind, None).unwrap();
            socket.bind(&socket2::SockAddr::unix(name).unwrap()).unwrap();
            UnixDatagram::from(socket)
        };
        let (a, b) = (format!("{name}-a"), format!("{name}-b"));
        let (ours, theirs) = (bind(&a), bind(&b));
        send_to(&ours, b"hi", Some(&PeerAddress::Unix(Some(b.into())))).unwrap();
        let from = PeerAddress::Unix(Some(a.into()));
        assert_eq!(recv_from(&theirs, &mut [0; 9]).unwrap(), (2, false, from));

        let error = send_to(&ours, b"hi", Some(&PeerAddress::Unix(None))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
    }
}

//! Socket options that neither socket2 nor rustix has.
//!
//! (`TCP_QUICKACK`, `TCP_USER_TIMEOUT`, `TCP_NOTSENT_LOWAT`, `TCP_CONGESTION`, `TCP_CORK`,
//! `SO_REUSEPORT`, `SO_BUSY_POLL` and the keep-alive family are in socket2; `SO_PEERCRED` in rustix.)

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::time::Duration;

/// TCP_DEFER_ACCEPT: a connection is handed to the listener only when its first bytes are here, for at
/// most about `wait` (rounded up to seconds, then to the times of SYN-ACK retransmission). Zero is off.
///
/// # Errors
/// What the system says; mostly that it is no TCP socket.
pub fn set_tcp_defer_accept(listener: impl AsFd, wait: Duration) -> io::Result<()> {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    let seconds = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    set_int(listener, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, seconds)
}

/// TCP_FASTOPEN: how many connections with data in their SYN may wait for the end of the handshake
/// (RFC 7413). Zero is off.
///
/// # Errors
/// As for [`set_tcp_defer_accept`].
pub fn set_tcp_fast_open(listener: impl AsFd, queue: u32) -> io::Result<()> {
    let queue = libc::c_int::try_from(queue).unwrap_or(libc::c_int::MAX);
    set_int(listener, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, queue)
}

/// TCP_FASTOPEN_CONNECT: a connect with a known cookie succeeds at once and the first write goes out
/// with the SYN.
///
/// # Errors
/// As for [`set_tcp_defer_accept`].
pub fn set_tcp_fast_open_connect(socket: impl AsFd, on: bool) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, on.into())
}

/// IP_BIND_ADDRESS_NO_PORT: binding to port 0 leaves the choice of port to the connect, so that one port
/// can serve many destinations.
///
/// # Errors
/// As for [`set_tcp_defer_accept`].
pub fn set_ip_bind_address_no_port(socket: impl AsFd, on: bool) -> io::Result<()> {
    set_int(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, on.into())
}

pub(super) fn set_int(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: pointer and length describe `value`, which the call only reads.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            ptr::from_ref(&value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn a_deferred_accept_waits_for_the_first_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_tcp_defer_accept(&listener, Duration::from_millis(1500)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // The client's connect is over, yet there is nothing to accept.
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
        super::super::send(&client, b"x").unwrap();
        listener.set_nonblocking(false).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_bind_without_a_port_gets_one_at_the_connect() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        set_ip_bind_address_no_port(&socket, true).unwrap();
        let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any.into()).unwrap();
        let port = |socket: &Socket| socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_eq!(port(&socket), 0);
        socket.connect(&listener.local_addr().unwrap().into()).unwrap();
        assert_ne!(port(&socket), 0);
    }

    #[test]
    fn tcp_options_are_for_tcp() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        set_tcp_fast_open(&listener, 16).unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        set_tcp_fast_open_connect(&socket, true).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        set_tcp_fast_open(&udp, 16).unwrap_err();
        set_tcp_defer_accept(&udp, Duration::from_secs(1)).unwrap_err();
    }
}

//! Socket options: which fit which socket, and the calls that set them.
//!
//! An option that does not fit is refused when it was asked for; one that is at its default is not.
//! No call is made for what a socket has anyway. Two things the kernel decides and not we:
//!
//! - accepted sockets begin with all that was set on their listener (so a listener's keep-alive is
//!   its connections' too, and `TCP_NODELAY` costs nothing at accept);
//! - `SO_LINGER` with a time makes the closing of a socket wait, of a non-blocking one too: the loop
//!   stands still. The channel's own `close_linger` does not.

use fyke_core::SocketOptions;
use std::io;
use std::net::SocketAddr;

use socket2::{SockRef, TcpKeepalive};

use super::table::Kind;

/// Refuses what sockets of `kind` do not have.
pub(crate) fn check(kind: Kind, options: &SocketOptions) -> io::Result<()> {
    let tcp = matches!(kind, Kind::Tcp { .. });
    let udp = matches!(kind, Kind::Udp { .. });
    let inet = tcp || udp;
    let v6 = matches!(kind, Kind::Tcp { v6: true } | Kind::Udp { v6: true });
    let table = [
        ("keepalive", options.keepalive.is_some(), tcp),
        ("linger", options.linger.is_some(), tcp),
        ("user_timeout", options.user_timeout.is_some(), tcp),
        ("quick_ack", options.quick_ack.is_some(), tcp),
        ("reuse_port", options.reuse_port, inet),
        ("tos", options.tos.is_some(), inet),
        ("ttl", options.ttl.is_some(), inet),
        ("only_v6", options.only_v6.is_some(), v6),
        ("broadcast", options.broadcast, udp),
        ("multicast_loop", options.multicast_loop.is_some(), udp),
        ("multicast_ttl", options.multicast_ttl.is_some(), udp),
        ("zero_copy", options.zero_copy.is_some(), tcp),
    ];
    match table.into_iter().find(|&(_, asked, fits)| asked && !fits) {
        None => Ok(()),
        Some((name, ..)) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("the option {name} does not exist for {}", describe(kind)),
        )),
    }
}

fn describe(kind: Kind) -> &'static str {
    match kind {
        Kind::Tcp { v6: false } => "TCP over IPv4",
        Kind::Tcp { v6: true } => "TCP over IPv6",
        Kind::Udp { v6: false } => "UDP over IPv4",
        Kind::Udp { v6: true } => "UDP over IPv6",
        Kind::UnixStream => "Unix streams",
        Kind::UnixDatagram => "Unix datagrams",
    }
}

/// Sets what must be set before the socket has an address.
pub(crate) fn before_bind(
    socket: SockRef<'_>,
    kind: Kind,
    address: Option<SocketAddr>,
    options: &SocketOptions,
) -> io::Result<()> {
    if let Some(only) = options.only_v6 {
        socket.set_only_v6(only)?;
    }
    if options.reuse_port {
        socket.set_reuse_port(true)?;
    }
    // A second UDP socket with SO_REUSEADDR would silently take the first one's datagrams, so there it
    // is for multicast groups only, where every member gets its copy.
    let reuse = match kind {
        Kind::Tcp { .. } => true,
        Kind::Udp { .. } => address.is_some_and(|address| address.ip().is_multicast()),
        Kind::UnixStream | Kind::UnixDatagram => false,
    };
    if reuse && options.reuse_address {
        socket.set_reuse_address(true)?;
    }
    Ok(())
}

/// Sets what any socket may have. `v6` tells the names of the same thing in IPv4 and IPv6 apart.
fn common(socket: &SockRef<'_>, v6: bool, options: &SocketOptions) -> io::Result<()> {
    if let Some(bytes) = options.send_buffer_bytes {
        socket.set_send_buffer_size(buffer_size("send_buffer_bytes", bytes)?)?;
    }
    if let Some(bytes) = options.recv_buffer_bytes {
        socket.set_recv_buffer_size(buffer_size("recv_buffer_bytes", bytes)?)?;
    }
    // A dual stack socket sends IPv4 packets too, with the IPv4 options.
    let v4 = !v6 || options.only_v6 != Some(true);
    if let Some(tos) = options.tos {
        if v6 {
            socket.set_tclass_v6(tos)?;
        }
        if v4 {
            socket.set_tos_v4(tos)?;
        }
    }
    if let Some(ttl) = options.ttl {
        if v6 {
            socket.set_unicast_hops_v6(ttl)?;
        }
        if v4 {
            socket.set_ttl_v4(ttl)?;
        }
    }
    Ok(())
}

/// Sets the options of a stream, or of a listener for its streams. `nodelay` is what it has now.
pub(crate) fn stream(
    socket: SockRef<'_>,
    kind: Kind,
    nodelay: bool,
    options: &SocketOptions,
) -> io::Result<()> {
    let Kind::Tcp { v6 } = kind else { return common(&socket, false, options) };
    common(&socket, v6, options)?;
    if options.nodelay != nodelay {
        socket.set_tcp_nodelay(options.nodelay)?;
    }
    if let Some(keepalive) = options.keepalive {
        let timings = TcpKeepalive::new()
            .with_time(keepalive.idle)
            .with_interval(keepalive.interval)
            .with_retries(keepalive.count);
        socket.set_tcp_keepalive(&timings)?;
    }
    if let Some(linger) = options.linger {
        socket.set_linger(Some(linger))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout))?;
    }
    if let Some(on) = options.quick_ack {
        socket.set_tcp_quickack(on)?;
    }
    Ok(())
}

/// Sets the options of a datagram endpoint.
pub(crate) fn datagram(socket: SockRef<'_>, kind: Kind, options: &SocketOptions) -> io::Result<()> {
    let Kind::Udp { v6 } = kind else { return common(&socket, false, options) };
    common(&socket, v6, options)?;
    if options.broadcast {
        socket.set_broadcast(true)?;
    }
    if let Some(on) = options.multicast_loop {
        if v6 {
            socket.set_multicast_loop_v6(on)?;
        } else {
            socket.set_multicast_loop_v4(on)?;
        }
    }
    if let Some(ttl) = options.multicast_ttl {
        if v6 {
            socket.set_multicast_hops_v6(ttl)?;
        } else {
            socket.set_multicast_ttl_v4(ttl)?;
        }
    }
    Ok(())
}

/// The kernel takes a C int; what does not fit would become something else.
fn buffer_size(name: &str, bytes: usize) -> io::Result<usize> {
    if i32::try_from(bytes).is_ok() {
        return Ok(bytes);
    }
    let text = format!("{name} is {bytes}, the system's limit is {}", i32::MAX);
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// The backlog as the kernel takes it; it has a limit of its own besides (`somaxconn`).
pub(crate) fn backlog(options: &SocketOptions) -> i32 {
    i32::try_from(options.backlog).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fyke_core::Keepalive;
    use socket2::{Domain, Socket, Type};

    use super::*;

    const TCP4: Kind = Kind::Tcp { v6: false };
    const UDP6: Kind = Kind::Udp { v6: true };

    fn plain() -> SocketOptions {
        SocketOptions::default()
    }

    #[test]
    fn a_stream_gets_every_option() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let (idle, interval) = (Duration::from_secs(40), Duration::from_secs(7));
        let options = plain()
            .keepalive(Some(Keepalive { idle, interval, count: 3 }))
            .linger(Some(Duration::from_secs(2)))
            .send_buffer_bytes(Some(50_000))
            .recv_buffer_bytes(Some(60_000))
            .tos(Some(0x10))
            .ttl(Some(33))
            .user_timeout(Some(Duration::from_millis(4500)))
            .quick_ack(Some(false));
        check(TCP4, &options).unwrap();
        stream(SockRef::from(&socket), TCP4, false, &options).unwrap();
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), idle);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), interval);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.linger().unwrap(), Some(Duration::from_secs(2)));
        // Linux doubles what it is asked for, for its own books.
        assert_eq!(socket.send_buffer_size().unwrap(), 100_000);
        assert_eq!(socket.recv_buffer_size().unwrap(), 120_000);
        assert_eq!((socket.tos_v4().unwrap(), socket.ttl_v4().unwrap()), (0x10, 33));
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(4500)));
        assert!(!socket.tcp_quickack().unwrap());
        // It is a real linger, which a test does not want.
        socket.set_linger(None).unwrap();
    }

    #[test]
    fn a_dual_stack_socket_gets_the_options_of_both_versions() {
        let socket = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
        let options = plain()
            .only_v6(Some(false))
            .tos(Some(0x20))
            .ttl(Some(5))
            .multicast_ttl(Some(3))
            .multicast_loop(Some(false))
            .broadcast(true);
        check(UDP6, &options).unwrap();
        before_bind(SockRef::from(&socket), UDP6, None, &options).unwrap();
        datagram(SockRef::from(&socket), UDP6, &options).unwrap();
        assert!(!socket.only_v6().unwrap() && socket.broadcast().unwrap());
        assert_eq!((socket.tclass_v6().unwrap(), socket.tos_v4().unwrap()), (0x20, 0x20));
        assert_eq!((socket.unicast_hops_v6().unwrap(), socket.ttl_v4().unwrap()), (5, 5));
        assert_eq!(socket.multicast_hops_v6().unwrap(), 3);
        assert!(!socket.multicast_loop_v6().unwrap());
        assert!(!socket.reuse_address().unwrap(), "it would share its port");
    }

    #[test]
    fn an_option_that_does_not_fit_is_refused_by_name() {
        let seconds = Some(Duration::from_secs(1));
        for (kind, options, name) in [
            (UDP6, plain().linger(seconds), "linger"),
            (UDP6, plain().user_timeout(seconds), "user_timeout"),
            (TCP4, plain().broadcast(true), "broadcast"),
            (TCP4, plain().multicast_ttl(Some(1)), "multicast_ttl"),
            (TCP4, plain().only_v6(Some(true)), "only_v6"),
            (Kind::UnixStream, plain().quick_ack(Some(true)), "quick_ack"),
            (Kind::UnixDatagram, plain().ttl(Some(1)), "ttl"),
        ] {
            let text = check(kind, &options).unwrap_err().to_string();
            assert!(text.starts_with(&format!("the option {name} does not exist")), "{text}");
            assert!(text.ends_with(describe(kind)), "{text}");
        }
        for kind in [TCP4, UDP6, Kind::UnixStream, Kind::UnixDatagram] {
            check(kind, &plain()).unwrap();
        }
    }

    #[test]
    fn a_size_that_does_not_fit_is_refused() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let options = plain().recv_buffer_bytes(Some(1 << 31));
        let error = stream(SockRef::from(&socket), TCP4, false, &options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(backlog(&plain().backlog(u32::MAX)), i32::MAX);
    }
}

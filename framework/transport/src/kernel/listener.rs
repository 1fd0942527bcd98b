//! Listening and accepting, and what happens when the descriptors run out.
//!
//! A process at its descriptor limit cannot accept, and what it does not accept stays in the queue:
//! a level is reported for ever, and the peers wait for an answer that does not come. So the
//! transport keeps one descriptor in reserve. It is given up for one accept, whose connection is
//! closed at once (the peer sees an end instead of silence), and taken again. The error is reported
//! all the same: core pauses the listener for a while, so that nothing spins and those in the queue
//! have a chance to be served.

use std::io;
use std::os::fd::OwnedFd;

use fyke_core::transport::{Handle, Incoming};
use fyke_core::{Address, ChannelKey, SocketOptions};
use fyke_poller::sys;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use socket2::{Domain, SockRef, Socket, Type};

use super::Kernel;
use super::options;
use super::stream::Accepted;
use super::table::{Kind, Parts, Role};
use super::unix;

/// How many connections that were gone before they were accepted are skipped in one accept.
const GONE_MAX: usize = 16;

/// Errors of `accept` that concern the one connection, which is gone: accept(2).
pub(crate) const GONE: [Errno; 10] = [
    Errno::CONNABORTED,
    Errno::PROTO,
    Errno::NETDOWN,
    Errno::NOPROTOOPT,
    Errno::HOSTDOWN,
    Errno::NONET,
    Errno::HOSTUNREACH,
    Errno::OPNOTSUPP,
    Errno::NETUNREACH,
    // A firewall forbids it.
    Errno::PERM,
];

/// The descriptor that is given up when there is no other.
#[derive(Debug)]
pub(crate) struct Reserve(Option<OwnedFd>);

impl Reserve {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Some(eventfd(0, EventfdFlags::CLOEXEC)?)))
    }

    /// Accepts one connection of `listener` with the reserve, and drops it.
    fn turn_away(&mut self, listener: &OwnedFd) {
        drop(self.0.take());
        let dropped = sys::accept(listener).map(drop);
        self.refill();
        tracing::warn!(
            turned_away = dropped.is_ok(),
            "no descriptor is left to accept with; raise the limit of open files"
        );
    }

    fn refill(&mut self) {
        if self.0.is_none() {
            self.0 = eventfd(0, EventfdFlags::CLOEXEC).ok();
        }
    }
}

impl Kernel {
    pub(crate) fn open_listener(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        let kind = stream_kind(address)?;
        options::check(kind, options)?;
        let socket = new_socket(kind)?;
        options::before_bind(SockRef::from(&socket), kind, address.as_inet(), options)?;
        let path = bind(&socket, address)?;
        options::stream(SockRef::from(&socket), kind, false, options)?;
        socket.listen(options::backlog(options))?;
        let local = unix::from_system(&socket.local_addr()?)?;
        let role = Role::Listener { nodelay: options.nodelay };
        let parts = Parts { owner, kind, role, fd: socket.into(), path };
        Ok((self.table.insert(parts, &self.registry)?, local))
    }

    pub(crate) fn accept_one(
        &mut self,
        listener: Handle,
    ) -> io::Result<Option<(Incoming, Address)>> {
        let endpoint = self.table.get(listener)?;
        let Role::Listener { nodelay } = endpoint.role else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no listener"));
        };
        let mut gone = 0;
        loop {
            let error = match sys::accept(&endpoint.fd) {
                Ok((fd, peer)) => {
                    self.reserve.refill();
                    let accepted = Accepted { fd, kind: endpoint.kind, nodelay };
                    return Ok(Some((Incoming::new(accepted), unix::from_peer(peer))));
                }
                Err(error) => error,
            };
            match Errno::from_io_error(&error) {
                Some(Errno::AGAIN) => return Ok(None),
                Some(errno) if GONE.contains(&errno) && gone < GONE_MAX => gone += 1,
                Some(Errno::MFILE | Errno::NFILE) => {
                    self.reserve.turn_away(&endpoint.fd);
                    return Err(error);
                }
                _ => return Err(error),
            }
        }
    }
}

/// The kind of stream socket that `address` needs.
pub(crate) fn stream_kind(address: &Address) -> io::Result<Kind> {
    match address {
        Address::Inet(address) => Ok(Kind::Tcp { v6: address.is_ipv6() }),
        Address::Unix(_) => Ok(Kind::UnixStream),
        other => Err(unix::to_system(other).err().unwrap_or_else(|| io::ErrorKind::Other.into())),
    }
}

/// A socket that does not block.
pub(crate) fn new_socket(kind: Kind) -> io::Result<Socket> {
    let (domain, ty) = match kind {
        Kind::Tcp { v6: false } => (Domain::IPV4, Type::STREAM),
        Kind::Tcp { v6: true } => (Domain::IPV6, Type::STREAM),
        Kind::Udp { v6: false } => (Domain::IPV4, Type::DGRAM),
        Kind::Udp { v6: true } => (Domain::IPV6, Type::DGRAM),
        Kind::UnixStream => (Domain::UNIX, Type::STREAM),
        Kind::UnixDatagram => (Domain::UNIX, Type::DGRAM),
    };
    Socket::new(domain, ty.nonblocking(), None)
}

/// Binds; a Unix path that comes into being is answered.
pub(crate) fn bind(socket: &Socket, address: &Address) -> io::Result<Option<Box<unix::BoundPath>>> {
    match address {
        Address::Unix(_) => unix::bind(socket, address),
        address => socket.bind(&unix::to_system(address)?).map(|()| None),
    }
}

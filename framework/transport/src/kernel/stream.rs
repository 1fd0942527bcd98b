//! Connections: made, adopted, read, written and ended.
//!
//! In a steady exchange a message costs one `recv` and one `send`, no more: short reads tell that
//! nothing is left, and the poller is asked nothing (see `readiness.rs`).

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use fyke_buffer::Pool;
use fyke_core::channel::outbound::GATHER_SLICES_MAX;
use fyke_core::driver::Readiness;
use fyke_core::transport::{Handle, Incoming, Read, TransportEvent, Wrote};
use fyke_core::{Address, ChannelKey, Front, Gather, SocketOptions};
use fyke_poller::sys;
use rustix::io::Errno;
use socket2::SockRef;

use super::file::{Sent, send_region};
use super::listener::{bind, new_socket, stream_kind};
use super::readiness::Watch;
use super::table::{Endpoint, Kind, Parts, Role};
use super::zerocopy::ZeroSends;
use super::{Kernel, options, unix};
use crate::driver::PollerRegistry;

/// An accepted connection on its way to a loop.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) fd: OwnedFd,
    pub(crate) kind: Kind,
    /// Its present `TCP_NODELAY`.
    pub(crate) nodelay: bool,
}

impl Kernel {
    pub(crate) fn adopt_stream(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let Accepted { fd, kind, nodelay } = incoming.take().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "this connection is of another transport")
        })?;
        options::check(kind, options)?;
        options::stream(SockRef::from(&fd), kind, nodelay, options)?;
        let role = Role::Stream(ZeroSends::prepare(&fd, options)?);
        let parts = Parts { owner, kind, role, fd, path: None };
        self.table.insert(parts, &self.registry)
    }

    pub(crate) fn open_stream(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let kind = stream_kind(address)?;
        options::check(kind, options)?;
        let socket = new_socket(kind)?;
        options::stream(SockRef::from(&socket), kind, false, options)?;
        let path = match &options.local_address {
            None => None,
            Some(local) => {
                if local.as_inet().is_some_and(|local| local.port() == 0) {
                    // The port is chosen at the connect, so one can serve many destinations.
                    sys::set_ip_bind_address_no_port(&socket, true)?;
                }
                bind(&socket, local)?
            }
        };
        match socket.connect(&unix::to_system(address)?) {
            Ok(()) => {}
            // A connect that was interrupted goes on by itself.
            Err(error)
                if matches!(
                    Errno::from_io_error(&error),
                    Some(Errno::INPROGRESS | Errno::INTR)
                ) => {}
            Err(error) => return Err(error),
        }
        // Registered only now: a socket that has not begun to connect counts as hung up.
        let role = Role::Connecting(ZeroSends::prepare(&socket, options)?);
        let parts = Parts { owner, kind, role, fd: socket.into(), path };
        self.table.insert(parts, &self.registry)
    }

    pub(crate) fn read_stream(
        &mut self,
        connection: Handle,
        want: usize,
        pool: &Pool,
    ) -> io::Result<Read> {
        let endpoint = self.table.get(connection)?;
        let mut bytes = pool.take(want.max(1));
        let room = bytes.spare_mut();
        let room_bytes = room.len();
        // One way to one answer: where several meet, the buffer is copied there by odd halves.
        let n = match sys::recv(&endpoint.fd, room) {
            Ok(n) if n > 0 => n,
            other => {
                pool.give(bytes);
                return endpoint.read_nothing(other);
            }
        };
        bytes.advance_writer(n);
        // A short read has emptied the socket, and what comes later is reported. But the peer's end may
        // have been reported already, and has not been read yet.
        let more = n == room_bytes || endpoint.watch.has_ended();
        Ok(Read::Data { bytes, more })
    }

    pub(crate) fn write_stream(
        &mut self,
        connection: Handle,
        out: &mut Gather<'_>,
    ) -> io::Result<Wrote> {
        let Self { table, registry, pending, copy, zero_copy, .. } = self;
        let endpoint = table.get(connection)?;
        if endpoint.watch.is_blocked() {
            return Ok(Wrote::Now(0));
        }
        match &mut endpoint.role {
            Role::Connecting(_) => {
                endpoint.ask(registry, Watch::note_full)?;
                return Ok(Wrote::Now(0));
            }
            Role::Stream(Some(sends))
                if matches!(out.front(), Front::Bytes(..)) && sends.wants(out.offered()) =>
            {
                let offered = out.offered();
                if let Some(sent) = sends.send(&endpoint.fd, out, zero_copy)? {
                    if sent > 0 && (sent as u64) < offered {
                        // The socket need not be full: a limit on pinned memory ends a write, too.
                        // Only one that takes nothing promises a readiness.
                        pending.push(TransportEvent::Writable(endpoint.owner));
                    }
                    return endpoint.wrote(registry, sent, sent.max(1));
                }
            }
            _ => {}
        }
        let (result, offered) = match out.front() {
            Front::Nothing => return Ok(Wrote::Now(0)),
            Front::Bytes(bytes, false) => (sys::send(&endpoint.fd, bytes), bytes.len()),
            Front::Bytes(_, true) => {
                let mut slices = [IoSlice::new(&[]); GATHER_SLICES_MAX];
                let filled = out.slices(&mut slices);
                let slices = &slices[..filled];
                let offered = slices.iter().map(|slice| slice.len()).sum();
                (sys::send_vectored(&endpoint.fd, slices), offered)
            }
            Front::File(region) => match send_region(&endpoint.fd, region, copy)? {
                Sent::Full(sent) => (Ok(sent), usize::MAX),
                Sent::Whole(sent) => (Ok(sent), sent),
                Sent::Turn(sent) => {
                    // Less than was offered means full to the caller. Nothing else will report that
                    // there is still room.
                    pending.push(TransportEvent::Writable(endpoint.owner));
                    (Ok(sent), sent)
                }
            },
        };
        let sent = match result {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        endpoint.wrote(registry, sent, offered)
    }

    pub(crate) fn shutdown_stream(&mut self, connection: Handle) -> io::Result<()> {
        sys::shutdown(&self.table.get(connection)?.fd, Shutdown::Write)
    }
}

impl Endpoint {
    /// A read that gave no bytes.
    #[cold]
    #[inline(never)]
    fn read_nothing(&mut self, result: io::Result<usize>) -> io::Result<Read> {
        match result {
            Ok(_) => {
                self.watch.note_end_read();
                Ok(Read::End)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::WouldBlock),
            Err(error) => Err(error),
        }
    }

    /// So much of what was offered went: asks for the readiness that is needed next.
    #[inline(always)]
    fn wrote(
        &mut self,
        registry: &PollerRegistry,
        sent: usize,
        offered: usize,
    ) -> io::Result<Wrote> {
        let full = sent < offered;
        if !full && !self.watch.asks_for_room() {
            return Ok(Wrote::Now(sent));
        }
        self.ask_after_write(registry, full)?;
        Ok(Wrote::Now(sent))
    }

    #[cold]
    #[inline(never)]
    fn ask_after_write(&mut self, registry: &PollerRegistry, full: bool) -> io::Result<()> {
        self.ask(registry, |watch| if full { watch.note_full() } else { watch.note_room() })
    }
}

/// A connect has come to its end, or has not.
pub(super) fn finish_connect(
    endpoint: &mut Endpoint,
    ready: &Readiness,
    events: &mut Vec<TransportEvent>,
) -> bool {
    if !(ready.writable || ready.hangup) {
        return false;
    }
    let socket = SockRef::from(&endpoint.fd);
    let result = match socket.take_error() {
        Ok(None) if ready.hangup => socket.peer_addr().map(drop),
        Ok(None) => Ok(()),
        Ok(Some(error)) | Err(error) => Err(error),
    };
    let connected = result.is_ok();
    if connected {
        let sends = match &mut endpoint.role {
            Role::Connecting(sends) => sends.take(),
            _ => None,
        };
        endpoint.role = Role::Stream(sends);
    }
    events.push(TransportEvent::Connected(endpoint.owner, result));
    connected
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use fyke_core::driver::Token;
    use fyke_core::transport::Transport;
    use fyke_poller::Backend;

    use super::*;
    use crate::driver::PollerDriver;

    #[test]
    fn an_adopted_stream_has_its_own_options() {
        let driver = PollerDriver::new(Backend::EpollLevel).unwrap();
        let mut kernel = Kernel::new(Token(0).transport(), driver.poller().clone()).unwrap();
        let key = ChannelKey::new(0, 0);
        let any: Address = "127.0.0.1:0".parse().unwrap();
        for (listening, adopted) in [(true, true), (true, false), (false, true), (false, false)] {
            let options = SocketOptions::default().nodelay(listening);
            let (listener, address) = kernel.listen(key, &any, &options).unwrap();
            let _client = TcpStream::connect(address.as_inet().unwrap()).unwrap();
            let (incoming, _) = kernel.accept(listener).unwrap().unwrap();
            let accepted: Accepted = incoming.take().unwrap();
            assert_eq!(accepted.nodelay, listening);
            let inherited = SockRef::from(&accepted.fd).tcp_nodelay().unwrap();
            assert_eq!(inherited, listening, "accepted sockets begin with the listener's");

            let options = SocketOptions::default().nodelay(adopted).ttl(Some(17));
            let handle = kernel.adopt(key, Incoming::new(accepted), &options).unwrap();
            let socket = SockRef::from(&kernel.table.peek(handle).unwrap().fd);
            assert_eq!(socket.tcp_nodelay().unwrap(), adopted);
            assert_eq!(socket.ttl_v4().unwrap(), 17);
        }
    }

    #[test]
    fn a_connection_of_another_transport_is_refused() {
        let driver = PollerDriver::new(Backend::Poll).unwrap();
        let mut kernel = Kernel::new(Token(0).transport(), driver.poller().clone()).unwrap();
        let incoming = Incoming::new("not a descriptor");
        let options = SocketOptions::default();
        let error = kernel.adopt(ChannelKey::new(0, 0), incoming, &options).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

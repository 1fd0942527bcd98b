//! One connection whose reads and writes block.

use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::Instant;
use fyke_core::channel::outbound::{GATHER_SLICES_MAX, file_shrank};
use fyke_core::driver::{Readiness, Token, TransportId};
use fyke_core::transport::{CloseMode, Handle, Incoming, Read, Transport, TransportEvent, Wrote};
use fyke_core::{Address, ChannelKey, Datagram, Front, Gather, SocketOptions};
use fyke_poller::sys;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::{SockAddr, SockRef, Socket};

use super::BLOCK_MAX;
use super::driver::Shared;
use crate::kernel::listener::{bind, new_socket, stream_kind};
use crate::kernel::stream::Accepted;
use crate::kernel::table::Kind;
use crate::kernel::{options, unix};

/// How long connecting may take when nobody says.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// A shorter limit is taken for this one, as the system takes none for no limit at all.
const CONNECT_MIN: Duration = Duration::from_millis(1);

/// How much of a file is copied at a time.
const COPY_BYTES: usize = 64 * 1024;

/// The transport of one thread: it has one connection at most.
pub(super) struct BlockingTransport {
    id: TransportId,
    shared: Shared,
    connection: Option<Connection>,
    /// Connections so far: a handle of one that is gone means nobody.
    generation: u64,
    events: Vec<TransportEvent>,
}

struct Connection {
    fd: Rc<OwnedFd>,
    owner: ChannelKey,
    generation: u64,
    /// What the socket's receive time-out is now.
    patience: Duration,
    copy: Vec<u8>,
}

impl BlockingTransport {
    pub(super) fn new(id: TransportId, shared: Shared) -> Self {
        Self { id, shared, connection: None, generation: 0, events: Vec::new() }
    }

    fn get(&mut self, handle: Handle) -> io::Result<&mut Connection> {
        let found = self.connection.as_mut().filter(|c| c.generation == handle.0);
        found.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn insert(&mut self, owner: ChannelKey, fd: OwnedFd) -> io::Result<Handle> {
        if self.connection.is_some() {
            let text = "a blocking transport has one connection, and has it already";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let fd = Rc::new(fd);
        self.generation += 1;
        let (generation, patience) = (self.generation, Duration::ZERO);
        *self.shared.fd.borrow_mut() = Some(Rc::clone(&fd));
        self.connection = Some(Connection { fd, owner, generation, patience, copy: Vec::new() });
        self.shared.token.set(Some(Token::new(self.id, generation)));
        self.shared.reading.set(true);
        self.shared.full.set(false);
        self.shared.idle.set(false);
        self.shared.peer_closed.set(false);
        self.shared.over.set(false);
        Ok(Handle(generation))
    }
}

fn unsupported<T>(verb: &str) -> io::Result<T> {
    let text =
        format!("the blocking transport has no {verb}: it serves one blocking stream a thread");
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// Refuses what sockets of `kind` do not have, and what only those have that do not block.
pub(super) fn check(kind: Kind, options: &SocketOptions) -> io::Result<()> {
    options::check(kind, options)?;
    match options.zero_copy {
        None => Ok(()),
        Some(_) => unsupported("option zero_copy"),
    }
}

/// Blocks until there are bytes, but not for longer than `patience`.
fn receive(connection: &mut Connection, into: &mut [u8], patience: Duration) -> io::Result<usize> {
    if patience.is_zero() {
        let (n, _) = rustix::net::recv(&*connection.fd, into, RecvFlags::DONTWAIT)?;
        return Ok(n);
    }
    if connection.patience != patience {
        SockRef::from(&*connection.fd).set_read_timeout(Some(patience))?;
        connection.patience = patience;
    }
    sys::recv(&*connection.fd, into)
}

/// A listener that does not accept keeps who connects waiting for as long as a send may take.
fn connect_unix(socket: &Socket, target: &SockAddr, limit: Duration) -> io::Result<()> {
    socket.set_write_timeout(Some(limit))?;
    socket.connect(target).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    socket.set_write_timeout(None)
}

/// Sends what there is room for. Room is waited for by the driver, so that a thread whose peer
/// does not read still reads what that peer sends.
fn send(connection: &Connection, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let mut control = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(&*connection.fd, slices, &mut control, flags)?)
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl Transport for BlockingTransport {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported("listener")
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        unsupported("listener")
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        socket_options: &SocketOptions,
    ) -> io::Result<Handle> {
        let accepted = incoming.take::<Accepted>().map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "this connection is of another transport")
        })?;
        let Accepted { fd, kind, nodelay } = accepted;
        check(kind, socket_options)?;
        options::stream(SockRef::from(&fd), kind, nodelay, socket_options)?;
        SockRef::from(&fd).set_nonblocking(false)?;
        self.insert(owner, fd)
    }

    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        socket_options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.connect_within(owner, address, socket_options, CONNECT_MAX)
    }

    fn connect_within(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        socket_options: &SocketOptions,
        limit: Duration,
    ) -> io::Result<Handle> {
        let kind = stream_kind(address)?;
        check(kind, socket_options)?;
        let socket = new_socket(kind)?;
        socket.set_nonblocking(false)?;
        options::before_bind(SockRef::from(&socket), kind, None, socket_options)?;
        if let Some(local) = &socket_options.local_address {
            bind(&socket, local)?;
        }
        let target = unix::to_system(address)?;
        let limit = limit.max(CONNECT_MIN);
        match kind {
            Kind::UnixStream => connect_unix(&socket, &target, limit)?,
            _ => socket.connect_timeout(&target, limit)?,
        }
        options::stream(SockRef::from(&socket), kind, false, socket_options)?;
        let handle = self.insert(owner, socket.into())?;
        self.events.push(TransportEvent::Connected(owner, Ok(())));
        self.shared.pending.set(true);
        Ok(handle)
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        unsupported("datagrams")
    }

    fn read(&mut self, connection: Handle, want: usize, pool: &Pool) -> io::Result<Read> {
        // Only the first read after a wait blocks: what the pipeline answers is to leave first.
        let patience = self.shared.patience.replace(Duration::ZERO);
        let connection = self.get(connection)?;
        let mut bytes = pool.take(want);
        let room = bytes.spare_mut();
        let room_bytes = room.len();
        let received = receive(connection, room, patience);
        if !patience.is_zero() {
            let nothing = received.as_ref().is_err_and(is_nothing);
            self.shared.idle.set(nothing && patience == BLOCK_MAX);
        } else if received.is_ok() {
            self.shared.idle.set(false);
        }
        match received {
            Ok(0) => Ok(Read::End),
            Ok(n) => {
                bytes.advance_writer(n);
                Ok(Read::Data { bytes, more: n == room_bytes })
            }
            Err(error) if is_nothing(&error) => Ok(Read::WouldBlock),
            Err(error) => Err(error),
        }
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        unsupported("datagrams")
    }

    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        let offered = out.offered();
        let connection = self.get(connection)?;
        let result = match out.front() {
            Front::Nothing => return Ok(Wrote::Now(0)),
            Front::Bytes(bytes, false) => send(connection, &[IoSlice::new(bytes)]),
            Front::Bytes(_, true) => {
                let mut slices = [IoSlice::new(&[]); GATHER_SLICES_MAX];
                let filled = out.slices(&mut slices);
                send(connection, &slices[..filled])
            }
            Front::File(region) => {
                let want = usize::try_from(region.len()).map_or(COPY_BYTES, |n| n.min(COPY_BYTES));
                connection.copy.resize(want, 0);
                match region.source().read_at(region.offset(), &mut connection.copy)? {
                    0 => return Err(file_shrank()),
                    n => send(connection, &[IoSlice::new(&connection.copy[..n])]),
                }
            }
        };
        let sent = match result {
            Ok(sent) => sent,
            Err(error) if is_nothing(&error) => 0,
            Err(error) => return Err(error),
        };
        // The driver waits for room, and for what the peer sends.
        self.shared.full.set((sent as u64) < offered);
        Ok(Wrote::Now(sent))
    }

    fn send(&mut self, _: Handle, _: &[Datagram]) -> io::Result<usize> {
        unsupported("datagrams")
    }

    fn set_reading(&mut self, connection: Handle, on: bool) {
        if self.get(connection).is_ok() {
            self.shared.reading.set(on);
        }
    }

    fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        sys::shutdown(&*self.get(connection)?.fd, Shutdown::Write)
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        let Ok(connection) = self.get(handle) else { return };
        if mode == CloseMode::Abort {
            // A peer that cannot be reset is gone already.
            let _ = SockRef::from(&*connection.fd).set_linger(Some(Duration::ZERO));
        }
        self.connection = None;
        self.shared.fd.take();
        self.shared.token.set(None);
        self.shared.reading.set(false);
        self.shared.full.set(false);
    }

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        match &self.connection {
            Some(connection) => unix::from_system(&SockRef::from(&*connection.fd).local_addr()?),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn ready(&mut self, readiness: Readiness, events: &mut Vec<TransportEvent>) {
        let Some(connection) = &self.connection else { return };
        if connection.generation != readiness.token.key() {
            return;
        }
        // Sending first: what waits to be sent may be why nothing is read.
        if readiness.writable {
            self.shared.full.set(false);
            events.push(TransportEvent::Writable(connection.owner));
        }
        if readiness.readable {
            events.push(TransportEvent::Readable(connection.owner));
        }
        if readiness.peer_closed {
            events.push(TransportEvent::PeerClosed(connection.owner));
        }
        // A channel that reads or writes finds it out by that.
        if readiness.hangup
            && !readiness.readable
            && !readiness.writable
            && let Ok(Some(error)) = SockRef::from(&*connection.fd).take_error()
        {
            events.push(TransportEvent::Failed(connection.owner, error));
        }
    }

    fn poll(&mut self, _: Instant, events: &mut Vec<TransportEvent>) {
        self.shared.pending.set(false);
        events.append(&mut self.events);
    }
}

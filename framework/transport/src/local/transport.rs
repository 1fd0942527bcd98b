//! The verbs of the waist, in memory.

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::Arc;

use fyke_buffer::Pool;
use fyke_core::channel::outbound::GATHER_SLICES_MAX;
use fyke_core::driver::{Readiness, TransportId};
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportSeat, Wrote,
};
use fyke_core::{Address, ChannelKey, Datagram, Front, Gather, LoopHandle, SocketOptions};

use super::Limits;
use super::listener::Refusal;
use super::mailbox::{Delivery, MailboxLimits};
use super::network::{ListenerClaim, LocalNetwork, MailboxClaim};
use super::signal::{Flags, Seat};
use super::stream::{End, pair};
use super::table::Table;
use super::{options, signal};

/// Most bytes of a file that one write copies.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The in-memory transport of one loop.
pub(crate) struct LocalTransport {
    network: LocalNetwork,
    limits: Limits,
    id: TransportId,
    handle: LoopHandle,
    /// Where written bytes are copied to; blocks come back when the readers drop them.
    pool: Pool,
    table: Table<Entry>,
}

struct Entry {
    owner: ChannelKey,
    kind: Kind,
}

enum Kind {
    Listener(ListenerClaim),
    Stream(End),
    /// A connect that failed and has not been reported yet.
    Refused(Refusal),
    Datagram(MailboxClaim),
}

impl LocalTransport {
    pub(super) fn new(network: LocalNetwork, limits: Limits, seat: TransportSeat<'_>) -> Self {
        Self {
            network,
            limits,
            id: seat.id,
            handle: seat.handle,
            pool: Pool::new(),
            table: Table::new(),
        }
    }

    fn insert(&mut self, owner: ChannelKey, kind: Kind) -> Handle {
        let (transport, loop_handle) = (self.id, self.handle.clone());
        self.table.insert_with(|handle| {
            let seat = Seat { handle: loop_handle, transport, key: handle.0 };
            match &kind {
                Kind::Listener(claim) => claim.listener.seat(seat),
                Kind::Stream(end) => end.seat(seat),
                Kind::Datagram(claim) => claim.mailbox.seat(seat),
                Kind::Refused(_) => signal::announce(seat),
            }
            Entry { owner, kind }
        })
    }

    fn kind(&self, handle: Handle) -> io::Result<&Kind> {
        self.table.get(handle).map(|entry| &entry.kind).ok_or_else(not_open)
    }

    fn end(&self, handle: Handle) -> io::Result<&End> {
        match self.kind(handle)? {
            Kind::Stream(end) => Ok(end),
            Kind::Refused(_) => Err(io::ErrorKind::NotConnected.into()),
            Kind::Listener(_) | Kind::Datagram(_) => Err(wrong_kind("a stream")),
        }
    }

    fn mailbox(&self, handle: Handle) -> io::Result<&MailboxClaim> {
        match self.kind(handle)? {
            Kind::Datagram(claim) => Ok(claim),
            _ => Err(wrong_kind("a datagram endpoint")),
        }
    }

    /// Connects to whoever listens on `server`.
    fn dial(&self, server: &str, options: &SocketOptions) -> io::Result<Kind> {
        let client = match &options.local_address {
            Some(address) if !options::name(address)?.is_empty() => {
                Arc::clone(options::name(address)?)
            }
            _ => self.network.make_up_name(),
        };
        let Some(listener) = self.network.listener(server) else {
            return Ok(Kind::Refused(Refusal::Closed));
        };
        let (ours, theirs) =
            pair(Arc::clone(&client), Arc::clone(listener.name()), self.limits.pipe_bytes);
        ours.configure(options);
        match listener.push(theirs, client) {
            Ok(()) => {
                ours.raise(Flags::CONNECTED);
                Ok(Kind::Stream(ours))
            }
            Err((refusal, _)) => Ok(Kind::Refused(refusal)),
        }
    }

    /// [`Transport::write`] of no more than `max` bytes.
    pub(crate) fn write_at_most(
        &mut self,
        connection: Handle,
        out: &Gather<'_>,
        max: usize,
    ) -> io::Result<Wrote> {
        let end = self.end(connection)?;
        if let Front::File(_) = out.front() {
            return self.write_file(end, out, max).map(Wrote::Now);
        }
        let mut slices = [IoSlice::new(&[]); GATHER_SLICES_MAX];
        let filled = out.slices(&mut slices);
        let offered = slices[..filled].iter().map(|slice| slice.len()).sum::<usize>().min(max);
        end.write(&slices[..filled], offered, &self.pool).map(Wrote::Now)
    }

    /// Reads a piece of a file outside of the connection's lock.
    fn write_file(&self, end: &End, out: &Gather<'_>, max: usize) -> io::Result<usize> {
        let offered = usize::try_from(out.offered()).unwrap_or(usize::MAX).min(max);
        let want = offered.min(end.room()?).min(FILE_BYTES_MAX);
        let mut chunk = self.pool.take(want);
        let taken = if want == 0 { 0 } else { out.copy_to(&mut chunk.spare_mut()[..want])? };
        chunk.advance_writer(taken);
        end.push(chunk, taken == offered)?;
        Ok(taken)
    }

    /// Sends one datagram of the endpoint `from`.
    fn post(&self, from: &MailboxClaim, datagram: &Datagram) -> io::Result<()> {
        let to = match &datagram.peer {
            Some(address) => options::name(address)?,
            None => from.mailbox.peer().ok_or(io::ErrorKind::NotConnected)?,
        };
        let delivery = match self.network.mailbox(to) {
            Some(mailbox) => {
                mailbox.deliver(from.mailbox.name(), datagram.payload.as_slice(), &self.pool)
            }
            None => Delivery::Unwanted,
        };
        self.network.count(delivery);
        Ok(())
    }
}

impl Transport for LocalTransport {
    fn name(&self) -> &'static str {
        "local"
    }

    fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        options::check(options)?;
        let claim = self.network.listen(options::name(address)?, options.backlog)?;
        let name = Arc::clone(claim.listener.name());
        Ok((self.insert(owner, Kind::Listener(claim)), Address::Local(name)))
    }

    fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>> {
        let Kind::Listener(claim) = self.kind(listener)? else {
            return Err(wrong_kind("a listener"));
        };
        let accepted = claim.listener.accept();
        Ok(accepted.map(|(end, client)| (Incoming::new(end), Address::Local(client))))
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        let end = incoming.take::<End>().map_err(|_| wrong_kind("a local connection"))?;
        options::check(options)?;
        end.configure(options);
        Ok(self.insert(owner, Kind::Stream(end)))
    }

    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        options::check(options)?;
        let kind = self.dial(options::name(address)?, options)?;
        if matches!(kind, Kind::Refused(_)) {
            self.network.count_refused();
        }
        Ok(self.insert(owner, kind))
    }

    fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        options::check(options)?;
        let anonymous = Arc::from("");
        let name = bind.map(options::name).transpose()?.unwrap_or(&anonymous);
        let peer = peer.map(options::name).transpose()?.cloned();
        let limits = MailboxLimits {
            datagrams: self.limits.mailbox_datagrams,
            bytes: options.recv_buffer_bytes.unwrap_or(self.limits.mailbox_bytes),
            datagram_bytes: options.datagram_bytes_max,
        };
        let claim = self.network.bind(name, peer, limits)?;
        let name = Arc::clone(claim.mailbox.name());
        Ok((self.insert(owner, Kind::Datagram(claim)), Address::Local(name)))
    }

    fn read(&mut self, connection: Handle, want: usize, _: &Pool) -> io::Result<Read> {
        self.end(connection)?.read(want)
    }

    fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        _: &Pool,
    ) -> io::Result<bool> {
        Ok(self.mailbox(endpoint)?.mailbox.receive(batch))
    }

    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        self.write_at_most(connection, out, usize::MAX)
    }

    fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize> {
        let from = self.mailbox(endpoint)?;
        for (sent, datagram) in batch.iter().enumerate() {
            if let Err(error) = self.post(from, datagram) {
                if sent == 0 {
                    return Err(error);
                }
                // The error belongs to the first datagram of the next call.
                from.mailbox.raise(Flags::WRITABLE);
                return Ok(sent);
            }
        }
        Ok(batch.len())
    }

    fn set_reading(&mut self, connection: Handle, on: bool) {
        match self.kind(connection) {
            Ok(Kind::Stream(end)) => end.set_reading(on),
            Ok(Kind::Datagram(claim)) => claim.mailbox.set_reading(on),
            Ok(Kind::Listener(claim)) => claim.listener.set_accepting(on),
            Ok(Kind::Refused(_)) | Err(_) => {}
        }
    }

    fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        self.end(connection)?.shutdown()
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        if let Some(Entry { kind: Kind::Stream(end), .. }) = self.table.remove(handle) {
            end.close(mode);
        }
    }

    fn local_address(&self, handle: Handle) -> io::Result<Address> {
        let name = match self.kind(handle)? {
            Kind::Stream(end) => end.name(),
            Kind::Listener(claim) => claim.listener.name(),
            Kind::Datagram(claim) => claim.mailbox.name(),
            Kind::Refused(_) => return Err(io::ErrorKind::NotConnected.into()),
        };
        Ok(Address::Local(Arc::clone(name)))
    }

    fn ready(&mut self, readiness: Readiness, events: &mut Vec<TransportEvent>) {
        // A notice may be late: its channel has closed and its slot may have another tenant.
        let Some(entry) = self.table.get(Handle(readiness.token.key())) else { return };
        let owner = entry.owner;
        let flags = match &entry.kind {
            Kind::Listener(claim) => claim.listener.take_flags(),
            Kind::Stream(end) => end.take_flags(),
            Kind::Datagram(claim) => claim.mailbox.take_flags(),
            Kind::Refused(refusal) => {
                events.push(TransportEvent::Connected(owner, Err(refused(*refusal))));
                return;
            }
        };
        report(owner, flags, events);
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport").field("network", &self.network).finish_non_exhaustive()
    }
}

/// Turns changes into events, in the order in which they can have happened.
fn report(owner: ChannelKey, flags: Flags, events: &mut Vec<TransportEvent>) {
    if flags.has(Flags::CONNECTED) {
        events.push(TransportEvent::Connected(owner, Ok(())));
    }
    if flags.has(Flags::ACCEPTABLE) {
        events.push(TransportEvent::Acceptable(owner));
    }
    if flags.has(Flags::READABLE) {
        events.push(TransportEvent::Readable(owner));
    }
    if flags.has(Flags::WRITABLE) {
        events.push(TransportEvent::Writable(owner));
    }
    if flags.has(Flags::PEER_CLOSED) {
        events.push(TransportEvent::PeerClosed(owner));
    }
    if flags.has(Flags::RESET) {
        events.push(TransportEvent::Failed(owner, io::ErrorKind::ConnectionReset.into()));
    }
}

fn refused(refusal: Refusal) -> io::Error {
    let why = match refusal {
        Refusal::Closed => "nobody listens on this name",
        Refusal::BacklogFull => "the listener's backlog is full",
    };
    io::Error::new(io::ErrorKind::ConnectionRefused, why)
}

fn not_open() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the handle is not open")
}

fn wrong_kind(wanted: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("this is not {wanted}"))
}

//! Sockets of the kernel: TCP, UDP, Unix streams and datagrams.
//!
//! ```text
//! mod.rs        the transport: verbs in, events out
//! table.rs      endpoints by key (index and generation)
//! readiness.rs  level and edge triggering, up to here
//! report.rs     what a readiness is to those who own the endpoint
//! listener.rs   listen, accept, the descriptor in reserve
//! stream.rs     connect, adopt, read, write, shutdown
//! datagram.rs   batches, errors that come back, multicast
//! unix.rs       addresses, paths in the file system
//! options.rs    socket options
//! file.rs       regions of files: sendfile, mappings, copies
//! splice.rs     bytes from socket to socket through a pipe
//! zerocopy.rs   writes from where the bytes lie
//! ```
//!
//! All three names ([`Kernel::tcp`], [`Kernel::udp`], [`Kernel::unix`]) mean the same transport: the
//! address says which socket it is. A loop has one of it.

mod datagram;
mod file;
pub(crate) mod listener;
pub(crate) mod options;
mod readiness;
mod report;
mod splice;
pub(crate) mod stream;
pub(crate) mod table;
pub(crate) mod unix;
mod zerocopy;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::Instant;
use fyke_core::driver::{Readiness, TransportId};
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Membership, Read, ReadRegion, Transport, TransportEvent,
    TransportFactory, TransportSeat, Wrote,
};
use fyke_core::{Address, Capabilities, ChannelKey, Datagram, Gather, SocketOptions};
use fyke_poller::Backend;
use fyke_poller::sys::Received;
use socket2::SockRef;

use crate::driver::PollerRegistry;
pub use file::FileSource;
use listener::Reserve;
use splice::{PIPES_MAX, Pipes};
use table::{Endpoint, Kind, Role, Table};
use zerocopy::Finishing;
pub use zerocopy::ZeroCopyStats;

/// The transport of the kernel's sockets; one a loop, on a [`PollerDriver`](crate::PollerDriver).
pub struct Kernel {
    registry: PollerRegistry,
    table: Table,
    /// What happened without a readiness; handed over by the next `poll`.
    pending: Vec<TransportEvent>,
    reserve: Reserve,
    /// Scratch space of receives.
    received: Vec<Received>,
    /// Scratch space of writes from sources that can only be read; empty until there is one.
    copy: Vec<u8>,
    /// What spliced bytes wait in.
    pipes: Arc<Pipes>,
    zero_copy: ZeroCopyStats,
    finishing: Finishing,
}

/// Makes a [`Kernel`] on each loop: what `.transport(Kernel::tcp)` is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KernelFactory {
    pipes_max: usize,
}

impl KernelFactory {
    /// How many pipes (two descriptors and at most 256 KiB each) a loop may have for bytes that are
    /// spliced from channel to channel (256). Beyond that they are copied. A loop has one kernel
    /// transport, which is made as the first who needs it says.
    #[must_use]
    pub const fn pipes_max(self, pipes_max: usize) -> Self {
        Self { pipes_max }
    }
}

impl Default for KernelFactory {
    fn default() -> Self {
        Kernel::tcp
    }
}

#[allow(non_upper_case_globals, reason = "read as names of transports: `.transport(Kernel::tcp)`")]
impl Kernel {
    /// TCP over IPv4 and IPv6: addresses like `127.0.0.1:80` and `[::1]:80`.
    pub const tcp: KernelFactory = KernelFactory { pipes_max: PIPES_MAX };
    /// UDP over IPv4 and IPv6.
    pub const udp: KernelFactory = Self::tcp;
    /// Unix streams and datagrams: addresses like `unix:/run/x.sock`.
    pub const unix: KernelFactory = Self::tcp;
}

impl Kernel {
    /// A transport without endpoints whose tokens carry `id`.
    ///
    /// # Errors
    /// When there is no descriptor to keep in reserve.
    pub fn new(id: TransportId, registry: PollerRegistry) -> io::Result<Self> {
        Ok(Self {
            registry,
            table: Table::new(id),
            pending: Vec::new(),
            reserve: Reserve::new()?,
            received: Vec::new(),
            copy: Vec::new(),
            pipes: Pipes::new(PIPES_MAX),
            zero_copy: ZeroCopyStats::default(),
            finishing: Finishing::default(),
        })
    }

    /// Limits the pipes, see [`KernelFactory::pipes_max`].
    pub fn set_pipes_max(&mut self, pipes_max: usize) {
        self.pipes.set_max(pipes_max);
    }

    /// How many pipes there are, filled or waiting to be.
    #[must_use]
    pub fn pipes(&self) -> usize {
        self.pipes.open()
    }

    /// What became of writes without a copy; of the whole process see [`ZeroCopyStats::of_process`].
    #[must_use]
    pub fn zero_copy_stats(&self) -> ZeroCopyStats {
        self.zero_copy
    }

    /// Connections that are closed and whose buffers the kernel still reads.
    #[must_use]
    pub fn finishing(&self) -> usize {
        self.finishing.len()
    }

    /// Reports that the poller refused what `endpoint` needs.
    fn note_failure(endpoint: &Endpoint, result: io::Result<()>, events: &mut Vec<TransportEvent>) {
        if let Err(error) = result {
            events.push(TransportEvent::Failed(endpoint.owner, error));
        }
    }
}

impl TransportFactory for KernelFactory {
    fn key(&self) -> &'static str {
        "kernel"
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        match seat.driver.registry().downcast_ref::<PollerRegistry>() {
            Some(registry) => {
                let mut kernel = Kernel::new(seat.id, registry.clone())?;
                kernel.set_pipes_max(self.pipes_max);
                Ok(Box::new(kernel))
            }
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the kernel transport needs a loop that waits with a poller",
            )),
        }
    }
}

impl Transport for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.open_listener(owner, address, options)
    }

    fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>> {
        self.accept_one(listener)
    }

    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.adopt_stream(owner, incoming, options)
    }

    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle> {
        self.open_stream(owner, address, options)
    }

    fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.open_datagram(owner, bind, peer, options)
    }

    #[inline]
    fn read(&mut self, connection: Handle, want: usize, pool: &Pool) -> io::Result<Read> {
        self.read_stream(connection, want, pool)
    }

    fn read_region(&mut self, connection: Handle, want: usize) -> io::Result<ReadRegion> {
        self.read_spliced(connection, want)
    }

    fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool> {
        self.receive_datagrams(endpoint, batch, pool)
    }

    #[inline]
    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote> {
        self.write_stream(connection, out)
    }

    fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize> {
        self.send_datagrams(endpoint, batch)
    }

    fn set_reading(&mut self, connection: Handle, on: bool) {
        let Self { table, registry, pending, .. } = self;
        let Ok(endpoint) = table.get(connection) else { return };
        let resumed = on && !endpoint.watch.is_reading();
        let result = endpoint.ask(registry, |watch| watch.set_reading(on));
        Self::note_failure(endpoint, result, pending);
        if resumed && endpoint.watch.is_edge() && matches!(endpoint.role, Role::Listener { .. }) {
            // Connections that could not be accepted make no second edge.
            pending.push(TransportEvent::Acceptable(endpoint.owner));
        }
    }

    fn shutdown(&mut self, connection: Handle) -> io::Result<()> {
        self.shutdown_stream(connection)
    }

    fn close(&mut self, handle: Handle, mode: CloseMode) {
        let Some(endpoint) = self.table.remove(handle) else { return };
        self.pending.retain(|event| owner_of(event) != Some(endpoint.owner));
        // Closing takes a descriptor out of an epoll set; the others have to be told.
        let told = matches!(self.registry.backend(), Backend::EpollLevel | Backend::EpollEdge);
        if endpoint.watch.is_registered() && !told {
            let result = self.registry.deregister(std::os::fd::AsFd::as_fd(&endpoint.fd));
            debug_assert!(result.is_ok(), "a registered descriptor is known: {result:?}");
        }
        let Endpoint { role, fd, kind, .. } = endpoint;
        let (Role::Stream(sends) | Role::Connecting(sends)) = role else { return };
        let reset = mode == CloseMode::Abort && matches!(kind, Kind::Tcp { .. });
        if reset {
            // Closing with a linger time of zero sends a reset and drops what was not sent. It can
            // only fail for a socket that is past caring.
            let _ = SockRef::from(&fd).set_linger(Some(Duration::ZERO));
        }
        if let Some(mut sends) = sends {
            sends.collect(&fd, &mut self.zero_copy);
            if reset {
                drop(fd);
                sends.note_reset();
            } else if !sends.is_done() {
                self.finishing.add(fd, sends);
            }
        }
    }

    fn local_address(&self, handle: Handle) -> io::Result<Address> {
        unix::from_system(&SockRef::from(&self.table.peek(handle)?.fd).local_addr()?)
    }

    fn capabilities(&self, connection: Handle) -> Capabilities {
        let Ok(endpoint) = self.table.peek(connection) else { return Capabilities::new() };
        let tcp = matches!(endpoint.kind, Kind::Tcp { .. });
        let stream = tcp || endpoint.kind == Kind::UnixStream;
        Capabilities::new().send_file(stream).splice(stream).mapped_file(stream).zero_copy(tcp)
    }

    fn membership(&mut self, endpoint: Handle, membership: Membership) -> io::Result<()> {
        self.change_membership(endpoint, membership)
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.pending.is_empty() { self.finishing.next_deadline() } else { Some(Instant::ZERO) }
    }

    fn ready(&mut self, readiness: Readiness, events: &mut Vec<TransportEvent>) {
        // A late event of an endpoint that has been closed is nobody's.
        let Some(endpoint) = self.table.find(readiness.token.key()) else { return };
        if matches!(endpoint.role, Role::Stream(None))
            && endpoint.watch.is_only_readable(&readiness)
        {
            events.push(TransportEvent::Readable(endpoint.owner));
            return;
        }
        self.note_readiness(readiness, events);
    }

    fn poll(&mut self, now: Instant, events: &mut Vec<TransportEvent>) {
        events.append(&mut self.pending);
        self.finishing.poll(now, &mut self.zero_copy);
    }
}

/// Whom an event is for.
fn owner_of(event: &TransportEvent) -> Option<ChannelKey> {
    match event {
        TransportEvent::Acceptable(owner)
        | TransportEvent::Readable(owner)
        | TransportEvent::Writable(owner)
        | TransportEvent::PeerClosed(owner)
        | TransportEvent::Written(owner, _)
        | TransportEvent::Acked(owner, _)
        | TransportEvent::Connected(owner, _)
        | TransportEvent::Failed(owner, _) => Some(*owner),
        _ => None,
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("registry", &self.registry)
            .field("endpoints", &self.table.len())
            .finish_non_exhaustive()
    }
}

//! The upper half of the waist: what moves bytes.
//!
//! A [`Transport`] is an entry in a loop's table. It registers what it waits for with the driver
//! and answers a few verbs. It never calls a channel: it answers, or reports a
//! [`TransportEvent`] that the loop acts on.
//!
//! The contract is made for completion as well as for readiness:
//! [`Transport::write`] may answer [`Wrote::InFlight`], and a [`TransportEvent::Written`] follows.

use std::any::Any;
use std::fmt;
use std::io;
use std::time::Duration;

use fyke_buffer::{ByteBuf, Pool};
use fyke_clock::Instant;

use crate::address::Address;
use crate::capabilities::Capabilities;
use crate::channel::ChannelKey;
use crate::channel::outbound::Gather;
use crate::driver::{Driver, Readiness, TransportId};
use crate::env::Env;
use crate::event_loop::LoopHandle;
use crate::options::SocketOptions;
use crate::outgoing::{Datagram, FileRegion};

/// A transport's own key for a listener or a connection: what it was given out for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handle(pub u64);

/// A connection that was accepted and not yet adopted by a loop. It may cross threads.
pub struct Incoming(Box<dyn Any + Send>, Option<Box<dyn Any + Send>>);

impl Incoming {
    /// Wraps the transport's own value (a descriptor, say).
    #[must_use]
    pub fn new<T: Send + 'static>(inner: T) -> Self {
        Self(Box::new(inner), None)
    }

    /// Keeps `guard` until the connection, or the channel that it becomes, is gone.
    #[must_use]
    pub fn guarded<G: Send + 'static>(self, guard: G) -> Self {
        let guard: Box<dyn Any + Send> = match self.1 {
            Some(before) => Box::new((before, guard)),
            None => Box::new(guard),
        };
        Self(self.0, Some(guard))
    }

    pub(crate) fn take_guard(&mut self) -> Option<Box<dyn Any + Send>> {
        self.1.take()
    }

    /// The transport's own value again, or `self` when it is of another transport.
    ///
    /// # Errors
    /// `self`, when `T` is not what was wrapped.
    pub fn take<T: 'static>(self) -> Result<T, Self> {
        self.0.downcast().map(|b| *b).map_err(|inner| Self(inner, self.1))
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Incoming")
    }
}

/// What a read gave.
#[derive(Debug)]
#[repr(u64)] // Behind a narrower tag the buffer is copied by odd halves, and loads wait for stores.
pub enum Read {
    /// Bytes.
    Data {
        /// What was read; never empty.
        bytes: ByteBuf,
        /// Whether another read now may give more. `false` means drained: a new
        /// [`TransportEvent::Readable`] will come when there is more.
        more: bool,
    },
    /// Nothing now; a [`TransportEvent::Readable`] will come.
    WouldBlock,
    /// The peer has sent its last byte, and all of it has been read.
    End,
}

/// What a read of a region gave.
#[derive(Debug)]
pub enum ReadRegion {
    /// Bytes that can be written to another channel once.
    Region {
        /// Where they are; never empty.
        region: FileRegion,
        /// As for [`Read::Data`].
        more: bool,
    },
    /// This time they have to be read as bytes: there are none, or no place to leave them.
    Copy,
    /// The peer has sent its last byte, and all of it has been read.
    End,
}

/// What became of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrote {
    /// So many bytes are the transport's now. Fewer than offered (also 0) means that it is full
    /// and reports [`TransportEvent::Writable`] later.
    Now(usize),
    /// The transport works on it; nothing else may be written until
    /// [`TransportEvent::Written`] says how much was taken.
    InFlight,
}

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseMode {
    /// What was written is still delivered, then the end.
    Orderly,
    /// At once, with a reset where the protocol has one.
    Abort,
}

/// What a transport reports of the things it was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum TransportEvent {
    /// A listener has connections to accept.
    Acceptable(ChannelKey),
    /// A read may give something.
    Readable(ChannelKey),
    /// A write may take something again.
    Writable(ChannelKey),
    /// The peer has sent its last byte; there may be unread ones.
    PeerClosed(ChannelKey),
    /// A write in flight is done: so many bytes were taken.
    Written(ChannelKey, usize),
    /// So many bytes were acknowledged by the peer (transports that
    /// [know](Transport::reports_acks)).
    Acked(ChannelKey, usize),
    /// A connect is done, or has failed.
    Connected(ChannelKey, io::Result<()>),
    /// The connection is broken.
    Failed(ChannelKey, io::Error),
}

/// A multicast group to join or leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Membership {
    /// The group.
    pub group: std::net::IpAddr,
    /// The interface by index; 0 lets the system choose.
    pub interface_index: u32,
    /// Join, or leave.
    pub join: bool,
}

/// Moves bytes for the channels of one loop. See the [module](self).
///
/// Every verb that makes something is given the `owner` whose key the events name.
/// Errors are the operating system's; `Unsupported` means that this transport has no such verb.
pub trait Transport: Any {
    /// A short name for logs.
    fn name(&self) -> &'static str;

    /// Listens; answers the address that was really taken (a port 0 is filled in).
    ///
    /// # Errors
    /// An address in use, a missing right, an option that this transport does not have.
    fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)>;

    /// Takes one waiting connection; `None` when there is none.
    ///
    /// # Errors
    /// Of the connection that could not be accepted; the listener lives on.
    fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>>;

    /// Makes an accepted connection this loop's. Reading starts at once.
    ///
    /// # Errors
    /// When it cannot be registered or an option cannot be set; it is closed then.
    fn adopt(
        &mut self,
        owner: ChannelKey,
        incoming: Incoming,
        options: &SocketOptions,
    ) -> io::Result<Handle>;

    /// Begins to connect; a [`TransportEvent::Connected`] follows.
    ///
    /// # Errors
    /// What fails at once.
    fn connect(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<Handle>;

    /// The same, for a channel that has `limit` time for it and keeps it itself, unless the transport
    /// blocks until it is connected: then that has to.
    ///
    /// # Errors
    /// What fails at once; of one that blocks, a time-out.
    fn connect_within(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
        limit: Duration,
    ) -> io::Result<Handle> {
        let _ = limit;
        self.connect(owner, address, options)
    }

    /// Opens a datagram endpoint, bound and connected as asked.
    ///
    /// # Errors
    /// An address in use, a missing right, an option that this transport does not have.
    fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)>;

    /// Reads up to about `want` bytes into a buffer of the transport's choice, usually of `pool`.
    ///
    /// # Errors
    /// When the connection is broken.
    fn read(&mut self, connection: Handle, want: usize, pool: &Pool) -> io::Result<Read>;

    /// Reads up to about `want` bytes without looking at them: they stay with the operating system
    /// until they are written to another channel.
    ///
    /// # Errors
    /// When the connection is broken.
    fn read_region(&mut self, connection: Handle, want: usize) -> io::Result<ReadRegion> {
        let _ = (connection, want);
        Ok(ReadRegion::Copy)
    }

    /// Receives a batch of datagrams; `true` when there may be more.
    ///
    /// # Errors
    /// Of the endpoint; one peer's ICMP error does not end it.
    fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool>;

    /// Offers bytes (or one file region) from the front of the channel's outbound queue.
    ///
    /// # Errors
    /// When the connection is broken.
    fn write(&mut self, connection: Handle, out: &mut Gather<'_>) -> io::Result<Wrote>;

    /// Sends datagrams from the front; answers how many were taken. Fewer than given means full,
    /// and a [`TransportEvent::Writable`] follows.
    ///
    /// # Errors
    /// Of the first datagram; the caller drops that one and goes on.
    fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize>;

    /// Stops or starts the reports of readability. While paused, the peer's close is reported.
    fn set_reading(&mut self, connection: Handle, on: bool);

    /// Sends the end of our side; the other direction goes on.
    ///
    /// # Errors
    /// When the connection is broken.
    fn shutdown(&mut self, connection: Handle) -> io::Result<()>;

    /// Ends a listener, connection or endpoint. The handle is dead afterwards; no event names its
    /// owner any more.
    fn close(&mut self, handle: Handle, mode: CloseMode);

    /// The address of our side.
    ///
    /// # Errors
    /// When the operating system does not tell.
    fn local_address(&self, handle: Handle) -> io::Result<Address>;

    /// What it can do beyond moving bytes, for this connection.
    fn capabilities(&self, connection: Handle) -> Capabilities {
        let _ = connection;
        Capabilities::new()
    }

    /// Joins or leaves a multicast group.
    ///
    /// # Errors
    /// Those of the operating system.
    fn membership(&mut self, endpoint: Handle, membership: Membership) -> io::Result<()> {
        let _ = (endpoint, membership);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Whether peers have still to be given bytes of channels that have closed in order. A loop that
    /// shuts down waits for that until its deadline, where nobody else delivers them: with the loop
    /// this transport goes, too.
    fn is_delivering(&self) -> bool {
        false
    }

    /// Whether it reports what peers have acknowledged ([`TransportEvent::Acked`], all of it).
    /// Handlers then judge a peer by that, and not by what this transport has buffered.
    fn reports_acks(&self) -> bool {
        false
    }

    /// When [`poll`](Self::poll) wants to be called next even if nothing is ready.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The driver found this token of ours ready.
    fn ready(&mut self, readiness: Readiness, events: &mut Vec<TransportEvent>);

    /// Called once a turn, after all [`ready`](Self::ready): timers, completions, notices.
    fn poll(&mut self, now: Instant, events: &mut Vec<TransportEvent>) {
        let _ = (now, events);
    }

    /// Called once a turn, when every channel has done its work: what was written in the turn may
    /// leave now, all together. `now` is the turn's beginning, as in [`poll`](Self::poll).
    ///
    /// A transport that has something to report after it answers so by
    /// [`next_deadline`](Self::next_deadline).
    fn turn_ended(&mut self, now: Instant) {
        let _ = now;
    }
}

impl fmt::Debug for dyn Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transport").field(&self.name()).finish()
    }
}

/// What a transport is made from, on its loop's thread.
pub struct TransportSeat<'a> {
    /// The identity to put into tokens.
    pub id: TransportId,
    /// The loop's driver; see [`Driver::registry`].
    pub driver: &'a dyn Driver,
    /// The loop, to wake it from elsewhere.
    pub handle: LoopHandle,
    /// The loop's time and randomness, for transports that keep secrets of their own.
    pub env: &'a mut Env,
}

impl fmt::Debug for TransportSeat<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportSeat").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Makes a transport on a loop: what `.transport(..)` of the bootstraps takes.
///
/// A factory crosses threads; what it makes need not.
pub trait TransportFactory: Send + Sync + 'static {
    /// Two factories of the same key share one transport on a loop.
    fn key(&self) -> &str;

    /// Whether its channels share loops, or have a thread each.
    fn threading(&self) -> Threading {
        Threading::Loops
    }

    /// Whether a connection can live only on the loop that accepts it, as it does when each loop
    /// has a network stack of its own. Then a server listens on each of its workers' loops.
    fn listens_on_every_loop(&self) -> bool {
        false
    }

    /// Makes it.
    ///
    /// # Errors
    /// When the driver is not one this transport works with, or the system refuses.
    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>>;
}

/// How the channels of a transport are spread over threads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Threading {
    /// Many channels a loop.
    Loops,
    /// One channel a thread, whose reads block (BIO).
    ThreadPerChannel,
}

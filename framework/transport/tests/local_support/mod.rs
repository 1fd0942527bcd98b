//! Loops in miniature: they drive a transport the way core does and note what each channel sees.
//!
//! A real `EventLoop` carries the notices, the turns and the deadlines; the channels are ours.
//! They are strict where the contract is: they read only after `Readable` and until they are told
//! that nothing is left, they write again only after `Writable` or `Written`. So an event that a
//! transport forgets shows as a script that is stuck, and ends with a panic.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod offer;
pub(crate) mod scripts;

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::{Instant, VirtualClock};
use fyke_core::driver::{Driver, Readiness, Wakeup};
use fyke_core::transport::{
    CloseMode, Handle, Incoming, Read, Transport, TransportEvent, TransportFactory, TransportSeat,
    Wrote,
};
use fyke_core::{
    Address, ChannelKey, Datagram, EventLoop, Gather, LoopOptions, Outgoing, SocketOptions,
};

use offer::Shared;

/// So many turns without an end mean that something was lost.
const TURNS_MAX: usize = 200_000;

/// A loop that sleeps for so long has lost a notice.
const STUCK: Duration = Duration::from_secs(30);

/// Reads of one channel in one turn.
const READS_PER_TURN: usize = 8;

/// A driver that waits for its waker only, or not at all: then whoever turns the loop decides.
pub(crate) struct TestDriver(Arc<Parker>);

/// What a test driver sleeps on.
#[derive(Default)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wakeup for Parker {
    fn wake(&self) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

impl TestDriver {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }
}

impl Driver for TestDriver {
    fn wait(&mut self, timeout: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        let woken = self.0.woken.lock().unwrap();
        let limit = timeout.unwrap_or(STUCK);
        let (mut woken, result) =
            self.0.changed.wait_timeout_while(woken, limit, |woken| !*woken).unwrap();
        assert!(timeout.is_some() || !result.timed_out(), "nobody wakes this loop");
        *woken = false;
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::<Parker>::clone(&self.0)
    }

    fn registry(&self) -> &dyn Any {
        &()
    }
}

type Events = Rc<RefCell<Vec<TransportEvent>>>;

thread_local! {
    /// The transport that was made last, on its way out of the loop that owns it.
    static MADE: RefCell<Option<(Shared, Events)>> = const { RefCell::new(None) };
}

/// One loop and its transport.
pub(crate) struct Node {
    pub(crate) event_loop: EventLoop<TestDriver, VirtualClock>,
    pub(crate) transport: Shared,
    events: Events,
}

impl Node {
    pub(crate) fn new(id: u32, factory: impl TransportFactory) -> Self {
        let clock = VirtualClock::new();
        let mut event_loop = EventLoop::new(TestDriver::new(), clock, LoopOptions::new(id, 1));
        event_loop.transport(&Tapping(factory)).unwrap();
        let (transport, events) = MADE.take().expect("the factory has run");
        Self { event_loop, transport, events }
    }

    /// One turn of the loop, which may sleep; answers what the transport has reported.
    pub(crate) fn turn(&mut self, sleep: bool) -> Vec<TransportEvent> {
        let limit = if sleep { None } else { Some(Duration::ZERO) };
        self.event_loop.turn(limit).unwrap();
        self.events.take()
    }
}

/// Wraps a factory: what it makes is driven by the loop and by the test.
struct Tapping<F>(F);

/// The loop's end of it.
struct Tap {
    transport: Shared,
    events: Events,
}

impl<F: TransportFactory> TransportFactory for Tapping<F> {
    fn key(&self) -> &str {
        self.0.key()
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        let transport: Shared = Rc::new(RefCell::new(self.0.create(seat)?));
        let events = Events::default();
        MADE.set(Some((Rc::clone(&transport), Rc::clone(&events))));
        Ok(Box::new(Tap { transport, events }))
    }
}

/// The loop has no channels of its own, so only these three are called.
impl Transport for Tap {
    fn next_deadline(&self) -> Option<Instant> {
        self.transport.borrow().next_deadline()
    }

    fn ready(&mut self, readiness: Readiness, _: &mut Vec<TransportEvent>) {
        self.transport.borrow_mut().ready(readiness, &mut self.events.borrow_mut());
    }

    fn poll(&mut self, now: Instant, _: &mut Vec<TransportEvent>) {
        self.transport.borrow_mut().poll(now, &mut self.events.borrow_mut());
    }

    fn name(&self) -> &'static str {
        "tap"
    }

    fn listen(
        &mut self,
        _: ChannelKey,
        _: &Address,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn accept(&mut self, _: Handle) -> io::Result<Option<(Incoming, Address)>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn adopt(&mut self, _: ChannelKey, _: Incoming, _: &SocketOptions) -> io::Result<Handle> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect(&mut self, _: ChannelKey, _: &Address, _: &SocketOptions) -> io::Result<Handle> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn datagram(
        &mut self,
        _: ChannelKey,
        _: Option<&Address>,
        _: Option<&Address>,
        _: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&mut self, _: Handle, _: usize, _: &Pool) -> io::Result<Read> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn receive(&mut self, _: Handle, _: &mut Vec<Datagram>, _: &Pool) -> io::Result<bool> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(&mut self, _: Handle, _: &mut Gather<'_>) -> io::Result<Wrote> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn send(&mut self, _: Handle, _: &[Datagram]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_reading(&mut self, _: Handle, _: bool) {}

    fn shutdown(&mut self, _: Handle) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn close(&mut self, _: Handle, _: CloseMode) {}

    fn local_address(&self, _: Handle) -> io::Result<Address> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The index of a channel in a [`World`].
pub(crate) type Id = usize;

/// A channel in miniature.
pub(crate) struct Chan {
    pub(crate) node: usize,
    pub(crate) key: ChannelKey,
    pub(crate) handle: Option<Handle>,
    readable: bool,
    pub(crate) reading: bool,
    pub(crate) blocked: bool,
    pub(crate) in_flight: bool,
    pub(crate) acceptable: bool,
    pub(crate) connected: Option<Result<(), io::ErrorKind>>,
    /// All that was ever put; the first `sent` bytes are the transport's.
    pub(crate) output: Vec<u8>,
    pub(crate) sent: usize,
    offered: usize,
    ending: bool,
    shut: bool,
    pub(crate) input: Vec<u8>,
    pub(crate) letters: Vec<(Address, Vec<u8>, bool)>,
    pub(crate) ended: bool,
    pub(crate) peer_closed: bool,
    pub(crate) failed: Option<io::ErrorKind>,
    /// Sends back what it reads, and its end after the peer's.
    pub(crate) echo: bool,
    pub(crate) want: usize,
    datagram: bool,
    dialed: bool,
}

impl Chan {
    /// Whether it can go on without any event.
    fn has_work(&self) -> bool {
        let unsent = self.sent < self.output.len() || (self.ending && !self.shut);
        let open = self.handle.is_some() && self.failed.is_none();
        open && ((self.readable && self.reading) || (unsent && !self.blocked && !self.in_flight))
    }
}

impl fmt::Debug for Chan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, reading, readable, blocked, in_flight, ended, failed, .. } = self;
        write!(f, "{key:?} {:?} put {} sent {}", self.handle, self.output.len(), self.sent)?;
        write!(f, " read {} reading {reading} readable {readable}", self.input.len())?;
        write!(f, " blocked {blocked} in_flight {in_flight} ended {ended} failed {failed:?}")
    }
}

/// Loops that are turned one after the other, and their channels.
pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) chans: Vec<Chan>,
    pub(crate) pool: Pool,
    pub(crate) turns: usize,
    /// Every event in order, in words.
    pub(crate) log: Vec<String>,
    /// Whether a loop sleeps when no channel has anything to do.
    pub(crate) sleeps: bool,
}

impl World {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self {
            nodes,
            chans: Vec::new(),
            pool: Pool::new(),
            turns: 0,
            log: Vec::new(),
            sleeps: false,
        }
    }

    /// A channel without a handle.
    pub(crate) fn vacant(&mut self, node: usize) -> (Id, ChannelKey) {
        let id = self.chans.len();
        let key = ChannelKey::new(u32::try_from(id).unwrap() + 1000, 1);
        self.chans.push(Chan {
            node,
            key,
            handle: None,
            readable: false,
            reading: true,
            blocked: false,
            in_flight: false,
            acceptable: false,
            connected: None,
            output: Vec::new(),
            sent: 0,
            offered: 0,
            ending: false,
            shut: false,
            input: Vec::new(),
            letters: Vec::new(),
            ended: false,
            peer_closed: false,
            failed: None,
            echo: false,
            want: 4096,
            datagram: false,
            dialed: false,
        });
        (id, key)
    }

    pub(crate) fn transport(&self, node: usize) -> Shared {
        Rc::clone(&self.nodes[node].transport)
    }

    fn of(&self, id: Id) -> (Shared, Handle) {
        (self.transport(self.chans[id].node), self.chans[id].handle.expect("open"))
    }

    pub(crate) fn listen(&mut self, node: usize, name: &str) -> (Id, Address) {
        let (id, key) = self.vacant(node);
        let (handle, address) = self
            .transport(node)
            .borrow_mut()
            .listen(key, &Address::local(name), &SocketOptions::new())
            .unwrap();
        self.chans[id].handle = Some(handle);
        (id, address)
    }

    pub(crate) fn dial(&mut self, node: usize, address: &Address) -> Id {
        self.dial_with(node, address, &SocketOptions::new())
    }

    pub(crate) fn dial_with(
        &mut self,
        node: usize,
        address: &Address,
        options: &SocketOptions,
    ) -> Id {
        let (id, key) = self.vacant(node);
        let handle = self.transport(node).borrow_mut().connect(key, address, options).unwrap();
        self.chans[id].handle = Some(handle);
        self.chans[id].dialed = true;
        id
    }

    /// Accepts one connection and gives it to the loop `node`.
    pub(crate) fn accept(&mut self, listener: Id, node: usize) -> (Id, Address) {
        loop {
            self.until("acceptable", |world| world.chans[listener].acceptable);
            let (transport, handle) = self.of(listener);
            let accepted = transport.borrow_mut().accept(handle).unwrap();
            let Some((incoming, peer)) = accepted else {
                self.chans[listener].acceptable = false;
                continue;
            };
            let (id, key) = self.vacant(node);
            let options = SocketOptions::new();
            let adopted = self.transport(node).borrow_mut().adopt(key, incoming, &options);
            self.chans[id].handle = Some(adopted.unwrap());
            return (id, peer);
        }
    }

    /// A listener, a client on loop `a`, a server on loop `b`.
    pub(crate) fn connection(&mut self, a: usize, b: usize) -> (Id, Id) {
        let (listener, address) = self.listen(b, "");
        let client = self.dial(a, &address);
        let (server, _) = self.accept(listener, b);
        self.until("connected", |world| world.chans[client].connected == Some(Ok(())));
        self.close(listener, CloseMode::Orderly);
        (client, server)
    }

    pub(crate) fn put(&mut self, id: Id, bytes: &[u8]) {
        self.chans[id].output.extend_from_slice(bytes);
    }

    /// Ends the output once all that was put has gone.
    pub(crate) fn end(&mut self, id: Id) {
        self.chans[id].ending = true;
    }

    pub(crate) fn set_reading(&mut self, id: Id, on: bool) {
        let (transport, handle) = self.of(id);
        transport.borrow_mut().set_reading(handle, on);
        let chan = &mut self.chans[id];
        chan.reading = on;
        if !on {
            // What was true before is not told again by a channel; resuming must tell.
            chan.readable = false;
        }
    }

    pub(crate) fn close(&mut self, id: Id, mode: CloseMode) {
        let (transport, handle) = self.of(id);
        transport.borrow_mut().close(handle, mode);
        self.chans[id].handle = None;
    }

    /// Turns until `done`.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        for _ in 0..TURNS_MAX {
            if done(self) {
                return;
            }
            self.turn();
        }
        let last = self.log.len().saturating_sub(20);
        panic!("stuck before {what}: {:#?}\n{:#?}", self.chans, &self.log[last..]);
    }

    /// Turns until nothing is owed any more; answers how many turns it took.
    pub(crate) fn settle(&mut self) -> usize {
        let (before, mut quiet) = (self.turns, 0);
        while quiet < 4 {
            let events = self.log.len();
            self.turn();
            let owes = self.nodes.iter().any(|n| n.transport.borrow().next_deadline().is_some());
            quiet = if events == self.log.len() && !owes { quiet + 1 } else { 0 };
            assert!(self.turns - before < TURNS_MAX, "it never settles");
        }
        self.turns - before
    }

    /// A turn of every loop, then of every channel.
    pub(crate) fn turn(&mut self) {
        self.turns += 1;
        let sleep = self.sleeps && !self.chans.iter().any(Chan::has_work);
        for node in 0..self.nodes.len() {
            for event in self.nodes[node].turn(sleep) {
                self.on_event(node, event);
            }
        }
        for id in 0..self.chans.len() {
            if self.chans[id].handle.is_some() && self.chans[id].failed.is_none() {
                if self.chans[id].datagram {
                    self.receive(id);
                    continue;
                }
                self.pump(id);
            }
        }
    }

    /// Lets a channel read and write at once, outside of its turn.
    pub(crate) fn pump(&mut self, id: Id) {
        self.read(id);
        self.write(id);
    }

    fn on_event(&mut self, node: usize, event: TransportEvent) {
        self.log.push(format!("{node} {event:?}"));
        let key = match &event {
            TransportEvent::Acceptable(key)
            | TransportEvent::Readable(key)
            | TransportEvent::Writable(key)
            | TransportEvent::PeerClosed(key)
            | TransportEvent::Written(key, _)
            | TransportEvent::Connected(key, _)
            | TransportEvent::Failed(key, _) => *key,
            other => panic!("{other:?} was not expected"),
        };
        let chan = self.chans.iter_mut().find(|c| c.key == key).expect("an owner");
        assert!(chan.handle.is_some(), "{event:?} for a closed handle");
        assert_eq!(chan.node, node, "{event:?} on another loop");
        let first = matches!(event, TransportEvent::Connected(..));
        assert!(first || !chan.dialed || chan.connected.is_some(), "{event:?} before Connected");
        match event {
            TransportEvent::Acceptable(_) => {
                assert!(chan.reading, "{key:?} is paused and hears of connections");
                chan.acceptable = true;
            }
            TransportEvent::Readable(_) => {
                assert!(chan.reading, "{key:?} is paused and hears of bytes");
                chan.readable = true;
            }
            TransportEvent::Writable(_) => chan.blocked = false,
            TransportEvent::PeerClosed(_) => {
                assert!(!chan.peer_closed, "{key:?} hears of the end twice");
                chan.peer_closed = true;
            }
            TransportEvent::Written(_, n) => {
                assert!(std::mem::take(&mut chan.in_flight), "{key:?} has no write in flight");
                assert!(n <= chan.offered, "{key:?} offered {}, not {n}", chan.offered);
                chan.sent += n;
            }
            TransportEvent::Connected(_, result) => {
                assert!(chan.connected.is_none(), "{key:?} hears of its connect twice");
                chan.connected = Some(result.map_err(|error| error.kind()));
            }
            TransportEvent::Failed(_, error) => chan.failed = Some(error.kind()),
            _ => {}
        }
    }

    fn read(&mut self, id: Id) {
        let (transport, handle) = self.of(id);
        for _ in 0..READS_PER_TURN {
            let chan = &mut self.chans[id];
            if !(chan.readable && chan.reading) {
                return;
            }
            match transport.borrow_mut().read(handle, chan.want, &self.pool) {
                Ok(Read::Data { bytes, more }) => {
                    assert!(!chan.ended, "bytes after the end");
                    assert!(!bytes.is_empty(), "no bytes");
                    chan.readable = more;
                    chan.input.extend_from_slice(&bytes);
                    if chan.echo {
                        chan.output.extend_from_slice(&bytes);
                    }
                }
                Ok(Read::WouldBlock) => chan.readable = false,
                Ok(Read::End) => {
                    chan.readable = false;
                    chan.ended = true;
                    chan.ending |= chan.echo;
                }
                Err(error) => {
                    chan.readable = false;
                    chan.failed = Some(error.kind());
                }
            }
        }
    }

    fn write(&mut self, id: Id) {
        let (transport, handle) = self.of(id);
        let chan = &mut self.chans[id];
        while !(chan.blocked || chan.in_flight || chan.failed.is_some()) {
            let rest = &chan.output[chan.sent..];
            if rest.is_empty() {
                break;
            }
            // In up to three pieces, so that gathering is used.
            chan.offered = rest.len().min(100_000);
            let pieces = rest[..chan.offered].chunks(chan.offered.div_ceil(3));
            let messages: Vec<Outgoing> = pieces.map(|piece| piece.to_vec().into()).collect();
            match offer::write(&transport, handle, messages) {
                Ok(Wrote::Now(n)) => {
                    chan.sent += n;
                    chan.blocked = n < chan.offered;
                }
                Ok(Wrote::InFlight) => chan.in_flight = true,
                Err(error) => chan.failed = Some(error.kind()),
            }
        }
        let sent = chan.sent == chan.output.len() && !chan.in_flight && chan.failed.is_none();
        if sent && chan.ending && !chan.shut {
            chan.shut = true;
            transport.borrow_mut().shutdown(handle).unwrap();
        }
    }

    /// A datagram endpoint.
    pub(crate) fn endpoint(
        &mut self,
        node: usize,
        name: &str,
        peer: Option<&Address>,
    ) -> (Id, Address) {
        self.endpoint_with(node, name, peer, &SocketOptions::new())
    }

    pub(crate) fn endpoint_with(
        &mut self,
        node: usize,
        name: &str,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> (Id, Address) {
        let (id, key) = self.vacant(node);
        let bind = Address::local(name);
        let transport = self.transport(node);
        let opened = transport.borrow_mut().datagram(key, Some(&bind), peer, options);
        let (handle, address) = opened.unwrap();
        self.chans[id].handle = Some(handle);
        self.chans[id].datagram = true;
        (id, address)
    }

    /// Sends all of `batch`, as fast as the transport takes it.
    pub(crate) fn send(&mut self, id: Id, mut batch: Vec<Datagram>) {
        let (transport, handle) = self.of(id);
        while !batch.is_empty() {
            self.until("room for datagrams", |world| !world.chans[id].blocked);
            let sent = transport.borrow_mut().send(handle, &batch).unwrap();
            self.chans[id].blocked = sent < batch.len();
            batch.drain(..sent);
        }
    }

    /// Receives whatever a datagram endpoint has, as far as it has been told of it.
    fn receive(&mut self, id: Id) {
        let (transport, handle) = self.of(id);
        let mut batch = Vec::new();
        while self.chans[id].readable {
            let more = transport.borrow_mut().receive(handle, &mut batch, &self.pool).unwrap();
            self.chans[id].readable = more;
        }
        let letters = batch.drain(..).map(|datagram| {
            let peer = datagram.peer.expect("a sender");
            (peer, datagram.payload.to_vec(), datagram.truncated)
        });
        self.chans[id].letters.extend(letters);
    }
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8)) as u8 ^ salt).collect()
}

//! A loop in miniature: it drives the kernel transport the way core does, with sticky bits and
//! nothing else, and notes what every channel sees.
//!
//! It is strict where the contract is: it reads only after `Readable` and until it is told that
//! nothing is left, and writes again only after `Writable`. So what a transport forgets to report
//! shows as a test that is stuck, which ends with a panic and the log.

#![allow(dead_code, reason = "each test file uses its part")]

mod lender;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_core::driver::{Driver, Readiness, Token};
use fyke_core::transport::{CloseMode, Handle, Incoming, Read, Transport, TransportEvent};
use fyke_core::{Address, ChannelKey, Outgoing, SocketOptions};
use fyke_poller::{Backend, Trigger};
use fyke_transport::{Kernel, PollerDriver};

pub(crate) use lender::Offer;

/// A wait that takes longer means that something was lost.
const STUCK: Duration = Duration::from_secs(60);
/// Looks at a world that should be quiet.
const QUIET_TRIES_MAX: usize = 100;

/// Runs `script` on every poller and compares what it answers.
pub(crate) fn on_every_poller<T: PartialEq + std::fmt::Debug>(script: impl Fn(&mut World) -> T) {
    let mut first = None;
    for backend in Backend::ALL {
        assert!(backend.is_supported(), "{backend}");
        let mut world = World::new(backend);
        let log = script(&mut world);
        world.assert_quiet();
        match &first {
            None => first = Some(log),
            Some(first) => assert_eq!(first, &log, "{backend} differs from {}", Backend::ALL[0]),
        }
    }
}

/// The index of a channel in a [`World`].
pub(crate) type Id = usize;

/// A channel of the miniature loop.
pub(crate) struct Chan {
    key: ChannelKey,
    pub(crate) handle: Option<Handle>,
    /// Sticky: a read may give something.
    pub(crate) readable: bool,
    pub(crate) reading: bool,
    /// The last write was refused.
    pub(crate) blocked: bool,
    /// How often a write was refused and then wanted again.
    pub(crate) unblocked: usize,
    pub(crate) out: Offer,
    /// What was read.
    pub(crate) input: Vec<u8>,
    pub(crate) ended: bool,
    pub(crate) peer_closed: bool,
    /// Echoes what it reads.
    pub(crate) echo: bool,
    pub(crate) want: usize,
    pub(crate) acceptable: bool,
    pub(crate) connected: bool,
    /// What happened, in words that do not depend on timing.
    pub(crate) log: Vec<String>,
}

pub(crate) struct World {
    pub(crate) backend: Backend,
    pub(crate) driver: PollerDriver,
    pub(crate) kernel: Rc<RefCell<Kernel>>,
    pub(crate) pool: Pool,
    pub(crate) chans: Vec<Chan>,
    ready: Vec<Readiness>,
    /// Waits so far.
    pub(crate) waits: usize,
    /// Waits that ended by their time-out.
    silent_waits: usize,
}

impl World {
    pub(crate) fn new(backend: Backend) -> Self {
        let driver = PollerDriver::new(backend).unwrap();
        let kernel = Kernel::new(Token(0).transport(), driver.poller().clone()).unwrap();
        let kernel = Rc::new(RefCell::new(kernel));
        Self {
            backend,
            driver,
            kernel,
            pool: Pool::new(),
            chans: Vec::new(),
            ready: Vec::new(),
            waits: 0,
            silent_waits: 0,
        }
    }

    pub(crate) fn is_level(&self) -> bool {
        self.backend.trigger() == Trigger::Level
    }

    /// A channel without a handle yet.
    pub(crate) fn vacant(&mut self) -> (Id, ChannelKey) {
        let key = ChannelKey::new(self.chans.len() as u32, 1);
        self.chans.push(Chan {
            key,
            handle: None,
            readable: false,
            reading: true,
            blocked: false,
            unblocked: 0,
            out: Offer::default(),
            input: Vec::new(),
            ended: false,
            peer_closed: false,
            echo: false,
            want: 4096,
            acceptable: false,
            connected: false,
            log: Vec::new(),
        });
        (self.chans.len() - 1, key)
    }

    pub(crate) fn handle(&self, id: Id) -> Handle {
        self.chans[id].handle.expect("the channel is open")
    }

    pub(crate) fn listen(&mut self, address: &Address, options: &SocketOptions) -> (Id, Address) {
        let (id, key) = self.vacant();
        let (handle, address) = self.kernel.borrow_mut().listen(key, address, options).unwrap();
        self.chans[id].handle = Some(handle);
        (id, address)
    }

    pub(crate) fn connect(&mut self, address: &Address, options: &SocketOptions) -> Id {
        let (id, key) = self.vacant();
        self.chans[id].handle =
            Some(self.kernel.borrow_mut().connect(key, address, options).unwrap());
        id
    }

    /// Accepts one connection and adopts it.
    pub(crate) fn accept(&mut self, listener: Id) -> Id {
        let (incoming, _) = self.accept_raw(listener);
        self.adopt(incoming)
    }

    pub(crate) fn accept_raw(&mut self, listener: Id) -> (Incoming, Address) {
        loop {
            self.until(|world| world.chans[listener].acceptable);
            match self.kernel.borrow_mut().accept(self.handle(listener)).unwrap() {
                Some(found) => return found,
                None => self.chans[listener].acceptable = false,
            }
        }
    }

    pub(crate) fn adopt(&mut self, incoming: Incoming) -> Id {
        let (id, key) = self.vacant();
        let options = SocketOptions::default();
        self.chans[id].handle =
            Some(self.kernel.borrow_mut().adopt(key, incoming, &options).unwrap());
        id
    }

    /// A connection in this world: the connecting end and the accepted one.
    pub(crate) fn pair(&mut self, address: &Address) -> (Id, Id) {
        let options = SocketOptions::default();
        let (listener, address) = self.listen(address, &options);
        let client = self.connect(&address, &options);
        let server = self.accept(listener);
        self.until(|world| world.chans[client].connected);
        self.close(listener, CloseMode::Orderly);
        (client, server)
    }

    pub(crate) fn tcp_pair(&mut self) -> (Id, Id) {
        self.pair(&loopback())
    }

    pub(crate) fn close(&mut self, id: Id, mode: CloseMode) {
        let handle = self.chans[id].handle.take().expect("the channel is open");
        self.kernel.borrow_mut().close(handle, mode);
    }

    pub(crate) fn set_reading(&mut self, id: Id, on: bool) {
        self.chans[id].reading = on;
        self.kernel.borrow_mut().set_reading(self.handle(id), on);
    }

    pub(crate) fn send(&mut self, id: Id, message: impl Into<Outgoing>) {
        self.chans[id].out.push(message);
    }

    pub(crate) fn shutdown(&mut self, id: Id) {
        self.kernel.borrow_mut().shutdown(self.handle(id)).unwrap();
    }

    /// Lets everything happen until `done`.
    pub(crate) fn until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        loop {
            while self.step() {}
            if done(self) {
                return;
            }
            if !self.turn(STUCK) {
                let logs: Vec<_> = self.chans.iter().map(|chan| &chan.log).collect();
                panic!("{}: nothing happens any more; so far {logs:#?}", self.backend);
            }
        }
    }

    /// Lets everything happen until `done`, which need not show in an event.
    pub(crate) fn until_silently(&mut self, mut done: impl FnMut(&Self) -> bool) {
        loop {
            while self.step() {}
            if done(self) {
                return;
            }
            let waits = self.silent_waits;
            assert!(self.turn(STUCK) || self.silent_waits == waits, "{}: stuck", self.backend);
        }
    }

    /// Lets time pass until no closed connection is left.
    pub(crate) fn until_finished(&mut self) {
        let mut events = Vec::new();
        let mut now = fyke_clock::Instant::ZERO;
        while self.kernel.borrow().finishing() > 0 {
            // The time is ours, so what is waited for is the kernel.
            self.driver.wait(Some(Duration::from_millis(1)), &mut self.ready).unwrap();
            self.ready.clear();
            now += Duration::from_millis(10);
            assert!(now < fyke_clock::Instant::ZERO + STUCK, "it does not finish");
            self.kernel.borrow_mut().poll(now, &mut events);
        }
        assert!(events.is_empty(), "an event for a closed channel: {events:?}");
    }

    /// Does one piece of work for every channel that can do some.
    fn step(&mut self) -> bool {
        let mut progress = false;
        for id in 0..self.chans.len() {
            progress |= self.read_once(id);
            progress |= self.write_once(id);
        }
        progress
    }

    fn read_once(&mut self, id: Id) -> bool {
        let chan = &mut self.chans[id];
        let Some(handle) = chan.handle.filter(|_| chan.readable && chan.reading) else {
            return false;
        };
        match self.kernel.borrow_mut().read(handle, chan.want, &self.pool) {
            Ok(Read::Data { bytes, more }) => {
                assert!(!bytes.is_empty());
                assert!(!chan.ended, "bytes after the end");
                chan.readable = more;
                chan.input.extend_from_slice(&bytes);
                if chan.echo {
                    chan.out.push(bytes);
                }
            }
            Ok(Read::WouldBlock) => chan.readable = false,
            Ok(Read::End) => {
                chan.readable = false;
                chan.ended = true;
                chan.log.push(format!("end after {} bytes", chan.input.len()));
            }
            Err(error) => {
                chan.readable = false;
                chan.ended = true;
                chan.log.push(format!("{:?} after {} bytes", error.kind(), chan.input.len()));
            }
        }
        true
    }

    fn write_once(&mut self, id: Id) -> bool {
        let chan = &mut self.chans[id];
        let Some(handle) = chan.handle.filter(|_| !chan.blocked && chan.out.pending() > 0) else {
            return false;
        };
        match chan.out.write(&self.kernel, handle) {
            Ok((n, offered)) => chan.blocked = (n as u64) < offered,
            Err(error) => {
                chan.log.push(format!("write: {:?}", error.kind()));
                chan.out = Offer::default();
            }
        }
        true
    }

    /// Waits once; `false` when nothing came of it.
    pub(crate) fn turn(&mut self, timeout: Duration) -> bool {
        let timeout = if self.kernel.borrow_mut().next_deadline().is_some() {
            Duration::ZERO
        } else {
            timeout
        };
        self.waits += 1;
        self.driver.wait(Some(timeout), &mut self.ready).unwrap();
        self.silent_waits += usize::from(self.ready.is_empty() && timeout == STUCK);
        self.hand_over()
    }

    /// Gives the transport what the driver has found; whether that is news to a channel.
    fn hand_over(&mut self) -> bool {
        let mut events = Vec::new();
        for readiness in std::mem::take(&mut self.ready) {
            self.kernel.borrow_mut().ready(readiness, &mut events);
        }
        self.kernel.borrow_mut().poll(fyke_clock::Instant::ZERO, &mut events);
        let any = !events.is_empty();
        for event in events {
            self.note(event);
        }
        any
    }

    fn note(&mut self, event: TransportEvent) {
        match event {
            TransportEvent::Acceptable(key) => self.chan(key).acceptable = true,
            TransportEvent::Readable(key) => self.chan(key).readable = true,
            TransportEvent::Writable(key) => {
                let chan = self.chan(key);
                chan.unblocked += usize::from(chan.blocked);
                chan.blocked = false;
            }
            TransportEvent::PeerClosed(key) => {
                let chan = self.chan(key);
                assert!(!chan.peer_closed, "reported twice");
                chan.peer_closed = true;
                chan.log.push("peer closed".into());
            }
            TransportEvent::Connected(key, result) => {
                let chan = self.chan(key);
                chan.connected = result.is_ok();
                chan.log.push(match result {
                    Ok(()) => "connected".into(),
                    Err(error) => format!("not connected: {:?}", error.kind()),
                });
            }
            TransportEvent::Failed(key, error) => {
                self.chan(key).log.push(format!("failed: {:?}", error.kind()));
            }
            other => panic!("the kernel transport does not report {other:?}"),
        }
    }

    fn chan(&mut self, key: ChannelKey) -> &mut Chan {
        let chan = self.chans.iter_mut().find(|chan| chan.key == key).expect("a known channel");
        assert!(chan.handle.is_some(), "an event for a closed channel");
        chan
    }

    /// Nothing is reported without end: a wait that may take no time finds nothing, at the latest
    /// when each open channel has had its lazy changes. On a busy machine the kernel may still bring
    /// something of its own then, a few times.
    pub(crate) fn assert_quiet(&mut self) {
        for _ in 0..QUIET_TRIES_MAX {
            for _ in 0..4 + self.chans.len() {
                while self.step() {}
                self.turn(Duration::ZERO);
            }
            while self.step() {}
            self.driver.wait(Some(Duration::ZERO), &mut self.ready).unwrap();
            if self.ready.is_empty() {
                return;
            }
            self.hand_over();
        }
        panic!("{} goes on reporting {:?}", self.backend, self.ready);
    }

    /// The logs of all channels.
    pub(crate) fn logs(&self) -> Vec<Vec<String>> {
        self.chans.iter().map(|chan| chan.log.clone()).collect()
    }
}

pub(crate) fn loopback() -> Address {
    "127.0.0.1:0".parse().unwrap()
}

/// Bytes that are different everywhere.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    })
    .take(len)
    .collect()
}

/// A directory of its own, removed at the end.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fyke-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

//! Hosts on a cable, in virtual time and on one thread: real loops, channels and stacks.
//!
//! The loops take turns until none has anything to do; then the time of all of them moves to the
//! first deadline. So a test says what is to happen, and a test that is stuck ends with a panic.

#![allow(dead_code, reason = "each test file uses its part")]

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_clock::{Instant, VirtualClock};
use fyke_core::driver::{Driver, Readiness, TransportId, Wakeup};
use fyke_core::event_loop::{AcceptSink, Adopt, ChannelSpec};
use fyke_core::transport::{Incoming, TransportFactory};
use fyke_core::{
    Address, Channel, ChannelKey, ChannelOptions, Context, Datagram, Error, EventLoop,
    InboundHandler, LoopCore, LoopOptions, Never, Outgoing, Result, SocketOptions,
};
use fyke_transport::userspace::{Cable, CableOptions, StackOptions, Userspace};

/// So many turns without an end mean that something was lost.
const TURNS_MAX: usize = 100_000;

/// A driver that waits for nothing.
pub(crate) struct Still;

impl Wakeup for Still {
    fn wake(&self) {}
}

impl Driver for Still {
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Readiness>) -> io::Result<()> {
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::new(Still)
    }

    fn registry(&self) -> &dyn Any {
        self
    }
}

/// What a channel's last handler was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Log {
    Active,
    Bytes(Vec<u8>),
    /// From whom, what, and whether it was cut.
    Datagram(Address, Vec<u8>, bool),
    ReadClosed,
    Writable(bool),
    Error(io::ErrorKind),
    Inactive,
}

/// Writes down what it is told.
struct Tap {
    log: Sender<Log>,
    arrived: Option<Sender<(Channel, Address, Receiver<Log>)>>,
    events: Option<Receiver<Log>>,
    peer: Option<Address>,
    echo: bool,
}

impl Tap {
    fn note(&self, entry: Log) {
        // A test that is over does not read its logs any more.
        let _ = self.log.send(entry);
    }
}

impl InboundHandler for Tap {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.note(Log::Active);
        if let (Some(arrived), Some(events)) = (self.arrived.take(), self.events.take()) {
            let peer = self.peer.take().unwrap();
            let _ = arrived.send((cx.channel(), peer, events));
        }
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        if self.echo {
            cx.write(msg.into());
        } else {
            self.note(Log::Bytes(msg.to_vec()));
        }
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.note(Log::ReadClosed);
        cx.fire_read_closed();
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.note(Log::Writable(cx.is_writable()));
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.note(Log::Error(kind_of(&error)));
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.note(Log::Inactive);
        Ok(())
    }
}

/// Writes down datagrams, or sends them back.
struct DatagramTap(Sender<Log>, bool);

impl InboundHandler for DatagramTap {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: Datagram) -> Result<()> {
        if self.1 {
            cx.write(msg);
            return Ok(());
        }
        let entry = Log::Datagram(msg.peer.unwrap(), msg.payload.to_vec(), msg.truncated);
        let _ = self.0.send(entry);
        Ok(())
    }

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        let _ = self.0.send(Log::Error(kind_of(&error)));
        Ok(())
    }
}

pub(crate) fn kind_of(error: &Error) -> io::ErrorKind {
    match error.kind() {
        fyke_core::ErrorKind::Io(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

/// Connections stay on the loop that accepts them.
struct ToItself {
    transport: TransportId,
    spec: ChannelSpec,
}

impl AcceptSink for ToItself {
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address) {
        let Self { transport, ref spec } = *self;
        core.adopt_or_log(Adopt { transport, incoming, peer, spec: spec.clone() });
    }
}

/// A channel and its log.
pub(crate) struct Peer {
    pub(crate) channel: Channel,
    pub(crate) address: Option<Address>,
    log: Receiver<Log>,
}

impl Peer {
    pub(crate) fn send(&self, bytes: impl Into<Outgoing>) {
        self.channel.sender::<Outgoing>().unwrap().send(bytes.into()).unwrap();
    }

    pub(crate) fn post(&self, datagram: Datagram) {
        self.channel.sender::<Datagram>().unwrap().send(datagram).unwrap();
    }

    /// What was logged since the last call but the water marks, bytes joined.
    pub(crate) fn log(&self) -> Vec<Log> {
        let mut log: Vec<Log> = Vec::new();
        for entry in self.log.try_iter() {
            match (log.last_mut(), entry) {
                (_, Log::Active | Log::Writable(_)) => {}
                (Some(Log::Bytes(all)), Log::Bytes(more)) => all.extend(more),
                (_, entry) => log.push(entry),
            }
        }
        log
    }
}

/// A listener and who has come.
pub(crate) struct Server {
    pub(crate) key: ChannelKey,
    pub(crate) address: Address,
    arrivals: Receiver<(Channel, Address, Receiver<Log>)>,
}

impl Server {
    pub(crate) fn accepted(&self) -> Option<Peer> {
        let (channel, address, log) = self.arrivals.try_recv().ok()?;
        Some(Peer { channel, address: Some(address), log })
    }
}

/// A loop with a stack.
pub(crate) struct Host {
    pub(crate) event_loop: EventLoop<Still, VirtualClock>,
    pub(crate) transport: TransportId,
}

impl Host {
    fn new(id: u32, clock: VirtualClock, factory: &dyn TransportFactory) -> io::Result<Self> {
        let mut event_loop = EventLoop::new(Still, clock, LoopOptions::new(id, u64::from(id) + 1));
        let transport = event_loop.transport(factory)?;
        Ok(Self { event_loop, transport })
    }

    /// Listens; `echo` answers with what comes.
    pub(crate) fn listen(&mut self, address: &str, options: ChannelOptions, echo: bool) -> Server {
        self.try_listen(address, options, echo).unwrap()
    }

    pub(crate) fn try_listen(
        &mut self,
        address: &str,
        options: ChannelOptions,
        echo: bool,
    ) -> io::Result<Server> {
        let (arrived, arrivals) = mpsc::channel();
        let spec = ChannelSpec::new(options.clone(), move |ch| {
            let (log, events) = mpsc::channel();
            let (arrived, events) = (Some(arrived.clone()), Some(events));
            let peer = ch.peer_address().cloned();
            ch.pipeline().inbound("tap", Tap { log, arrived, events, peer, echo })
        });
        let sink = ToItself { transport: self.transport, spec };
        let (transport, address) = (self.transport, address.parse().unwrap());
        let (key, address) = self.event_loop.core().listen(transport, &address, &options, sink)?;
        Ok(Server { key, address, arrivals })
    }

    /// Connects; the answer comes by the receiver.
    pub(crate) fn connect(
        &mut self,
        address: &Address,
        options: ChannelOptions,
    ) -> Receiver<Result<Peer>> {
        self.connect_as(address, options, false)
    }

    /// Connects a client that sends back what it hears.
    pub(crate) fn connect_echo(
        &mut self,
        address: &Address,
        options: ChannelOptions,
    ) -> Receiver<Result<Peer>> {
        self.connect_as(address, options, true)
    }

    fn connect_as(
        &mut self,
        address: &Address,
        options: ChannelOptions,
        echo: bool,
    ) -> Receiver<Result<Peer>> {
        let (told, answer) = mpsc::channel();
        let (log, events) = mpsc::channel();
        let spec = ChannelSpec::new(options, move |ch| {
            let tap = Tap { log: log.clone(), arrived: None, events: None, peer: None, echo };
            ch.pipeline().inbound("tap", tap)
        });
        let transport = self.transport;
        // A turn tells the loop what time it is: from then the connect's time counts.
        self.event_loop.turn(Some(Duration::ZERO)).unwrap();
        self.event_loop.core().connect(transport, address, &spec, move |connected| {
            let peer = |channel| Peer { channel, address: None, log: events };
            let _ = told.send(connected.map(peer));
        });
        answer
    }

    pub(crate) fn datagram(
        &mut self,
        bind: Option<&str>,
        peer: Option<&Address>,
        options: SocketOptions,
    ) -> Result<Peer> {
        self.endpoint(bind, peer, options, false)
    }

    /// An endpoint that sends back what it hears.
    pub(crate) fn datagram_echo(&mut self, bind: &str) -> Result<Peer> {
        self.endpoint(Some(bind), None, SocketOptions::new(), true)
    }

    fn endpoint(
        &mut self,
        bind: Option<&str>,
        peer: Option<&Address>,
        options: SocketOptions,
        echo: bool,
    ) -> Result<Peer> {
        let (log, events) = mpsc::channel();
        let options = ChannelOptions::new().socket(options);
        let spec = ChannelSpec::new(options, move |ch| {
            ch.datagrams().inbound("tap", DatagramTap(log.clone(), echo))
        });
        let bind = bind.map(|bind| bind.parse().unwrap());
        let (transport, bind) = (self.transport, bind.as_ref());
        let (channel, bound) = self.event_loop.core().datagram(transport, bind, peer, &spec)?;
        Ok(Peer { channel, address: Some(bound), log: events })
    }
}

/// All loops of a test.
pub(crate) struct World {
    pub(crate) hosts: Vec<Host>,
    clock: VirtualClock,
    turns: usize,
}

/// The address of a host of [`World::pair`].
pub(crate) fn ip(host: usize) -> String {
    format!("10.9.0.{}", host + 1)
}

pub(crate) fn options(host: usize) -> StackOptions {
    StackOptions::new()
        .address(format!("{}/24", ip(host)).parse().unwrap())
        .address(format!("fd00:9::{}/64", host + 1).parse().unwrap())
        .trust_addresses()
        .configure(|config| config.limits.neighbor_queue_packets_max = 256)
}

impl World {
    pub(crate) fn of(factories: &[&dyn TransportFactory]) -> Self {
        let clock = VirtualClock::new();
        let host = |(id, factory): (usize, &&dyn TransportFactory)| {
            Host::new(id as u32, clock.clone(), *factory).unwrap()
        };
        Self { hosts: factories.iter().enumerate().map(host).collect(), clock, turns: 0 }
    }

    /// Two hosts on a cable.
    pub(crate) fn pair() -> (Self, Cable) {
        Self::on(CableOptions::new(), options)
    }

    pub(crate) fn on(
        cable: CableOptions,
        options: impl Fn(usize) -> StackOptions,
    ) -> (Self, Cable) {
        let cable = cable.build();
        let left = Userspace::over(options(0), cable.left());
        let right = Userspace::over(options(1), cable.right());
        (Self::of(&[&left, &right]), cable)
    }

    /// One more host.
    pub(crate) fn try_add(&mut self, factory: &dyn TransportFactory) -> io::Result<()> {
        let host = Host::new(self.hosts.len() as u32, self.clock.clone(), factory)?;
        self.hosts.push(host);
        Ok(())
    }

    /// The first thing that any loop has to do.
    fn next_deadline(&self) -> Option<Instant> {
        self.hosts.iter().filter_map(|host| host.event_loop.next_deadline()).min()
    }

    fn now(&self) -> Instant {
        fyke_clock::Clock::now(&self.clock)
    }

    /// Turns the loops as long as there is something to do now.
    pub(crate) fn settle(&mut self) {
        while self.next_deadline().is_some_and(|at| at <= self.now()) {
            self.turns += 1;
            assert!(self.turns < TURNS_MAX, "the loops do not come to rest");
            for host in &mut self.hosts {
                host.event_loop.turn(Some(Duration::ZERO)).unwrap();
            }
        }
    }

    /// One turn of each loop, and a moment.
    pub(crate) fn turn(&mut self) {
        for host in &mut self.hosts {
            host.event_loop.turn(Some(Duration::ZERO)).unwrap();
        }
        self.clock.advance(Duration::from_micros(10));
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now() + time;
        loop {
            self.settle();
            let next = self.next_deadline().map_or(end, |at| at.min(end));
            self.clock.set(next);
            if next == end {
                return self.settle();
            }
        }
    }

    /// Connects host 1 to a server of host 0.
    pub(crate) fn connection(&mut self, server: &Server, options: ChannelOptions) -> (Peer, Peer) {
        let answer = self.hosts[1].connect(&server.address, options);
        self.settle();
        let client = answer.try_recv().expect("it is decided").unwrap();
        (client, server.accepted().expect("it is accepted"))
    }
}

pub(crate) fn plain() -> ChannelOptions {
    ChannelOptions::new()
}

/// Writes as much as it likes and reads all the while, as only a test may.
pub(crate) fn greedy() -> ChannelOptions {
    plain().pause_when_unwritable(false)
}

/// Bytes that repeat late.
pub(crate) fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ seed).collect()
}

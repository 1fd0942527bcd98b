//! The harness: every scenario on every transport, with the same outcome everywhere.
//!
//! A scenario is a script on the test's own thread. It sees both ends of its connections as
//! [`Peer`]s: a handle, and a log of what the pipeline's last handler was told. What a scenario
//! returns must be equal on all transports. `SCENARIO_TRANSPORT=blocking` runs it on one, and
//! `SCENARIO_SEEDS=200` tries so many seeds of the late transport.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use fyke::core::transport::{Threading, Transport, TransportFactory, TransportSeat};
use fyke::prelude::*;
use fyke::transport::fake::Fake;
use fyke::{
    Address, Blocking, Cable, ChannelInit, CloseReason, Event, EventFilter, IntoStages, Local,
    LocalNetwork, StackOptions, Userspace,
};

/// A guard against a test that hangs; nothing is ever waited for so long when all is well.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// What moves the bytes of a scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Tcp(Backend),
    Unix,
    Blocking,
    Local,
    Fake(u64),
    /// Two of fyke's own stacks on a cable, with or without offload.
    Stack(bool),
}

impl Kind {
    pub(crate) fn is_tcp(self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Blocking | Self::Stack(_))
    }
}

pub(crate) const BACKENDS: [Backend; 5] =
    [Backend::EpollLevel, Backend::EpollEdge, Backend::Poll, Backend::Select, Backend::Mio];

/// Every transport that there is.
pub(crate) fn transports() -> Vec<Setup> {
    let tcp = BACKENDS.into_iter().map(|backend| (format!("{backend:?}"), Kind::Tcp(backend)));
    let others = [
        ("unix".to_owned(), Kind::Unix),
        ("blocking".to_owned(), Kind::Blocking),
        ("local".to_owned(), Kind::Local),
        ("stack".to_owned(), Kind::Stack(true)),
        ("stack-plain".to_owned(), Kind::Stack(false)),
    ];
    let seeds = std::env::var("SCENARIO_SEEDS").map_or(4, |n| n.parse().unwrap());
    let fake = (1..=seeds).map(|seed| (format!("fake-{seed}"), Kind::Fake(seed)));
    let all = tcp.chain(others).chain(fake).map(|(name, kind)| Setup { name, kind });
    let only = std::env::var("SCENARIO_TRANSPORT").ok();
    all.filter(|setup| only.as_ref().is_none_or(|only| *only == setup.name)).collect()
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// Runs `scenario` on every transport; what it answers must be the same everywhere.
pub(crate) fn everywhere<L: PartialEq + Debug + Send + 'static>(scenario: fn(&World) -> L) {
    on(transports(), scenario);
}

/// The same, on the transports that `wanted` names.
pub(crate) fn on_those<L: PartialEq + Debug + Send + 'static>(
    wanted: impl Fn(Kind) -> bool,
    scenario: fn(&World) -> L,
) {
    on(transports().into_iter().filter(|setup| wanted(setup.kind)).collect(), scenario);
}

fn on<L: PartialEq + Debug + Send + 'static>(setups: Vec<Setup>, scenario: fn(&World) -> L) {
    let mut first: Option<(String, L)> = None;
    for setup in setups {
        let name = setup.name.clone();
        let outcome = within(&name, move || scenario(&World::new(setup)));
        match &first {
            None => first = Some((name, outcome)),
            Some((other, expected)) => {
                assert_eq!(&outcome, expected, "`{name}` (left) is not like `{other}` (right)");
            }
        }
    }
}

/// Runs `work` on a thread of its own, so that a hang is a failure with a name.
pub(crate) fn within<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // The one who waits has given up only after a hang.
            let _ = sender.send(work());
        })
        .unwrap();
    match receiver.recv_timeout(HANG) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("`{name}` hangs"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => unreachable!("the thread answers before it ends"),
            Err(panic) => {
                eprintln!("the scenario failed on `{name}`");
                std::panic::resume_unwind(panic)
            }
        },
    }
}

/// One factory type for all of them.
#[derive(Clone, Debug)]
pub(crate) struct AnyTransport(std::sync::Arc<dyn Factory>);

trait Factory: TransportFactory + Debug {}
impl<T: TransportFactory + Debug> Factory for T {}

impl TransportFactory for AnyTransport {
    fn key(&self) -> &str {
        self.0.key()
    }

    fn threading(&self) -> Threading {
        self.0.threading()
    }

    fn listens_on_every_loop(&self) -> bool {
        self.0.listens_on_every_loop()
    }

    fn create(&self, seat: TransportSeat<'_>) -> std::io::Result<Box<dyn Transport>> {
        self.0.create(seat)
    }
}

/// What one scenario runs in: loops for servers, loops for clients, addresses.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) servers: EventLoopGroup,
    pub(crate) clients: EventLoopGroup,
    network: LocalNetwork,
    stacks: Mutex<Stacks>,
    directory: PathBuf,
    next: AtomicU32,
}

/// The stacks of servers and of clients: which of them a loop gets, its thread's name says.
#[derive(Clone, Debug)]
struct Stacks {
    servers: Userspace,
    clients: Userspace,
}

/// The servers' address, and the clients'.
const SERVERS: [u8; 4] = [10, 8, 0, 1];
const CLIENTS: [u8; 4] = [10, 8, 0, 2];

impl Stacks {
    fn new(offload: bool, servers: u16) -> Self {
        let cable = Cable::options().offload(offload).queues(servers, 1).build();
        let host = |[a, b, c, d]: [u8; 4]| {
            let address = format!("{a}.{b}.{c}.{d}/24").parse().unwrap();
            // A burst to somebody whose link address is not known yet is kept whole, as memory and
            // the kernel's loopback keep it.
            let keep = |config: &mut fyke::stack::StackConfig| {
                config.limits.neighbor_queue_packets_max = 128;
            };
            StackOptions::new().address(address).trust_addresses().configure(keep)
        };
        Self {
            servers: Userspace::over(host(SERVERS), cable.left()).loops(servers),
            clients: Userspace::over(host(CLIENTS), cable.right()),
        }
    }
}

impl TransportFactory for Stacks {
    fn key(&self) -> &'static str {
        "stacks"
    }

    fn listens_on_every_loop(&self) -> bool {
        self.servers.listens_on_every_loop()
    }

    fn create(&self, seat: TransportSeat<'_>) -> std::io::Result<Box<dyn Transport>> {
        let client = std::thread::current().name().is_some_and(|name| name.starts_with("client"));
        if client { self.clients.create(seat) } else { self.servers.create(seat) }
    }
}

static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    fn new(setup: Setup) -> Self {
        let kind = setup.kind;
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("fyke-scenario-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Self {
            kind,
            servers: group(kind, 1, "server"),
            clients: group(kind, 1, "client"),
            network: LocalNetwork::new(),
            stacks: Mutex::new(Stacks::new(kind == Kind::Stack(true), 1)),
            directory,
            next: AtomicU32::new(0),
        }
    }

    /// More loops of this world's kind.
    pub(crate) fn group(&self, threads: usize, name: &str) -> EventLoopGroup {
        if threads > 1 {
            // They are one host from now on.
            let stacks = Stacks::new(self.kind == Kind::Stack(true), threads as u16);
            *self.stacks.lock().unwrap() = stacks;
        }
        group(self.kind, threads, name)
    }

    pub(crate) fn transport(&self) -> AnyTransport {
        AnyTransport(match self.kind {
            Kind::Tcp(_) => std::sync::Arc::new(Kernel::tcp),
            Kind::Unix => std::sync::Arc::new(Kernel::unix),
            Kind::Blocking => std::sync::Arc::new(Blocking::tcp),
            Kind::Local => std::sync::Arc::new(self.local()),
            Kind::Fake(seed) => std::sync::Arc::new(Fake::wrap(self.local(), seed)),
            Kind::Stack(_) => std::sync::Arc::new(self.stacks.lock().unwrap().clone()),
        })
    }

    /// The in-memory transport of this world.
    pub(crate) fn local(&self) -> Local {
        Local::on(&self.network)
    }

    /// A path that nobody else uses.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// An address to listen on that is free.
    pub(crate) fn free_address(&self) -> Address {
        match self.kind {
            Kind::Tcp(_) | Kind::Blocking => Address::Inet(([127, 0, 0, 1], 0).into()),
            Kind::Unix => Address::unix(self.path()),
            Kind::Local | Kind::Fake(_) => Address::local(""),
            Kind::Stack(_) => Address::Inet((SERVERS, 0).into()),
        }
    }

    /// The same for a datagram endpoint of a client.
    pub(crate) fn free_address_of_client(&self) -> Address {
        match self.kind {
            Kind::Stack(_) => Address::Inet((CLIENTS, 0).into()),
            _ => self.free_address(),
        }
    }

    /// An address that nobody listens on.
    pub(crate) fn dead_address(&self) -> Address {
        match self.kind {
            Kind::Tcp(_) | Kind::Blocking => {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                Address::Inet(listener.local_addr().unwrap())
            }
            Kind::Unix => {
                // The path stays when its listener is gone.
                let path = self.path();
                drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
                Address::unix(path)
            }
            Kind::Local | Kind::Fake(_) => Address::local("nobody"),
            Kind::Stack(_) => {
                // Somebody has to be there to refuse.
                let server = self.server().child(|ch| ch.pipeline().inbound("echo", Echo));
                server.bind(self.free_address()).unwrap().close();
                Address::Inet((SERVERS, 9).into())
            }
        }
    }

    pub(crate) fn server(&self) -> ServerBootstrap {
        ServerBootstrap::new(self.servers.clone()).transport(self.transport())
    }

    pub(crate) fn client(&self) -> Bootstrap {
        Bootstrap::new(self.clients.clone()).transport(self.transport())
    }

    /// A server whose pipelines end in a [`Tap`] that writes `W`.
    pub(crate) fn listen<W: 'static, S: IntoStages>(
        &self,
        options: ChannelOptions,
        build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
    ) -> TapServer {
        listen(self.server(), &self.free_address(), options, build)
    }

    /// A client whose pipeline ends in a [`Tap`] that writes `W`.
    pub(crate) fn connect<W: 'static, S: IntoStages>(
        &self,
        address: &Address,
        options: ChannelOptions,
        build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
    ) -> Peer {
        let (log, events) = mpsc::channel();
        let bootstrap = self.client().options(options).handler(move |ch| {
            let tap = Tap::new(log.clone());
            build(ch, tap)
        });
        let channel = bootstrap.connect(address).wait().unwrap();
        Peer::new(channel, events)
    }

    /// A client of bytes.
    pub(crate) fn bytes_client(&self, address: &Address, options: ChannelOptions) -> Peer {
        self.connect(address, options, bytes)
    }

    /// A client and a server of bytes that are connected to each other.
    pub(crate) fn pair(&self, client: ChannelOptions, server: ChannelOptions) -> Pair {
        let listening = self.listen(server, bytes);
        let client = self.bytes_client(&listening.address, client);
        let server = listening.accept();
        Pair { client, server, listening }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Whoever is still connected has failed already, or does not matter any more.
        self.servers.shutdown(Duration::ZERO);
        self.clients.shutdown(Duration::ZERO);
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn group(kind: Kind, threads: usize, name: &str) -> EventLoopGroup {
    let backend = match kind {
        Kind::Tcp(backend) => backend,
        _ => Backend::EpollLevel,
    };
    EventLoopGroup::builder().threads(threads).backend(backend).name(name).seed(7).build().unwrap()
}

/// The pipeline of bytes with nothing but a [`Tap`].
pub(crate) fn bytes(
    channel: &mut ChannelInit<'_>,
    tap: Tap<Outgoing>,
) -> fyke::PipelineBuilder<Never, Outgoing> {
    channel.pipeline().inbound("tap", tap)
}

pub(crate) fn listen<W: 'static, S: IntoStages>(
    bootstrap: ServerBootstrap,
    address: &Address,
    options: ChannelOptions,
    build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
) -> TapServer {
    let (arrived, arrivals) = mpsc::channel();
    let server = bootstrap
        .options(options)
        .child(move |ch| {
            let (log, events) = mpsc::channel();
            let mut tap = Tap::new(log);
            tap.arrival = Some((arrived.clone(), events));
            build(ch, tap)
        })
        .bind(address)
        .unwrap();
    TapServer { address: server.local_address().clone(), server, arrivals }
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: Peer,
    pub(crate) server: Peer,
    pub(crate) listening: TapServer,
}

#[derive(Debug)]
pub(crate) struct TapServer {
    pub(crate) server: Server,
    pub(crate) address: Address,
    arrivals: Receiver<Peer>,
}

impl TapServer {
    /// The next connection's server side.
    pub(crate) fn accept(&self) -> Peer {
        self.arrivals.recv_timeout(HANG).expect("nobody connects")
    }
}

/// What the last handler of a pipeline was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Log {
    Active,
    Bytes(Vec<u8>),
    Frame(Vec<u8>),
    ReadClosed,
    Writable(bool),
    /// A user event.
    User(u32),
    Error(String),
    ShuttingDown,
    Inactive,
}

/// The user event of the scenarios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Note(pub(crate) u32);

/// The last handler of a pipeline: it writes down what it is told, and passes it on.
#[derive(Debug)]
pub(crate) struct Tap<W> {
    log: mpsc::Sender<Log>,
    arrival: Option<(mpsc::Sender<Peer>, Receiver<Log>)>,
    frames: bool,
    finish_work: bool,
    writes: PhantomData<fn(W)>,
}

impl<W> Tap<W> {
    fn new(log: mpsc::Sender<Log>) -> Self {
        Self { log, arrival: None, frames: false, finish_work: false, writes: PhantomData }
    }

    /// What it reads are messages: one entry each.
    pub(crate) fn frames(mut self) -> Self {
        self.frames = true;
        self
    }

    /// At a shutdown it has work to finish, and closes by itself.
    pub(crate) fn finish_work(mut self) -> Self {
        self.finish_work = true;
        self
    }

    pub(crate) fn write_down(&self, entry: Log) {
        // A scenario that is over does not read its logs any more.
        let _ = self.log.send(entry);
    }
}

impl<W: 'static> InboundHandler for Tap<W> {
    type In = ByteBuf;
    type Out = Never;
    type Write = W;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Active);
        if let Some((arrived, events)) = self.arrival.take() {
            let _ = arrived.send(Peer::new(cx.channel(), events));
        }
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        let bytes = msg.to_vec();
        self.write_down(if self.frames { Log::Frame(bytes) } else { Log::Bytes(bytes) });
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::ReadClosed);
        cx.fire_read_closed();
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Writable(cx.is_writable()));
        Ok(())
    }

    fn shutting_down(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::ShuttingDown);
        if !self.finish_work {
            cx.fire_shutting_down();
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Note>()
    }

    fn event(&mut self, _: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if let Ok(Note(number)) = event.take() {
            self.write_down(Log::User(number));
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.write_down(Log::Error(kind_of(&error)));
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.write_down(Log::Inactive);
        Ok(())
    }
}

/// An error in one word, the same for every transport.
pub(crate) fn kind_of(error: &Error) -> String {
    match error.kind() {
        _ if error.is_reset() => "Reset".to_owned(),
        fyke::ErrorKind::Io(error) => format!("{:?}", error.kind()),
        fyke::ErrorKind::Codec(fyke::CodecError::TooLarge { .. }) => "TooLarge".to_owned(),
        fyke::ErrorKind::Codec(_) => "Codec".to_owned(),
        fyke::ErrorKind::Panic { stage, .. } => format!("Panic in {stage}"),
        other => format!("{other:?}"),
    }
}

/// One end of a connection, seen by the script.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) channel: Channel,
    events: Receiver<Log>,
    /// Read from the log and not asked for yet.
    held: Option<Log>,
}

impl Peer {
    pub(crate) fn new(channel: Channel, events: Receiver<Log>) -> Self {
        Self { channel, events, held: None }
    }

    pub(crate) fn sender(&self) -> Sender<Outgoing> {
        self.channel.sender().unwrap()
    }

    /// Writes, without waiting.
    pub(crate) fn send(&self, bytes: impl Into<Outgoing>) {
        self.sender().send(bytes.into()).unwrap();
    }

    /// Writes, and waits until the transport has taken it.
    pub(crate) fn send_and_wait(&self, bytes: impl Into<Outgoing>) {
        self.sender().send_with_promise(bytes.into()).unwrap().wait().unwrap();
    }

    fn recv(&mut self) -> Option<Log> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        match self.events.recv_timeout(HANG) {
            Ok(entry) => Some(entry),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing happens on {:?}", self.channel),
        }
    }

    /// The next entry, without `Active`.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Log {
        loop {
            match self.recv().expect("the channel has ended") {
                Log::Active => {}
                other => return other,
            }
        }
    }

    /// Skips what comes before `wanted`.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: &Log) {
        while self.next() != *wanted {}
    }

    /// Exactly `n` bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let mut got = Vec::with_capacity(n);
        while got.len() < n {
            match self.next() {
                Log::Bytes(bytes) => got.extend(bytes),
                // What is written meanwhile is none of the reader's business.
                Log::Writable(_) => {}
                other => panic!("{other:?} after {} of {n} bytes", got.len()),
            }
        }
        let rest = got.split_off(n);
        if !rest.is_empty() {
            self.held = Some(Log::Bytes(rest));
        }
        got
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> Vec<u8> {
        match self.next() {
            Log::Frame(frame) => frame,
            other => panic!("{other:?} instead of a frame"),
        }
    }

    /// Everything until the pipeline is gone but the water marks, bytes joined, and why it closed.
    pub(crate) fn ending(mut self) -> (Vec<Log>, CloseReason) {
        let mut log: Vec<Log> = Vec::new();
        while let Some(entry) = self.recv() {
            match (log.last_mut(), entry) {
                // When a queue was full is a matter of speed.
                (_, Log::Active | Log::Writable(_)) => {}
                (Some(Log::Bytes(all)), Log::Bytes(more)) => all.extend(more),
                (_, entry) => log.push(entry),
            }
        }
        (log, self.channel.wait_closed())
    }

    /// Waits until the channel's loop has had a turn with all that was asked of it before, and
    /// nothing of it was worth an entry.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self, number: u32) {
        self.channel.fire_event(Note(number)).unwrap();
        assert_eq!(self.next(), Log::User(number));
    }

    /// Asks something of the channel's context, on its loop.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Ctx<'_, Never, Never>) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.channel
            .execute(move |cx| {
                let _ = sender.send(question(cx));
            })
            .unwrap();
        receiver.recv_timeout(HANG).unwrap()
    }
}

/// Bytes that look random and are the same every time.
pub(crate) fn random_bytes(n: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(n).collect()
}

/// Sends back what comes.
#[derive(Debug)]
pub(crate) struct Echo;

impl InboundHandler for Echo {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }
}

/// Echoes, and logs what else happens.
#[derive(Debug)]
pub(crate) struct EchoTap(pub(crate) Tap<Outgoing>);

impl InboundHandler for EchoTap {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        cx.write(msg.into());
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.writability_changed(cx)
    }
}

/// A client that writes as much as it likes and reads all the while, as only a test may.
pub(crate) fn greedy() -> ChannelOptions {
    ChannelOptions::new().pause_when_unwritable(false)
}

/// Sockets that hold little, so that a reader that stops is noticed soon.
pub(crate) fn narrow(options: ChannelOptions) -> ChannelOptions {
    // A segment of the loopback interface is 64 KiB: with less room than two of them a reader's
    // window stays closed until the sender asks, which takes a timer each time.
    let socket = SocketOptions::new().send_buffer_bytes(Some(64 * 1024));
    options.socket(socket.recv_buffer_bytes(Some(256 * 1024)))
}

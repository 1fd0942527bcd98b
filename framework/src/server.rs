//! `ServerBootstrap`: from a pipeline to a listening server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fyke_core::driver::TransportId;
use fyke_core::event_loop::{
    AcceptGate, AcceptSink, Adopt, ChannelInit, ChannelSpec, ShutdownReport,
};
use fyke_core::transport::{Incoming, Threading, TransportFactory};
use fyke_core::{Address, ChannelKey, ChannelOptions, IntoStages, LoopCore, LoopHandle};
use fyke_transport::Kernel;

use crate::group::{EventLoopGroup, least_loaded};
use crate::resolve::{ToAddresses, first_that_works};
use crate::threads::Listening;
pub(crate) use crate::waiting::on_loop;
use crate::waiting::wait_for;

/// Builds servers. What is not set has a default that is safe on the open internet.
///
/// Three layouts, by what it is given:
/// * one group of one loop: everything on one loop;
/// * one group of several: the first loop accepts, all of them serve;
/// * [`with_acceptors`](Self::with_acceptors): the loops of one group accept, those of another
///   serve;
///
/// and, with [`reuse_port`](Self::reuse_port), one listener a loop. Handlers that block move their
/// work to the group's offload threads in each of them.
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
///
/// use fyke::prelude::*;
///
/// let server = ServerBootstrap::new(EventLoopGroup::new(1)?)
///     .child(|ch| ch.pipeline().inbound("shout", read_fn(|cx, msg: ByteBuf| {
///         cx.write(Outgoing::from(msg.to_ascii_uppercase()));
///         Ok(())
///     })))
///     .bind("127.0.0.1:0")?;
///
/// let mut client = std::net::TcpStream::connect(server.local_address().to_string())?;
/// client.write_all(b"hello")?;
/// let mut answer = [0; 5];
/// client.read_exact(&mut answer)?;
/// assert_eq!(&answer, b"HELLO");
/// drop(client);
/// server.shutdown(Duration::from_secs(5));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "call bind()"]
pub struct ServerBootstrap<P = NoPipeline> {
    acceptors: EventLoopGroup,
    workers: EventLoopGroup,
    transport: Arc<dyn TransportFactory>,
    options: ChannelOptions,
    reuse_port: bool,
    gate: Option<Arc<AcceptGate>>,
    pipeline: P,
}

/// A bootstrap without its pipeline yet.
#[derive(Clone, Copy, Debug)]
pub struct NoPipeline;

/// A bootstrap's initialiser.
pub struct Child(Box<dyn FnOnce(ChannelOptions) -> ChannelSpec>);

impl ServerBootstrap {
    /// A server on the loops of `group`.
    pub fn new(group: EventLoopGroup) -> Self {
        Self::with_acceptors(group.clone(), group)
    }

    /// A server that accepts on the loops of one group and serves on those of another.
    pub fn with_acceptors(acceptors: EventLoopGroup, workers: EventLoopGroup) -> Self {
        Self {
            acceptors,
            workers,
            transport: Arc::new(Kernel::tcp),
            options: ChannelOptions::default(),
            reuse_port: false,
            gate: None,
            pipeline: NoPipeline,
        }
    }
}

impl<P> ServerBootstrap<P> {
    /// What moves the bytes. [`Kernel::tcp`] by default.
    pub fn transport(mut self, factory: impl TransportFactory) -> Self {
        self.transport = Arc::new(factory);
        self
    }

    /// Options of the listener and of every accepted channel. `socket.reuse_port` alone shares the
    /// port with other programs; [`reuse_port`](Self::reuse_port) makes a listener for each loop.
    pub fn options(mut self, options: ChannelOptions) -> Self {
        self.options = options;
        self
    }

    /// One listener for each loop that accepts, on the same port (`SO_REUSEPORT`): the kernel
    /// spreads the connections. Off by default, so that a port that is in use is an error.
    pub fn reuse_port(mut self, on: bool) -> Self {
        self.reuse_port = on;
        self
    }

    /// Who may connect: see [`AcceptGate`]. Everybody by default, as far as memory and descriptors
    /// go. Several servers may share one.
    pub fn accept_gate(mut self, gate: &Arc<AcceptGate>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    /// The initialiser of accepted channels: it runs on the channel's loop, once a channel.
    pub fn child<S: IntoStages>(
        self,
        init: impl Fn(&mut ChannelInit<'_>) -> S + Send + Sync + 'static,
    ) -> ServerBootstrap<Child> {
        ServerBootstrap {
            acceptors: self.acceptors,
            workers: self.workers,
            transport: self.transport,
            options: self.options,
            reuse_port: self.reuse_port,
            gate: self.gate,
            pipeline: Child(Box::new(move |options| ChannelSpec::new(options, init))),
        }
    }
}

impl ServerBootstrap<Child> {
    /// Listens. Answers when the address is taken and connections are served; of several addresses
    /// of a name it takes the first one that works. It waits for the loops: never call it on one.
    ///
    /// # Errors
    /// A name that cannot be looked up, an address in use, a missing right, an option that the
    /// transport does not have.
    pub fn bind(self, address: impl ToAddresses) -> io::Result<Server> {
        let mut options = self.options;
        options.socket.reuse_port |= self.reuse_port;
        let spec = (self.pipeline.0)(options);
        let spec = match self.gate {
            Some(gate) => spec.gated(gate),
            None => spec,
        };
        let plan = Plan {
            acceptors: self.acceptors,
            workers: self.workers,
            transport: self.transport,
            spec,
            every_loop: self.reuse_port,
        };
        first_that_works(address, |address| plan.bind(&address))
    }
}

impl<P> fmt::Debug for ServerBootstrap<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBootstrap").field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Child")
    }
}

struct Plan {
    acceptors: EventLoopGroup,
    workers: EventLoopGroup,
    transport: Arc<dyn TransportFactory>,
    spec: ChannelSpec,
    every_loop: bool,
}

impl Plan {
    fn bind(&self, address: &Address) -> io::Result<Server> {
        if self.transport.threading() == Threading::ThreadPerChannel {
            let threads = self.workers.channel_threads();
            let listening = threads.listen(&self.transport, address, &self.spec)?;
            return Ok(self.server(listening.address(), Listeners::Thread(listening)));
        }
        // Every worker has the transport before the first connection comes.
        let workers = make_transports(self.workers.loops(), &self.transport)?;
        let mut listeners: Vec<Listener> = Vec::new();
        let mut address = address.clone();
        for acceptor in self.accepting_loops() {
            match self.listen_on(acceptor, &address, &workers) {
                Ok((key, bound)) => {
                    // A port that was left to the system is the same one on the other loops.
                    address = bound;
                    listeners.push(Listener { home: acceptor.clone(), key });
                }
                Err(error) => {
                    listeners.iter().for_each(Listener::close);
                    return Err(error);
                }
            }
        }
        Ok(self.server(address, Listeners::Loops(listeners)))
    }

    /// Whether a connection stays on the loop that accepts it.
    fn stays(&self) -> bool {
        self.every_loop || self.transport.listens_on_every_loop()
    }

    fn accepting_loops(&self) -> &[LoopHandle] {
        if self.transport.listens_on_every_loop() {
            self.workers.loops()
        } else if self.every_loop {
            self.acceptors.loops()
        } else {
            &self.acceptors.loops()[..1]
        }
    }

    fn server(&self, address: Address, listeners: Listeners) -> Server {
        tracing::info!(%address, "listening");
        Server {
            address,
            listeners,
            closed: AtomicBool::new(false),
            acceptors: self.acceptors.clone(),
            workers: self.workers.clone(),
        }
    }

    fn listen_on(
        &self,
        acceptor: &LoopHandle,
        address: &Address,
        workers: &[(LoopHandle, TransportId)],
    ) -> io::Result<(ChannelKey, Address)> {
        let own = workers.iter().position(|(worker, _)| worker.is_same(acceptor));
        // With a listener a loop, the kernel or the stack has chosen already.
        let workers = match own {
            Some(own) if self.stays() => vec![workers[own].clone()],
            _ => workers.to_vec(),
        };
        let (factory, address, spec) =
            (Arc::clone(&self.transport), address.clone(), self.spec.clone());
        let home = acceptor.clone();
        on_loop(acceptor, move |core, answer| {
            core.with_transport(factory, move |core, transport| {
                let listened = transport.and_then(|transport| {
                    let options = Arc::clone(spec.options());
                    let sink = Dispatch {
                        loops: workers.iter().map(|(worker, _)| worker.clone()).collect(),
                        transports: workers.iter().map(|(_, transport)| *transport).collect(),
                        own: workers.iter().position(|(worker, _)| worker.is_same(&home)),
                        spec,
                    };
                    core.listen(transport, &address, &options, sink)
                });
                // The bootstrap waits for the answer, or its thread is gone.
                let _ = answer.send(listened);
            });
        })
    }
}

/// Makes the transport on each loop.
pub(crate) fn make_transports(
    loops: &[LoopHandle],
    factory: &Arc<dyn TransportFactory>,
) -> io::Result<Vec<(LoopHandle, TransportId)>> {
    let made = loops.iter().map(|event_loop| {
        let factory = Arc::clone(factory);
        let id = on_loop(event_loop, move |core, answer| {
            core.with_transport(factory, move |_, made| {
                let _ = answer.send(made);
            });
        })?;
        Ok((event_loop.clone(), id))
    });
    made.collect()
}

/// Gives each accepted connection to the loop with the least measured load.
struct Dispatch {
    loops: Vec<LoopHandle>,
    transports: Vec<TransportId>,
    own: Option<usize>,
    spec: ChannelSpec,
}

impl AcceptSink for Dispatch {
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address) {
        let Some(incoming) = self.spec.admit(incoming, &peer, core.env().now()) else { return };
        let chosen = least_loaded(&self.loops);
        let adopt =
            Adopt { transport: self.transports[chosen], incoming, peer, spec: self.spec.clone() };
        if self.own == Some(chosen) {
            core.adopt_or_log(adopt);
        } else if let Err(error) = self.loops[chosen].adopt(adopt) {
            tracing::warn!(%error, "an accepted connection was closed");
        }
    }
}

struct Listener {
    home: LoopHandle,
    key: ChannelKey,
}

impl Listener {
    fn close(&self) {
        let key = self.key;
        // A loop that has ended has closed its listeners.
        let _ = self.home.execute(move |core| core.close_listener(key));
    }
}

enum Listeners {
    Loops(Vec<Listener>),
    Thread(Listening),
}

/// A server that listens. Dropped, it stops listening; its connections live as long as the group.
#[must_use = "a server that is dropped stops listening"]
pub struct Server {
    address: Address,
    listeners: Listeners,
    closed: AtomicBool,
    acceptors: EventLoopGroup,
    workers: EventLoopGroup,
}

impl Server {
    /// The address that was taken; a port 0 is filled in.
    #[must_use]
    pub fn local_address(&self) -> &Address {
        &self.address
    }

    /// Stops listening. Connections live on.
    pub fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        match &self.listeners {
            Listeners::Loops(listeners) => listeners.iter().for_each(Listener::close),
            Listeners::Thread(listening) => listening.close(),
        }
    }

    /// Stops listening, and ends the loops in order, with all that lives on them (other servers and
    /// clients of the same group, too); see [`EventLoopGroup::shutdown`].
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        self.close();
        // Whom the listeners let in at the last moment comes to his loop before it hears of this.
        match &self.listeners {
            Listeners::Loops(listeners) => {
                listeners.iter().for_each(|listener| wait_for(&listener.home));
            }
            Listeners::Thread(listening) => listening.close(),
        }
        let mut report = self.workers.shutdown(deadline);
        if !self.acceptors.has_ended() {
            let accepting = self.acceptors.shutdown(deadline);
            report.channels += accepting.channels;
            report.cut += accepting.cut;
        }
        report
    }

    /// Serves until the program is asked to end (Ctrl-C, SIGTERM), then shuts down in order within
    /// `deadline`. A second one ends the program at once, with exit code 130.
    ///
    /// # Errors
    /// When signals cannot be caught.
    pub fn run_until_signal(self, deadline: Duration) -> io::Result<ShutdownReport> {
        crate::signals::run_until_signal(move || self.shutdown(deadline))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

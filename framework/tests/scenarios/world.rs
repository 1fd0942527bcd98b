//! What one scenario runs in: loops for servers, loops for clients, addresses.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fyke::prelude::*;
use fyke::{Address, ChannelInit, IntoStages, Keepalive, Local, LocalNetwork};

use crate::hosts::{AnyTransport, Hosts, NOBODY, hosts};
use crate::rows::Kind;
use crate::support::{Echo, Pair, Peer, Tap, TapServer, bytes, listen};

/// What one scenario runs in.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) kind: Kind,
    pub(crate) servers: EventLoopGroup,
    pub(crate) clients: EventLoopGroup,
    hosts: Box<dyn Hosts>,
    network: LocalNetwork,
    directory: PathBuf,
    next: AtomicU32,
}

static WORLDS: AtomicU32 = AtomicU32::new(0);

impl World {
    pub(crate) fn new(kind: Kind) -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("fyke-scenario-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let network = LocalNetwork::new();
        let hosts = hosts(kind, &network);
        let (servers, clients) = (hosts.servers(1, "server"), hosts.clients());
        Self { kind, servers, clients, hosts, network, directory, next: AtomicU32::new(0) }
    }

    /// Loops for servers (and for clients of those) in place of the ones that there are.
    pub(crate) fn group(&self, threads: usize, name: &str) -> EventLoopGroup {
        self.hosts.servers(threads, name)
    }

    /// Loops for servers when those that there were have ended: on the same host.
    pub(crate) fn group_again(&self) -> EventLoopGroup {
        self.hosts.servers_again()
    }

    /// More loops with threads, apart from hosts.
    pub(crate) fn more_loops(&self, threads: usize, name: &str) -> EventLoopGroup {
        self.hosts.group(threads, name)
    }

    /// What moves bytes for servers on `group`.
    pub(crate) fn serving(&self, group: &EventLoopGroup) -> AnyTransport {
        self.hosts.serving(group)
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
        match (self.kind, self.hosts.addresses()) {
            (_, Some([server, _])) => server,
            (Kind::Unix, _) => Address::unix(self.path()),
            (Kind::Local | Kind::Fake(_), _) => Address::local(""),
            _ => Address::Inet(([127, 0, 0, 1], 0).into()),
        }
    }

    /// The same for a datagram endpoint of a client.
    pub(crate) fn free_address_of_client(&self) -> Address {
        match self.hosts.addresses() {
            Some([_, client]) => client,
            None => self.free_address(),
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
            Kind::Stack(_) | Kind::Sim(_) | Kind::Tap(_) => {
                // Somebody has to be there to refuse.
                let server = self.server().child(|ch| ch.pipeline().inbound("echo", Echo));
                let server = server.bind(self.free_address()).unwrap();
                server.close();
                // The listener is closed on its loop, which was asked to before it is asked this.
                let _asked = self.servers.stats();
                server.local_address().clone()
            }
        }
    }

    /// An address of a network in which nobody has it.
    pub(crate) fn nobodys_address(&self) -> Option<Address> {
        let _ = self.hosts.addresses()?;
        // A device is there when somebody has listened on it.
        let _ = self.dead_address();
        Some(Address::Inet((NOBODY, 80).into()))
    }

    pub(crate) fn server(&self) -> ServerBootstrap {
        self.server_on(&self.servers)
    }

    pub(crate) fn server_on(&self, group: &EventLoopGroup) -> ServerBootstrap {
        ServerBootstrap::new(group.clone()).transport(self.serving(group))
    }

    pub(crate) fn client(&self) -> Bootstrap {
        self.client_on(&self.clients)
    }

    pub(crate) fn client_on(&self, group: &EventLoopGroup) -> Bootstrap {
        Bootstrap::new(group.clone()).transport(self.hosts.calling(group))
    }

    /// A server whose pipelines end in a [`Tap`] that writes `W`.
    pub(crate) fn listen<W: 'static, S: IntoStages>(
        &self,
        options: ChannelOptions,
        build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
    ) -> TapServer {
        listen(self.server(), &self.free_address(), self.watchful(options), build)
    }

    /// A client whose pipeline ends in a [`Tap`] that writes `W`.
    pub(crate) fn connect<W: 'static, S: IntoStages>(
        &self,
        address: &Address,
        options: ChannelOptions,
        build: impl Fn(&mut ChannelInit<'_>, Tap<W>) -> S + Send + Sync + 'static,
    ) -> Peer {
        let (log, events) = mpsc::channel();
        let bootstrap = self.client().options(self.watchful(options)).handler(move |ch| {
            let tap = Tap::new(log.clone());
            build(ch, tap)
        });
        let channel = bootstrap.connect(address).wait().unwrap();
        Peer::new(channel, events)
    }

    /// On a bad network a reset may be lost, and who has nothing to say then hears of it when he
    /// asks.
    fn watchful(&self, mut options: ChannelOptions) -> ChannelOptions {
        if self.kind.is_bad() {
            let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(5));
            options.socket.keepalive = Some(Keepalive { idle, interval, count: 9 });
        }
        options
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

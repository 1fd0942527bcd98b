//! A talker: echoes what it is sent, and remembers what it hears.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_sim::stack::tcp::{CloseReason, Config};
use fyke_sim::stack::{ConnectOptions, Event, ListenerId, StackError, TcpId, UdpId};
use fyke_sim::{Application, BareContext, BareHost, LinkConfig, SimError, World};

/// One connection of a talker.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: TcpId,
    pub(crate) connected: bool,
    pub(crate) received: Vec<u8>,
    pub(crate) closed: Option<CloseReason>,
    waiting: VecDeque<Bytes>,
}

#[derive(Debug, Default)]
pub(crate) struct Talker {
    echoes: bool,
    pub(crate) lines: Vec<Line>,
    pub(crate) datagrams: Vec<(UdpId, SocketAddr, Vec<u8>)>,
    /// What datagrams of connected sockets were answered with.
    pub(crate) errors: Vec<StackError>,
}

impl Line {
    fn new(id: TcpId, connected: bool) -> Self {
        Self { id, connected, received: Vec::new(), closed: None, waiting: VecDeque::new() }
    }

    fn flush(&mut self, cx: &mut BareContext<'_>) {
        while let Some(first) = self.waiting.front_mut() {
            let now = cx.now();
            let Ok(taken) = cx.stack.write(now, self.id, first.clone()) else { return };
            if taken < first.len() {
                let _ = first.split_to(taken);
                return;
            }
            self.waiting.pop_front();
        }
    }
}

impl Talker {
    pub(crate) fn line(&mut self, id: TcpId) -> &mut Line {
        self.lines.iter_mut().find(|line| line.id == id).expect("a line of this talker")
    }

    fn read(&mut self, cx: &mut BareContext<'_>, id: TcpId) {
        let echoes = self.echoes;
        let line = self.line(id);
        let now = cx.now();
        while let Ok(Some(bytes)) = cx.stack.read(now, id, usize::MAX) {
            line.received.extend_from_slice(&bytes);
            if echoes {
                line.waiting.push_back(bytes);
            }
        }
        line.flush(cx);
    }
}

impl Application for Talker {
    fn event(&mut self, cx: &mut BareContext<'_>, event: Event) {
        match event {
            Event::Acceptable(listener) => {
                while let Some(id) = cx.stack.accept(listener) {
                    self.lines.push(Line::new(id, true));
                    self.read(cx, id);
                }
            }
            Event::Connected(id) => self.line(id).connected = true,
            Event::Readable(id) | Event::PeerFin(id) => self.read(cx, id),
            Event::Writable(id) => self.line(id).flush(cx),
            Event::Closed(id, reason) => self.line(id).closed = Some(reason),
            Event::UdpReadable(id) => loop {
                let datagram = match cx.stack.udp_receive(id) {
                    Ok(datagram) => datagram,
                    Err(StackError::WouldBlock) => return,
                    Err(error) => {
                        self.errors.push(error);
                        continue;
                    }
                };
                self.datagrams.push((id, datagram.from, datagram.payload.to_vec()));
                if self.echoes {
                    let now = cx.now();
                    let _ = cx.stack.udp_send(now, id, Some(datagram.from), datagram.payload);
                }
            },
            _ => {}
        }
    }
}

pub(crate) type TalkerHost = BareHost<Talker>;

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A host that echoes on port 7, of TCP and of UDP.
pub(crate) fn echo_host(
    world: &World,
    name: &str,
    address: &str,
    gateway: Option<&str>,
) -> TalkerHost {
    let host = host(world, name, address, gateway, true);
    host.with_stack(|stack, _| {
        let _: ListenerId = stack.listen("0.0.0.0:7".parse().unwrap(), Default::default()).unwrap();
        stack.udp_bind("0.0.0.0:7".parse().unwrap(), Default::default()).unwrap();
    });
    host
}

pub(crate) fn client_host(
    world: &World,
    name: &str,
    address: &str,
    gateway: Option<&str>,
) -> TalkerHost {
    host(world, name, address, gateway, false)
}

fn host(
    world: &World,
    name: &str,
    address: &str,
    gateway: Option<&str>,
    echoes: bool,
) -> TalkerHost {
    let mut builder = world.host(name).address(address);
    if let Some(gateway) = gateway {
        builder = builder.gateway(gateway);
    }
    builder.start_bare(Talker { echoes, ..Talker::default() }).unwrap()
}

/// An echo server and a client with one link between them.
pub(crate) fn pair(
    seed: u64,
    config: LinkConfig,
) -> (World, TalkerHost, TalkerHost, fyke_sim::Link) {
    let world = World::new(seed);
    let server = echo_host(&world, "server", "10.0.0.1/24", None);
    let client = client_host(&world, "client", "10.0.0.2/24", None);
    let link = world.link(&client, &server, config).unwrap();
    (world, server, client, link)
}

pub(crate) fn connect(host: &TalkerHost, to: &str) -> TcpId {
    connect_with(host, to, None)
}

/// The same with habits of its own.
pub(crate) fn connect_with(host: &TalkerHost, to: &str, config: Option<Arc<Config>>) -> TcpId {
    host.with(|talker, cx| {
        let mut options = ConnectOptions::default();
        options.config = config;
        let id = cx.stack.connect(cx.now(), to.parse().unwrap(), options).unwrap();
        talker.lines.push(Line::new(id, false));
        id
    })
}

/// The same from a port of its own choice.
pub(crate) fn connect_from(host: &TalkerHost, port: u16, to: &str) -> TcpId {
    host.with(|talker, cx| {
        let mut options = ConnectOptions::default();
        options.local = Some(([0, 0, 0, 0], port).into());
        let id = cx.stack.connect(cx.now(), to.parse().unwrap(), options).unwrap();
        talker.lines.push(Line::new(id, false));
        id
    })
}

pub(crate) fn send(host: &TalkerHost, id: TcpId, bytes: &[u8]) {
    host.with(|talker, cx| {
        let line = talker.line(id);
        line.waiting.push_back(Bytes::copy_from_slice(bytes));
        line.flush(cx);
    });
}

pub(crate) fn received(host: &TalkerHost, id: TcpId) -> usize {
    host.with(|talker, _| talker.line(id).received.len())
}

pub(crate) fn closed(host: &TalkerHost, id: TcpId) -> Option<CloseReason> {
    host.with(|talker, _| talker.line(id).closed)
}

/// Lets time pass until `n` bytes have come back.
pub(crate) fn await_bytes(
    world: &World,
    host: &TalkerHost,
    id: TcpId,
    n: usize,
) -> Result<(), SimError> {
    // Asking wakes the host, so it is asked between steps of time only.
    let deadline = world.now() + secs(600);
    while received(host, id) < n {
        if world.now() >= deadline {
            return Err(SimError::AtRest { at: world.now() });
        }
        world.run_for(ms(10))?;
    }
    Ok(())
}

/// Bytes that tell where they belong.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Sends `n` bytes from a client to an echo server and back, and checks every one of them.
pub(crate) fn echo(world: &World, client: &TalkerHost, to: &str, n: usize) -> TcpId {
    let id = connect(client, to);
    send(client, id, &pattern(n));
    await_bytes(world, client, id, n).unwrap();
    let same = client.with(|talker, _| talker.line(id).received == pattern(n));
    assert!(same, "what came back is not what was sent");
    id
}

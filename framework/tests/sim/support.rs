//! A server that echoes, a client that remembers, and the network between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fyke::prelude::*;
use fyke::sim::{Host, HostExt, Link, LinkConfig, Nat, NatConfig, RouterConfig, World};
use fyke::{CloseReason, Server};

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Bytes that tell where they belong.
pub(crate) fn pattern(n: usize) -> Vec<u8> {
    (0..n).map(|at| (at * 31 + at / 251) as u8).collect()
}

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

    fn error(&mut self, cx: &mut Context<'_, Self>, _: Error) -> Result<()> {
        cx.close();
        Ok(())
    }
}

/// What a client has heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    bytes: Vec<u8>,
    closed: Option<CloseReason>,
}

impl Log {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().bytes.len()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.0.lock().unwrap().closed
    }
}

#[derive(Debug)]
struct Listen(Log);

impl InboundHandler for Listen {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.0.0.lock().unwrap().bytes.extend_from_slice(&msg);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.0.lock().unwrap().closed = cx.close_reason();
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, _: Error) -> Result<()> {
        cx.close();
        Ok(())
    }
}

pub(crate) fn serve(host: &Host) -> Server {
    ServerBootstrap::new(host.group())
        .transport(host.transport())
        .child(|ch| ch.pipeline().inbound("echo", Echo))
        .bind("0.0.0.0:7000")
        .unwrap()
}

pub(crate) fn bootstrap(host: &Host, log: &Log) -> Bootstrap<fyke::Handler> {
    let log = log.clone();
    Bootstrap::new(host.group())
        .transport(host.transport())
        .handler(move |ch| ch.pipeline().inbound("listen", Listen(log.clone())))
}

pub(crate) fn connect(host: &Host, to: &str) -> (Channel, Log) {
    let log = Log::default();
    let channel = bootstrap(host, &log).connect(to).wait().unwrap();
    (channel, log)
}

pub(crate) fn say(channel: &Channel, bytes: Vec<u8>) {
    channel.sender().unwrap().send(Outgoing::from(bytes)).unwrap();
}

/// A server and a client, and the link between them.
pub(crate) struct Pair {
    pub(crate) world: World,
    pub(crate) server: Host,
    pub(crate) client: Host,
    pub(crate) link: Link,
}

pub(crate) const SERVER: &str = "10.0.0.1:7000";

pub(crate) fn pair(seed: u64, config: LinkConfig) -> Pair {
    let world = World::new(seed);
    let server = world.host("server").address("10.0.0.1/24").start().unwrap();
    let client = world.host("client").address("10.0.0.2/24").start().unwrap();
    let link = world.link(&client, &server, config).unwrap();
    Pair { world, server, client, link }
}

/// A client behind a NAT box, and a server on the other side of a router.
pub(crate) struct Home {
    pub(crate) world: World,
    pub(crate) server: Host,
    pub(crate) client: Host,
    pub(crate) nat: Nat,
}

/// The server of a [`Home`].
pub(crate) const FAR_SERVER: &str = "203.0.113.2:7000";

/// `wan` is the link between the box and the router, 20 ms long and otherwise as told.
pub(crate) fn behind_nat(seed: u64, config: NatConfig, wan: LinkConfig) -> Home {
    let world = World::new(seed);
    let nat = world.nat("nat", "192.168.1.1/24", "198.51.100.2/24", config).unwrap();
    nat.router().route("0.0.0.0/0", "198.51.100.1").unwrap();
    let isp = world.router("isp", RouterConfig::new()).unwrap();
    let near = isp.port(&["198.51.100.1/24"]).unwrap();
    let far = isp.port(&["203.0.113.1/24"]).unwrap();
    let client = world.host("client").address("192.168.1.2/24").gateway("192.168.1.1");
    let client = client.start().unwrap();
    let server = world.host("server").address("203.0.113.2/24").gateway("203.0.113.1");
    let server = server.start().unwrap();
    world.link(&client, &nat.inside(), LinkConfig::new()).unwrap();
    world.link(&nat.outside(), &near, wan.delay(ms(20))).unwrap();
    world.link(&far, &server, LinkConfig::new()).unwrap();
    Home { world, server, client, nat }
}

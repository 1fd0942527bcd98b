//! What the scenarios with NAT boxes share: an internet with homes, a server that says little, and
//! clients that keep their connections alive with heartbeats, or do not.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fyke::handlers::{
    DatagramHeartbeat, HeartbeatCodec, HeartbeatConfig, HeartbeatHandler, PayloadHeartbeat,
};
use fyke::prelude::*;
use fyke::sim::stack::StackConfig;
use fyke::sim::{Host, HostExt, LinkConfig, Nat, NatConfig, Router, RouterConfig, Switch, World};
use fyke::{Address, Datagram, Handler, PipelineBuilder, Stages};
use fyke_codecs::frames::LengthField;

use super::path::habits;
use crate::bulk::PORT;
use crate::{Failure, Flags};

/// The server's address.
pub(super) const SERVER: &str = "203.0.113.2";

/// A router in the middle, and the server behind it.
pub(super) struct Internet<'a> {
    flags: &'a Flags,
    world: &'a World,
    router: Router,
    pub(super) server: Host,
}

/// A network behind a NAT box, with an address space of its own.
pub(super) struct Home {
    number: usize,
    pub(super) nat: Nat,
    lan: Switch,
}

impl<'a> Internet<'a> {
    pub(super) fn new(flags: &'a Flags, world: &'a World) -> Result<Self, Failure> {
        let router = world.router("isp", RouterConfig::new())?;
        let far = router.port(&["203.0.113.1/24"])?;
        let server = world.host("server").address("203.0.113.2/24").gateway("203.0.113.1");
        let server = server.configure(habits(flags)).start()?;
        world.link(&far, &server, LinkConfig::new())?;
        Ok(Self { flags, world, router, server })
    }

    /// One more home; its line has the delay and the loss of the flags.
    pub(super) fn home(&self, number: usize, config: NatConfig) -> Result<Home, Failure> {
        let world = self.world;
        let inside = format!("192.168.{number}.1/24");
        let outside = format!("198.51.{number}.2/24");
        let nat = world.nat(&format!("nat{number}"), &inside, &outside, config)?;
        nat.router().route("0.0.0.0/0", &format!("198.51.{number}.1"))?;
        let near = self.router.port(&[&format!("198.51.{number}.1/24")])?;
        let lan = world.switch(&format!("lan{number}"))?;
        world.link(&lan, &nat.inside(), LinkConfig::new())?;
        let delay = self.flags.rtt.unwrap_or(Duration::from_millis(40)) / 2;
        let line = LinkConfig::new().delay(delay).loss(self.flags.loss.unwrap_or(0.0));
        world.link(&nat.outside(), &near, line)?;
        Ok(Home { number, nat, lan })
    }

    /// A host in a home.
    pub(super) fn host(&self, home: &Home, name: &str, last: u8) -> Result<Host, Failure> {
        let number = home.number;
        let host = self.world.host(name).address(&format!("192.168.{number}.{last}/24"));
        let habits: &dyn Fn(&mut StackConfig) = &habits(self.flags);
        let host = host.gateway(&format!("192.168.{number}.1")).configure(habits).start()?;
        self.world.link(&host, &home.lan, LinkConfig::new())?;
        Ok(host)
    }
}

/// Everybody the server knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    streams: ChannelGroup<ByteBuf>,
    datagrams: Arc<Mutex<Peers>>,
}

#[derive(Debug, Default)]
struct Peers {
    endpoint: Option<Channel>,
    known: Vec<Address>,
}

impl Members {
    /// Tells all of them something.
    pub(super) fn tell(&self, news: &'static str) -> Result<(), Failure> {
        self.streams.broadcast(&ByteBuf::from(news));
        let peers = self.datagrams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(endpoint) = &peers.endpoint {
            let sender = endpoint.sender::<Datagram>()?;
            for peer in &peers.known {
                sender.send(Datagram::to(peer.clone(), news))?;
            }
        }
        Ok(())
    }
}

struct JoinStreams(Members);

impl InboundHandler for JoinStreams {
    type In = ByteBuf;
    type Out = Never;
    type Write = ByteBuf;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.streams.add(cx.channel().sender()?);
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }
}

struct JoinDatagrams(Members);

impl JoinDatagrams {
    fn peers(&self) -> std::sync::MutexGuard<'_, Peers> {
        self.0.datagrams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboundHandler for JoinDatagrams {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.peers().endpoint = Some(cx.channel());
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        let mut peers = self.peers();
        if let Some(peer) = datagram.peer.filter(|peer| !peers.known.contains(peer)) {
            peers.known.push(peer);
        }
        Ok(())
    }
}

/// Serves both, and answers their heartbeats.
pub(super) fn serve(host: &Host, members: &Members) -> Result<Server, Failure> {
    let answers = HeartbeatConfig::answer_only();
    let (streams, datagrams, config) = (members.clone(), members.clone(), answers.clone());
    let endpoint = Bootstrap::new(host.group()).transport(host.transport()).handler(move |ch| {
        let beats = HeartbeatHandler::new(DatagramHeartbeat::new("ping", "pong "), &config);
        let join = JoinDatagrams(datagrams.clone());
        ch.datagrams().inbound("heartbeat", beats).inbound("join", join)
    });
    endpoint.bind_datagram(("0.0.0.0", PORT))?;
    let server = ServerBootstrap::new(host.group()).transport(host.transport()).child(move |ch| {
        let beats = HeartbeatHandler::new(PayloadHeartbeat::new("ping", "pong"), &answers);
        let frames = ch.pipeline().codec("frames", LengthField::u16());
        frames.inbound("heartbeat", beats).inbound("join", JoinStreams(streams.clone()))
    });
    Ok(server.bind(("0.0.0.0", PORT))?)
}

/// What clients have heard.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    messages: AtomicU64,
    closed: AtomicU64,
}

impl Heard {
    pub(super) fn messages(&self) -> u64 {
        self.0.messages.load(Ordering::Relaxed)
    }

    /// Channels that are no more.
    pub(super) fn closed(&self) -> u64 {
        self.0.closed.load(Ordering::Relaxed)
    }
}

struct Listen<M>(Heard, PhantomData<fn(M)>);

impl<M: 'static> InboundHandler for Listen<M> {
    type In = M;
    type Out = Never;
    type Write = M;

    fn read(&mut self, _: &mut Context<'_, Self>, _: M) -> Result<()> {
        self.0.0.messages.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        self.0.0.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        tracing::debug!(%error, "a client's connection");
        if error.is_timeout() || error.is_reset() {
            cx.close();
        }
        Ok(())
    }
}

/// The stages so far, a heartbeat behind them when there is one, and the listener.
fn listening<C: HeartbeatCodec>(
    stages: PipelineBuilder<C::Read, C::Write>,
    codec: C,
    beat: Option<&HeartbeatConfig>,
    heard: &Heard,
) -> Stages
where
    Listen<C::Read>: InboundHandler<In = C::Read, Write = C::Write>,
{
    let stages = match beat {
        Some(config) => stages.inbound("heartbeat", HeartbeatHandler::new(codec, config)),
        None => stages,
    };
    stages.inbound("listen", Listen(heard.clone(), PhantomData)).into()
}

/// A client over TCP that is ready to connect.
pub(super) fn stream_client(
    host: &Host,
    beat: Option<&HeartbeatConfig>,
    heard: &Heard,
) -> Bootstrap<Handler> {
    let (beat, heard) = (beat.cloned(), heard.clone());
    let bootstrap = Bootstrap::new(host.group()).transport(host.transport());
    bootstrap.handler(move |ch| {
        let frames = ch.pipeline().codec("frames", LengthField::u16());
        listening(frames, PayloadHeartbeat::new("ping", "pong"), beat.as_ref(), &heard)
    })
}

/// A client over UDP, which has said hello.
pub(super) fn datagram_client(
    host: &Host,
    beat: Option<&HeartbeatConfig>,
    heard: &Heard,
) -> Result<Channel, Failure> {
    let (beat, heard) = (beat.cloned(), heard.clone());
    let bootstrap = Bootstrap::new(host.group()).transport(host.transport());
    let bootstrap = bootstrap.handler(move |ch| {
        let codec = DatagramHeartbeat::new("ping", "pong ");
        listening(ch.datagrams(), codec, beat.as_ref(), &heard)
    });
    let (channel, _) = bootstrap.connect_datagram((SERVER, PORT))?;
    channel.sender()?.send(Datagram::connected("hello"))?;
    Ok(channel)
}

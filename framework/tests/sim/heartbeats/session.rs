//! A client behind a NAT box, and a server that has something to say to it: numbers, both ways.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard};

use fyke::clock::Instant;
use fyke::handlers::{
    DatagramHeartbeat, HeartbeatCodec, HeartbeatConfig, HeartbeatHandler, PayloadHeartbeat,
};
use fyke::prelude::*;
use fyke::sim::HostExt;
use fyke::{Address, ChannelInit, CloseReason, Datagram, PipelineBuilder, Server, Stages};
use fyke_codecs::frames::LengthField;

use crate::support::{FAR_SERVER, Home};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wire {
    Tcp,
    Udp,
}

pub(super) const WIRES: [Wire; 2] = [Wire::Tcp, Wire::Udp];

/// What one side has heard, and what became of its channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Book(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) heard: Vec<u32>,
    pub(super) closed: Option<(CloseReason, Instant)>,
    channel: Option<Channel>,
    /// Where the last datagram came from.
    peer: Option<Address>,
}

impl Book {
    pub(super) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.notes().closed.is_some()
    }
}

/// A message that is a number.
trait Numbered: 'static {
    fn number(&self) -> (u32, Option<&Address>);
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("four bytes, and no heartbeat"))
}

impl Numbered for ByteBuf {
    fn number(&self) -> (u32, Option<&Address>) {
        (number(self), None)
    }
}

impl Numbered for Datagram {
    fn number(&self) -> (u32, Option<&Address>) {
        (number(self.payload.as_slice()), self.peer.as_ref())
    }
}

struct Note<M>(Book, PhantomData<M>);

impl<M: Numbered> InboundHandler for Note<M> {
    type In = M;
    type Out = Never;
    type Write = M;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.notes().channel = Some(cx.channel());
        Ok(())
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: M) -> Result<()> {
        let (number, peer) = msg.number();
        let mut notes = self.0.notes();
        notes.heard.push(number);
        notes.peer = peer.cloned();
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // A router that says that the peer cannot be reached may be wrong soon (RFC 1122 section
        // 4.2.3.9): over UDP, too, only heartbeats tell.
        if error.is_timeout() || error.is_reset() {
            cx.close();
        }
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        let closed = cx.close_reason().map(|reason| (reason, cx.env().now()));
        self.0.notes().closed = closed;
        Ok(())
    }
}

/// The stages so far, a heartbeat behind them when there is one, and what notes numbers.
fn noting<C>(
    stages: PipelineBuilder<C::Read, C::Read>,
    codec: C,
    heartbeat: Option<&HeartbeatConfig>,
    book: &Book,
) -> Stages
where
    C: HeartbeatCodec<Write = <C as HeartbeatCodec>::Read>,
    C::Read: Numbered,
{
    let stages = match heartbeat {
        Some(config) => stages.inbound("heartbeat", HeartbeatHandler::new(codec, config)),
        None => stages,
    };
    stages.inbound("note", Note::<C::Read>(book.clone(), PhantomData)).into()
}

/// The pipeline of either side.
fn stages(
    wire: Wire,
    ch: &mut ChannelInit<'_>,
    heartbeat: Option<&HeartbeatConfig>,
    book: &Book,
) -> Stages {
    match wire {
        Wire::Tcp => {
            let frames = ch.pipeline().codec("frames", LengthField::u16());
            noting(frames, PayloadHeartbeat::new("ping", "pong"), heartbeat, book)
        }
        Wire::Udp => {
            let codec = DatagramHeartbeat::new("ping", "pong ");
            noting(ch.datagrams(), codec, heartbeat, book)
        }
    }
}

/// The side that answers pings; over TCP also what keeps it listening.
pub(super) struct Far {
    pub(super) book: Book,
    _listening: Option<Server>,
}

pub(super) fn serve(home: &Home, wire: Wire) -> Far {
    let book = Book::default();
    let noted = book.clone();
    let stages = move |ch: &mut ChannelInit<'_>| {
        stages(wire, ch, Some(&HeartbeatConfig::answer_only()), &noted)
    };
    let (group, transport) = (home.server.group(), home.server.transport());
    let server = match wire {
        Wire::Tcp => {
            let server = ServerBootstrap::new(group).transport(transport).child(stages);
            Some(server.bind("0.0.0.0:7000").unwrap())
        }
        Wire::Udp => {
            let endpoint = Bootstrap::new(group).transport(transport).handler(stages);
            endpoint.bind_datagram("0.0.0.0:7000").unwrap();
            None
        }
    };
    Far { book, _listening: server }
}

/// Connects to the server; with no heartbeat, nothing is sent by itself.
pub(super) fn connect(
    home: &Home,
    wire: Wire,
    heartbeat: Option<&HeartbeatConfig>,
    options: ChannelOptions,
) -> Book {
    let book = Book::default();
    let (noted, heartbeat) = (book.clone(), heartbeat.cloned());
    let bootstrap = Bootstrap::new(home.client.group())
        .transport(home.client.transport())
        .options(options)
        .handler(move |ch| stages(wire, ch, heartbeat.as_ref(), &noted));
    match wire {
        Wire::Tcp => drop(bootstrap.connect(FAR_SERVER).wait().unwrap()),
        Wire::Udp => drop(bootstrap.connect_datagram(FAR_SERVER).unwrap()),
    }
    book
}

/// Both sides.
pub(super) struct Session {
    pub(super) home: Home,
    pub(super) wire: Wire,
    pub(super) client: Book,
    pub(super) far: Far,
}

impl Session {
    pub(super) fn begin(
        home: Home,
        wire: Wire,
        heartbeat: Option<&HeartbeatConfig>,
        options: ChannelOptions,
    ) -> Self {
        let far = serve(&home, wire);
        let client = connect(&home, wire, heartbeat, options);
        home.world.run_for(crate::support::ms(100)).unwrap();
        Self { home, wire, client, far }
    }

    /// One side says a number; whether its channel is still there to say it with.
    pub(super) fn say(&self, by_client: bool, number: u32) -> bool {
        let book = if by_client { &self.client } else { &self.far.book };
        let notes = book.notes();
        let channel = notes.channel.as_ref().expect("it was connected");
        let bytes = number.to_be_bytes();
        match (self.wire, by_client) {
            (Wire::Tcp, _) => {
                channel.sender().is_ok_and(|sender| sender.send(ByteBuf::from(&bytes[..])).is_ok())
            }
            (Wire::Udp, true) => {
                let datagram = Datagram::connected(&bytes[..]);
                channel.sender().is_ok_and(|sender| sender.send(datagram).is_ok())
            }
            (Wire::Udp, false) => {
                let peer = notes.peer.clone().expect("the client has said something");
                let datagram = Datagram::to(peer, &bytes[..]);
                channel.sender().is_ok_and(|sender| sender.send(datagram).is_ok())
            }
        }
    }
}

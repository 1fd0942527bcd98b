//! Connecting: refused, too slow, many at once, and what is written before.

use std::net::SocketAddr;
use std::time::Duration;

use fyke::prelude::*;
use fyke::{Address, CloseReason};
use socket2::{Domain, Socket, Type};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    a_dead_address_refuses,
    a_refused_channel_closes_with_its_reason,
    a_connect_that_takes_too_long_fails,
    what_is_written_before_the_connection_stands_is_sent_first,
    many_connects_at_once,
    the_addresses_of_both_ends_fit,
];

fn a_dead_address_refuses() -> Scenario {
    everywhere(|world| {
        let refused = world.client().handler(|ch| ch.pipeline().inbound("echo", Echo));
        let error = refused.connect(world.dead_address()).wait().unwrap_err();
        // The loop is none the worse for it.
        let pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        pair.client.channel.close();
        (kind_of(&error), pair.client.ending(), pair.server.ending())
    })
}

/// Hands out a channel that is not connected yet.
struct Early(std::sync::mpsc::Sender<Channel>);

impl InboundHandler for Early {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn registered(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.0.send(cx.channel()).map_err(Error::handler)
    }

    fn read(&mut self, _: &mut Context<'_, Self>, _: ByteBuf) -> Result<()> {
        Ok(())
    }
}

fn a_refused_channel_closes_with_its_reason() -> Scenario {
    everywhere(|world| {
        let (early, channels) = std::sync::mpsc::channel();
        let refused =
            world.client().handler(move |ch| ch.pipeline().inbound("early", Early(early.clone())));
        refused.connect(world.dead_address()).wait().unwrap_err();
        // Some systems refuse before there is a channel.
        channels.try_recv().map_or(CloseReason::ConnectFailed, |c| c.wait_closed())
    })
}

fn a_connect_that_takes_too_long_fails() -> Scenario {
    everywhere(|world| {
        let (address, _queue) = match world.nobodys_address() {
            Some(address) => (address, Vec::new()),
            None => full_queue(),
        };
        let (early, channels) = std::sync::mpsc::channel();
        let client = world
            .client()
            .options(ChannelOptions::new().connect_timeout(Duration::from_millis(20)))
            .handler(move |ch| ch.pipeline().inbound("early", Early(early.clone())));
        let error = client.connect(address).wait().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        // A blocking connect is over before there is a channel.
        channels.try_recv().map_or(CloseReason::TimedOut, |c| c.wait_closed())
    })
    .except(Kind::is_pipe, "without a network a connect is answered at once")
}

/// A listener whose queue is full answers nothing to those who come then.
fn full_queue() -> (Address, Vec<Socket>) {
    let socket = || Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    let listener = socket();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queue = vec![listener];
    for _ in 0..4 {
        let client = socket();
        // In progress, or connected.
        let _ = client.connect(&address.into());
        queue.push(client);
    }
    (Address::Inet(address), queue)
}

/// Writes when it is registered, which is before it is connected.
struct Eager {
    tap: Tap<Outgoing>,
    promise: Option<fyke::WriteFuture>,
}

impl InboundHandler for Eager {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn registered(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.promise = Some(cx.write_with_promise("before, ".into()));
        Ok(())
    }

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.write("then".into());
        self.tap.active(cx)
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        // What comes is the answer to what was written first.
        let kept = self.promise.as_mut().and_then(fyke::WriteFuture::try_result);
        self.tap.write_down(Log::User(u32::from(kept.is_some_and(|result| result.is_ok()))));
        self.tap.read(cx, msg)
    }
}

fn what_is_written_before_the_connection_stands_is_sent_first() -> Scenario {
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), bytes);
        let mut client = world.connect(&server.address, ChannelOptions::new(), |ch, tap| {
            ch.pipeline().inbound("eager", Eager { tap, promise: None })
        });
        let mut peer = server.accept();
        assert_eq!(peer.bytes(12), b"before, then");
        // The transport may be late with its report, but not for ever.
        peer.send("answer");
        match client.next() {
            Log::User(kept) if matches!(world.kind, Kind::Fake(_)) => assert!(kept <= 1),
            other => assert_eq!(other, Log::User(1)),
        }
    })
}

fn many_connects_at_once() -> Scenario {
    everywhere(|world| {
        let server = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let server = server.bind(world.free_address()).unwrap();
        let (log, events) = std::sync::mpsc::channel();
        let client = world.client().handler(move |ch| {
            let log = log.clone();
            ch.pipeline().inbound("note", Answer(log))
        });
        let under_way: Vec<_> = (0..50).map(|_| client.connect(server.local_address())).collect();
        let channels: Vec<_> = under_way.into_iter().map(|c| c.wait().unwrap()).collect();
        for (n, channel) in channels.iter().enumerate() {
            channel.sender::<Outgoing>().unwrap().send(vec![n as u8].into()).unwrap();
        }
        let mut answers: Vec<u8> = channels.iter().map(|_| hear(&events).unwrap()).collect();
        answers.sort_unstable();
        assert_eq!(answers, (0..50).collect::<Vec<u8>>());
    })
}

struct Answer(std::sync::mpsc::Sender<u8>);

impl InboundHandler for Answer {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.0.send(msg[0]).map_err(Error::handler)
    }
}

fn the_addresses_of_both_ends_fit() -> Scenario {
    everywhere(|world| {
        let pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let (client, server) = (&pair.client.channel, &pair.server.channel);
        assert_eq!(client.peer_address(), Some(&pair.listening.address));
        assert_eq!(server.local_address(), Some(&pair.listening.address));
        if world.kind.is_tcp() {
            assert_eq!(client.local_address(), server.peer_address());
        }
        assert!(!client.event_loop().has_ended());
    })
}

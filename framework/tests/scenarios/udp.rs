//! Datagram endpoints, of the kernel over every poller and in memory.

use std::sync::mpsc::{self, Receiver};

use fyke::prelude::*;
use fyke::{Address, CloseReason, Datagram};

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    datagrams_come_back_to_their_senders,
    a_burst_keeps_its_order,
    a_connected_endpoint_hears_its_peer_only,
    a_datagram_that_is_too_long_is_cut_and_says_so,
    a_refused_datagram_does_not_end_the_endpoint,
    a_closed_endpoint_fails_its_writes,
];

fn without_datagrams(kind: Kind) -> bool {
    matches!(kind, Kind::Blocking | Kind::Unix)
}

const NO_DATAGRAMS: &str = "the transport has no datagram endpoints";
const LOST: &str = "datagrams get lost on a bad network, as they may";

/// Sends back what comes.
struct EchoDatagrams;

impl InboundHandler for EchoDatagrams {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, cx: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        cx.write(datagram);
        Ok(())
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Heard {
    Datagram { from: Option<Address>, bytes: Vec<u8>, truncated: bool },
    Error(String),
}

/// Tells what it hears.
struct Listen(mpsc::Sender<Heard>);

impl InboundHandler for Listen {
    type In = Datagram;
    type Out = Never;
    type Write = Datagram;

    fn read(&mut self, _: &mut Context<'_, Self>, datagram: Datagram) -> Result<()> {
        let Datagram { peer, payload, truncated, .. } = datagram;
        let heard = Heard::Datagram { from: peer, bytes: payload.to_vec(), truncated };
        self.0.send(heard).map_err(|_| Error::handler("the scenario is over"))
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // Told, and passed on: an endpoint must live on with errors that nobody takes.
        let _ = self.0.send(Heard::Error(kind_of(&error)));
        cx.fire_error(error);
        Ok(())
    }
}

struct Endpoint {
    channel: Channel,
    address: Address,
    heard: Receiver<Heard>,
}

impl Endpoint {
    fn send(&self, datagram: Datagram) {
        let sender = self.channel.sender::<Datagram>().unwrap();
        sender.send_with_promise(datagram).unwrap().wait().unwrap();
    }

    fn next(&self) -> Heard {
        hear(&self.heard).expect("nothing is heard")
    }

    fn payload(&self) -> Vec<u8> {
        match self.next() {
            Heard::Datagram { bytes, .. } => bytes,
            Heard::Error(error) => panic!("{error}"),
        }
    }
}

fn endpoint(world: &World, options: ChannelOptions, peer: Option<&Address>) -> Endpoint {
    listening(world.client(), options, |bootstrap| match peer {
        Some(peer) => bootstrap.connect_datagram(peer),
        None => bootstrap.bind_datagram(world.free_address_of_client()),
    })
}

fn listening(
    bootstrap: Bootstrap,
    options: ChannelOptions,
    open: impl FnOnce(Bootstrap<fyke::Handler>) -> std::io::Result<(Channel, Address)>,
) -> Endpoint {
    let (tell, heard) = mpsc::channel();
    let bootstrap = bootstrap
        .options(options)
        .handler(move |ch| ch.datagrams().inbound("listen", Listen(tell.clone())));
    let (channel, address) = open(bootstrap).unwrap();
    Endpoint { channel, address, heard }
}

fn echo(world: &World) -> (Channel, Address) {
    echo_on(world, &world.free_address())
}

fn echo_on(world: &World, address: &Address) -> (Channel, Address) {
    let bootstrap = Bootstrap::new(world.servers.clone()).transport(world.serving(&world.servers));
    let bootstrap = bootstrap.handler(|ch| ch.datagrams().inbound("echo", EchoDatagrams));
    bootstrap.bind_datagram(address).unwrap()
}

fn datagrams_come_back_to_their_senders() -> Scenario {
    everywhere(|world| {
        let (_server, address) = echo(world);
        let ends: Vec<_> = (0..3).map(|_| endpoint(world, ChannelOptions::new(), None)).collect();
        for n in 0..40_u8 {
            for (who, end) in ends.iter().enumerate() {
                let bytes = vec![n, who as u8, n];
                end.send(Datagram::to(address.clone(), ByteBuf::copy_from_slice(&bytes)));
                let expected =
                    Heard::Datagram { from: Some(address.clone()), bytes, truncated: false };
                assert_eq!(end.next(), expected);
            }
        }
        assert_ne!(ends[0].address, ends[1].address);
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_bad, LOST)
}

fn a_burst_keeps_its_order() -> Scenario {
    everywhere(|world| {
        let (_server, address) = echo(world);
        let end = endpoint(world, ChannelOptions::new(), Some(&address));
        let sender = end.channel.sender::<Datagram>().unwrap();
        // The hosts know each other first: Linux lets new datagrams overtake those that wait for a
        // neighbour's address, at the moment when it comes.
        end.send(Datagram::connected(ByteBuf::copy_from_slice(b"hello")));
        assert_eq!(end.payload(), b"hello");
        for _ in 0..5 {
            for n in 0..100_u32 {
                let payload = ByteBuf::copy_from_slice(&n.to_be_bytes());
                sender.send(Datagram::connected(payload)).unwrap();
            }
            for n in 0..100_u32 {
                assert_eq!(end.payload(), n.to_be_bytes());
            }
        }
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_bad, LOST)
}

fn a_connected_endpoint_hears_its_peer_only() -> Scenario {
    everywhere(|world| {
        let (_server, address) = echo(world);
        let end = endpoint(world, ChannelOptions::new(), Some(&address));
        let stranger = endpoint(world, ChannelOptions::new(), None);
        stranger.send(Datagram::to(end.address.clone(), ByteBuf::copy_from_slice(b"buy this")));
        end.send(Datagram::connected(ByteBuf::copy_from_slice(b"hello")));
        assert_eq!(end.payload(), b"hello");
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_bad, LOST)
}

fn a_datagram_that_is_too_long_is_cut_and_says_so() -> Scenario {
    everywhere(|world| {
        let socket = SocketOptions::new().datagram_bytes_max(16);
        let server = Bootstrap::new(world.servers.clone()).transport(world.serving(&world.servers));
        let end = listening(server, ChannelOptions::new().socket(socket), |bootstrap| {
            bootstrap.bind_datagram(world.free_address())
        });
        let sender = endpoint(world, ChannelOptions::new(), None);
        for length in [15, 16, 17, 400] {
            let payload = ByteBuf::copy_from_slice(&vec![length as u8; length]);
            sender.send(Datagram::to(end.address.clone(), payload));
            let Heard::Datagram { bytes, truncated, .. } = end.next() else { panic!("an error") };
            assert_eq!(bytes, vec![length as u8; length.min(16)]);
            assert_eq!(truncated, length > 16, "{length} bytes");
        }
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_bad, LOST)
}

fn a_refused_datagram_does_not_end_the_endpoint() -> Scenario {
    everywhere(|world| {
        // Somebody lived there, and is gone.
        let (gone, dead) = echo(world);
        gone.close();
        assert_eq!(gone.wait_closed(), CloseReason::Local);
        let end = endpoint(world, ChannelOptions::new(), Some(&dead));
        end.send(Datagram::connected(ByteBuf::copy_from_slice(b"anybody?")));
        let error = end.next();
        assert_eq!(end.channel.close_reason(), None);
        // Somebody comes to live there, and the endpoint still works.
        let (_server, address) = echo_on(world, &dead);
        assert_eq!(address, dead);
        end.send(Datagram::connected(ByteBuf::copy_from_slice(b"and now?")));
        assert_eq!(end.payload(), b"and now?");
        error
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_pipe, "in memory nobody answers for an address that nobody has")
    .except(Kind::is_bad, LOST)
}

fn a_closed_endpoint_fails_its_writes() -> Scenario {
    everywhere(|world| {
        let (server, address) = echo(world);
        let end = endpoint(world, ChannelOptions::new(), Some(&address));
        let sender = end.channel.sender::<Datagram>().unwrap();
        end.channel.close();
        let reason = end.channel.wait_closed();
        assert!(sender.send(Datagram::connected(ByteBuf::new())).is_err());
        assert!(hear(&end.heard).is_err(), "its handler is gone");
        assert_eq!(server.close_reason(), None);
        reason
    })
    .except(without_datagrams, NO_DATAGRAMS)
    .except(Kind::is_bad, LOST)
}

//! Channels from other threads: senders, groups, events, offloaded work.

use std::sync::Arc;
use std::sync::Barrier;

use fyke::prelude::*;
use fyke::{Bytes, Offloaded, Stages};
use fyke_codecs::frames::LengthField;

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    senders_on_several_threads_keep_their_order,
    a_group_reaches_channels_on_all_loops,
    user_events_of_other_threads_arrive_in_order,
    offloaded_work_keeps_the_order_of_its_channel,
];

fn senders_on_several_threads_keep_their_order() -> Scenario {
    const THREADS: u32 = 4;
    const EACH: u32 = 500;
    everywhere(|world| {
        let server = world.listen(ChannelOptions::new(), |ch, tap: Tap<ByteBuf>| -> Stages {
            ch.pipeline().codec("frames", LengthField::u32()).inbound("tap", tap.frames()).into()
        });
        let client = world.connect(&server.address, ChannelOptions::new(), |ch, tap| -> Stages {
            ch.pipeline()
                .codec::<Vec<u8>, _>("frames", LengthField::u32())
                .inbound("tap", tap)
                .into()
        });
        let mut peer = server.accept();
        let barrier = Arc::new(Barrier::new(THREADS as usize));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let sender = client.channel.sender::<Vec<u8>>().unwrap();
                let barrier = Arc::clone(&barrier);
                Helper::start(move || {
                    barrier.wait();
                    for n in 0..EACH {
                        sender.send([thread.to_be_bytes(), n.to_be_bytes()].concat()).unwrap();
                    }
                })
            })
            .collect();
        let mut next = [0; THREADS as usize];
        for _ in 0..THREADS * EACH {
            let frame = peer.frame();
            let thread = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
            assert_eq!(frame[4..], u32::to_be_bytes(next[thread]), "of thread {thread}");
            next[thread] += 1;
        }
        threads.into_iter().for_each(Helper::join);
        next
    })
}

/// Takes shared bytes, which are cheap to copy to many.
struct Shared;

impl OutboundHandler for Shared {
    type In = Bytes;
    type Out = Outgoing;

    fn write(
        &mut self,
        cx: &mut OutboundContext<'_, Self>,
        msg: Bytes,
        promise: Promise,
    ) -> Result<()> {
        cx.write_with(msg.into(), promise);
        Ok(())
    }
}

fn a_group_reaches_channels_on_all_loops() -> Scenario {
    everywhere(|world| {
        let workers = world.group(3, "worker");
        let bootstrap = world.server_on(&workers);
        let address = world.free_address();
        let server = listen(bootstrap, &address, ChannelOptions::new(), |ch, tap| -> Stages {
            ch.pipeline().outbound("shared", Shared).inbound("tap", tap).into()
        });
        let group = ChannelGroup::<Bytes>::new();
        let (mut clients, mut loops) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            clients.push(world.bytes_client(&server.address, ChannelOptions::new()));
            let peer = server.accept();
            loops.push(peer.channel.event_loop().id());
            assert!(group.add(peer.channel.sender().unwrap()));
        }
        loops.sort_unstable();
        loops.dedup();
        assert!(loops.len() > 1, "all of them are on one loop");
        assert_eq!(group.broadcast(&Bytes::from_static(b"to all")).sent, 9);
        for client in &mut clients {
            assert_eq!(client.bytes(6), b"to all");
        }
        let odd = |channel: &Channel| channel.event_loop().id() == loops[0];
        assert!(group.broadcast_if(&Bytes::new(), odd).sent < 9);
        group.close_all();
        let ends: Vec<_> = clients.into_iter().map(Peer::ending).collect();
        drop(server);
        workers.shutdown(HANG);
        ends
    })
}

fn user_events_of_other_threads_arrive_in_order() -> Scenario {
    everywhere(|world| {
        let mut pair = world.pair(ChannelOptions::new(), ChannelOptions::new());
        let channel = pair.server.channel.clone();
        let sending = Helper::start(move || {
            for n in 0..200 {
                channel.fire_event(Note(n)).unwrap();
            }
        });
        for n in 0..200 {
            assert_eq!(pair.server.next(), Log::User(n));
        }
        sending.join();
        // A message and an event of one handle keep their order, too.
        for n in 0..20_u8 {
            pair.client.send(vec![n]);
            assert_eq!(pair.server.next(), Log::Bytes(vec![n]));
            pair.server.channel.fire_event(Note(n.into())).unwrap();
            assert_eq!(pair.server.next(), Log::User(n.into()));
        }
    })
}

/// Squares numbers on another thread; later ones wait for earlier ones.
struct Squares;

impl InboundHandler for Squares {
    type In = ByteBuf;
    type Out = Never;
    type Write = Vec<u8>;

    fn read(&mut self, cx: &mut Context<'_, Self>, mut msg: ByteBuf) -> Result<()> {
        let n = msg.read_u32().map_err(Error::handler)?;
        cx.offload(move || {
            // Early numbers have the most to do.
            (0..(100 - n) * 1000).fold(u64::from(n) * u64::from(n), std::hint::black_box(|x, _| x))
        });
        Ok(())
    }

    fn offloaded(&mut self, cx: &mut Context<'_, Self>, result: Offloaded) -> Result<()> {
        cx.write(result.take::<u64>()?.to_be_bytes().to_vec());
        Ok(())
    }
}

fn offloaded_work_keeps_the_order_of_its_channel() -> Scenario {
    everywhere(|world| {
        let server = world.server().child(|ch| {
            ch.pipeline().codec("frames", LengthField::u32()).inbound("squares", Squares)
        });
        let server = server.bind(world.free_address()).unwrap();
        let numbers: Vec<u8> =
            (0..100_u32).flat_map(|n| [4_u32.to_be_bytes(), n.to_be_bytes()].concat()).collect();
        let mut clients: Vec<_> = (0..3)
            .map(|_| {
                world.connect(server.local_address(), ChannelOptions::new(), |ch, tap| -> Stages {
                    let stages = ch.pipeline().decoder("frames", LengthField::u32());
                    stages.inbound("tap", tap.frames()).into()
                })
            })
            .collect();
        clients.iter().for_each(|client: &Peer| client.send(numbers.clone()));
        for client in &mut clients {
            for n in 0..100_u64 {
                assert_eq!(client.frame(), (n * n).to_be_bytes());
            }
        }
    })
}

//! The reactor layouts: one loop, acceptor and workers, several acceptors, a listener a loop.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::mpsc::RecvTimeoutError;

use fyke::prelude::*;

use crate::support::*;

pub(crate) const SCENARIOS: List = list![
    one_loop_does_it_all,
    connections_are_spread_over_the_workers,
    acceptors_accept_and_workers_serve,
    a_listener_a_loop,
    an_address_in_use_is_an_error,
    an_address_that_was_left_is_free_again,
    a_group_that_ends_on_its_own_loop_does_not_wait_for_itself,
];

const THREADS: &str = "each channel has a thread of its own";

/// Connects `n` clients, has each echoed, and answers the loops that they live on.
fn spread(world: &World, server: &TapServer, n: usize) -> Vec<u32> {
    let clients: Vec<_> =
        (0..n).map(|_| world.bytes_client(&server.address, ChannelOptions::new())).collect();
    let mut peers: Vec<_> = clients.iter().map(|_| server.accept()).collect();
    for (n, client) in clients.iter().enumerate() {
        client.send((n as u32).to_be_bytes().to_vec());
    }
    let mut numbers: Vec<_> = peers.iter_mut().map(|peer| peer.bytes(4)[3]).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..n as u8).collect::<Vec<_>>());
    peers.iter().map(|peer| peer.channel.event_loop().id()).collect()
}

fn one_loop_does_it_all() -> Scenario {
    everywhere(|world| {
        let group = world.group(1, "all");
        let bootstrap = world.server_on(&group);
        let server = listen(bootstrap, &world.free_address(), ChannelOptions::new(), bytes);
        let client = world.client_on(&group);
        let client = client.handler(|ch| ch.pipeline().inbound("echo", Echo));
        let channel = client.connect(&server.address).wait().unwrap();
        let mut peer = server.accept();
        assert!(channel.event_loop().is_same(peer.channel.event_loop()));
        peer.send("to myself");
        assert_eq!(peer.bytes(9), b"to myself");
        assert_eq!(group.loops().len(), 1);
        assert_eq!(group.loops()[0].channels(), 2);
        group.shutdown(HANG).cut
    })
    .except(Kind::is_blocking, THREADS)
}

fn connections_are_spread_over_the_workers() -> Scenario {
    everywhere(|world| {
        let group = world.group(3, "worker");
        let bootstrap = world.server_on(&group);
        let server = listen(bootstrap, &world.free_address(), ChannelOptions::new(), bytes);
        let loops = spread(world, &server, 30);
        let used: HashSet<u32> = loops.iter().copied().collect();
        assert_eq!(used.len(), 3, "some loops have nothing: {loops:?}");
    })
    .except(Kind::is_blocking, THREADS)
}

fn acceptors_accept_and_workers_serve() -> Scenario {
    everywhere(|world| {
        let (acceptors, workers) = (world.more_loops(1, "acceptor"), world.group(2, "worker"));
        let bootstrap = ServerBootstrap::with_acceptors(acceptors.clone(), workers.clone());
        let bootstrap = bootstrap.transport(world.serving(&workers));
        let server = listen(bootstrap, &world.free_address(), ChannelOptions::new(), bytes);
        let clients: Vec<_> =
            (0..10).map(|_| world.bytes_client(&server.address, ChannelOptions::new())).collect();
        let peers: Vec<_> = clients.iter().map(|_| server.accept()).collect();
        assert_eq!(acceptors.loops()[0].channels(), 0);
        let on_workers =
            |peer: &Peer| workers.loops().iter().any(|one| one.is_same(peer.channel.event_loop()));
        assert!(peers.iter().all(on_workers));
        assert_eq!(acceptors.stats()[0].accepted, 10);
        assert_eq!(workers.stats().iter().map(|stats| stats.channels).sum::<u64>(), 10);
        server.server.shutdown(HANG).channels
    })
    .except(Kind::is_blocking, THREADS)
    .except(Kind::is_stack, "a stack's connections live where they were accepted")
}

fn a_listener_a_loop() -> Scenario {
    everywhere(|world| {
        let group = world.group(2, "reuse");
        let bootstrap = world.server_on(&group);
        let bootstrap = bootstrap.reuse_port(true);
        let server = listen(bootstrap, &world.free_address(), ChannelOptions::new(), bytes);
        spread(world, &server, 40);
        // Which of them a connection comes to is the kernel's choice; both listen.
        let accepted: Vec<_> = group.stats().iter().map(|stats| stats.accepted).collect();
        assert_eq!(accepted.iter().sum::<u64>(), 40);
        assert!(accepted.iter().all(|n| *n > 0), "{accepted:?}");
    })
    .except(Kind::is_blocking, THREADS)
    .except(Kind::is_stack, "a stack listens on every loop unasked")
    .except(Kind::is_pipe, "only TCP and UDP have ports to share")
}

fn an_address_in_use_is_an_error() -> Scenario {
    everywhere(|world| {
        let first = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let first = first.bind(world.free_address()).unwrap();
        let second = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let error = second.bind(first.local_address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
        // The first one does not suffer.
        let mut client = world.bytes_client(first.local_address(), ChannelOptions::new());
        client.send("hello");
        assert_eq!(client.bytes(5), b"hello");
    })
}

fn an_address_that_was_left_is_free_again() -> Scenario {
    everywhere(|world| {
        let first = world.server().child(|ch| ch.pipeline().inbound("echo", Echo));
        let first = first.bind(world.free_address()).unwrap();
        let address = first.local_address().clone();
        let mut client = world.bytes_client(&address, ChannelOptions::new());
        client.send("hello");
        assert_eq!(client.bytes(5), b"hello");
        first.shutdown(HANG);
        drop(client);
        let group = world.group_again();
        let second = world.server_on(&group);
        let second = second.child(|ch| ch.pipeline().inbound("echo", Echo));
        let second = second.bind(&address).unwrap();
        let mut client = world.bytes_client(second.local_address(), ChannelOptions::new());
        client.send("again");
        assert_eq!(client.bytes(5), b"again");
    })
}

/// A handler that holds the last handle of its own group drops it on the group's loop.
fn a_group_that_ends_on_its_own_loop_does_not_wait_for_itself() -> Scenario {
    everywhere(|world| {
        let group = world.group(2, "own");
        let held = group.clone();
        let server = world.server_on(&group);
        let server = server.child(move |ch| {
            // Whatever a relay would use it for.
            assert_eq!(held.loops().len(), 2);
            ch.pipeline().inbound("echo", Echo)
        });
        let server = server.bind(world.free_address()).unwrap();
        let mut client = world.bytes_client(server.local_address(), ChannelOptions::new());
        client.send("hello");
        // Where a stack ends with the group nobody resets whom it had not heard yet.
        assert_eq!(client.bytes(5), b"hello");
        let loops = group.loops().to_vec();
        let ended = {
            let (sender, ended) = std::sync::mpsc::channel::<()>();
            for one in &loops {
                let sender = sender.clone();
                // Dropped when the loop goes.
                one.execute(move |core| {
                    core.schedule(HANG, move |_| drop(sender));
                })
                .unwrap();
            }
            ended
        };
        drop((server, group));
        assert_eq!(hear(&ended), Err(RecvTimeoutError::Disconnected));
        assert!(loops.iter().all(fyke::LoopHandle::has_ended));
        client.ending().0.last().cloned()
    })
    .except(Kind::is_blocking, THREADS)
    .except(Kind::is_sim, "the loops of a simulated host are not its group's to end")
}

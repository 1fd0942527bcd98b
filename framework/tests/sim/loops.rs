//! Hosts of several loops: one address, each loop with a part of the connections.

use fyke::sim::{Host, HostExt, LinkConfig, SimError, World};

use crate::support::*;

const LOOPS: u16 = 3;

fn network(seed: u64) -> (World, Host, Host) {
    let world = World::new(seed);
    let server = world.host("server").address("10.0.0.1/24").loops(LOOPS).start().unwrap();
    let client = world.host("client").address("10.0.0.2/24").start().unwrap();
    let link = LinkConfig::new().delay(ms(10)).loss(0.01).reorder(0.02);
    world.link(&client, &server, link).unwrap();
    (world, server, client)
}

/// Connects so many clients, and has something of each echoed.
fn talk(world: &World, client: &Host, count: usize) {
    let clients: Vec<_> = (0..count).map(|_| connect(client, SERVER)).collect();
    for (n, (channel, _)) in clients.iter().enumerate() {
        say(channel, pattern(1000 + n));
    }
    world.run_while(|| clients.iter().enumerate().any(|(n, c)| c.1.len() < 1000 + n)).unwrap();
    for (n, (_, log)) in clients.iter().enumerate() {
        assert!(log.bytes() == pattern(1000 + n), "client {n} hears something else");
    }
}

/// What was captured, and how many connections each loop accepted.
fn story(seed: u64) -> (Vec<u8>, Vec<u64>) {
    let (world, server, client) = network(seed);
    let capture = world.capture_in_memory().unwrap();
    let _server = serve(&server);
    talk(&world, &client, 30);
    let accepted = server.group().stats().iter().map(|stats| stats.accepted).collect();
    world.end_capture().unwrap();
    (capture.bytes(), accepted)
}

#[test]
fn each_loop_has_a_part_of_the_connections_and_a_seed_replays() {
    let (capture, accepted) = story(1);
    assert_eq!(accepted.len(), usize::from(LOOPS));
    assert_eq!(accepted.iter().sum::<u64>(), 30);
    assert!(accepted.iter().all(|n| *n > 0), "{accepted:?}");
    assert!(story(1) == (capture, accepted));
}

#[test]
fn all_of_its_loops_are_new_after_a_restart() {
    let (world, server, client) = network(2);
    let _listening = serve(&server);
    let (_channel, _log) = connect(&client, SERVER);
    let old = server.event_loops();
    server.restart().unwrap();
    assert!(old.iter().all(fyke::LoopHandle::has_ended));
    let new = server.event_loops();
    assert_eq!(new.len(), usize::from(LOOPS));
    let ids = |loops: &[fyke::LoopHandle]| loops.iter().map(fyke::LoopHandle::id).collect();
    let (old, new): (Vec<u32>, Vec<u32>) = (ids(&old), ids(&new));
    assert!(new.iter().all(|id| !old.contains(id)), "{old:?} {new:?}");
    let _listening = serve(&server);
    talk(&world, &client, 12);
}

#[test]
fn it_ends_in_order() {
    let (world, server, client) = network(3);
    let listening = serve(&server);
    let (channel, log) = connect(&client, SERVER);
    say(&channel, pattern(100_000));
    world.run_while(|| log.len() < 1000).unwrap();
    assert_eq!(listening.shutdown(secs(20)).cut, 0);
    assert!(server.group().has_ended());
    drop(channel);
}

#[test]
fn a_host_without_a_loop_cannot_have_several() {
    let refused = World::new(4).host("silent").loops(2).start_silent();
    assert!(matches!(refused, Err(SimError::Limit(_))), "{refused:?}");
}

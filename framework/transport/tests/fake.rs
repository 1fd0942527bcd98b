//! The transport that answers late and in parts: every script of the in-memory transport holds
//! on it too, for 200 seeds, and a script of its own is followed to the letter.

mod local_support;

use fyke_core::transport::{Read, Wrote};
use fyke_transport::fake::{Fake, ReadStep, Script, WriteStep};
use fyke_transport::local::{Local, LocalNetwork};

use proptest::collection::vec;
use proptest::prelude::*;

use local_support::scripts::{self, bytes_of};
use local_support::{Node, World, offer, pattern};

const SEEDS: u64 = 200;

fn seeded(loops: usize, local: &Local, seed: u64) -> World {
    let node = |id| Node::new(id, Fake::wrap(local.clone(), seed));
    World::new((0..loops as u32).map(node).collect())
}

#[test]
fn every_script_with_200_seeds() {
    for seed in 0..SEEDS {
        for (name, script) in scripts::ALL {
            println!("{name}, seed {seed}");
            script(&|loops, local| seeded(loops, &local, seed));
        }
    }
}

#[test]
fn between_threads() {
    for seed in 0..10 {
        let local = Local::on(&LocalNetwork::new()).pipe_bytes(2_000);
        let node = |id, local| Node::new(id, Fake::wrap(local, seed));
        scripts::echo_between_threads(&local, node, &pattern(5_000, 8));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn any_interleaving(
        seed: u64,
        loops in 1usize..3,
        limit in 1usize..5_000,
        steps in vec((any::<bool>(), scripts::step()), 0..20),
    ) {
        let local = Local::on(&LocalNetwork::new()).pipe_bytes(limit);
        scripts::any_interleaving(seeded(loops, &local, seed), limit, &steps);
    }
}

#[test]
fn the_same_seed_answers_the_same_and_others_do_not() {
    let log = |seed| {
        let mut world = seeded(1, &Local::on(&LocalNetwork::new()).pipe_bytes(100), seed);
        let (client, server) = world.connection(0, 0);
        world.chans[server].echo = true;
        world.put(client, &pattern(500, 0));
        world.end(client);
        world.until("the end", |world| world.chans[client].ended);
        world.log
    };
    assert_eq!(log(5), log(5));
    let different: std::collections::HashSet<_> = (0..20).map(log).collect();
    assert_eq!(different.len(), 20);
}

/// A world of one loop, a client that writes and reads by hand, and its peer.
fn scripted(script: Script) -> (World, usize, usize) {
    let local = Local::on(&LocalNetwork::new());
    let mut world = World::new(vec![Node::new(0, Fake::scripted(local, script))]);
    let (client, server) = world.connection(0, 0);
    (world, client, server)
}

#[test]
fn a_write_completes_turns_later_and_in_part() {
    let script = Script::new()
        .write(WriteStep::InFlight { bytes_max: 3, turns: 4 })
        .write(WriteStep::Now { bytes_max: 0, turns: 2 })
        .write(WriteStep::Now { bytes_max: 1, turns: 1 });
    let (mut world, client, server) = scripted(script);
    world.put(client, b"abcdef");
    world.turn();
    assert!(world.chans[client].in_flight);
    for _ in 0..3 {
        world.turn();
        assert_eq!(world.chans[client].sent, 0);
    }
    world.turn();
    assert_eq!(world.chans[client].sent, 3);
    assert!(world.chans[client].blocked, "the second write finds it full");
    world.turn();
    assert_eq!(world.chans[client].sent, 3);
    world.turn();
    assert_eq!(world.chans[client].sent, 4);
    world.turn();
    assert_eq!(world.chans[client].sent, 6);
    world.until("the bytes", |world| world.chans[server].input == b"abcdef");
}

#[test]
fn reads_follow_the_script() {
    let script = Script::new()
        .read(ReadStep::Nothing { turns: 2 })
        .read(ReadStep::Piece { bytes_max: 1, hide_rest: true })
        .read(ReadStep::Piece { bytes_max: 2, hide_rest: false });
    let (mut world, client, server) = scripted(script);
    let (transport, pool) = (world.transport(0), world.pool.clone());
    let (from, to) = (world.chans[client].handle.unwrap(), world.chans[server].handle.unwrap());
    assert_eq!(offer::write(&transport, from, ["abcdef".into()]).unwrap(), Wrote::Now(6));
    let read = || transport.borrow_mut().read(to, 100, &pool);
    assert!(matches!(read().unwrap(), Read::WouldBlock));
    assert_eq!(bytes_of(read()), (b"a".to_vec(), false));
    assert_eq!(bytes_of(read()), (b"bc".to_vec(), true));
    assert_eq!(bytes_of(read()), (b"def".to_vec(), false));
    let told = world.nodes[0].turn(false);
    assert_eq!(told.len(), 0, "two turns were asked for: {told:?}");
}

#[test]
#[should_panic(expected = "writes while a write is in flight")]
fn a_second_write_in_flight_is_a_fault_of_the_caller() {
    let script = Script::new().write(WriteStep::InFlight { bytes_max: 3, turns: 4 });
    let (world, client, _) = scripted(script);
    let (transport, handle) = (world.transport(0), world.chans[client].handle.unwrap());
    assert_eq!(offer::write(&transport, handle, ["abcdef".into()]).unwrap(), Wrote::InFlight);
    let _ = offer::write(&transport, handle, ["abcdef".into()]);
}

#[test]
fn it_asks_for_turns_only_while_it_owes_something() {
    let script = Script::new().write(WriteStep::InFlight { bytes_max: 3, turns: 4 });
    let (mut world, client, _) = scripted(script);
    world.settle();
    assert_eq!(world.transport(0).borrow().next_deadline(), None);
    world.put(client, b"abc");
    world.turn();
    assert!(world.transport(0).borrow().next_deadline().is_some());
    world.settle();
    assert_eq!(world.chans[client].sent, 3);
    assert_eq!(world.transport(0).borrow().next_deadline(), None);
}

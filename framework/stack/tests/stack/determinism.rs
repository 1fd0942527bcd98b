//! The same seed and the same calls give the same bytes; another seed gives others.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::{Medium, StackConfig};

use crate::world::{Host, SERVER, World, at};

/// A little of everything; returns every frame of both ends in order.
fn history(seed: u64) -> Vec<Bytes> {
    let mut world = World::new();
    let config = StackConfig::new(Medium::RawIp);
    let server = ["10.0.0.2/24", "2001:db8::2/64"];
    world.server = Host::new(config, &server, seed, world.now);
    let listener = world.listen("[::]:80");
    let mut dropped = 0_u32;
    world.filter = Box::new(move |_, _| {
        dropped = dropped.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        dropped >> 28 != 0
    });
    let clients: Vec<_> = (0..30).map(|_| world.connect(&at(SERVER, 80))).collect();
    let mut accepted = Vec::new();
    for round in 0..40_usize {
        world.advance(Duration::from_millis(100));
        accepted.extend(std::iter::from_fn(|| world.server.stack.accept(listener)));
        for id in accepted.iter().skip(round % 3).step_by(3) {
            let _ = world.server.stack.write(world.now, *id, vec![round as u8; 3000].into());
            let _ = world.server.stack.read(world.now, *id, 10_000);
        }
        for id in clients.iter().skip(round % 5).step_by(5) {
            let _ = world.client.stack.write(world.now, *id, vec![round as u8; 2000].into());
            let _ = world.client.stack.read(world.now, *id, 1_000);
        }
        if round > 30 {
            let _ = world.client.stack.close(world.now, clients[round % 30]);
        }
    }
    world.client.take_events();
    world.client.sent.extend(world.server.sent);
    world.client.sent
}

#[test]
fn same_seed_same_calls_same_bytes() {
    let first = history(7);
    assert!(first.len() > 500, "{}", first.len());
    assert!(first == history(7));
    assert!(first != history(8));
}

//! What a packet costs does not depend on how many connections there are: counted, not timed.

use std::time::Duration;

use fyke_stack::{Event, ListenOptions, TcpId, Work};

use crate::world::{SERVER, World, addr, at};

/// Ten connections exchange data among `idle` others; says what was looked at.
fn work_among(idle: usize) -> (Work, usize) {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    options.backlog = 64;
    let listener = world.server.stack.listen(addr(&at(SERVER, 80)), options).unwrap();
    let mut pairs: Vec<(TcpId, TcpId)> = Vec::new();
    for _ in 0..idle + 10 {
        let client = world.connect(&at(SERVER, 80));
        world.settle();
        assert_eq!(world.client.take_events(), [Event::Connected(client)]);
        pairs.push((client, world.server.stack.accept(listener).unwrap()));
    }
    world.server.take_events();
    let before = world.server.stack.counters().work;
    let step = pairs.len() / 10;
    let mut carried = 0;
    for round in 0..20_u8 {
        for (client, _) in pairs.iter().step_by(step).take(10) {
            world.client.stack.write(world.now, *client, vec![round; 100].into()).unwrap();
        }
        carried += world.settle();
        for (_, server) in pairs.iter().step_by(step).take(10) {
            assert_eq!(world.server.read_all(world.now, *server).0, vec![round; 100]);
        }
        world.advance(Duration::from_millis(50));
    }
    let after = world.server.stack.counters().work;
    let difference = |of: fn(&Work) -> u64| of(&after) - of(&before);
    let mut work = Work::default();
    work.lookups = difference(|work| work.lookups);
    work.polls = difference(|work| work.polls);
    work.timers = difference(|work| work.timers);
    work.timer_moves = difference(|work| work.timer_moves);
    (work, carried)
}

#[test]
fn ten_active_connections_cost_the_same_among_ten_and_among_thousands() {
    let (few, few_frames) = work_among(0);
    let (many, many_frames) = work_among(3_000);
    assert_eq!(few_frames, many_frames);
    assert_eq!((few.lookups, few.polls), (many.lookups, many.polls));
    assert!(many.timers <= few.timers + 10, "{few:?} {many:?}");
    assert!(many.timer_moves <= few.timer_moves + 10, "{few:?} {many:?}");
}

#[test]
fn an_idle_connection_has_no_timer_and_is_never_polled() {
    let mut world = World::new();
    world.established(&at(SERVER, 80));
    world.advance(Duration::from_secs(10));
    let before = world.server.stack.counters().work;
    world.advance(Duration::from_secs(100_000));
    assert_eq!(world.server.stack.counters().work, before);
    assert_eq!(world.server.stack.poll_timeout(), None);
}

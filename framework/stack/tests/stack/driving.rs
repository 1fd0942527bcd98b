//! What a loop that drives a stack is told without asking for the thing itself.

use bytes::Bytes;

use crate::world::{World, at};

#[test]
fn a_stack_at_rest_says_so_and_one_with_news_does_too() {
    let mut world = World::new();
    let rest = world.client.stack.next_call(world.now);
    assert!(!world.client.stack.has_events() && rest == world.client.stack.poll_timeout());

    let (client, server) = world.established(&at(crate::world::SERVER, 80));
    assert!(!world.client.stack.has_events() && !world.server.stack.has_events());
    world.client.stack.write(world.now, client, Bytes::from_static(b"hello")).unwrap();
    // There is something to send, and nothing to tell.
    assert_eq!(world.client.stack.next_call(world.now), Some(world.now));
    assert!(!world.client.stack.has_events());

    world.settle();
    // There is something to tell, and nothing to send.
    assert!(world.server.stack.has_events() && !world.server.stack.wants_transmit());
    assert_eq!(world.server.stack.next_call(world.now), Some(world.now));
    world.server.take_events();
    assert!(!world.server.stack.has_events());
    let next = world.server.stack.next_call(world.now);
    assert_eq!(next, world.server.stack.poll_timeout());
    assert!(next.is_none_or(|at| at > world.now));

    // News about a socket that is closed is none, though its place in the queue is left.
    world.client.stack.write(world.now, client, Bytes::from_static(b"more")).unwrap();
    world.settle();
    world.server.stack.close(world.now, server).unwrap();
    assert!(world.server.stack.has_events());
    assert_eq!(world.server.stack.poll_event(), None);
    assert!(!world.server.stack.has_events());
}

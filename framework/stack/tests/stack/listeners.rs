//! Listeners: addresses, backlog, what waits.

use std::time::Duration;

use fyke_stack::tcp::CloseReason;
use fyke_stack::{Event, ListenOptions, StackError};

use crate::world::{CLIENT6, SERVER, SERVER6, World, addr, at};

#[test]
fn addresses_mean_what_a_kernel_makes_of_them() {
    let mut world = World::new();
    let any = world.listen("0.0.0.0:80");
    let one = world.listen(&at(SERVER, 80));
    let taken = world.server.stack.listen(addr("0.0.0.0:80"), ListenOptions::default());
    assert_eq!(taken, Err(StackError::AddressInUse));
    let foreign = world.server.stack.listen(addr("10.9.9.9:80"), ListenOptions::default());
    assert_eq!(foreign, Err(StackError::AddressNotAvailable));
    let inner = world.listen("127.0.0.1:81");
    world.connect(&at(SERVER, 80));
    let refused = world.connect(&at(SERVER, 81));
    world.settle();
    assert!(world.server.stack.accept(one).is_some());
    assert!(world.server.stack.accept(any).is_none());
    assert!(world.server.stack.accept(inner).is_none());
    let events = world.client.take_events();
    assert!(events.contains(&Event::Closed(refused, CloseReason::Refused)), "{events:?}");
    world.listen("[::]:82");
    for server in [SERVER, SERVER6] {
        let client = world.connect(&at(server, 82));
        world.settle();
        assert_eq!(world.client.take_events(), [Event::Connected(client)], "{server}");
    }
    assert_ne!(CLIENT6, SERVER6);
}

#[test]
fn a_full_backlog_makes_clients_wait_and_loses_none() {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    options.backlog = 2;
    let listener = world.server.stack.listen(addr("0.0.0.0:80"), options).unwrap();
    let clients: Vec<_> = (0..5).map(|_| world.connect(&at(SERVER, 80))).collect();
    world.settle();
    let line = world.server.stack.listing().find(|line| line.state.is_none()).unwrap();
    assert_eq!(line.unread, 2);
    let mut accepted = Vec::new();
    for _ in 0..40 {
        accepted.extend(std::iter::from_fn(|| world.server.stack.accept(listener)));
        world.advance(Duration::from_secs(1));
    }
    assert_eq!(accepted.len(), 5);
    let connected = world.client.take_events();
    assert_eq!(connected.len(), clients.len(), "{connected:?}");
    assert!(connected.iter().all(|event| matches!(event, Event::Connected(_))));
}

#[test]
fn one_event_stands_for_all_that_wait() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    for _ in 0..3 {
        world.connect(&at(SERVER, 80));
    }
    world.settle();
    assert_eq!(world.server.take_events(), [Event::Acceptable(listener)]);
    assert!((0..3).all(|_| world.server.stack.accept(listener).is_some()));
    assert_eq!(world.server.stack.accept(listener), None);
    world.connect(&at(SERVER, 80));
    world.settle();
    assert_eq!(world.server.take_events(), [Event::Acceptable(listener)], "told again");
}

#[test]
fn closing_a_listener_resets_what_waits_and_refuses_the_rest() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    let first = world.connect(&at(SERVER, 80));
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(first)]);
    world.server.stack.close_listener(world.now, listener).unwrap();
    world.settle();
    let reset = Event::Closed(first, CloseReason::Reset);
    assert_eq!(world.client.take_events(), [reset]);
    let second = world.connect(&at(SERVER, 80));
    world.settle();
    let refused = Event::Closed(second, CloseReason::Refused);
    assert_eq!(world.client.take_events(), [refused]);
    assert_eq!(world.server.stack.accept(listener), None);
    let twice = world.server.stack.close_listener(world.now, listener);
    assert_eq!(twice, Err(StackError::NoSuchSocket));
}

#[test]
fn a_lost_syn_ack_is_sent_again_by_the_cache() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    // Neither the client's SYN again nor the first answers arrive: only the cache's own timer
    // helps.
    let (mut syns, mut answers) = (0, 0);
    world.filter = Box::new(move |forth, _| {
        let count = if forth { &mut syns } else { &mut answers };
        *count += 1;
        if forth { *count != 2 } else { *count > 1 }
    });
    let client = world.connect(&at(SERVER, 80));
    world.advance(Duration::from_millis(900));
    assert_eq!(world.server.stack.usage().embryos, 1);
    world.advance(Duration::from_millis(200));
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    assert_eq!(world.server.stack.usage().embryos, 0);
}

#[test]
fn an_embryo_nobody_answers_for_is_given_up() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    world.filter = Box::new(|forth, _| forth);
    let client = world.connect(&at(SERVER, 80));
    world.settle();
    world.client.stack.abort(world.now, client).unwrap();
    world.settle();
    assert_eq!(world.server.stack.usage().embryos, 1);
    let before = world.server.sent.len();
    world.advance(Duration::from_secs(64));
    assert_eq!(world.server.sent.len() - before, 5, "five SYN-ACKs more, as Linux sends");
    assert_eq!(world.server.stack.usage().embryos, 0);
}

#[test]
fn a_bare_acknowledgement_may_wait_for_data() {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    options.defer_accept = true;
    let listener = world.server.stack.listen(addr("0.0.0.0:80"), options).unwrap();
    let client = world.connect(&at(SERVER, 80));
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    assert_eq!(world.server.stack.accept(listener), None);
    world.client.stack.write(world.now, client, "request".into()).unwrap();
    world.settle();
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, server), (b"request".to_vec(), false));
}

//! Two hosts talk: handshake, data both ways, every way to end.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{CloseReason, State};
use fyke_stack::{ConnectOptions, Event, StackError};

use crate::world::{CLIENT, SERVER, SERVER6, World, addr, at};

#[test]
fn data_flows_both_ways_over_either_family() {
    for server in [SERVER, SERVER6] {
        let mut world = World::new();
        let (client, accepted) = world.established(&at(server, 80));
        let forth: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut left, mut received) = (Bytes::from(forth.clone()), Vec::new());
        for _ in 0..1000 {
            let taken = world.client.stack.write(world.now, client, left.clone()).unwrap();
            let _ = left.split_to(taken);
            world.advance(Duration::from_millis(1));
            received.extend(world.server.read_all(world.now, accepted).0);
            if received.len() == forth.len() {
                break;
            }
        }
        assert_eq!(received, forth);
        assert_eq!(world.server.stack.write(world.now, accepted, "back".into()), Ok(4));
        world.settle();
        assert_eq!(world.client.read_all(world.now, client), (b"back".to_vec(), false));
    }
}

#[test]
fn closing_in_order_ends_in_time_wait_and_then_in_nothing() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, "last words".into()).unwrap();
    world.client.stack.close(world.now, client).unwrap();
    assert_eq!(world.client.stack.close(world.now, client), Err(StackError::NoSuchSocket));
    world.settle();
    assert_eq!(world.server.take_events(), [Event::Readable(server), Event::PeerFin(server)]);
    assert_eq!(world.server.read_all(world.now, server), (b"last words".to_vec(), true));
    assert_eq!(world.server.stack.state(server), Some(State::CloseWait));
    world.server.stack.close(world.now, server).unwrap();
    world.advance(Duration::from_millis(100));
    assert_eq!(world.server.stack.usage().connections, 0);
    let usage = world.client.stack.usage();
    assert_eq!((usage.connections, usage.time_waits), (0, 1), "only the memory of it is left");
    world.advance(Duration::from_secs(61));
    let usage = world.client.stack.usage();
    assert_eq!((usage.connections, usage.time_waits, usage.timers), (0, 0, 0));
}

#[test]
fn half_closed_connections_carry_data_the_other_way() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.shutdown(world.now, client).unwrap();
    world.settle();
    assert_eq!(world.server.take_events(), [Event::PeerFin(server)]);
    let refused = world.client.stack.write(world.now, client, "more".into());
    assert_eq!(refused, Err(StackError::Shutdown));
    world.server.stack.write(world.now, server, "answer".into()).unwrap();
    world.server.stack.shutdown(world.now, server).unwrap();
    world.settle();
    assert_eq!(world.client.read_all(world.now, client), (b"answer".to_vec(), true));
    let finished = Event::Closed(server, CloseReason::Finished);
    assert_eq!(world.server.take_events(), [finished]);
    let events = world.client.take_events();
    let finished = Event::Closed(client, CloseReason::Finished);
    assert_eq!(events, [Event::Readable(client), Event::PeerFin(client), finished]);
}

#[test]
fn an_abort_is_a_reset_at_the_other_end() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.abort(world.now, client).unwrap();
    world.settle();
    let reset = Event::Closed(server, CloseReason::Reset);
    assert_eq!(world.server.take_events(), [reset]);
    let error = world.server.stack.read(world.now, server, 10);
    assert_eq!(error, Err(StackError::Closed(CloseReason::Reset)));
    assert_eq!(world.client.stack.usage().connections, 0);
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    assert_eq!(world.server.stack.usage().connections, 0);
}

#[test]
fn closing_with_unread_data_is_a_reset() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, "never read".into()).unwrap();
    world.settle();
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    let reset = Event::Closed(client, CloseReason::Reset);
    assert_eq!(world.client.take_events(), [reset]);
}

#[test]
fn a_closed_port_refuses_and_a_silent_host_times_out() {
    let mut world = World::new();
    let client = world.connect(&at(SERVER, 81));
    world.settle();
    let refused = Event::Closed(client, CloseReason::Refused);
    assert_eq!(world.client.take_events(), [refused]);
    world.filter = Box::new(|_, _| false);
    let client = world.connect(&at(SERVER, 81));
    world.advance(Duration::from_secs(260));
    let timed_out = Event::Closed(client, CloseReason::TimedOut);
    assert_eq!(world.client.take_events(), [timed_out]);
}

#[test]
fn a_host_talks_to_itself() {
    let mut world = World::new();
    for address in [CLIENT, "127.0.0.1", "::1"] {
        let local = addr(&at(address, 7));
        let listener = world.client.stack.listen(local, Default::default()).unwrap();
        let client = world.client.stack.connect(world.now, local, ConnectOptions::default());
        let client = client.unwrap();
        assert_eq!(world.settle(), 0, "nothing leaves");
        let server = world.client.stack.accept(listener).unwrap();
        world.client.stack.write(world.now, client, Bytes::from(vec![7; 50_000])).unwrap();
        world.settle();
        assert_eq!(world.client.read_all(world.now, server), (vec![7; 50_000], false));
        assert_eq!(world.client.stack.endpoints(server).unwrap().0, local);
    }
}

#[test]
fn both_ends_may_open_at_once() {
    let mut world = World::new();
    let open = |from: &str, to: &str| ConnectOptions::default_with(from, to);
    let (options, remote) = open(&at(CLIENT, 1000), &at(SERVER, 2000));
    let client = world.client.stack.connect(world.now, remote, options).unwrap();
    let (options, remote) = open(&at(SERVER, 2000), &at(CLIENT, 1000));
    let server = world.server.stack.connect(world.now, remote, options).unwrap();
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    assert_eq!(world.server.take_events(), [Event::Connected(server)]);
    world.client.stack.write(world.now, client, "x".into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, server), (b"x".to_vec(), false));
}

/// Options for a connection from one end to another.
trait FromTo {
    fn default_with(from: &str, to: &str) -> (ConnectOptions, std::net::SocketAddr);
}

impl FromTo for ConnectOptions {
    fn default_with(from: &str, to: &str) -> (ConnectOptions, std::net::SocketAddr) {
        let mut options = ConnectOptions::default();
        options.local = Some(addr(from));
        (options, addr(to))
    }
}

#[test]
fn connects_that_cannot_work_are_refused_at_once() {
    let mut world = World::new();
    let mut connect = |remote: &str| {
        world.client.stack.connect(world.now, addr(remote), ConnectOptions::default())
    };
    for remote in ["0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80", "10.0.0.2:0", "[ff02::1]:1"]
    {
        assert_eq!(connect(remote), Err(StackError::InvalidAddress), "{remote}");
    }
    let mut foreign = ConnectOptions::default();
    foreign.local = Some(addr("10.0.0.9:0"));
    let error = world.client.stack.connect(world.now, addr("10.0.0.2:80"), foreign);
    assert_eq!(error, Err(StackError::AddressNotAvailable));
}

#[test]
fn nothing_written_before_the_handshake_is_lost() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    let client = world.connect(&at(SERVER, 80));
    assert_eq!(world.client.stack.write(world.now, client, "early".into()), Ok(5));
    world.settle();
    assert_eq!(world.server.take_events(), [Event::Acceptable(listener)]);
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.take_events(), [Event::Readable(server)]);
    assert_eq!(world.server.read_all(world.now, server), (b"early".to_vec(), false));
}

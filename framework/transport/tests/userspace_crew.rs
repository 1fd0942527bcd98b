//! Several loops that are one host: each owns a part of the connections, and frames that arrive at
//! the wrong one are handed over.

mod userspace_support;

use std::io::ErrorKind;
use std::time::Duration;

use fyke_buffer::ByteBuf;
use fyke_core::transport::TransportFactory;
use fyke_core::{Datagram, SocketOptions};
use fyke_transport::userspace::{CableOptions, Userspace};
use userspace_support::{Log, Server, World, options, pattern, plain};

const SECOND: Duration = Duration::from_secs(1);

/// A server of so many loops, and behind them one client.
fn crew(loops: u16) -> (World, Userspace) {
    let cable = CableOptions::new().queues(loops, 1).build();
    let server = Userspace::over(options(0), cable.left()).loops(loops);
    let client = Userspace::over(options(1), cable.right());
    let mut factories: Vec<&dyn TransportFactory> = vec![&server; usize::from(loops)];
    factories.push(&client);
    (World::of(&factories), server)
}

#[test]
fn connections_are_spread_over_the_loops_and_reach_them_on_every_way() {
    for loops in [2, 4] {
        let (mut world, server) = crew(loops);
        let count = usize::from(loops);
        let first = world.hosts[0].listen("0.0.0.0:0", plain(), true);
        let mut listeners: Vec<Server> = (1..count)
            .map(|host| world.hosts[host].listen(&first.address.to_string(), plain(), true))
            .collect();
        listeners.insert(0, first);
        let port = listeners[0].address.as_inet().unwrap().port();
        let to = format!("10.9.0.1:{port}").parse().unwrap();
        let answers: Vec<_> = (0..100).map(|_| world.hosts[count].connect(&to, plain())).collect();
        world.pass(SECOND);
        let clients: Vec<_> = answers.iter().map(|a| a.try_recv().unwrap().unwrap()).collect();
        for (n, client) in clients.iter().enumerate() {
            client.send(pattern(5_000, n as u8));
        }
        world.pass(SECOND);
        for (n, client) in clients.iter().enumerate() {
            assert!(client.log() == [Log::Bytes(pattern(5_000, n as u8))], "client {n}");
        }
        let each: Vec<_> =
            (0..count).map(|host| world.hosts[host].event_loop.stats().channels).collect();
        assert_eq!(each.iter().sum::<u64>(), 100);
        assert!(each.iter().all(|n| *n > 5), "some loops have little: {each:?}");
        let (handed, lost) = server.frames_handed_over();
        assert!(handed > 100, "the queues know the owners: {handed}");
        assert_eq!(lost, 0);
    }
}

#[test]
fn connects_come_back_to_the_loop_that_made_them() {
    let (mut world, _server) = crew(2);
    let listener = world.hosts[2].listen("10.9.0.2:80", plain(), true);
    for host in [0, 1, 0, 1, 0, 1] {
        let answer = world.hosts[host].connect(&listener.address, plain());
        world.pass(SECOND);
        let client = answer.try_recv().unwrap().unwrap();
        client.send("which of us are you?");
        world.pass(SECOND);
        assert_eq!(client.log(), [Log::Bytes(b"which of us are you?".to_vec())]);
    }
}

#[test]
fn a_datagram_port_belongs_to_the_loop_that_bound_it() {
    let (mut world, _server) = crew(2);
    let none = SocketOptions::new;
    let zero = world.hosts[0].datagram(Some("10.9.0.1:70"), None, none()).unwrap();
    let one = world.hosts[1].datagram(Some("10.9.0.1:71"), None, none()).unwrap();
    let error = world.hosts[1].datagram(Some("10.9.0.1:70"), None, none()).err().unwrap();
    assert_eq!(userspace_support::kind_of(&error), ErrorKind::AddrInUse);
    let client = world.hosts[2].datagram(Some("10.9.0.2:7"), None, none()).unwrap();
    for (end, text) in [(&zero, b"to zero"), (&one, b"to one.")] {
        let to = end.address.clone().unwrap();
        client.post(Datagram::to(to, ByteBuf::copy_from_slice(text)));
        world.pass(SECOND);
        let from = client.address.clone().unwrap();
        assert_eq!(end.log(), [Log::Datagram(from, text.to_vec(), false)]);
    }
}

#[test]
fn one_loop_too_many_is_refused_and_a_place_comes_back() {
    let cable = CableOptions::new().queues(3, 1).build();
    let server = Userspace::over(options(0), cable.left()).loops(2);
    let mut world = World::of(&[&server, &server]);
    let error = world.try_add(&server).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
    drop(world.hosts.remove(1));
    world.try_add(&server).unwrap();
}

//! Datagrams between two hosts, to everybody, to groups, and to ports nobody is at.

use bytes::Bytes;
use fyke_stack::{DropReason, Event, Medium, Route, StackConfig, StackError, UdpId, UdpOptions};

use crate::world::{CLIENT, CLIENT6, Host, SERVER, SERVER6, World, addr, at};

fn bind(host: &mut Host, local: &str) -> UdpId {
    host.stack.udp_bind(addr(local), UdpOptions::default()).unwrap()
}

#[test]
fn datagrams_go_both_ways_over_either_family() {
    for (client, server) in [(CLIENT, SERVER), (CLIENT6, SERVER6)] {
        let mut world = World::new();
        let one = bind(&mut world.client, &at(client, 0));
        let two = bind(&mut world.server, "[::]:53");
        let to = addr(&at(server, 53));
        world.client.stack.udp_send(world.now, one, Some(to), "question".into()).unwrap();
        world.client.stack.udp_send(world.now, one, Some(to), Bytes::new()).unwrap();
        world.settle();
        assert_eq!(world.server.take_events(), [Event::UdpReadable(two)]);
        let question = world.server.stack.udp_receive(two).unwrap();
        assert_eq!((&question.payload[..], question.to), (&b"question"[..], to.ip()));
        assert_eq!(Some(question.from), world.client.stack.udp_address(one));
        assert!(world.server.stack.udp_receive(two).unwrap().payload.is_empty());
        assert_eq!(world.server.stack.udp_receive(two), Err(StackError::WouldBlock));
        world.server.stack.udp_send(world.now, two, Some(question.from), "answer".into()).unwrap();
        world.settle();
        assert_eq!(world.client.stack.udp_receive(one).unwrap().payload, "answer");
    }
}

#[test]
fn nobody_at_the_port_comes_back_to_the_caller() {
    for (client, server) in [(CLIENT, SERVER), (CLIENT6, SERVER6)] {
        let mut world = World::new();
        let one = bind(&mut world.client, &at(client, 0));
        let to = addr(&at(server, 9));
        world.client.stack.udp_send(world.now, one, Some(to), "anybody?".into()).unwrap();
        world.settle();
        assert_eq!(world.client.take_events(), [Event::UdpReadable(one)]);
        let error = world.client.stack.udp_take_error(one);
        assert_eq!(error, Some((to, StackError::ConnectionRefused)));
        // A connected socket hears it by its next call.
        world.client.stack.udp_connect(one, Some(to)).unwrap();
        world.client.stack.udp_send(world.now, one, None, "anybody?".into()).unwrap();
        world.settle();
        let error = world.client.stack.udp_receive(one);
        assert_eq!(error, Err(StackError::ConnectionRefused));
        assert_eq!(world.client.stack.udp_receive(one), Err(StackError::WouldBlock));
    }
}

#[test]
fn long_datagrams_leave_in_pieces_and_arrive_whole() {
    for server in [SERVER, SERVER6] {
        let mut world = World::new();
        let one = bind(&mut world.client, "[::]:0");
        let two = bind(&mut world.server, "[::]:53");
        let payload: Vec<u8> = (0..20_000_u32).map(|n| (n % 253) as u8).collect();
        let to = Some(addr(&at(server, 53)));
        world.client.stack.udp_send(world.now, one, to, payload.clone().into()).unwrap();
        let mut frames = world.client.transmit(world.now);
        assert!(frames.len() >= 14 && frames.iter().all(|frame| frame.len() <= 1500));
        frames.reverse();
        for frame in frames {
            world.server.stack.input(world.now, frame, Default::default());
        }
        assert_eq!(world.server.stack.udp_receive(two).unwrap().payload, payload);
        assert_eq!(world.server.stack.counters().reassembled, 1);
        assert_eq!(world.server.stack.usage().reassembly, (0, 0));
    }
}

#[test]
fn what_must_not_be_fragmented_is_refused() {
    let mut world = World::new();
    let mut options = UdpOptions::default();
    options.dont_fragment = true;
    let one = world.client.stack.udp_bind(addr("0.0.0.0:0"), options).unwrap();
    let to = Some(addr(&at(SERVER, 53)));
    let send = |world: &mut World, length| {
        world.client.stack.udp_send(world.now, one, to, vec![0; length].into())
    };
    assert_eq!(send(&mut world, 1472), Ok(()));
    assert_eq!(send(&mut world, 1473), Err(StackError::MessageTooLong));
    let two = bind(&mut world.client, "0.0.0.0:0");
    let long = world.client.stack.udp_send(world.now, two, to, vec![0; 65_508].into());
    assert_eq!(long, Err(StackError::MessageTooLong));
}

#[test]
fn broadcasts_reach_all_who_may_send_them() {
    let mut world = World::new();
    let one = bind(&mut world.client, "0.0.0.0:68");
    let two = bind(&mut world.server, "0.0.0.0:67");
    for to in ["255.255.255.255:67", "10.0.0.255:67"] {
        let to = Some(addr(to));
        let refused = world.client.stack.udp_send(world.now, one, to, "x".into());
        assert_eq!(refused, Err(StackError::InvalidAddress));
        let mut options = UdpOptions::default();
        options.broadcast = true;
        world.client.stack.udp_set_options(one, options).unwrap();
        world.client.stack.udp_send(world.now, one, to, "x".into()).unwrap();
        world.settle();
        assert_eq!(world.server.stack.udp_receive(two).unwrap().payload, "x");
        world.client.stack.udp_set_options(one, UdpOptions::default()).unwrap();
    }
    // Nobody is at this port, and nobody is told.
    let mut options = UdpOptions::default();
    options.broadcast = true;
    world.client.stack.udp_set_options(one, options).unwrap();
    let to = Some(addr("10.0.0.255:9999"));
    world.client.stack.udp_send(world.now, one, to, "x".into()).unwrap();
    assert_eq!(world.settle(), 1);
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpNoSocket], 1);
}

#[test]
fn groups_are_heard_by_those_who_joined() {
    for (group, port) in [("239.1.2.3", 5000), ("ff02::1:5", 5000)] {
        let mut world = World::new();
        let one = bind(&mut world.client, "[::]:0");
        let two = bind(&mut world.server, "[::]:5000");
        let (ip, to) = (group.parse().unwrap(), Some(addr(&at(group, port))));
        world.client.stack.udp_send(world.now, one, to, "before".into()).unwrap();
        world.settle();
        assert_eq!(world.server.stack.udp_receive(two), Err(StackError::WouldBlock));
        world.server.stack.udp_join(world.now, two, ip).unwrap();
        assert_eq!(world.server.stack.groups().collect::<Vec<_>>(), [ip]);
        world.client.stack.udp_send(world.now, one, to, "now".into()).unwrap();
        world.settle();
        let heard = world.server.stack.udp_receive(two).unwrap();
        assert_eq!((heard.payload, heard.to, heard.hop_limit), ("now".into(), ip, 1));
        // The member's own datagrams come back to it.
        world.server.stack.udp_send(world.now, two, to, "own".into()).unwrap();
        world.settle();
        assert_eq!(world.server.stack.udp_receive(two).unwrap().payload, "own");
        world.server.stack.udp_leave(world.now, two, ip).unwrap();
        world.client.stack.udp_send(world.now, one, to, "after".into()).unwrap();
        world.settle();
        assert_eq!(world.server.stack.udp_receive(two), Err(StackError::WouldBlock));
    }
}

#[test]
fn queues_are_bounded_and_room_is_told() {
    let mut world = World::new();
    let one = bind(&mut world.client, "0.0.0.0:0");
    let two = bind(&mut world.server, "0.0.0.0:53");
    let to = Some(addr(&at(SERVER, 53)));
    let mut sent = 0;
    while world.client.stack.udp_send(world.now, one, to, "x".into()).is_ok() {
        sent += 1;
    }
    assert_eq!(sent, 64);
    world.settle();
    assert_eq!(world.client.take_events(), [Event::UdpWritable(one)]);
    for _ in 0..10 {
        while world.client.stack.udp_send(world.now, one, to, "x".into()).is_ok() {}
        world.settle();
    }
    assert!(world.server.stack.counters().drops[DropReason::UdpQueueFull] > 0);
    let received = std::iter::from_fn(|| world.server.stack.udp_receive(two).ok()).count();
    assert_eq!(received, 256);
    world.server.stack.udp_close(world.now, two).unwrap();
    let again = world.server.stack.udp_close(world.now, two);
    assert_eq!(again, Err(StackError::NoSuchSocket));
    bind(&mut world.server, "0.0.0.0:53");
    let taken = world.server.stack.udp_bind(addr("0.0.0.0:53"), UdpOptions::default());
    assert_eq!(taken, Err(StackError::AddressInUse));
}

/// What goes to a group or to everybody comes back to sockets of ours, whether or not it leaves in
/// pieces.
#[test]
fn long_datagrams_to_groups_come_back_whole() {
    for to in ["239.1.2.3", "ff05::77", "10.0.0.255"] {
        let mut world = World::new();
        let mut options = UdpOptions::default();
        options.broadcast = true;
        let socket = world.client.stack.udp_bind(addr("[::]:53"), options).unwrap();
        let to = addr(&at(to, 53));
        if to.ip().is_multicast() {
            world.client.stack.udp_join(world.now, socket, to.ip()).unwrap();
        }
        for length in [100, 4000] {
            let payload = Bytes::from(vec![7; length]);
            world.client.stack.udp_send(world.now, socket, Some(to), payload.clone()).unwrap();
            world.settle();
            let back = world.client.stack.udp_receive(socket).map(|back| back.payload);
            assert!(back == Ok(payload), "{to}: {length} bytes");
        }
    }
}

/// A socket that is connected to one peer does not keep others from one that is bound to any address.
#[test]
fn a_connected_socket_leaves_strangers_to_others() {
    for (client, server) in [(CLIENT, SERVER), (CLIENT6, SERVER6)] {
        let mut world = World::new();
        let connected = bind(&mut world.server, &at(server, 53));
        let friend = addr(&at(client, 1000));
        world.server.stack.udp_connect(connected, Some(friend)).unwrap();
        let any = bind(&mut world.server, "[::]:53");
        for (port, socket) in [(1000, connected), (1001, any)] {
            let one = bind(&mut world.client, &at(client, port));
            let to = Some(addr(&at(server, 53)));
            world.client.stack.udp_send(world.now, one, to, "hello".into()).unwrap();
            world.settle();
            assert_eq!(world.server.stack.udp_receive(socket).unwrap().from.port(), port);
            assert_eq!(world.client.stack.udp_take_error(one), None);
        }
    }
}

/// RFC 1122, section 3.3.4.3: what goes to a gateway comes from the address in the gateway's network,
/// and what stays here from where it goes to.
#[test]
fn rfc1122_3_3_4_3_the_source_is_in_the_network_of_the_gateway() {
    let now = World::new().now;
    let own = ["10.0.0.1/24", "192.0.2.9/24", "2001:db8::1/64"];
    let mut host = Host::new(StackConfig::new(Medium::RawIp), &own, 1, now);
    let gateway = "10.0.0.254".parse().unwrap();
    let default = Route::via("0.0.0.0/0".parse().unwrap(), gateway);
    host.stack.add_route(default).unwrap();
    // 198.51.100.7 begins as 192.0.2.9 does, but is not reached from there.
    for (to, from) in [
        ("198.51.100.7", "10.0.0.1"),
        ("192.0.2.200", "192.0.2.9"),
        ("10.0.0.7", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
    ] {
        assert_eq!(host.stack.source_for(to.parse().unwrap()), Some(from.parse().unwrap()), "{to}");
    }
    let source = Some("192.0.2.9".parse().unwrap());
    host.stack.add_route(Route { source, ..default }).unwrap();
    for (to, from) in [
        ("198.51.100.7", "192.0.2.9"),
        ("10.0.0.7", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(host.stack.source_for(to.parse().unwrap()), Some(from.parse().unwrap()), "{to}");
    }
}

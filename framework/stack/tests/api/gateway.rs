//! Datagrams for any address and port, for a gateway to relay.

use bytes::Bytes;
use fyke_stack::{DropReason, Event, Medium, StackConfig, UdpOptions};

use crate::world::{SERVER, World, addr, at};

fn gateway() -> World {
    let mut config = StackConfig::new(Medium::RawIp);
    config.any_address = true;
    config.udp_forward = true;
    config.limits.udp_forward_datagrams_max = 4;
    config.limits.udp_forward_bytes_max = 1000;
    World::with(StackConfig::new(Medium::RawIp), config)
}

#[test]
fn a_datagram_for_anybody_is_handed_over_and_answered_in_their_name() {
    for (far, near) in [("203.0.113.9", "10.0.0.1"), ("2001:db8:9::9", "2001:db8::1")] {
        let mut world = gateway();
        let client = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
        let far = addr(&at(far, 53));
        let question = Bytes::from_static(b"question");
        for _ in 0..2 {
            let to = Some(far);
            world.client.stack.udp_send(world.now, client, to, question.clone()).unwrap();
        }
        world.settle();
        assert_eq!(world.server.take_events(), [Event::UdpForward]);
        let (to, datagram) = world.server.stack.udp_forwarded().unwrap();
        assert_eq!((to, &datagram.payload), (far, &question));
        assert_eq!(datagram.from.ip().to_string(), near);
        assert!(world.server.stack.udp_forwarded().is_some());
        assert_eq!(world.server.stack.udp_forwarded(), None);
        // The gateway speaks in the name of who was asked, and hears what follows as a socket.
        let relay = world.server.stack.udp_bind(far, UdpOptions::default()).unwrap();
        let back = Some(datagram.from);
        world.server.stack.udp_send(world.now, relay, back, "answer".into()).unwrap();
        world.settle();
        let answer = world.client.stack.udp_receive(client).unwrap();
        assert_eq!((answer.from, answer.payload), (far, "answer".into()));
        world.client.stack.udp_send(world.now, client, Some(far), question.clone()).unwrap();
        world.settle();
        assert_eq!(world.server.take_events(), [Event::UdpReadable(relay)]);
        assert_eq!(world.server.stack.udp_receive(relay).unwrap().payload, question);
        assert!(world.client.stack.udp_take_error(client).is_none());
    }
}

#[test]
fn what_waits_is_bounded_by_number_and_by_bytes() {
    let mut world = gateway();
    let client = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    let to = Some(addr("203.0.113.9:53"));
    let send = |world: &mut World, count: usize, length: usize| {
        for _ in 0..count {
            world.client.stack.udp_send(world.now, client, to, vec![1; length].into()).unwrap();
        }
        world.settle();
    };
    send(&mut world, 6, 1);
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpQueueFull], 2);
    // The event that waits is of no use to who has taken everything already.
    while world.server.stack.udp_forwarded().is_some() {}
    assert_eq!(world.server.take_events(), []);
    send(&mut world, 3, 400);
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpQueueFull], 3);
    assert_eq!(world.server.take_events(), [Event::UdpForward]);
    assert!(world.server.stack.udp_forwarded().is_some());
    send(&mut world, 1, 400);
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpQueueFull], 3);
    // Broadcasts are for nobody's gateway.
    let mut options = UdpOptions::default();
    options.broadcast = true;
    world.client.stack.udp_set_options(client, options).unwrap();
    let all = Some(addr("255.255.255.255:53"));
    world.client.stack.udp_send(world.now, client, all, "x".into()).unwrap();
    world.settle();
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpNoSocket], 1);
}

#[test]
fn a_socket_may_have_less_room_than_others() {
    let mut world = World::new();
    let mut options = UdpOptions::default();
    options.receive_bytes_max = Some(100);
    let server = world.server.stack.udp_bind(addr("0.0.0.0:53"), options).unwrap();
    let client = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    for _ in 0..3 {
        let to = Some(addr(&at(SERVER, 53)));
        world.client.stack.udp_send(world.now, client, to, vec![1; 50].into()).unwrap();
    }
    world.settle();
    assert_eq!(world.server.stack.counters().drops[DropReason::UdpQueueFull], 1);
    assert_eq!(std::iter::from_fn(|| world.server.stack.udp_receive(server).ok()).count(), 2);
}

//! ICMP endpoints: `ping` and `traceroute` as calls.

use std::net::IpAddr;

use bytes::Bytes;
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, icmpv4, icmpv6, ipv4, ipv6,
};
use fyke_stack::{
    DropReason, EchoRequest, Event, IcmpContent, IcmpFailure, IcmpId, IcmpOptions, IcmpReport,
    Medium, RxMeta, StackConfig, StackError, UdpOptions, UdpSendOptions,
};

use crate::frames::ip;
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, World, addr, at};

const ROUTER: &str = "10.9.9.9";
const ROUTER6: &str = "2001:db8:9::9";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn open(world: &mut World) -> IcmpId {
    world.client.stack.icmp_open(IcmpOptions::default()).unwrap()
}

fn send(world: &mut World, id: IcmpId, to: &str, sequence: u16, payload: Bytes) {
    let request = EchoRequest::new(address(to), sequence, payload);
    world.client.stack.icmp_send(world.now, id, &request).unwrap();
}

#[track_caller]
fn receive(world: &mut World, id: IcmpId) -> IcmpReport {
    world.client.stack.icmp_receive(id).unwrap()
}

/// What a router says about a packet of the client's.
fn router_says(v4: icmpv4::Message, v6: icmpv6::Message, packet: &[u8]) -> Bytes {
    let quoted = &packet[..packet.len().min(128)];
    if packet[0] >> 4 == 4 {
        let mut body = v4.to_vec();
        icmpv4::Message::fill_checksum(&mut body, &[quoted]);
        body.extend_from_slice(quoted);
        return ip(address(ROUTER), address(CLIENT), IpProtocol::ICMPV4, &body);
    }
    let pseudo = PseudoHeader::new(address(ROUTER6), address(CLIENT6)).unwrap();
    let mut body = v6.to_vec();
    icmpv6::fill_checksum(&mut body, &pseudo, &[quoted], ChecksumIntent::Full);
    body.extend_from_slice(quoted);
    ip(address(ROUTER6), address(CLIENT6), IpProtocol::ICMPV6, &body)
}

fn too_far(packet: &[u8]) -> Bytes {
    let (v4, v6) = (
        icmpv4::Message::TimeExceeded { code: icmpv4::time_exceeded::TRANSIT },
        icmpv6::Message::TimeExceeded { code: icmpv6::time_exceeded::TRANSIT },
    );
    router_says(v4, v6, packet)
}

fn hop_limit_of(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 4 {
        ipv4::Packet::parse(packet).unwrap().ttl()
    } else {
        ipv6::Packet::parse(packet).unwrap().hop_limit()
    }
}

#[test]
fn a_host_answers_and_says_how_far_it_is() {
    for (own, server) in [(CLIENT, SERVER), (CLIENT6, SERVER6)] {
        let mut server_config = StackConfig::new(Medium::RawIp);
        server_config.hop_limit = 57;
        let mut world = World::with(StackConfig::new(Medium::RawIp), server_config);
        let id = open(&mut world);
        let identifier = world.client.stack.icmp_identifier(id).unwrap();
        for sequence in 1..=3 {
            send(&mut world, id, server, sequence, Bytes::from(vec![sequence as u8; 56]));
        }
        world.settle();
        assert_eq!(world.client.take_events(), [Event::IcmpReadable(id)]);
        for sequence in 1..=3 {
            let report = receive(&mut world, id);
            let payload = Bytes::from(vec![sequence as u8; 56]);
            let content = IcmpContent::EchoReply { identifier, sequence, payload };
            assert_eq!((report.from, report.to), (address(server), address(own)));
            assert_eq!((report.hop_limit, report.content), (57, content));
        }
        assert_eq!(world.client.stack.icmp_receive(id), Err(StackError::WouldBlock));
        let counters = world.client.stack.counters();
        assert_eq!((counters.echo_requests_out, counters.echo_replies_in), (3, 3));
    }
}

#[test]
fn long_requests_and_their_answers_travel_in_pieces() {
    for (server, longest) in [(SERVER, 65_507), (SERVER6, 65_527)] {
        for length in [1472, 1473, 9000, longest] {
            let mut world = World::new();
            let id = open(&mut world);
            let payload: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            send(&mut world, id, server, 7, payload.clone().into());
            world.settle();
            let IcmpContent::EchoReply { payload: echoed, sequence: 7, .. } =
                receive(&mut world, id).content
            else {
                panic!("no answer to {length} bytes from {server}")
            };
            assert_eq!(echoed, payload, "{length} bytes from {server}");
            assert!(world.client.sent.iter().all(|frame| frame.len() <= 1500));
        }
        let mut world = World::new();
        let id = open(&mut world);
        let request = EchoRequest::new(address(server), 1, vec![0; longest + 1].into());
        let refused = world.client.stack.icmp_send(world.now, id, &request);
        assert_eq!(refused, Err(StackError::MessageTooLong));
        let mut request = EchoRequest::new(address(server), 1, vec![0; 1473].into());
        request.dont_fragment = true;
        let refused = world.client.stack.icmp_send(world.now, id, &request);
        assert_eq!(refused, Err(StackError::MessageTooLong));
    }
}

#[test]
fn a_host_asks_itself() {
    for own in ["127.0.0.1", CLIENT, CLIENT6, "::1"] {
        for length in [0, 60_000, 65_507] {
            let mut world = World::new();
            let id = open(&mut world);
            send(&mut world, id, own, 1, vec![5; length].into());
            assert!(world.client.transmit(world.now).is_empty(), "it never leaves the host");
            let report = receive(&mut world, id);
            let IcmpContent::EchoReply { payload, .. } = report.content else { panic!("{own}") };
            assert_eq!((report.from, payload.len()), (address(own), length));
        }
    }
}

#[test]
fn routers_on_the_way_are_heard() {
    for (server, router) in [(SERVER, ROUTER), (SERVER6, ROUTER6)] {
        let mut world = World::new();
        let (id, other) = (open(&mut world), open(&mut world));
        let identifier = world.client.stack.icmp_identifier(id).unwrap();
        let mut request = EchoRequest::new(address(server), 5, Bytes::from_static(b"probe"));
        request.hop_limit = Some(1);
        world.client.stack.icmp_send(world.now, id, &request).unwrap();
        let packet = world.client.transmit(world.now).pop().unwrap();
        assert_eq!(hop_limit_of(&packet), 1);
        world.client.stack.input(world.now, too_far(&packet), RxMeta::default());
        let report = receive(&mut world, id);
        let IcmpContent::Error { failure, about, .. } = report.content else { panic!() };
        assert_eq!(report.from, address(router));
        assert_eq!(failure, IcmpFailure::HopLimitExceeded);
        assert_eq!((about.destination, about.echo), (address(server), Some((identifier, 5))));
        assert_eq!(world.client.stack.icmp_receive(other), Err(StackError::WouldBlock));
    }
}

#[test]
fn a_trace_with_datagrams_hears_routers_and_the_goal() {
    for (server, router) in [(SERVER, ROUTER), (SERVER6, ROUTER6)] {
        let mut world = World::new();
        let deaf = open(&mut world);
        let mut options = IcmpOptions::default();
        options.errors = true;
        let id = world.client.stack.icmp_open(options).unwrap();
        let probes = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
        let local = world.client.stack.udp_address(probes).unwrap().port();
        for hops in 1..=3 {
            let mut with = UdpSendOptions::default();
            with.hop_limit = Some(hops);
            let to = Some(addr(&at(server, 33_434 + u16::from(hops))));
            let probe = Bytes::from_static(b"probe");
            world.client.stack.udp_send_with(world.now, probes, to, probe, with).unwrap();
        }
        let packets = world.client.transmit(world.now);
        let limits: Vec<_> = packets.iter().map(|packet| hop_limit_of(packet)).collect();
        assert_eq!(limits, [1, 2, 3]);
        for packet in &packets[..2] {
            world.client.stack.input(world.now, too_far(packet), RxMeta::default());
        }
        world.server.stack.input(world.now, packets[2].clone(), RxMeta::default());
        world.settle();
        let far = IcmpFailure::HopLimitExceeded;
        let goal = IcmpFailure::PortUnreachable;
        for (hops, failure, from) in [(1, far, router), (2, far, router), (3, goal, server)] {
            let report = receive(&mut world, id);
            let IcmpContent::Error { failure: why, about, .. } = report.content else { panic!() };
            assert_eq!((report.from, why), (address(from), failure));
            assert_eq!(about.ports, Some((local, 33_434 + hops)));
            assert_eq!(about.protocol, IpProtocol::UDP);
        }
        assert_eq!(world.client.stack.icmp_receive(deaf), Err(StackError::WouldBlock));
        // The socket hears the same.
        let about = addr(&at(server, 33_435));
        let error = world.client.stack.udp_take_error(probes);
        assert_eq!(error, Some((about, StackError::Unreachable)));
        let mut with = UdpSendOptions::default();
        with.hop_limit = Some(0);
        let refused =
            world.client.stack.udp_send_with(world.now, probes, Some(about), Bytes::new(), with);
        assert_eq!(refused, Err(StackError::InvalidOption));
    }
}

#[test]
fn a_narrow_path_is_told_and_the_next_request_is_cut() {
    for server in [SERVER, SERVER6] {
        let mut world = World::new();
        let id = open(&mut world);
        let mut request = EchoRequest::new(address(server), 1, vec![0; 1400].into());
        request.dont_fragment = true;
        world.client.stack.icmp_send(world.now, id, &request).unwrap();
        let packet = world.client.transmit(world.now).pop().unwrap();
        let told = router_says(
            icmpv4::Message::FragmentationNeeded { mtu: 1300 },
            icmpv6::Message::PacketTooBig { mtu: 1300 },
            &packet,
        );
        world.client.stack.input(world.now, told, RxMeta::default());
        let IcmpContent::Error { failure, .. } = receive(&mut world, id).content else { panic!() };
        assert_eq!(failure, IcmpFailure::TooBig { mtu: 1300 });
        assert_eq!(failure.to_string(), "too big, the next link carries 1300");
        let refused = world.client.stack.icmp_send(world.now, id, &request);
        assert_eq!(refused, Err(StackError::MessageTooLong));
        request.dont_fragment = false;
        world.client.stack.icmp_send(world.now, id, &request).unwrap();
        let pieces = world.client.transmit(world.now);
        assert!(pieces.len() == 2 && pieces.iter().all(|piece| piece.len() <= 1300));
    }
}

#[test]
fn a_neighbour_that_does_not_answer_is_told_by_ourselves() {
    let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1])));
    config.duplicate_address_probes = 0;
    for (own, dead) in [(CLIENT, "10.0.0.77"), (CLIENT6, "2001:db8::77")] {
        let mut world = World::with(config.clone(), StackConfig::new(Medium::RawIp));
        world.filter = Box::new(|_, _| false);
        let id = open(&mut world);
        send(&mut world, id, dead, 9, Bytes::from_static(b"anybody?"));
        world.advance(std::time::Duration::from_secs(5));
        let report = receive(&mut world, id);
        let IcmpContent::Error { failure, about, .. } = report.content else { panic!() };
        assert_eq!((report.from, failure), (address(own), IcmpFailure::HostUnreachable));
        assert_eq!((about.destination, about.echo.unwrap().1), (address(dead), 9));
    }
}

#[test]
fn every_limit_holds_and_is_counted() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.limits.icmp_endpoints_max = 2;
    config.limits.icmp_receive_reports_max = 4;
    config.limits.icmp_receive_bytes_max = 1000;
    config.limits.outbox_packets_max = 8;
    let mut world = World::with(config, StackConfig::new(Medium::RawIp));
    let id = open(&mut world);
    let mut options = IcmpOptions::default();
    options.identifier = world.client.stack.icmp_identifier(id);
    assert_eq!(world.client.stack.icmp_open(options), Err(StackError::AddressInUse));
    open(&mut world);
    let full = world.client.stack.icmp_open(IcmpOptions::default());
    assert_eq!(full, Err(StackError::LimitReached));

    for sequence in 0..8 {
        send(&mut world, id, SERVER, sequence, Bytes::new());
    }
    let request = EchoRequest::new(address(SERVER), 8, Bytes::new());
    let refused = world.client.stack.icmp_send(world.now, id, &request);
    assert_eq!(refused, Err(StackError::WouldBlock));
    world.settle();
    assert_eq!(world.client.stack.counters().drops[DropReason::IcmpQueueFull], 4);
    for expected in 0..4 {
        let IcmpContent::EchoReply { sequence, .. } = receive(&mut world, id).content else {
            panic!()
        };
        assert_eq!(sequence, expected);
    }
    // Bytes count, too, and what was read makes room.
    for sequence in 0..3 {
        send(&mut world, id, SERVER, sequence, vec![0; 400].into());
    }
    world.settle();
    assert_eq!(world.client.stack.counters().drops[DropReason::IcmpQueueFull], 5);
    receive(&mut world, id);
    send(&mut world, id, SERVER, 9, vec![0; 400].into());
    world.settle();
    assert_eq!(world.client.stack.counters().drops[DropReason::IcmpQueueFull], 5);
}

#[test]
fn what_nobody_asked_for_is_dropped() {
    let mut world = World::new();
    let id = open(&mut world);
    send(&mut world, id, SERVER, 1, Bytes::new());
    let identifier = world.client.stack.icmp_identifier(id).unwrap();
    world.client.stack.icmp_close(id).unwrap();
    world.settle();
    assert_eq!(world.client.take_events(), []);
    assert_eq!(world.client.stack.counters().drops[DropReason::IcmpIgnored], 1);
    assert_eq!(world.client.stack.icmp_receive(id), Err(StackError::NoSuchSocket));
    assert_eq!(world.client.stack.icmp_close(id), Err(StackError::NoSuchSocket));
    let request = EchoRequest::new(address(SERVER), 1, Bytes::new());
    let closed = world.client.stack.icmp_send(world.now, id, &request);
    assert_eq!(closed, Err(StackError::NoSuchSocket));
    // The identifier is free again; an old answer to it is the new owner's to judge.
    let mut options = IcmpOptions::default();
    options.identifier = Some(identifier);
    let again = world.client.stack.icmp_open(options).unwrap();
    assert_ne!(again, id);
    // An event whose endpoint went is not told.
    send(&mut world, again, SERVER, 1, Bytes::new());
    world.settle();
    world.client.stack.icmp_close(again).unwrap();
    assert_eq!(world.client.take_events(), []);
}

#[test]
fn addresses_that_cannot_be_asked_are_refused() {
    let mut world = World::new();
    let id = open(&mut world);
    let mut ask = |destination: &str, change: fn(&mut EchoRequest)| {
        let mut request = EchoRequest::new(address(destination), 1, Bytes::new());
        change(&mut request);
        world.client.stack.icmp_send(world.now, id, &request)
    };
    let invalid = Err(StackError::InvalidAddress);
    assert_eq!(ask("0.0.0.0", |_| ()), invalid);
    assert_eq!(ask("255.255.255.255", |_| ()), invalid);
    assert_eq!(ask("10.0.0.255", |_| ()), invalid);
    assert_eq!(ask(SERVER, |it| it.source = Some(address(CLIENT6))), invalid);
    let foreign = ask(SERVER, |it| it.source = Some(address(SERVER)));
    assert_eq!(foreign, Err(StackError::AddressNotAvailable));
    assert_eq!(ask(SERVER, |it| it.hop_limit = Some(0)), Err(StackError::InvalidOption));
    assert_eq!(ask(SERVER, |it| it.source = Some(address(CLIENT))), Ok(()));
    assert_eq!(ask("224.0.0.1", |_| ()), Ok(()));
    let packets = world.client.transmit(world.now);
    assert_eq!([hop_limit_of(&packets[0]), hop_limit_of(&packets[1])], [64, 1]);
    let mut options = IcmpOptions::default();
    options.broadcast = true;
    let all = world.client.stack.icmp_open(options).unwrap();
    send(&mut world, all, "10.0.0.255", 1, Bytes::new());
    assert_eq!(world.client.transmit(world.now).len(), 1);
}

#[test]
fn a_server_at_any_address_answers_from_the_one_it_was_asked_at() {
    let mut world = World::new();
    world.server.stack.add_address(world.now, "10.0.0.22/24".parse().unwrap()).unwrap();
    let server = world.server.stack.udp_bind(addr("0.0.0.0:53"), UdpOptions::default()).unwrap();
    let client = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    let to = Some(addr("10.0.0.22:53"));
    world.client.stack.udp_send(world.now, client, to, "question".into()).unwrap();
    world.settle();
    let question = world.server.stack.udp_receive(server).unwrap();
    let mut with = UdpSendOptions::default();
    with.source = Some(question.to);
    let back = Some(question.from);
    world.server.stack.udp_send_with(world.now, server, back, "answer".into(), with).unwrap();
    world.settle();
    let answer = world.client.stack.udp_receive(client).unwrap();
    assert_eq!(answer.from, addr("10.0.0.22:53"));
    let send = |world: &mut World, source: &str| {
        let mut with = UdpSendOptions::default();
        with.source = Some(address(source));
        world.server.stack.udp_send_with(world.now, server, back, "x".into(), with)
    };
    assert_eq!(send(&mut world, CLIENT), Err(StackError::AddressNotAvailable));
    assert_eq!(send(&mut world, SERVER6), Err(StackError::InvalidAddress));
}

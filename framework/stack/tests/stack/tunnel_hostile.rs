//! What others put on the wire for a tunnel (RFC 4213, section 3.6; RFC 6040, section 4.2).

use bytes::Bytes;
use fyke_stack::wire::ipv4;
use fyke_stack::wire::ndp::Message;
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, ipv6, ndp, udp,
};
use fyke_stack::{DropReason, RxMeta, UdpOptions};

use crate::frames::{Frame, ip};
use crate::tunnel::{INNER_CLIENT, INNER_SERVER, line, tunneled};
use crate::world::{CLIENT, SERVER, World, addr, at};

/// What the client's end would send, from whoever says so.
fn around(outer_source: &str, inner: &[u8]) -> Bytes {
    let (source, destination) = (outer_source.parse().unwrap(), SERVER.parse().unwrap());
    ip(source, destination, IpProtocol::IPV6, inner)
}

/// Gives the server a packet and says why it was dropped.
fn dropped(world: &mut World, packet: Bytes) -> Vec<DropReason> {
    let before = world.server.stack.counters().drops;
    world.server.stack.input(world.now, packet, RxMeta::default());
    let after = world.server.stack.counters().drops;
    after.iter().filter(|(why, n)| *n > before[*why]).map(|(why, _)| why).collect()
}

fn syn() -> Bytes {
    Frame::syn(&at(INNER_CLIENT, 9), &at(INNER_SERVER, 80), 1).bytes()
}

fn datagram(traffic_class: u8) -> Bytes {
    let mut body = udp::Header { source_port: 9, destination_port: 53, payload_len: 1 }.to_vec();
    let (source, destination) = (INNER_CLIENT.parse().unwrap(), INNER_SERVER.parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    udp::Header::fill_checksum(&mut body, &pseudo, &[b"x"], ChecksumIntent::Full);
    body.push(b'x');
    let header = ipv6::Header::new(source, destination, IpProtocol::UDP, body.len() as u16);
    let mut bytes = ipv6::Header { traffic_class, ..header }.to_vec();
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// RFC 4213, section 3.6: only the other end's packets come in, and nobody else is answered.
#[test]
fn rfc4213_3_6_other_sources_are_dropped_without_a_word() {
    let mut world = tunneled(|_| {});
    world.listen("[::]:80");
    for source in ["10.0.0.3", "198.51.100.1"] {
        let reasons = dropped(&mut world, around(source, &syn()));
        assert_eq!(reasons, [DropReason::TunnelSource]);
        assert!(world.server.transmit(world.now).is_empty());
    }
    assert_eq!(world.server.stack.usage().embryos, 0);
    assert!(dropped(&mut world, around(CLIENT, &syn())).is_empty());
    assert_eq!(world.server.stack.usage().embryos, 1);
    // Without any tunnel the protocol is as unknown as it was, and that is said.
    let mut world = World::new();
    let reasons = dropped(&mut world, around(CLIENT, &syn()));
    assert_eq!(reasons, [DropReason::UnknownProtocol]);
    assert_eq!(world.server.transmit(world.now).len(), 1);
}

/// RFC 4213, section 3.6: inner addresses that cannot be.
#[test]
fn rfc4213_3_6_martians_inside_are_dropped() {
    let mut world = tunneled(|_| {});
    world.listen("[::]:80");
    for source in ["::1", "ff02::1", "::", "::ffff:10.0.0.1", "::10.0.0.1", INNER_SERVER] {
        let inner = Frame::syn(&at(source, 9), &at(INNER_SERVER, 80), 1).bytes();
        assert_eq!(dropped(&mut world, around(CLIENT, &inner)), [DropReason::Martian], "{source}");
    }
    for (destination, why) in [
        ("::1", DropReason::Martian),
        ("::ffff:10.0.0.2", DropReason::Martian),
        ("::10.0.0.2", DropReason::Martian),
        ("ff02::1", DropReason::NotOurs),
        ("fd00:2::77", DropReason::NotOurs),
    ] {
        let inner = Frame::syn(&at(INNER_CLIENT, 9), &at(destination, 80), 1).bytes();
        assert_eq!(dropped(&mut world, around(CLIENT, &inner)), [why], "{destination}");
    }
    assert_eq!(
        (world.server.stack.usage().embryos, line(&world.server).counters.refused_in),
        (0, 3)
    );
    assert!(world.server.transmit(world.now).is_empty());
}

#[test]
fn what_is_no_ipv6_and_what_is_a_tunnel_again() {
    let mut world = tunneled(|_| {});
    world.listen("[::]:80");
    let v4 = Frame::syn(&at(CLIENT, 9), &at(SERVER, 80), 1).bytes();
    for inside in [&[][..], &[0x60], &syn()[..39], &v4, &[0xff; 60]] {
        let reasons = dropped(&mut world, around(CLIENT, inside));
        assert_eq!(reasons, [DropReason::TunnelInner], "{} bytes", inside.len());
    }
    // A tunnel in a tunnel.
    let (source, destination) = (INNER_CLIENT.parse().unwrap(), INNER_SERVER.parse().unwrap());
    let nested = ip(source, destination, IpProtocol::IPV6, &syn());
    let reasons = dropped(&mut world, around(CLIENT, &nested));
    assert_eq!(reasons, [DropReason::UnknownProtocol]);
    let nested = ip(source, destination, IpProtocol::IPV4, &v4);
    let reasons = dropped(&mut world, around(CLIENT, &nested));
    assert_eq!(reasons, [DropReason::UnknownProtocol]);
    assert_eq!(world.server.stack.usage().embryos, 0);
}

/// RFC 3704: sources that are not behind the tunnel.
#[test]
fn rfc3704_strict_sources() {
    let mut world = tunneled(|tunnel| tunnel.strict_source = true);
    world.listen("[::]:80");
    // The server's default route leads into the tunnel, and a network of its own does not.
    let forged = Frame::syn(&at("2001:db8::99", 9), &at(INNER_SERVER, 80), 1).bytes();
    assert_eq!(dropped(&mut world, around(CLIENT, &forged)), [DropReason::TunnelInner]);
    assert!(dropped(&mut world, around(CLIENT, &syn())).is_empty());
}

/// RFC 6040, section 4.2: what routers have marked comes out, and what may not be marked does not.
#[test]
fn rfc6040_4_2_marks_come_out() {
    let mut world = tunneled(|_| {});
    let socket = world.server.stack.udp_bind(addr("[::]:53"), UdpOptions::default()).unwrap();
    for (outer, inner, behind) in [
        (0, 2, Some(2)),
        (3, 2, Some(3)),
        (1, 2, Some(1)),
        (3, 1, Some(3)),
        (0, 3, Some(3)),
        (3, 0, None),
    ] {
        let bytes = datagram(0xb8 | inner);
        let (source, destination) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
        let length = bytes.len() as u16;
        let header = ipv4::Header::new(source, destination, IpProtocol::IPV6, length);
        let mut packet = ipv4::Header { traffic_class: outer, ..header }.to_vec();
        packet.extend_from_slice(&bytes);
        let reasons = dropped(&mut world, packet.into());
        let class = world.server.stack.udp_receive(socket).ok().map(|it| it.traffic_class);
        assert_eq!(class, behind.map(|ecn| 0xb8 | ecn), "{outer} around {inner}");
        let expected: &[DropReason] =
            if behind.is_none() { &[DropReason::TunnelCongestion] } else { &[] };
        assert_eq!(reasons, expected);
    }
}

fn neighbor(message: Message, hop_limit: u8) -> Bytes {
    let mut body = message.to_vec();
    ndp::NdpOption::SourceLinkLayer([2, 0, 0, 0, 0, 9].into()).append(&mut body);
    let (source, destination) = (INNER_CLIENT.parse().unwrap(), INNER_SERVER.parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let header = ipv6::Header::new(source, destination, IpProtocol::ICMPV6, body.len() as u16);
    let mut bytes = ipv6::Header { hop_limit, ..header }.to_vec();
    bytes.extend_from_slice(&body);
    bytes.into()
}

/// RFC 4213, section 3.8: the question whether we are there is answered, link addresses are
/// ignored, and routers and addresses are not learned from a tunnel.
#[test]
fn rfc4213_3_8_only_probes_are_answered() {
    let mut world = tunneled(|_| {});
    let target = INNER_SERVER.parse().unwrap();
    let probe = Message::NeighborSolicitation { target };
    assert!(dropped(&mut world, around(CLIENT, &neighbor(probe, 255))).is_empty());
    let sent = world.server.transmit(world.now);
    let inner = ipv6::Packet::parse(ipv4::Packet::parse(&sent[0]).unwrap().payload()).unwrap();
    let icmp = icmpv6::Packet::parse(inner.payload()).unwrap();
    let answer = ndp::Packet::parse(&icmp).unwrap();
    assert!(matches!(answer.message, Message::NeighborAdvertisement { solicited: true, .. }));
    assert_eq!((inner.hop_limit(), answer.options().count()), (255, 0));
    assert_eq!(world.server.stack.neighbors().count(), 0);
    let told = Message::NeighborAdvertisement {
        target,
        router: false,
        solicited: false,
        override_known: true,
    };
    for (message, hop_limit) in [(probe, 64), (told, 255)] {
        let reasons = dropped(&mut world, around(CLIENT, &neighbor(message, hop_limit)));
        assert_eq!(reasons, [DropReason::NdInvalid]);
    }
    assert!(world.server.transmit(world.now).is_empty() && world.server.take_events().is_empty());
}

/// Errors about packets that we did not send, and quotes that nest without end.
#[test]
fn forged_errors_change_little() {
    let mut world = tunneled(|_| {});
    let error = |world: &mut World, mtu, quote: &[u8]| {
        let mut body = icmpv4::Message::FragmentationNeeded { mtu }.to_vec();
        icmpv4::Message::fill_checksum(&mut body, &[quote]);
        body.extend_from_slice(quote);
        let (source, to) = ("198.51.100.9".parse().unwrap(), SERVER.parse().unwrap());
        let packet = ip(source, to, IpProtocol::ICMPV4, &body);
        world.server.stack.input(world.now, packet, RxMeta::default());
    };
    let (server, client) = (SERVER.parse().unwrap(), CLIENT.parse().unwrap());
    let elsewhere = ip(server, "10.0.0.9".parse().unwrap(), IpProtocol::IPV6, &syn());
    error(&mut world, 600, &elsewhere);
    assert_eq!(line(&world.server).mtu, 1480);
    let mut nested = syn();
    for _ in 0..20 {
        let (source, to) = (INNER_SERVER.parse().unwrap(), INNER_CLIENT.parse().unwrap());
        nested = ip(source, to, IpProtocol::IPV6, &nested);
    }
    // A path narrower than any is taken for one as narrow as IPv6 may be.
    error(&mut world, 68, &ip(server, client, IpProtocol::IPV6, &nested));
    assert_eq!((line(&world.server).mtu, line(&world.server).counters.errors_in), (1280, 1));
    assert_eq!(world.server.stack.counters().drops[DropReason::IcmpNoSocket], 1);
}

//! A router's port that leads through IPv4 (RFC 4213), with a host at the other end.

use bytes::Bytes;
use fyke_stack::router::{DropReason, PortId, RouterError};
use fyke_stack::wire::{IpProtocol, icmpv6, ipv4, ipv6};
use fyke_stack::{Event, Medium, Route, RxMeta, Seed, Stack, StackConfig, Tunnel};

use crate::rig::*;

const BROKER: &str = "203.0.113.9";

/// A gateway whose IPv6 goes to a broker.
fn gateway() -> (Rig, PortId) {
    let mut rig = Rig::new();
    let tunnel = Tunnel::new(OUTSIDE.parse().unwrap(), BROKER.parse().unwrap());
    let own = ["2001:db8:ff::2/64".parse().unwrap()];
    let port = rig.router.add_tunnel(tunnel, &own).unwrap();
    rig.router.add_link_route("::/0".parse().unwrap(), port).unwrap();
    (rig, port)
}

fn around(source: &str, traffic_class: u8, inner: &[u8]) -> Vec<u8> {
    let packet = ip(source.parse().unwrap(), OUTSIDE.parse().unwrap(), IpProtocol::IPV6, inner);
    with_header(&packet, |header| header.traffic_class = traffic_class)
}

#[test]
fn a_host_behind_the_gateway_talks_through_the_tunnel() {
    let (mut rig, port) = gateway();
    let now = rig.now;
    let stack = |seed| Stack::new(StackConfig::new(Medium::RawIp), Seed::from(seed), now);
    let mut host = stack(1);
    host.add_address(now, "fd00:1::9/64".parse().unwrap()).unwrap();
    let mut broker = stack(2);
    broker.add_address(now, "203.0.113.9/24".parse().unwrap()).unwrap();
    broker.add_address(now, "2001:db8:7::7/64".parse().unwrap()).unwrap();
    let tunnel = Tunnel::new(BROKER.parse().unwrap(), OUTSIDE.parse().unwrap());
    let tunnel = broker.add_tunnel(now, tunnel).unwrap();
    broker.add_route(Route::through("fd00:1::/64".parse().unwrap(), tunnel)).unwrap();
    let listener = broker.listen(at("[::]:80"), Default::default()).unwrap();
    let id = host.connect(now, at("[2001:db8:7::7]:80"), Default::default()).unwrap();
    // More than the tunnel carries in one piece, so that the host has to learn what it does.
    host.write(now, id, vec![5; 6000].into()).unwrap();
    let mut learned = 0;
    for _ in 0..20 {
        let mut frames: Vec<Bytes> = Vec::new();
        host.poll_transmit(now, &mut frames, 64);
        let mut sent: Vec<_> =
            frames.drain(..).flat_map(|frame| rig.input(rig.lan, &frame).sent).collect();
        broker.poll_transmit(now, &mut frames, 64);
        sent.extend(frames.drain(..).flat_map(|frame| rig.input(rig.wan, &frame).sent));
        for (port, frame, _) in sent {
            let error = port == rig.lan
                && ipv6::Packet::parse(&frame).unwrap().next_header() == IpProtocol::ICMPV6;
            learned += usize::from(error);
            let to = if port == rig.lan { &mut host } else { &mut broker };
            to.input(now, frame.freeze(), RxMeta::default());
        }
    }
    assert_eq!(host.poll_event(), Some(Event::Connected(id)));
    let accepted = broker.accept(listener).unwrap();
    let mut read = 0;
    while let Ok(Some(bytes)) = broker.read(now, accepted, usize::MAX) {
        read += bytes.len();
    }
    // The broker's end announced a segment size that fits, so nothing had to be sent back.
    assert_eq!((read, learned), (6000, 0));
    let usage = rig.router.port_usage(port).unwrap();
    assert!(usage.tunnel_packets_in >= 2 && usage.tunnel_packets_out >= 6);
}

/// RFC 4213, sections 3.2 to 3.5.
#[test]
fn packets_are_put_in_and_too_long_ones_sent_back() {
    let (mut rig, _) = gateway();
    let mut inner = udp("[fd00:1::9]:5", "[2001:db8:7::7]:9", &[7; 1432]);
    inner[1] |= 0x20;
    let sent = rig.out(&inner);
    let outer = ipv4::Packet::parse(&sent).unwrap();
    assert_eq!(outer.protocol(), IpProtocol::IPV6);
    assert_eq!(outer.source().to_string(), OUTSIDE);
    assert_eq!(outer.destination().to_string(), BROKER);
    assert_eq!((outer.ttl(), outer.ecn(), outer.dont_fragment()), (64, 2, false));
    let inside = ipv6::Packet::parse(outer.payload()).unwrap();
    assert_eq!((inside.hop_limit(), inside.payload().len()), (63, 1440));
    // Its MTU is 1480.
    let seen = rig.input(rig.lan, &udp("[fd00:1::9]:5", "[2001:db8:7::7]:9", &[7; 1433]));
    assert_eq!(seen.dropped, [DropReason::FragmentationNeeded]);
    let (_, message, _) = error_v6(&seen.sent[0].1);
    assert_eq!(message, icmpv6::Message::PacketTooBig { mtu: 1480 });
    // A narrower WAN cuts what is around (section 3.2.1).
    rig.router.set_mtu(rig.wan, 1000);
    assert_eq!(rig.input(rig.lan, &inner).sent.len(), 2);
}

/// RFC 4213, section 3.6; RFC 6040, section 4.2.
#[test]
fn only_the_other_ends_packets_come_out() {
    let (mut rig, _) = gateway();
    let inner = udp("[2001:db8:7::7]:9", "[fd00:1::9]:5", b"x");
    let sent = rig.back(&around(BROKER, 0, &inner));
    assert_eq!(ipv6::Packet::parse(&sent).unwrap().hop_limit(), 63);
    assert_eq!(ends(&sent), ends(&inner));
    let refused = |rig: &mut Rig, packet: &[u8]| rig.refused(rig.wan, packet);
    assert_eq!(refused(&mut rig, &around("203.0.113.8", 0, &inner)), DropReason::Tunnel);
    assert_eq!(refused(&mut rig, &around(BROKER, 3, &inner)), DropReason::Tunnel, "marked");
    for source in ["[::1]:9", "[ff02::1]:9", "[::ffff:10.0.0.1]:9", "[fd00:1::1]:9"] {
        let martian = udp(source, "[fd00:1::9]:5", b"x");
        assert_eq!(refused(&mut rig, &around(BROKER, 0, &martian)), DropReason::Martian);
    }
    let compatible = udp("[::10.0.0.1]:9", "[fd00:1::9]:5", b"x");
    assert_eq!(refused(&mut rig, &around(BROKER, 0, &compatible)), DropReason::Tunnel);
    let (from, to) = ("2001:db8:7::7".parse().unwrap(), "fd00:1::9".parse().unwrap());
    let nested = ip(from, to, IpProtocol::IPV6, &inner);
    assert_eq!(refused(&mut rig, &around(BROKER, 0, &nested)), DropReason::Tunnel);
    assert_eq!(refused(&mut rig, &around(BROKER, 0, b"no packet")), DropReason::Tunnel);
    // A mark on one that takes part in ECN comes out.
    let mut capable = inner.clone();
    capable[1] |= 0x20;
    let sent = rig.back(&around(BROKER, 3, &capable));
    assert_eq!(ipv6::Packet::parse(&sent).unwrap().ecn(), 3);
}

#[test]
fn ends_that_are_none() {
    let (mut rig, port) = gateway();
    let add = |rig: &mut Rig, local: &str, remote: &str| {
        let tunnel = Tunnel::new(local.parse().unwrap(), remote.parse().unwrap());
        rig.router.add_tunnel(tunnel, &[]).unwrap_err()
    };
    for (local, remote, wrong) in [
        ("10.0.0.1", BROKER, "10.0.0.1"),
        (OUTSIDE, "224.0.0.1", "224.0.0.1"),
        (OUTSIDE, "0.0.0.0", "0.0.0.0"),
        (OUTSIDE, "192.168.1.1", "192.168.1.1"),
    ] {
        let wrong = wrong.parse().unwrap();
        assert_eq!(add(&mut rig, local, remote), RouterError::InvalidAddress(wrong));
    }
    let four = rig.router.add_link_route("10.0.0.0/8".parse().unwrap(), port);
    assert!(four.is_err());
    assert_eq!(rig.refused(port, b"a frame"), DropReason::Malformed);
}

//! What is taken further, and what is said about what is not (RFC 1812, RFC 4443).

use std::time::Duration;

use bytes::BytesMut;
use fyke_stack::Medium;
use fyke_stack::router::{DropReason, RouterConfig};
use fyke_stack::wire::ethernet::{Frame, HEADER_LEN};
use fyke_stack::wire::{icmpv4, icmpv6, ipv4, ipv6};

use crate::rig::*;

/// RFC 1812, section 5.3.1; RFC 8200, section 3.
#[test]
fn rfc1812_5_3_1_each_router_takes_one_off() {
    let mut rig = Rig::new();
    let packet = udp("192.168.1.9:5000", "203.0.113.7:53", b"hello");
    let sent = rig.out(&packet);
    let view = ipv4::Packet::parse(&sent).unwrap();
    assert_eq!(view.ttl(), 63);
    assert_eq!(ends(&sent), ("192.168.1.9:5000".into(), "203.0.113.7:53".into()));
    let packet = udp("[fd00:1::9]:5000", "[2001:db8:7::7]:53", b"hello");
    let sent = rig.out(&packet);
    assert_eq!(ipv6::Packet::parse(&sent).unwrap().hop_limit(), 63);
    assert_eq!(ends(&sent).1, "[2001:db8:7::7]:53");
    assert_eq!(rig.router.counters().forwarded, 2);
}

#[test]
fn rfc1812_4_3_3_4_and_rfc4443_3_3_time_exceeded() {
    let mut rig = Rig::new();
    for ttl in [0, 1] {
        let packet = udp("192.168.1.9:5000", "203.0.113.7:53", b"hello");
        let packet = with_header(&packet, |header| header.ttl = ttl);
        let seen = rig.input(rig.lan, &packet);
        assert_eq!(seen.dropped, [DropReason::TimeExceeded]);
        let (from, message, quote) = error_v4(&seen.sent[0].1);
        assert_eq!((seen.sent[0].0, from.as_str()), (rig.lan, "192.168.1.1"));
        assert_eq!(message, icmpv4::Message::TimeExceeded { code: 0 });
        assert_eq!(quote, packet, "what the sender sent");
        let mut packet = udp("[fd00:1::9]:5000", "[2001:db8:7::7]:53", b"hello");
        packet[7] = ttl;
        let seen = rig.input(rig.lan, &packet);
        let (from, message, quote) = error_v6(&seen.sent[0].1);
        assert_eq!(from, "fd00:1::1");
        assert_eq!((message, quote), (icmpv6::Message::TimeExceeded { code: 0 }, packet));
    }
}

/// RFC 791, section 3.2; RFC 1191, section 4; RFC 4443, section 3.2.
#[test]
fn what_is_too_long_is_cut_or_sent_back() {
    let mut rig = Rig::new();
    rig.router.set_mtu(rig.wan, 1300);
    let packet = udp("192.168.1.9:5000", "203.0.113.7:53", &[9; 1400]);
    let seen = rig.input(rig.lan, &packet);
    let pieces: Vec<_> =
        seen.sent.iter().map(|(_, frame, _)| ipv4::Packet::parse(frame).unwrap()).collect();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| piece.as_bytes().len() <= 1300 && piece.ttl() == 63));
    assert!(pieces[0].more_fragments() && !pieces[1].more_fragments());
    let joined = [pieces[0].payload(), pieces[1].payload()].concat();
    assert_eq!(joined, ipv4::Packet::parse(&packet).unwrap().payload());
    assert_eq!(usize::from(pieces[1].fragment_offset()), pieces[0].payload().len());

    let whole = with_header(&packet, |header| header.dont_fragment = true);
    let seen = rig.input(rig.lan, &whole);
    assert_eq!(seen.dropped, [DropReason::FragmentationNeeded]);
    let (_, message, _) = error_v4(&seen.sent[0].1);
    assert_eq!(message, icmpv4::Message::FragmentationNeeded { mtu: 1300 });

    let six = udp("[fd00:1::9]:5000", "[2001:db8:7::7]:53", &[9; 1400]);
    let seen = rig.input(rig.lan, &six);
    let (_, message, _) = error_v6(&seen.sent[0].1);
    assert_eq!(message, icmpv6::Message::PacketTooBig { mtu: 1300 });
    assert_eq!(rig.router.counters().fragments_out, 2);
}

/// A packet leaves in the buffer it came in: nothing is allocated or copied for it.
#[test]
fn packets_are_forwarded_in_place() {
    let mut rig = Rig::with(RouterConfig::new(), Medium::Ethernet(MAC_ROUTER));
    rig.input(rig.lan, &framed(MAC_ROUTER, &udp("192.168.1.9:1", "203.0.113.7:9", b"x")));
    rig.input(rig.lan, &arp_reply(INSIDE, MAC_HOST));
    let given = |rig: &mut Rig, port, frame: Vec<u8>| {
        let buffer = BytesMut::from(&frame[..]);
        let (now, at) = (rig.now, buffer.as_ptr() as usize);
        rig.router.input(now, port, buffer, 0, &mut rig.seen);
        let (_, sent, _) = rig.seen.sent.pop().unwrap();
        (sent.as_ptr() as usize - at, sent)
    };
    // Ethernet to raw IP: the same bytes without the link header.
    let packet = udp("192.168.1.9:1", "203.0.113.7:9", b"x");
    let lan = rig.lan;
    let (moved, sent) = given(&mut rig, lan, framed(MAC_ROUTER, &packet));
    assert_eq!((moved, sent.len()), (HEADER_LEN, packet.len()));
    // Raw IP to Ethernet, when there is room in front.
    let mut wan = port(Medium::RawIp, &["10.9.9.1/24"]);
    wan.headroom_bytes = 14;
    let roomy = rig.router.add_port(wan).unwrap();
    let packet = udp("10.9.9.9:9", "192.168.1.9:1", b"answer");
    let (moved, sent) = given(&mut rig, roomy, [vec![0; 14], packet.clone()].concat());
    let frame = Frame::parse(&sent).unwrap();
    assert_eq!((moved, frame.destination(), frame.source()), (0, MAC_HOST, MAC_ROUTER));
    assert_eq!(ends(frame.payload()), ends(&packet));
}

/// RFC 1812, section 4.3.2.8; RFC 4443, section 2.4 (f).
#[test]
fn errors_are_limited_for_each_and_for_all() {
    let mut config = RouterConfig::new();
    config.icmp_errors_per_second = 10;
    config.icmp_errors_per_second_each = 4;
    let mut rig = Rig::with(config, Medium::RawIp);
    let errors = |rig: &mut Rig, host: u8| {
        let packet = udp(&format!("192.168.1.{host}:5"), "203.0.113.7:53", b"x");
        let packet = with_header(&packet, |header| header.ttl = 1);
        let lan = rig.lan;
        (0..20).map(|_| rig.input(lan, &packet).sent.len()).sum::<usize>()
    };
    assert_eq!([2, 3, 4].map(|host| errors(&mut rig, host)), [4, 4, 2]);
    rig.pass(Duration::from_secs(1));
    assert_eq!(errors(&mut rig, 2), 4);
    assert_eq!(rig.router.counters().errors_limited, 80 - 14);
    // A box that says nothing.
    rig.router.set_config(RouterConfig::new().icmp(false));
    rig.pass(Duration::from_secs(5));
    assert_eq!(errors(&mut rig, 2), 0);
}

#[test]
fn routes_and_ports_are_checked() {
    use fyke_stack::router::RouterError;
    let mut rig = Rig::new();
    let (all, far) = ("0.0.0.0/0".parse().unwrap(), "10.77.0.1".parse().unwrap());
    assert_eq!(rig.router.add_route(all, far), Err(RouterError::NoSuchNetwork(far)));
    let six = "fd00:1::9".parse().unwrap();
    assert_eq!(rig.router.add_route(all, six), Err(RouterError::InvalidAddress(six)));
    for address in ["224.0.0.1/24", "0.0.0.0/0", "ff02::1/64"] {
        assert!(rig.router.add_port(port(Medium::RawIp, &[address])).is_err(), "{address}");
    }
    let ethernet = rig.router.add_port(port(Medium::Ethernet(MAC_ROUTER), &[])).unwrap();
    assert_eq!(rig.router.set_local(ethernet), Err(RouterError::NoSuchPort));
    let none = udp("192.168.1.9:1", "10.1.1.1:9", b"");
    assert!(rig.router.remove_route(&all) && !rig.router.remove_route(&all));
    let seen = rig.input(rig.lan, &none);
    assert_eq!(seen.dropped, [DropReason::NoRoute]);
    let mut config = RouterConfig::new();
    config.ports_max = 4;
    rig.router.set_config(config);
    rig.router.add_port(port(Medium::RawIp, &[])).unwrap();
    let more = rig.router.add_port(port(Medium::RawIp, &[]));
    assert_eq!(more, Err(RouterError::LimitReached));
}

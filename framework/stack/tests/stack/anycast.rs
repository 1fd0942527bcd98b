//! Addresses that several hosts have (RFC 4291, section 2.6; RFC 4861, section 7.2.7).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::ethernet::{EtherType, Frame, FrameKind};
use fyke_stack::wire::ndp::{Message, NdpOption};
use fyke_stack::wire::{IpProtocol, MacAddress, icmpv6, ipv6, ndp};
use fyke_stack::{
    AddressState, ConnectOptions, EchoRequest, Event, IcmpContent, IcmpFailure, IcmpOptions,
    Medium, RxMeta, StackConfig, StackError, UdpOptions,
};

use crate::discovery::discovery;
use crate::ethernet::{MAC_SERVER, config, link};
use crate::world::{Host, SERVER, SERVER6, World, addr};

const SHARED: &str = "10.0.0.53";
const SHARED6: &str = "2001:db8::53";

fn cidr(text: &str) -> fyke_stack::Cidr {
    text.parse().unwrap()
}

/// A server with addresses that others have, too.
fn share(world: &mut World) {
    for address in ["10.0.0.53/24", "2001:db8::53/64"] {
        world.server.stack.add_anycast(world.now, cidr(address)).unwrap();
    }
}

/// The advertisements among frames: target, override flag, solicited flag.
fn advertisements(frames: &[Bytes]) -> Vec<(Ipv6Addr, bool, bool)> {
    let packets = frames.iter().filter_map(|bytes| {
        let frame = Frame::parse(bytes).unwrap();
        (frame.kind() == FrameKind::Type(EtherType::IPV6)).then(|| frame.payload())
    });
    let told = packets.filter_map(|packet| {
        let packet = ipv6::Packet::parse(packet).unwrap();
        let icmp = icmpv6::Packet::parse(packet.payload()).ok()?;
        match ndp::Packet::parse(&icmp).ok()?.message {
            Message::NeighborAdvertisement { target, solicited, override_known, .. } => {
                Some((target, override_known, solicited))
            }
            _ => None,
        }
    });
    told.collect()
}

fn question(from: &str) -> Bytes {
    let target: Ipv6Addr = SHARED6.parse().unwrap();
    let group = ndp::solicited_node(target).to_string();
    let mac = NdpOption::SourceLinkLayer(MacAddress([2, 0, 0, 0, 0, 9]));
    let message = Message::NeighborSolicitation { target };
    discovery(from, &group, 255, message, &[mac])
}

/// RFC 4862, section 5.4: no duplicate detection; RFC 5227 has none for them either.
#[test]
fn rfc4862_5_4_nobody_is_asked_and_nothing_is_announced() {
    let mut careful = config(MAC_SERVER);
    careful.duplicate_address_probes = 1;
    careful.arp_probes = 3;
    let mut now = Instant::from_nanos(1_000_000_000);
    let mut host = Host::new(careful, &[], 5, now);
    for address in ["10.0.0.53/24", "2001:db8::53/64"] {
        host.stack.add_anycast(now, cidr(address)).unwrap();
    }
    assert!(host.stack.addresses().all(|own| own.anycast && own.state == AddressState::Preferred));
    // A report of its group is all that is told of it (RFC 4861, section 7.2.1).
    let mut told = 0;
    loop {
        let frames = host.transmit(now);
        assert!(frames.iter().all(|frame| {
            let packet = ipv6::Packet::parse(&frame[14..]).unwrap();
            packet.next_header() == IpProtocol::HOP_BY_HOP && packet.hop_limit() == 1
        }));
        told += frames.len();
        let Some(next) = host.stack.poll_timeout() else { break };
        now = next;
        host.stack.handle_timeout(now);
    }
    assert_eq!(told, 2);
    assert!(host.take_events().is_empty());
}

/// RFC 4861, section 7.2.7: the answer waits up to a second of chance and overrides nothing.
#[test]
fn rfc4861_7_2_7_advertisements_are_late_and_override_nothing() {
    let mut delays = BTreeSet::new();
    for seed in 0..20 {
        let now = Instant::from_nanos(1_000_000_000);
        let mut host = Host::new(config(MAC_SERVER), &["2001:db8::2/64"], seed, now);
        host.stack.add_anycast(now, cidr("2001:db8::53/64")).unwrap();
        host.transmit(now);
        for _ in 0..3 {
            host.stack.input(now, question("2001:db8::9"), RxMeta::default());
        }
        assert!(host.transmit(now).is_empty(), "it waits");
        let mut due = now;
        let frames = loop {
            due = host.stack.poll_timeout().expect("an answer is due").max(due);
            host.stack.handle_timeout(due);
            let frames = host.transmit(due);
            // Reports of groups come in between.
            if !advertisements(&frames).is_empty() {
                break frames;
            }
        };
        assert_eq!(advertisements(&frames), [(SHARED6.parse().unwrap(), false, true)]);
        let delay = due.saturating_duration_since(now);
        assert!(delay <= Duration::from_millis(1001), "{delay:?}");
        delays.insert(delay.as_millis() / 50);
    }
    assert!(delays.len() > 8, "not all at the same time: {delays:?}");
}

#[test]
fn questions_without_end_wait_in_a_list_with_one() {
    let mut world = link();
    share(&mut world);
    for n in 1..500 {
        let from = format!("2001:db8::1:{n:x}");
        world.server.stack.input(world.now, question(&from), RxMeta::default());
    }
    world.server.transmit(world.now);
    assert!(world.server.stack.usage().outbox == 0);
    let mut told = 0;
    world.filter = Box::new(|_, _| false);
    world.server.sent.clear();
    world.advance(Duration::from_secs(2));
    told += advertisements(&world.server.sent).len();
    // Those who asked are neighbours: for all of them the link address was in the question.
    assert_eq!(told, 64);
}

/// RFC 4861, section 7.2.5: who knows one of several keeps to that one.
#[test]
fn rfc4861_7_2_5_the_first_answer_counts() {
    let mut world = link();
    share(&mut world);
    let to = Some(addr("[2001:db8::53]:9"));
    let id = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
    world.client.stack.udp_send(world.now, id, to, "x".into()).unwrap();
    world.advance(Duration::from_secs(2));
    let known = |world: &World| {
        let shared: IpAddr = SHARED6.parse().unwrap();
        world.client.stack.neighbors().find(|it| it.address == shared).unwrap().mac
    };
    assert_eq!(known(&world), Some(MAC_SERVER));
    let other = MacAddress([2, 0, 0, 0, 0, 9]);
    let told = |override_known, solicited| {
        let target = SHARED6.parse().unwrap();
        let message =
            Message::NeighborAdvertisement { target, router: false, solicited, override_known };
        discovery(SHARED6, "ff02::1", 255, message, &[NdpOption::TargetLinkLayer(other)])
    };
    world.client.stack.input(world.now, told(false, false), RxMeta::default());
    assert!(world.client.transmit(world.now).is_empty(), "nobody is asked about it");
    assert_eq!(known(&world), Some(MAC_SERVER));
}

/// Another host that has it, too, is no rival (RFC 4862, section 5.4; RFC 5227 for IPv4).
#[test]
fn other_hosts_with_the_address_are_no_conflict() {
    let mut world = link();
    share(&mut world);
    for address in ["10.0.0.53/24", "2001:db8::53/64"] {
        // This one says that it has it alone, and announces it.
        world.client.stack.add_address(world.now, cidr(address)).unwrap();
    }
    world.advance(Duration::from_secs(3));
    assert_eq!(world.server.take_events(), Vec::<Event>::new());
    let own = |it: &&fyke_stack::OwnAddress| it.anycast && it.state == AddressState::Preferred;
    assert_eq!(world.server.stack.addresses().filter(own).count(), 2);
}

/// RFC 4291, section 2.6, without the ban of its predecessor: a conversation that came to the
/// address goes on from it, and nothing begins with it.
#[test]
fn rfc4291_2_6_it_answers_and_does_not_ask() {
    for (shared, peer, unicast) in
        [(SHARED, "10.0.0.1:9", SERVER), (SHARED6, "[2001:db8::1]:9", SERVER6)]
    {
        let mut world = World::new();
        share(&mut world);
        let shared: IpAddr = shared.parse().unwrap();
        let web = std::net::SocketAddr::new(shared, 80).to_string();
        let (client, server) = world.established(&web);
        world.client.stack.write(world.now, client, "hello".into()).unwrap();
        world.settle();
        assert_eq!(world.server.read_all(world.now, server).0, b"hello");
        assert_eq!(world.server.stack.endpoints(server).unwrap().0.ip(), shared);
        // The answer of a server that is bound to any address.
        let one = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
        let two = world.server.stack.udp_bind(addr("[::]:53"), UdpOptions::default()).unwrap();
        let to = std::net::SocketAddr::new(shared, 53);
        world.client.stack.udp_send(world.now, one, Some(to), "who?".into()).unwrap();
        world.settle();
        let asked = world.server.stack.udp_receive(two).unwrap();
        let mut from = fyke_stack::UdpSendOptions::default();
        from.source = Some(asked.to);
        let answer = Bytes::from_static(b"me");
        world.server.stack.udp_send_with(world.now, two, Some(asked.from), answer, from).unwrap();
        world.settle();
        assert_eq!(world.client.stack.udp_receive(one).unwrap().from.ip(), shared);
        // What begins here has a name of this host.
        let new = world.server.stack.connect(world.now, addr(peer), Default::default()).unwrap();
        let local = world.server.stack.endpoints(new).unwrap().0.ip();
        assert_eq!(local.to_string(), unicast);
        assert_eq!(world.server.stack.source_for(addr(peer).ip()), Some(local));
        let mut named = ConnectOptions::default();
        named.local = Some(std::net::SocketAddr::new(shared, 0));
        let new = world.server.stack.connect(world.now, addr(peer), named).unwrap();
        assert_eq!(world.server.stack.endpoints(new).unwrap().0.ip(), shared);
    }
}

/// RFC 4443, sections 2.2 and 4.2; RFC 1122, section 3.2.2.6.
#[test]
fn rfc4443_2_2_icmpv6_answers_from_a_unicast_address() {
    let mut world = World::new();
    share(&mut world);
    let ping = world.client.stack.icmp_open(IcmpOptions::default()).unwrap();
    let mut answer = |to: &str| {
        let request = EchoRequest::new(to.parse().unwrap(), 1, "hello".into());
        world.client.stack.icmp_send(world.now, ping, &request).unwrap();
        world.settle();
        let report = world.client.stack.icmp_receive(ping).unwrap();
        assert!(matches!(report.content, IcmpContent::EchoReply { .. }));
        report.from.to_string()
    };
    assert_eq!(answer(SHARED6), SERVER6);
    assert_eq!(answer(SHARED), SHARED);
    let mut options = IcmpOptions::default();
    options.errors = true;
    let errors = world.client.stack.icmp_open(options).unwrap();
    let one = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
    let to = Some(addr("[2001:db8::53]:9"));
    world.client.stack.udp_send(world.now, one, to, "x".into()).unwrap();
    world.settle();
    let report = world.client.stack.icmp_receive(errors).unwrap();
    let IcmpContent::Error { failure, .. } = report.content else { panic!("{report:?}") };
    assert_eq!(
        (report.from.to_string().as_str(), failure),
        (SERVER6, IcmpFailure::PortUnreachable)
    );
}

/// RFC 4291, section 2.6.1: the subnet-router address is for routers, and they all have it.
#[test]
fn rfc4291_2_6_1_subnet_router_addresses() {
    let now = Instant::from_nanos(1_000_000_000);
    let mut host = Host::new(StackConfig::new(Medium::RawIp), &["2001:db8::2/64"], 1, now);
    let all: IpAddr = "2001:db8::".parse().unwrap();
    let refused = host.stack.add_anycast(now, cidr("2001:db8::/64"));
    assert_eq!(refused, Err(StackError::InvalidAddress));
    assert!(host.stack.addresses().all(|own| own.cidr.address() != all));

    let mut router = StackConfig::new(Medium::RawIp);
    router.is_router = true;
    let mut host = Host::new(router, &["2001:db8::2/64", "2001:db8::3/64"], 1, now);
    let shared = |host: &Host| host.stack.addresses().filter(|own| own.anycast).count();
    assert_eq!(shared(&host), 1);
    // A link between two routers has none (RFC 6164).
    host.stack.add_address(now, cidr("2001:db8:1::/127")).unwrap();
    assert_eq!(shared(&host), 1);
    assert!(host.stack.remove_address("2001:db8::2".parse().unwrap()));
    assert_eq!(shared(&host), 1);
    assert!(host.stack.remove_address("2001:db8::3".parse().unwrap()));
    assert_eq!(shared(&host), 0);
}

#[test]
fn what_cannot_be_shared() {
    let now = Instant::from_nanos(1_000_000_000);
    let mut host = Host::new(StackConfig::new(Medium::RawIp), &["2001:db8::2/64"], 1, now);
    for address in ["ff02::1/64", "224.0.0.1/8", "255.255.255.255/32", "::/128", "127.0.0.1/8"] {
        let refused = host.stack.add_anycast(now, cidr(address));
        assert_eq!(refused, Err(StackError::InvalidAddress), "{address}");
    }
    let own = host.stack.add_anycast(now, cidr("2001:db8::2/64"));
    assert_eq!(own, Err(StackError::AddressInUse));
    for n in 2..=64 {
        host.stack.add_anycast(now, cidr(&format!("10.0.0.{n}/24"))).unwrap();
    }
    assert_eq!(host.stack.add_anycast(now, cidr("10.0.0.99/24")), Err(StackError::LimitReached));
    host.stack.add_anycast(now, cidr("10.0.0.9/16")).unwrap();
}

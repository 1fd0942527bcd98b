//! IPv6 on a link: routers, addresses from prefixes, forged discovery, groups that are told.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::wire::ethernet::{EtherType, Header};
use fyke_stack::wire::ndp::{Message, NdpOption, PrefixInformation, RouterAdvertisement};
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, icmpv6, igmp, ipv4, ipv6, mld,
};
use fyke_stack::{AddressState, DropReason, ListenOptions, RxMeta, UdpOptions};

use crate::ethernet::{MAC_CLIENT, MAC_SERVER, config, link};
use crate::world::{CLIENT, CLIENT6, Host, SERVER, SERVER6, World, addr};

const ROUTER: &str = "fe80::1";
const MAC_ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

/// A discovery message in its frame.
pub(crate) fn discovery(
    from: &str,
    to: &str,
    hop_limit: u8,
    message: Message,
    options: &[NdpOption],
) -> Bytes {
    let mut body = message.to_vec();
    options.iter().for_each(|option| option.append(&mut body));
    let (source, destination): (Ipv6Addr, Ipv6Addr) = (from.parse().unwrap(), to.parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let mut header = ipv6::Header::new(source, destination, IpProtocol::ICMPV6, body.len() as u16);
    header.hop_limit = hop_limit;
    let to = MacAddress::for_ipv6_multicast(destination);
    let link =
        Header { destination: to, source: MAC_ROUTER, vlan: None, ethertype: EtherType::IPV6 };
    let mut bytes = link.to_vec();
    header.append(&mut bytes);
    bytes.extend_from_slice(&body);
    bytes.into()
}

fn advertisement(lifetime_s: u16, valid: u32, preferred: u32) -> Bytes {
    let router = RouterAdvertisement { lifetime_s, hop_limit: 99, ..Default::default() };
    let prefix = PrefixInformation {
        prefix_len: 64,
        on_link: true,
        autonomous: true,
        valid_lifetime_s: valid,
        preferred_lifetime_s: preferred,
        prefix: "2001:db8:77::".parse().unwrap(),
    };
    let options =
        [NdpOption::SourceLinkLayer(MAC_ROUTER), NdpOption::Prefix(prefix), NdpOption::Mtu(1400)];
    discovery(ROUTER, "ff02::1", 255, Message::RouterAdvertisement(router), &options)
}

/// A client that makes its own addresses.
fn autonomous() -> World {
    let mut world = link();
    let mut config = config(MAC_CLIENT);
    config.slaac = true;
    config.duplicate_address_probes = 1;
    world.client = Host::new(config, &[], 3, world.now);
    world.advance(Duration::from_secs(3));
    world
}

fn global(world: &World) -> Option<(IpAddr, AddressState)> {
    let prefix: fyke_stack::Cidr = "2001:db8:77::/64".parse().unwrap();
    let own = world.client.stack.addresses().find(|own| prefix.contains(own.cidr.address()))?;
    Some((own.cidr.address(), own.state))
}

#[test]
fn routers_make_addresses_routes_and_an_end_to_them() {
    let mut world = autonomous();
    let local = world.client.stack.addresses().next().unwrap();
    assert!(matches!(local.cidr.address(), IpAddr::V6(v6) if v6.is_unicast_link_local()));
    assert_eq!(local.state, AddressState::Preferred);
    let solicited = world.client.sent.iter().any(|frame| frame[14 + 40] == 133);
    assert!(solicited, "it asks for routers");
    world.client.stack.input(world.now, advertisement(1800, 7200, 3600), RxMeta::default());
    assert_eq!(global(&world).unwrap().1, AddressState::Tentative);
    world.advance(Duration::from_secs(3));
    let (address, state) = global(&world).unwrap();
    assert_eq!(state, AddressState::Preferred);
    assert_eq!(world.client.stack.config().mtu, 1400);
    let far = addr("[2001:db8:ffff::1]:80");
    let id = world.client.stack.connect(world.now, far, Default::default()).unwrap();
    assert_eq!(world.client.stack.endpoints(id).unwrap().0.ip(), address);
    world.client.stack.abort(world.now, id).unwrap();
    world.advance(Duration::from_secs(1900));
    let gone = world.client.stack.connect(world.now, far, Default::default());
    assert!(gone.is_err(), "the router's time is over");
    world.advance(Duration::from_secs(1800));
    assert_eq!(global(&world).unwrap().1, AddressState::Deprecated);
    world.advance(Duration::from_secs(3600));
    assert_eq!(global(&world), None);
}

#[test]
fn a_forged_advertisement_cannot_end_an_address() {
    let mut world = autonomous();
    world.client.stack.input(world.now, advertisement(1800, 100_000, 50_000), RxMeta::default());
    world.advance(Duration::from_secs(3));
    world.client.stack.input(world.now, advertisement(1800, 0, 0), RxMeta::default());
    world.advance(Duration::from_secs(3600));
    assert!(global(&world).is_some(), "two hours are left to it (RFC 4862, 5.5.3 e)");
}

/// RFC 4862, section 5.5.3 e: an address without an end has more than two hours left.
#[test]
fn a_forged_advertisement_cannot_end_an_address_that_has_no_end() {
    let mut world = autonomous();
    let forever = advertisement(1800, u32::MAX, u32::MAX);
    world.client.stack.input(world.now, forever, RxMeta::default());
    world.advance(Duration::from_secs(3));
    world.client.stack.input(world.now, advertisement(1800, 10, 10), RxMeta::default());
    world.advance(Duration::from_secs(7000));
    assert!(global(&world).is_some());
    world.advance(Duration::from_secs(300));
    assert_eq!(global(&world), None);
}

/// RFC 4862, section 5.5.4: deprecated is what has no preferred lifetime left, and a router may give
/// it more.
#[test]
fn a_deprecated_address_is_preferred_again() {
    let mut world = autonomous();
    world.client.stack.input(world.now, advertisement(1800, 7200, 0), RxMeta::default());
    world.advance(Duration::from_secs(4));
    assert_eq!(global(&world).unwrap().1, AddressState::Deprecated, "from the beginning");
    world.client.stack.input(world.now, advertisement(1800, 7200, 3600), RxMeta::default());
    world.advance(Duration::from_secs(3));
    assert_eq!(global(&world).unwrap().1, AddressState::Preferred);
    world.advance(Duration::from_secs(3700));
    assert_eq!(global(&world).unwrap().1, AddressState::Deprecated);
    world.client.stack.input(world.now, advertisement(1800, 7200, 3600), RxMeta::default());
    world.advance(Duration::from_secs(1));
    assert_eq!(global(&world).unwrap().1, AddressState::Preferred);
}

/// RFC 4861, section 6.3.4: a router knows how far IPv6 has to go, and says nothing of IPv4.
#[test]
fn rfc4861_6_3_4_a_routers_hop_limit_is_ipv6s() {
    let mut client = config(MAC_CLIENT);
    client.slaac = true;
    let mut world = World::with(client, config(MAC_SERVER));
    let local = addr("[::]:5000");
    let listener = world.client.stack.listen(local, ListenOptions::default()).unwrap();
    world.client.stack.input(world.now, advertisement(1800, 7200, 3600), RxMeta::default());
    world.advance(Duration::from_secs(3));
    for (own, server, hops, at) in [(CLIENT, SERVER, 64, 14 + 8), (CLIENT6, SERVER6, 99, 14 + 7)] {
        world.client.sent.clear();
        let stack = &mut world.client.stack;
        // Connections out and in, datagrams, resets.
        stack.connect(world.now, addr(&crate::world::at(server, 81)), Default::default()).unwrap();
        let id = stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
        let to = Some(addr(&crate::world::at(server, 53)));
        stack.udp_send(world.now, id, to, "x".into()).unwrap();
        for port in [5000, 5001] {
            let to = addr(&crate::world::at(own, port));
            world.server.stack.connect(world.now, to, Default::default()).unwrap();
        }
        world.advance(Duration::from_millis(100));
        assert!(world.client.stack.accept(listener).is_some());
        let protocol = if at == 14 + 8 { 14 + 9 } else { 14 + 6 };
        let transports = world.client.sent.iter().filter(|it| matches!(it[protocol], 6 | 17));
        let limits: Vec<u8> = transports.map(|frame| frame[at]).collect();
        assert!(limits.len() >= 4 && limits.iter().all(|limit| *limit == hops), "{limits:?}");
    }
}

/// CVE-2015-2922: with a hop limit of 1 nothing would get beyond the link.
#[test]
fn a_forged_advertisement_cannot_keep_packets_on_the_link() {
    let mut world = autonomous();
    for hop_limit in [1, 0, 31] {
        let router = RouterAdvertisement { lifetime_s: 0, hop_limit, ..Default::default() };
        let frame = discovery(ROUTER, "ff02::1", 255, Message::RouterAdvertisement(router), &[]);
        world.client.stack.input(world.now, frame, RxMeta::default());
    }
    let far = Some(addr("[fe80::1]:53"));
    let id = world.client.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
    let mac = MAC_ROUTER;
    world.client.stack.set_neighbor(world.now, ROUTER.parse().unwrap(), mac);
    world.client.stack.udp_send(world.now, id, far, "x".into()).unwrap();
    assert_eq!(world.client.transmit(world.now)[0][14 + 7], 64);
}

/// RFC 4861, section 6.3.4: a router tells the link's MTU, and connections that are there keep to it.
#[test]
fn connections_keep_to_an_mtu_that_a_router_tells() {
    let mut client = config(MAC_CLIENT);
    client.slaac = true;
    let mut world = World::with(client, config(MAC_SERVER));
    world.advance(Duration::from_secs(3));
    let (client, server) = world.established(&crate::world::at(SERVER6, 80));
    let router = RouterAdvertisement { lifetime_s: 0, ..Default::default() };
    let message = Message::RouterAdvertisement(router);
    let frame = discovery(ROUTER, "ff02::1", 255, message, &[NdpOption::Mtu(1300)]);
    world.client.stack.input(world.now, frame, RxMeta::default());
    world.client.stack.write(world.now, client, vec![7; 5000].into()).unwrap();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.server.read_all(world.now, server).0.len(), 5000);
    assert_eq!(world.client.stack.info(client).unwrap().timeouts, 0);
    assert!(world.client.sent.iter().rev().take(4).all(|frame| frame.len() <= 14 + 1300));
}

#[test]
fn discovery_from_beyond_the_link_is_not_believed() {
    let mut world = autonomous();
    let router = Message::RouterAdvertisement(RouterAdvertisement {
        lifetime_s: 1800,
        ..Default::default()
    });
    for frame in [
        discovery(ROUTER, "ff02::1", 254, router, &[]),
        discovery("2001:db8::99", "ff02::1", 255, router, &[]),
    ] {
        world.client.stack.input(world.now, frame, RxMeta::default());
    }
    assert_eq!(world.client.stack.counters().drops[DropReason::NdInvalid], 2);
    assert_eq!(world.client.stack.routes().count(), 0);
    // Whoever asks for an address without having one must ask the right group.
    let mut world = link();
    let target = SERVER6.parse().unwrap();
    let ask = Message::NeighborSolicitation { target };
    let wrong = discovery("::", "ff02::1", 255, ask, &[]);
    world.server.stack.input(world.now, wrong, RxMeta::default());
    assert!(world.server.transmit(world.now).is_empty());
    let right = discovery("::", "ff02::1:ff00:2", 255, ask, &[]);
    world.server.stack.input(world.now, right, RxMeta::default());
    assert_eq!(world.server.transmit(world.now)[0][14 + 40], 136, "it is taken");
}

/// RFC 6980, section 5: what a switch that guards the link cannot look into is not believed.
#[test]
fn discovery_in_fragments_is_not_believed() {
    let whole = advertisement(1800, 7200, 3600);
    let (head, body) = whole.split_at(14 + 40);
    let fragment = |offset: u16, more: bool, piece: &[u8]| -> Bytes {
        let mut bytes = head.to_vec();
        bytes[14 + 6] = IpProtocol::FRAGMENT.0;
        bytes[14 + 4..14 + 6].copy_from_slice(&(8 + piece.len() as u16).to_be_bytes());
        let next_header = IpProtocol::ICMPV6;
        ipv6::FragmentHeader { next_header, offset, more, identification: 7 }.append(&mut bytes);
        bytes.extend_from_slice(piece);
        bytes.into()
    };
    let pieces = [fragment(0, true, &body[..32]), fragment(32, false, &body[32..])];
    for frames in [&[fragment(0, false, body)][..], &pieces] {
        let mut world = autonomous();
        for frame in frames {
            world.client.stack.input(world.now, frame.clone(), RxMeta::default());
        }
        assert_eq!(global(&world), None);
        assert_eq!(world.client.stack.counters().drops[DropReason::NdInvalid], 1);
    }
}

#[test]
fn memberships_are_told_twice_and_when_asked() {
    let mut world = link();
    let id = world.server.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    for group in ["239.1.2.3", "ff05::1234"] {
        let group: IpAddr = group.parse().unwrap();
        world.server.sent.clear();
        world.server.stack.udp_join(world.now, id, group).unwrap();
        world.advance(Duration::from_secs(2));
        assert_eq!(reports(&world, group), 2);
        let query = match group {
            IpAddr::V4(_) => igmp_query(),
            IpAddr::V6(_) => mld_query(true),
        };
        for _ in 0..10 {
            world.server.stack.input(world.now, query.clone(), RxMeta::default());
        }
        world.advance(Duration::from_secs(11));
        assert_eq!(reports(&world, group), 3, "ten questions, one answer");
        world.server.stack.udp_leave(world.now, id, group).unwrap();
        world.advance(Duration::from_secs(2));
        assert_eq!(reports(&world, group), 5);
    }
}

/// RFC 3810, section 6.2: questions ask routers to look at them, or they are none.
#[test]
fn rfc3810_6_2_a_question_without_router_alert_is_not_answered() {
    for alert in [false, true] {
        let mut world = link();
        world.advance(Duration::from_secs(5));
        world.server.sent.clear();
        world.server.stack.input(world.now, mld_query(alert), RxMeta::default());
        world.advance(Duration::from_secs(11));
        assert_eq!(world.server.sent.is_empty(), !alert);
        let invalid = world.server.stack.counters().drops[DropReason::MulticastInvalid];
        assert_eq!(invalid, u64::from(!alert));
    }
}

/// Reports of the newer version about a group, each in its proper wrapping.
fn reports(world: &World, group: IpAddr) -> usize {
    let about = |frame: &&Bytes| match group {
        IpAddr::V4(group) => ipv4::Packet::parse(&frame[14..]).is_ok_and(|packet| {
            packet.protocol() == IpProtocol::IGMP
                && packet.ttl() == 1
                && packet.header_len() == 24
                && matches!(igmp::Packet::parse(packet.payload()), Ok(igmp::Packet::ReportV3(r))
                    if r.iter().any(|record| record.group == group))
        }),
        IpAddr::V6(group) => ipv6::Packet::parse(&frame[14..]).is_ok_and(|packet| {
            let upper = packet.upper_layer().unwrap();
            let message = icmpv6::Packet::parse(upper.payload).ok();
            packet.next_header() == IpProtocol::HOP_BY_HOP
                && packet.hop_limit() == 1
                && message.is_some_and(|message| {
                    matches!(mld::Packet::parse(&message), Ok(mld::Packet::ReportV2(r))
                        if r.iter().any(|record| record.group == group))
                })
        }),
    };
    world.server.sent.iter().filter(about).count()
}

fn igmp_query() -> Bytes {
    let query = igmp::Query::V3 {
        max_response_ms: 10_000,
        group: [0, 0, 0, 0].into(),
        suppress: false,
        robustness: 2,
        interval_s: 125,
    };
    let body = igmp::Message::Query(query, &[]).to_vec();
    let all = [224, 0, 0, 1].into();
    let mut header =
        ipv4::Header::new([10, 0, 0, 9].into(), all, IpProtocol::IGMP, body.len() as u16);
    header.ttl = 1;
    let to = MacAddress::for_ipv4_multicast(all);
    let link =
        Header { destination: to, source: MAC_ROUTER, vlan: None, ethertype: EtherType::IPV4 };
    let mut bytes = link.to_vec();
    header.append(&mut bytes);
    bytes.extend_from_slice(&body);
    bytes.into()
}

fn mld_query(alert: bool) -> Bytes {
    let v2 = mld::QueryV2 { suppress: false, robustness: 2, interval_s: 125 };
    let group = Ipv6Addr::UNSPECIFIED;
    let query = mld::Query { max_response_ms: 10_000, group, v2: Some(v2) };
    let mut body = mld::Message::Query(query, &[]).to_vec();
    let (source, destination) = (ROUTER.parse().unwrap(), "ff02::1".parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let options: &[u8] =
        if alert { &[58, 0, 5, 2, 0, 0, 1, 0] } else { &[58, 0, 1, 4, 0, 0, 0, 0] };
    let body = [options, &body].concat();
    let length = body.len() as u16;
    let mut header = ipv6::Header::new(source, destination, IpProtocol::HOP_BY_HOP, length);
    header.hop_limit = 1;
    let to = MacAddress::for_ipv6_multicast(destination);
    let link =
        Header { destination: to, source: MAC_ROUTER, vlan: None, ethertype: EtherType::IPV6 };
    let mut bytes = link.to_vec();
    header.append(&mut bytes);
    bytes.extend_from_slice(&body);
    bytes.into()
}

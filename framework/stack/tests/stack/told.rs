//! What routers and neighbours may tell a host on a link, and what they may not (RFC 4861, sections
//! 6.3.4 and 7.2.5; RFC 5942).

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::wire::MacAddress;
use fyke_stack::wire::ethernet::Frame;
use fyke_stack::wire::ndp::{Message, NdpOption, PrefixInformation, RouterAdvertisement};
use fyke_stack::{
    AddressState, DropReason, Event, Neighbor, NeighborState, Route, RxMeta, UdpOptions,
};

use crate::discovery::discovery;
use crate::ethernet::{MAC_CLIENT, config};
use crate::world::{Host, World, addr};

const ROUTER: &str = "fe80::1";
const NEIGHBOR: &str = "2001:db8:77::99";
const MAC_ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);
const MAC_OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 8]);

/// A host that listens to routers, alone on its link.
fn listening() -> World {
    let mut world = World::new();
    let mut config = config(MAC_CLIENT);
    config.slaac = true;
    world.client = Host::new(config, &["fe80::c/64"], 3, world.now);
    world
}

fn hear(world: &mut World, frame: Bytes) {
    world.client.stack.input(world.now, frame, RxMeta::default());
}

fn advertise(world: &mut World, lifetime_s: u16, options: &[NdpOption]) {
    let router = RouterAdvertisement { lifetime_s, ..Default::default() };
    let message = Message::RouterAdvertisement(router);
    hear(world, discovery(ROUTER, "ff02::1", 255, message, options));
}

fn prefix(on_link: bool, prefix_len: u8, valid_lifetime_s: u32) -> NdpOption<'static> {
    NdpOption::Prefix(PrefixInformation {
        prefix_len,
        on_link,
        autonomous: true,
        valid_lifetime_s,
        preferred_lifetime_s: valid_lifetime_s,
        prefix: "2001:db8:77::".parse().unwrap(),
    })
}

fn route(world: &World, network: &str) -> Option<Route> {
    let network = network.parse().unwrap();
    world.client.stack.routes().find(|route| route.network == network).copied()
}

/// RFC 4861, section 6.3.4: an advertisement without a lifetime takes its sender from the list of
/// default routers, and nothing else.
#[test]
fn rfc4861_6_3_4_routes_of_the_application_are_not_the_routers() {
    let mut world = listening();
    let own = Route::via("::/0".parse().unwrap(), "fe80::77".parse().unwrap());
    let to_prefix = Route::via("2001:db8:77::/64".parse().unwrap(), "fe80::78".parse().unwrap());
    world.client.stack.add_route(own).unwrap();
    world.client.stack.add_route(to_prefix).unwrap();
    for lifetime_s in [0, 1800, 0] {
        advertise(&mut world, lifetime_s, &[prefix(true, 64, 60)]);
        assert_eq!(route(&world, "::/0"), Some(own));
        assert_eq!(route(&world, "2001:db8:77::/64"), Some(to_prefix));
    }
    world.advance(Duration::from_secs(100));
    assert_eq!(route(&world, "2001:db8:77::/64"), Some(to_prefix), "the prefix's time is over");
    // Without the application's the router's count, until the application has one again.
    assert!(world.client.stack.remove_route(&own.network));
    advertise(&mut world, 1800, &[]);
    assert_eq!(route(&world, "::/0").unwrap().gateway, Some(ROUTER.parse().unwrap()));
    world.client.stack.add_route(own).unwrap();
    advertise(&mut world, 0, &[]);
    assert_eq!(route(&world, "::/0"), Some(own));
}

/// RFC 5942, section 4, rule 1: an address makes no prefix one of the link; that the router says
/// apart from it.
#[test]
fn rfc5942_4_an_address_of_a_prefix_puts_nobody_on_the_link() {
    for on_link in [false, true] {
        let mut world = listening();
        advertise(
            &mut world,
            1800,
            &[NdpOption::SourceLinkLayer(MAC_ROUTER), prefix(on_link, 64, 9999)],
        );
        world.advance(Duration::from_secs(3));
        let socket = world.client.stack.udp_bind(addr("[::]:9"), UdpOptions::default()).unwrap();
        let to = Some(addr("[2001:db8:77::99]:9"));
        world.client.stack.udp_send(world.now, socket, to, "x".into()).unwrap();
        let sent = world.client.transmit(world.now);
        let to_router = |frame: &Bytes| Frame::parse(frame).unwrap().destination() == MAC_ROUTER;
        assert_eq!(sent.iter().any(to_router), !on_link);
    }
}

/// RFC 4861, section 6.3.4: the MTU is what routers tell, between what IPv6 needs and the link has.
#[test]
fn rfc4861_6_3_4_the_mtu_is_what_routers_tell_within_bounds() {
    let mut world = listening();
    for (told, mtu) in
        [(1279, 1500), (0, 1500), (1501, 1500), (u32::MAX, 1500), (1280, 1280), (1400, 1400)]
    {
        advertise(&mut world, 1800, &[NdpOption::Mtu(told)]);
        assert_eq!(world.client.stack.config().mtu, mtu, "{told}");
    }
    advertise(&mut world, 1800, &[NdpOption::Mtu(1500)]);
    assert_eq!(world.client.stack.config().mtu, 1500);
    world.client.stack.set_mtu(world.now, 1300);
    advertise(&mut world, 1800, &[NdpOption::Mtu(1500)]);
    assert_eq!(world.client.stack.config().mtu, 1300, "the link carries no more now");
}

/// All connections are asked when the MTU falls, so whoever tells ever other ones is believed in what is
/// less, and not for ever in what is more.
#[test]
fn an_mtu_that_rises_and_falls_asks_all_connections_a_few_times_only() {
    let mut world = listening();
    let flood = |world: &mut World| {
        let mut rises = 0;
        for _ in 0..100 {
            advertise(world, 1800, &[NdpOption::Mtu(1280)]);
            assert_eq!(world.client.stack.config().mtu, 1280);
            advertise(world, 1800, &[NdpOption::Mtu(1500)]);
            rises += usize::from(world.client.stack.config().mtu == 1500);
        }
        rises
    };
    assert_eq!(flood(&mut world), 8);
    world.advance(Duration::from_secs(59));
    assert_eq!(flood(&mut world), 0);
    world.advance(Duration::from_secs(1));
    assert_eq!(flood(&mut world), 8);
}

/// RFC 4861, section 6.3.7: only a default router ends the questions for one.
#[test]
fn rfc4861_6_3_7_questions_go_on_until_there_is_a_default_router() {
    for (lifetime_s, questions) in [(0, 3), (1800, 1)] {
        let mut world = listening();
        world.advance(Duration::from_secs(3));
        advertise(&mut world, lifetime_s, &[]);
        world.advance(Duration::from_secs(30));
        let asks = |frame: &&Bytes| frame[20] == 58 && frame[14 + 40] == 133;
        assert_eq!(world.client.sent.iter().filter(asks).count(), questions, "{lifetime_s}");
    }
}

fn neighbor(world: &World) -> Neighbor {
    let address: IpAddr = NEIGHBOR.parse().unwrap();
    world.client.stack.neighbors().find(|one| one.address == address).unwrap()
}

fn answer(solicited: bool, override_known: bool, mac: Option<MacAddress>) -> Bytes {
    let target = NEIGHBOR.parse().unwrap();
    let message =
        Message::NeighborAdvertisement { target, router: false, solicited, override_known };
    let option = mac.map(NdpOption::TargetLinkLayer);
    discovery(NEIGHBOR, "fe80::c", 255, message, option.as_slice())
}

/// A host that has just heard from a neighbour.
fn acquainted() -> World {
    let mut world = listening();
    advertise(&mut world, 0, &[prefix(true, 64, 9999)]);
    world.advance(Duration::from_secs(3));
    let socket = world.client.stack.udp_bind(addr("[::]:9"), UdpOptions::default()).unwrap();
    send(&mut world, socket);
    hear(&mut world, answer(true, true, Some(MAC_OTHER)));
    assert_eq!(neighbor(&world).state, NeighborState::Reachable);
    world
}

fn send(world: &mut World, socket: fyke_stack::UdpId) {
    let to = Some(addr("[2001:db8:77::99]:9"));
    world.client.stack.udp_send(world.now, socket, to, "x".into()).unwrap();
    world.settle();
}

/// RFC 4861, sections 4.4 and 7.2.5: who was asked alone need not say its link address.
#[test]
fn rfc4861_7_2_5_an_answer_without_a_link_address_confirms() {
    let mut world = acquainted();
    let socket = world.client.stack.udp_bind(addr("[::]:10"), UdpOptions::default()).unwrap();
    world.advance(Duration::from_secs(31));
    send(&mut world, socket);
    world.advance(Duration::from_secs(5));
    assert_eq!(neighbor(&world).state, NeighborState::Probe);
    hear(&mut world, answer(false, true, None));
    assert_eq!(neighbor(&world).state, NeighborState::Probe, "it says nothing about an answer");
    hear(&mut world, answer(true, false, None));
    assert_eq!(neighbor(&world).state, NeighborState::Reachable);
    assert_eq!(neighbor(&world).mac, Some(MAC_OTHER));
}

/// RFC 4861, section 7.2.5, I: another address that does not override makes a neighbour stale, and
/// changes nothing else.
#[test]
fn rfc4861_7_2_5_what_does_not_override_makes_stale() {
    for solicited in [false, true] {
        let mut world = acquainted();
        hear(&mut world, answer(solicited, false, Some(MAC_ROUTER)));
        let found = neighbor(&world);
        assert_eq!((found.state, found.mac), (NeighborState::Stale, Some(MAC_OTHER)));
        hear(&mut world, answer(false, false, Some(MAC_OTHER)));
        assert_eq!(neighbor(&world).state, NeighborState::Stale);
        hear(&mut world, answer(true, false, Some(MAC_OTHER)));
        assert_eq!(neighbor(&world).state, NeighborState::Reachable);
    }
}

/// RFC 4861, section 7.2.5: a router that says that it is none is no default router any more.
#[test]
fn rfc4861_7_2_5_a_router_that_is_none_any_more() {
    for (router, mac, left) in
        [(true, MAC_ROUTER, true), (false, MAC_OTHER, true), (false, MAC_ROUTER, false)]
    {
        let mut world = listening();
        advertise(&mut world, 1800, &[NdpOption::SourceLinkLayer(MAC_ROUTER)]);
        let target = ROUTER.parse().unwrap();
        let message = Message::NeighborAdvertisement {
            target,
            router,
            solicited: false,
            override_known: false,
        };
        let told = discovery(ROUTER, "ff02::1", 255, message, &[NdpOption::TargetLinkLayer(mac)]);
        hear(&mut world, told);
        assert_eq!(route(&world, "::/0").is_some(), left, "{router} {mac:?}");
    }
}

/// RFC 4862, section 5.4.4: who advertises an address that is ours mostly does so from that address.
/// The application hears of it, and the link whose it is, but not in a quarrel without end.
#[test]
fn rfc4862_5_4_4_another_host_with_our_address_is_told_of() {
    let mut world = listening();
    world.advance(Duration::from_secs(1));
    world.client.take_events();
    world.client.sent.clear();
    let ours = "fe80::c";
    let target = ours.parse().unwrap();
    let message = Message::NeighborAdvertisement {
        target,
        router: false,
        solicited: false,
        override_known: true,
    };
    let option = [NdpOption::TargetLinkLayer(MAC_OTHER)];
    for _ in 0..10 {
        hear(&mut world, discovery(ours, "ff02::1", 255, message, &option));
    }
    // From beyond the link it is nobody's.
    hear(&mut world, discovery(ours, "ff02::1", 64, message, &option));
    world.settle();
    let conflicts = world.client.take_events();
    assert_eq!(conflicts, [Event::AddressConflict(ours.parse().unwrap())]);
    let told = world.client.sent.iter().filter(|frame| frame[20] == 58 && frame[14 + 40] == 136);
    assert_eq!(told.count(), 1);
    assert_eq!(world.client.stack.counters().drops[DropReason::NdInvalid], 1);
}

fn tell_times(world: &mut World, reachable_ms: u32, retransmit_ms: u32) {
    let router = RouterAdvertisement { reachable_ms, retransmit_ms, ..Default::default() };
    hear(world, discovery(ROUTER, "ff02::1", 255, Message::RouterAdvertisement(router), &[]));
}

/// RFC 4861, section 6.3.4: ReachableTime is what routers tell, within bounds; zero says nothing.
#[test]
fn rfc4861_6_3_4_how_long_an_answer_vouches_is_what_routers_tell() {
    let hour = 3600;
    for (told, seconds) in
        [(0, 30), (5000, 5), (90_000, 90), (1, 1), (u32::MAX, hour), (u32::MAX - 1, hour)]
    {
        let mut world = listening();
        advertise(&mut world, 0, &[prefix(true, 64, u32::MAX)]);
        tell_times(&mut world, told, 0);
        tell_times(&mut world, 0, 0);
        world.advance(Duration::from_secs(3));
        let socket = world.client.stack.udp_bind(addr("[::]:9"), UdpOptions::default()).unwrap();
        send(&mut world, socket);
        hear(&mut world, answer(true, true, Some(MAC_OTHER)));
        world.advance(Duration::from_millis(seconds * 1000 - 1));
        send(&mut world, socket);
        assert_eq!(neighbor(&world).state, NeighborState::Reachable, "{told}");
        world.advance(Duration::from_millis(1));
        send(&mut world, socket);
        assert_eq!(neighbor(&world).state, NeighborState::Delay, "{told}");
    }
}

/// RFC 4861, sections 6.3.4 and 7.2.2: RetransTimer lies between two questions for a neighbour; RFC
/// 4862, section 5.1: and behind one for an own address.
#[test]
fn rfc4861_6_3_4_questions_are_as_far_apart_as_routers_tell() {
    for (told, interval) in [(0, 1000), (300, 300), (4000, 4000), (1, 50), (u32::MAX, 10_000)] {
        let mut config = config(MAC_CLIENT);
        config.slaac = true;
        config.duplicate_address_probes = 1;
        let mut world = World::new();
        world.client = Host::new(config, &["fe80::c/64"], 3, world.now);
        world.advance(Duration::from_secs(3));
        tell_times(&mut world, 0, told);
        let began = world.now;
        advertise(&mut world, 0, &[prefix(true, 64, u32::MAX)]);
        let own = |world: &World, ready: bool| {
            world.client.stack.addresses().any(|own| {
                own.cidr.contains(NEIGHBOR.parse().unwrap())
                    && (own.state == AddressState::Preferred) == ready
            })
        };
        assert!(own(&world, false));
        while own(&world, false) {
            world.advance(Duration::from_millis(1));
        }
        // The first question comes after a random second at most (RFC 4862, section 5.4.2).
        let took = (world.now - began).as_millis() as u64;
        assert!((interval..=interval + 1001).contains(&took), "{told}: {took} ms");

        let socket = world.client.stack.udp_bind(addr("[::]:9"), UdpOptions::default()).unwrap();
        world.client.sent.clear();
        send(&mut world, socket);
        let asked = |world: &World| {
            let asks = |frame: &&Bytes| frame[20] == 58 && frame[14 + 40] == 135;
            world.client.sent.iter().filter(asks).count()
        };
        for questions in 1..=3 {
            assert_eq!(asked(&world), questions, "{told}");
            world.advance(Duration::from_millis(interval - 1));
            assert_eq!(asked(&world), questions, "{told}");
            world.advance(Duration::from_millis(1));
        }
        assert_eq!(neighbor(&world).state, NeighborState::Failed, "{told}");
    }
}

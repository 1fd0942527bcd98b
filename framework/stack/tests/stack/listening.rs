//! The groups of own addresses, and what of them is told to switches (RFC 4862, section 5.4.2;
//! RFC 4861, section 7.2.1; RFC 3590).

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::wire::multicast::RecordKind;
use fyke_stack::wire::ndp::{Message, solicited_node};
use fyke_stack::wire::{IpProtocol, icmpv6, ipv6, mld};
use fyke_stack::{AddressState, RxMeta, UdpOptions};

use crate::discovery::discovery;
use crate::ethernet::{MAC_CLIENT, config, link};
use crate::world::{Host, World, addr};

const ADDRESS: &str = "2001:db8::aa:bbcc";
/// Of another network, and with the same last three bytes.
const SIBLING: &str = "2001:db8:1::aa:bbcc";

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Listens(Ipv6Addr, Vec<(RecordKind, Ipv6Addr)>),
    Asks(Ipv6Addr),
}

/// Reports and probes in a frame, with the source of the former.
fn told(frame: &Bytes) -> Option<Told> {
    let packet = ipv6::Packet::parse(frame.get(14..)?).ok()?;
    let upper = packet.upper_layer().ok()?;
    let message = icmpv6::Packet::parse(upper.payload).ok()?;
    if packet.next_header() == IpProtocol::HOP_BY_HOP && packet.hop_limit() == 1 {
        let Ok(mld::Packet::ReportV2(records)) = mld::Packet::parse(&message) else { return None };
        let records = records.iter().map(|record| (record.kind, record.group)).collect();
        return Some(Told::Listens(packet.source(), records));
    }
    let probe = message.kind() == 135 && packet.source().is_unspecified();
    probe.then(|| Told::Asks(packet.destination()))
}

fn all_told(world: &mut World) -> Vec<Told> {
    let told = world.client.sent.iter().filter_map(told).collect();
    world.client.sent.clear();
    told
}

/// A host that finds out whether its addresses are free, and has none yet.
fn careful() -> World {
    let mut world = link();
    let mut config = config(MAC_CLIENT);
    config.duplicate_address_probes = 1;
    world.client = Host::new(config, &[], 3, world.now);
    world
}

fn add(world: &mut World, cidr: &str) {
    world.client.stack.add_address(world.now, cidr.parse().unwrap()).unwrap();
}

fn group_of(address: &str) -> Ipv6Addr {
    solicited_node(address.parse().unwrap())
}

const JOIN: RecordKind = RecordKind::ChangeToExclude;
const LEAVE: RecordKind = RecordKind::ChangeToInclude;

/// RFC 4862, section 5.4.2: a tentative address's group is joined before the address is asked about,
/// and a switch that looks for listeners lets the answer through. There is no source to tell it by.
#[test]
fn rfc4862_5_4_2_the_group_of_a_tentative_address_is_told_before_it_is_asked_about() {
    let mut world = careful();
    add(&mut world, "2001:db8::aa:bbcc/64");
    assert_eq!(world.client.stack.groups().count(), 0, "only after a while of chance");
    world.advance(Duration::from_secs(3));
    let group = group_of(ADDRESS);
    let join = || Told::Listens(Ipv6Addr::UNSPECIFIED, vec![(JOIN, group)]);
    assert_eq!(all_told(&mut world), [join(), Told::Asks(group), join()]);
    assert_eq!(world.client.stack.groups().collect::<Vec<_>>(), [IpAddr::V6(group)]);
}

/// RFC 3590, section 4: switches need not believe reports without a source, so with the first
/// link-local address everything is told again.
#[test]
fn rfc3590_4_groups_are_told_again_with_the_first_link_local_address() {
    let mut world = careful();
    add(&mut world, "2001:db8::aa:bbcc/64");
    world.advance(Duration::from_secs(3));
    add(&mut world, "fe80::5/64");
    all_told(&mut world);
    world.advance(Duration::from_secs(4));
    let (old, new) = (group_of(ADDRESS), group_of("fe80::5"));
    let source: Ipv6Addr = "fe80::5".parse().unwrap();
    let told = all_told(&mut world);
    assert_eq!(told[0], Told::Listens(Ipv6Addr::UNSPECIFIED, vec![(JOIN, new)]), "tentative yet");
    let again = |told: &&Told| **told == Told::Listens(source, vec![(JOIN, new), (JOIN, old)]);
    assert_eq!(told.iter().filter(again).count(), 2, "{told:?}");
}

/// RFC 4861, section 7.2.1: addresses with one group share it; it is left with the last of them, of
/// a socket's that joined it, too.
#[test]
fn rfc4861_7_2_1_a_group_is_left_with_the_last_address_that_has_it() {
    let mut world = link();
    world.advance(Duration::from_secs(2));
    add(&mut world, "2001:db8::aa:bbcc/64");
    add(&mut world, "2001:db8:1::aa:bbcc/64");
    world.advance(Duration::from_secs(2));
    all_told(&mut world);
    let group = IpAddr::V6(group_of(ADDRESS));
    let id = world.client.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    world.client.stack.udp_join(world.now, id, group).unwrap();
    for address in [ADDRESS, SIBLING] {
        assert!(world.client.stack.remove_address(address.parse().unwrap()));
        world.advance(Duration::from_secs(2));
        assert_eq!(all_told(&mut world), [], "somebody listens yet");
    }
    world.client.stack.udp_leave(world.now, id, group).unwrap();
    world.advance(Duration::from_secs(2));
    let left = || Told::Listens(Ipv6Addr::UNSPECIFIED, vec![(LEAVE, group_of(ADDRESS))]);
    assert_eq!(all_told(&mut world), [left(), left()]);
    assert!(!world.client.stack.groups().any(|there| there == group));
}

/// RFC 4862, section 5.4.5: an address that somebody else has is not used, so nobody listens for it.
#[test]
fn rfc4862_5_4_5_the_group_of_a_duplicate_address_is_left() {
    let mut world = careful();
    add(&mut world, "2001:db8::aa:bbcc/64");
    while world.client.stack.groups().count() == 0 {
        world.advance(Duration::from_millis(10));
    }
    let target = ADDRESS.parse().unwrap();
    let rival = Message::NeighborSolicitation { target };
    let to = group_of(ADDRESS).to_string();
    let frame = discovery("::", &to, 255, rival, &[]);
    world.client.stack.input(world.now, frame, RxMeta::default());
    let state = world.client.stack.addresses().next().unwrap().state;
    assert_eq!((state, world.client.stack.groups().count()), (AddressState::Duplicate, 0));
    world.advance(Duration::from_secs(2));
    let told = all_told(&mut world);
    let left = Told::Listens(Ipv6Addr::UNSPECIFIED, vec![(LEAVE, group_of(ADDRESS))]);
    assert_eq!(told.iter().filter(|told| **told == left).count(), 2, "{told:?}");
    assert!(world.client.stack.remove_address(ADDRESS.parse().unwrap()));
    assert_eq!(world.client.stack.groups().count(), 0);
}

/// Routers may give us addresses; the groups of these take none from sockets.
#[test]
fn addresses_take_no_groups_from_sockets() {
    let mut world = link();
    let mut config = config(MAC_CLIENT);
    config.limits.groups_max = 1;
    let own = ["2001:db8::aa:1/64", "2001:db8::aa:2/64"];
    world.client = Host::new(config, &own, 3, world.now);
    let id = world.client.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    world.client.stack.udp_join(world.now, id, "ff05::1".parse().unwrap()).unwrap();
    let second = world.client.stack.udp_join(world.now, id, "ff05::2".parse().unwrap());
    assert!(second.is_err());
    assert_eq!(world.client.stack.groups().count(), 3);
}

/// RFC 3810, section 6: a socket in the group of all nodes, or in one that stays within the host, is no
/// reason to tell anybody; it hears what is sent there all the same.
#[test]
fn rfc_3810_6_nobody_is_told_of_groups_that_all_are_in() {
    let mut world = link();
    world.advance(Duration::from_secs(5));
    let id = world.client.stack.udp_bind(addr("[::]:5000"), UdpOptions::default()).unwrap();
    all_told(&mut world);
    for (group, reports) in [("ff02::1", 0), ("ff01::5", 0), ("ff05::5", 2)] {
        let group: Ipv6Addr = group.parse().unwrap();
        world.client.stack.udp_join(world.now, id, group.into()).unwrap();
        world.advance(Duration::from_secs(5));
        assert_eq!(all_told(&mut world).len(), reports, "{group}");
        world.client.stack.udp_leave(world.now, id, group.into()).unwrap();
        world.advance(Duration::from_secs(5));
        assert_eq!(all_told(&mut world).len(), reports, "{group}");
    }
    let other = world.server.stack.udp_bind(addr("[::]:0"), UdpOptions::default()).unwrap();
    let group: IpAddr = "ff02::1".parse().unwrap();
    world.client.stack.udp_join(world.now, id, group).unwrap();
    let to = Some(addr("[ff02::1]:5000"));
    world.server.stack.udp_send(world.now, other, to, "all".into()).unwrap();
    world.settle();
    assert_eq!(world.client.stack.udp_receive(id).unwrap().payload, "all");
}

//! The router as a station of its links: what is for it alone, and what it believes of neighbours.

use fyke_stack::nat::{Nat, NatConfig};
use fyke_stack::router::{DropReason, RouterConfig};
use fyke_stack::wire::ethernet::Frame;
use fyke_stack::wire::ndp::{self, NdpOption};
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, icmpv4, icmpv6, ipv4,
};
use fyke_stack::{Medium, Seed, Tunnel};

use crate::rig::*;

const NEIGHBOR: &str = "fd00:1::9";
const BROKER: &str = "203.0.113.9";

/// Datagrams whose first bytes look like messages of neighbour discovery are none.
#[test]
fn datagrams_are_not_mistaken_for_neighbour_discovery() {
    let mut rig = Rig::with(RouterConfig::new(), Medium::Ethernet(MAC_ROUTER));
    let inner = rig.router.add_port(port(Medium::RawIp, &[])).unwrap();
    rig.router.set_local(inner).unwrap();
    for (kind, length) in [(133, 0), (134, 8), (135, 16), (136, 16), (137, 32)] {
        let from = format!("[{NEIGHBOR}]:{}", kind << 8);
        let packet = udp(&from, "[fd00:1::1]:53", &vec![0; length]);
        let seen = rig.input(rig.lan, &framed(MAC_ROUTER, &packet));
        let to: Vec<_> = seen.sent.iter().map(|(port, ..)| *port).collect();
        assert_eq!(to, [inner], "from port {from}");
    }
}

fn advertisement(mac: MacAddress, override_known: bool) -> Vec<u8> {
    let (source, destination) = (NEIGHBOR.parse().unwrap(), "fd00:1::1".parse().unwrap());
    let message = ndp::Message::NeighborAdvertisement {
        target: source,
        router: false,
        solicited: true,
        override_known,
    };
    let mut body = message.to_vec();
    NdpOption::TargetLinkLayer(mac).append(&mut body);
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let mut packet = ip(source.into(), destination.into(), IpProtocol::ICMPV6, &body);
    packet[7] = 255;
    framed(MAC_ROUTER, &packet)
}

/// RFC 4861, section 7.2.5: another link address takes the place of the known one only when it
/// says so.
#[test]
fn rfc4861_7_2_5_the_first_answer_counts_unless_another_overrides() {
    let other = MacAddress([2, 0, 0, 0, 0, 7]);
    let mut rig = Rig::with(RouterConfig::new(), Medium::Ethernet(MAC_ROUTER));
    let packet = udp("[2001:db8:9::9]:5", "[fd00:1::9]:9", b"x");
    rig.input(rig.wan, &packet);
    for (mac, override_known, known) in [
        (MAC_HOST, false, MAC_HOST),
        (other, false, MAC_HOST),
        (other, true, other),
        (MAC_HOST, false, other),
    ] {
        rig.input(rig.lan, &advertisement(mac, override_known));
        let seen = rig.input(rig.wan, &packet);
        let to = Frame::parse(&seen.sent[0].1).unwrap().destination();
        assert_eq!(to, known, "{mac:?} {override_known}");
    }
}

/// RFC 1122, section 3.2.2: what was damaged on the way is not answered, least of all with a sum that
/// says that it is sound.
#[test]
fn rfc1122_3_2_2_damaged_pings_are_not_answered() {
    let mut rig = Rig::new();
    let mut four = icmpv4::Message::EchoRequest { identifier: 1, sequence: 2 }.to_vec();
    icmpv4::Message::fill_checksum(&mut four, &[]);
    let v4 = ip(INSIDE.parse().unwrap(), "192.168.1.1".parse().unwrap(), IpProtocol::ICMPV4, &four);
    let mut six = icmpv6::Message::EchoRequest { identifier: 1, sequence: 2 }.to_vec();
    let (source, destination) = (NEIGHBOR.parse().unwrap(), "fd00:1::1".parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut six, &pseudo, &[], ChecksumIntent::Full);
    let v6 = ip(source.into(), destination.into(), IpProtocol::ICMPV6, &six);
    for packet in [v4, v6] {
        assert_eq!(rig.input(rig.lan, &packet).sent.len(), 1);
        let mut damaged = packet.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(rig.refused(rig.lan, &damaged), DropReason::NotForwarded);
    }
}

/// RFC 791, section 3.1: options with the copied flag stand in every fragment.
#[test]
fn rfc791_3_1_options_that_are_copied_are_in_every_fragment() {
    use ipv4::Ipv4Option::{Nop, RecordRoute, RouterAlert};
    let mut rig = Rig::new();
    rig.router.set_mtu(rig.wan, 100);
    let packet = udp("192.168.1.9:5", "203.0.113.7:9", &[7; 300]);
    let options = ipv4::Options::EMPTY.with(RecordRoute(&[4, 0, 0, 0, 0])).unwrap();
    let options = options.with(Nop).unwrap().with(RouterAlert(0)).unwrap();
    let packet = with_header(&packet, |header| header.options = options);
    let seen = rig.input(rig.lan, &packet);
    assert!(seen.sent.len() > 3);
    let mut joined = Vec::new();
    for (at, (_, frame, _)) in seen.sent.iter().enumerate() {
        let view = ipv4::Packet::parse(frame).unwrap();
        assert!(view.checksum_is_valid() && frame.len() <= 100);
        assert_eq!(usize::from(view.fragment_offset()), joined.len());
        joined.extend_from_slice(view.payload());
        let alert = view.options().any(|option| option == RouterAlert(0));
        let record = view.options().any(|option| matches!(option, RecordRoute(_)));
        assert_eq!((alert, record), (true, at == 0));
    }
    assert_eq!(joined, ipv4::Packet::parse(&packet).unwrap().payload());
}

/// A tunnel may end at the outside address of a NAT box: what the box has no mappings for is its own.
#[test]
fn a_tunnel_and_a_nat_box_share_an_address() {
    let mut rig = Rig::nat(NatConfig::new());
    let tunnel = Tunnel::new(OUTSIDE.parse().unwrap(), BROKER.parse().unwrap());
    rig.router.add_tunnel(tunnel, &["2001:db8:ff::2/64".parse().unwrap()]).unwrap();
    let inner = udp("[2001:db8:7::7]:9", "[fd00:1::9]:5", b"x");
    let (from, to) = (BROKER.parse().unwrap(), OUTSIDE.parse().unwrap());
    let back = rig.back(&ip(from, to, IpProtocol::IPV6, &inner));
    assert_eq!(ends(&back), ends(&inner));
    // Without a tunnel it is for the box's own stack, or for nobody.
    let other = ip(from, to, IpProtocol(47), &inner);
    assert_eq!(rig.refused(rig.wan, &other), DropReason::NotForwarded);
    let local = rig.router.add_port(port(Medium::RawIp, &[])).unwrap();
    rig.router.set_local(local).unwrap();
    let seen = rig.input(rig.wan, &other);
    assert_eq!((seen.sent.len(), seen.sent[0].0), (1, local));
}

/// What goes into a tunnel whose other end no route leads to is counted and told.
#[test]
fn a_tunnel_without_a_way_drops_and_counts() {
    let mut rig = Rig::new();
    let tunnel = Tunnel::new(OUTSIDE.parse().unwrap(), BROKER.parse().unwrap());
    let through = rig.router.add_tunnel(tunnel, &[]).unwrap();
    rig.router.add_link_route("::/0".parse().unwrap(), through).unwrap();
    assert!(rig.router.remove_route(&"0.0.0.0/0".parse().unwrap()));
    let inner = udp("[fd00:1::9]:5", "[2001:db8:7::7]:9", b"x");
    assert_eq!(rig.refused(rig.lan, &inner), DropReason::NoRoute);
    assert_eq!(rig.router.counters().drops.total(), 1);
}

/// A NAT box changes nothing about what is for the box itself.
#[test]
fn fragments_of_other_protocols_reach_the_box_itself() {
    let mut rig = Rig::new();
    let nat = Nat::new(NatConfig::new(), OUTSIDE.parse().unwrap(), Seed::from(2), rig.now);
    rig.router.set_nat(nat, rig.wan).unwrap();
    let local = rig.router.add_port(port(Medium::RawIp, &[])).unwrap();
    rig.router.set_local(local).unwrap();
    let (from, to) = (BROKER.parse().unwrap(), OUTSIDE.parse().unwrap());
    let whole = ip(from, to, IpProtocol(47), &[7; 64]);
    for (offset, more) in [(32, false), (0, true)] {
        let view = ipv4::Packet::parse(&whole).unwrap();
        let mut header = view.header();
        (header.fragment_offset, header.more_fragments, header.payload_len) = (offset, more, 32);
        let piece = [header.to_vec(), vec![7; 32]].concat();
        let seen = rig.input(rig.wan, &piece);
        let arrived = seen.sent.iter().filter(|(port, ..)| *port == local).count();
        // The later one came first, and waited.
        assert_eq!(arrived, if more { 2 } else { 0 });
    }
}

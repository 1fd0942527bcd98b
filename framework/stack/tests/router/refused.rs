//! What is never forwarded (RFC 1812, sections 5.2.2 and 5.3; RFC 4291; RFC 3927; RFC 7126).

use fyke_stack::Medium;
use fyke_stack::router::{DropReason, RouterConfig};
use fyke_stack::wire::MacAddress;
use fyke_stack::wire::ipv4::{Ipv4Option, Options};

use crate::rig::*;

/// RFC 1812, sections 5.3.7 and 5.3.8.
#[test]
fn rfc1812_5_3_7_martians() {
    let mut rig = Rig::new();
    for (source, destination) in [
        ("0.0.0.0:1", "203.0.113.7:9"),
        ("127.0.0.1:1", "203.0.113.7:9"),
        ("224.0.0.5:1", "203.0.113.7:9"),
        ("255.255.255.255:1", "203.0.113.7:9"),
        ("240.0.0.1:1", "203.0.113.7:9"),
        ("192.168.1.255:1", "203.0.113.7:9"),
        ("192.168.1.9:1", "127.0.0.1:9"),
        ("192.168.1.9:1", "0.0.0.0:9"),
        // The router's own addresses.
        ("192.168.1.1:1", "203.0.113.7:9"),
        ("198.51.100.2:1", "203.0.113.7:9"),
        ("[::]:1", "[2001:db8:7::7]:9"),
        ("[::1]:1", "[2001:db8:7::7]:9"),
        ("[ff02::1]:1", "[2001:db8:7::7]:9"),
        ("[::ffff:10.0.0.1]:1", "[2001:db8:7::7]:9"),
        ("[fd00:1::1]:1", "[2001:db8:7::7]:9"),
        ("[fd00:1::9]:1", "[::1]:9"),
        ("[fd00:1::9]:1", "[::ffff:10.0.0.1]:9"),
    ] {
        let packet = udp(source, destination, b"x");
        assert_eq!(rig.refused(rig.lan, &packet), DropReason::Martian, "{source}");
    }
}

/// RFC 4291, section 2.5.6; RFC 3927, section 7; RFC 2644; RFC 4291, section 2.7.
#[test]
fn what_stays_on_its_link() {
    let mut rig = Rig::new();
    for (source, destination) in [
        ("[fe80::9]:1", "[2001:db8:7::7]:9"),
        ("[fd00:1::9]:1", "[fe80::7]:9"),
        ("[fd00:1::9]:1", "[ff0e::7]:9"),
        ("[fd00:1::9]:1", "[ff02::1]:9"),
        ("169.254.7.7:1", "203.0.113.7:9"),
        ("192.168.1.9:1", "169.254.7.7:9"),
        ("192.168.1.9:1", "224.0.0.251:9"),
        ("192.168.1.9:1", "239.1.2.3:9"),
        ("192.168.1.9:1", "255.255.255.255:9"),
        // A broadcast of another network of the router.
        ("192.168.1.9:1", "198.51.100.255:9"),
    ] {
        let packet = udp(source, destination, b"x");
        assert_eq!(rig.refused(rig.lan, &packet), DropReason::NotForwarded, "{destination}");
    }
}

/// RFC 1812, section 5.3.4: what all stations got, all routers would forward.
#[test]
fn rfc1812_5_3_4_link_broadcasts() {
    let mut rig = Rig::with(RouterConfig::new(), Medium::Ethernet(MAC_ROUTER));
    let packet = udp("192.168.1.9:1", "203.0.113.7:9", b"x");
    let to_all = framed(MacAddress::BROADCAST, &packet);
    assert_eq!(rig.refused(rig.lan, &to_all), DropReason::NotForwarded);
    let other = framed(MacAddress([2, 9, 9, 9, 9, 9]), &packet);
    assert_eq!(rig.refused(rig.lan, &other), DropReason::OtherStation);
    assert_eq!(rig.input(rig.lan, &framed(MAC_ROUTER, &packet)).sent.len(), 1);
}

#[test]
fn broken_packets_and_source_routes() {
    let mut rig = Rig::new();
    let good = udp("192.168.1.9:1", "203.0.113.7:9", b"x");
    let mut bad = good.clone();
    bad[10] ^= 1;
    for packet in [&good[..19], &bad, &[], &[0x45], &[0x60; 39], &[0x75; 60]] {
        assert_eq!(rig.refused(rig.lan, packet), DropReason::Malformed);
    }
    let routed = with_header(&good, |header| {
        let option = Ipv4Option::LooseSourceRoute(&[4, 10, 0, 0, 9]);
        header.options = Options::EMPTY.with(option).unwrap();
    });
    assert_eq!(rig.refused(rig.lan, &routed), DropReason::SourceRoute);
    // Padding is the link's.
    let padded = [good.clone(), vec![0xee; 30]].concat();
    assert_eq!(rig.out(&padded).len(), good.len());
}

/// Fragments that would end behind the longest packet are not cut further.
#[test]
fn a_fragment_beyond_the_end_is_no_reason_to_panic() {
    let mut rig = Rig::new();
    rig.router.set_mtu(rig.wan, 576);
    let packet = udp("192.168.1.9:1", "203.0.113.7:9", &[0; 1000]);
    let last = with_header(&packet, |header| header.fragment_offset = 65_528);
    assert_eq!(rig.refused(rig.lan, &last), DropReason::FragmentationNeeded);
}

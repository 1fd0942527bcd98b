//! Whose a raw frame is.

use std::net::IpAddr;
use std::sync::LazyLock;

use bytes::Bytes;
use fyke_stack::wire::ethernet::{EtherType, Header, VlanTag};
use fyke_stack::wire::{Emit, IpProtocol, icmpv4, icmpv6, ipv4, ipv6};
use fyke_stack::{Medium, Seed, Shards, Steer};

use super::{MAC_A, MAC_B};
use crate::frames::{Frame, ip};
use crate::world::{CLIENT, CLIENT6, SERVER, SERVER6, addr, at};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn framed(ethertype: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Header { destination: MAC_B, source: MAC_A, vlan: None, ethertype }.to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

fn shards() -> &'static Shards {
    static SHARDS: LazyLock<Shards> = LazyLock::new(|| Shards::new(8, Seed::from(3)));
    &SHARDS
}

/// The same packet with and without a link header has the same owner.
#[track_caller]
fn steer(packet: &[u8]) -> Steer {
    let shards = shards();
    let v4 = packet.first().is_some_and(|first| first >> 4 == 4);
    let ethertype = if v4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let bare = shards.steer(Medium::RawIp, packet);
    assert_eq!(shards.steer(Medium::Ethernet(MAC_B), &framed(ethertype, packet)), bare);
    bare
}

#[test]
fn a_connection_its_errors_and_its_extension_headers_have_one_owner() {
    for (us, peer) in [(SERVER, CLIENT), (SERVER6, CLIENT6)] {
        for port in 1..200 {
            let (us, peer) = (at(us, 80), at(peer, port));
            let owner = Steer::Owner(shards().owner_of_tcp(addr(&us), addr(&peer)));
            let syn = Frame::syn(&peer, &us, 1).bytes();
            assert_eq!(steer(&syn), owner);
            // What a router says about a segment of ours.
            let ours = Frame::syn(&us, &peer, 1).bytes();
            let (protocol, mut error) = if addr(&us).is_ipv4() {
                (IpProtocol::ICMPV4, icmpv4::Message::TimeExceeded { code: 0 }.to_vec())
            } else {
                (IpProtocol::ICMPV6, icmpv6::Message::PacketTooBig { mtu: 1280 }.to_vec())
            };
            let router = if addr(&us).is_ipv4() { "10.9.9.9" } else { "2001:db8:9::9" };
            error.extend_from_slice(&ours);
            assert_eq!(steer(&ip(address(router), addr(&us).ip(), protocol, &error)), owner);
            if addr(&us).is_ipv6() {
                assert_eq!(steer(&with_destination_options(&syn)), owner);
            }
        }
    }
}

fn with_destination_options(packet: &Bytes) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    let next = std::mem::replace(&mut bytes[6], IpProtocol::DESTINATION_OPTIONS.0);
    let length = u16::from_be_bytes([bytes[4], bytes[5]]) + 8;
    bytes[4..6].copy_from_slice(&length.to_be_bytes());
    bytes.splice(40..40, [next, 0, 1, 4, 0, 0, 0, 0]);
    bytes
}

#[test]
fn what_is_in_a_tunnel_has_the_owner_of_its_inside() {
    let around = |from, to, inner: &[u8]| ip(address(from), address(to), IpProtocol::IPV6, inner);
    for port in 1..50 {
        let (us, peer) = (at(SERVER6, 80), at(CLIENT6, port));
        let owner = Steer::Owner(shards().owner_of_tcp(addr(&us), addr(&peer)));
        let syn = Frame::syn(&peer, &us, 1).bytes();
        assert_eq!(steer(&around(CLIENT, SERVER, &syn)), owner);
        // What a router says about a packet of the tunnel is about the tunnel: all send through it.
        let mut error = icmpv4::Message::FragmentationNeeded { mtu: 1400 }.to_vec();
        error.extend_from_slice(&around(SERVER, CLIENT, &Frame::syn(&us, &peer, 1).bytes()));
        let error = ip(address("10.9.9.9"), address(SERVER), IpProtocol::ICMPV4, &error);
        assert_eq!(steer(&error), Steer::Everyone);
    }
}

#[test]
fn datagrams_and_echoes_have_the_owner_of_their_number() {
    let shards = shards();
    for (us, peer) in [(SERVER, CLIENT), (SERVER6, CLIENT6)] {
        for number in [1_u16, 53, 5000, 65_535] {
            let [high, low] = number.to_be_bytes();
            let udp = [0, 9, high, low, 0, 8, 0, 0];
            let owner = Steer::Owner(shards.owner_of_udp_port(number));
            assert_eq!(steer(&ip(address(peer), address(us), IpProtocol::UDP, &udp)), owner);
            let owner = Steer::Owner(shards.owner_of_echo(number));
            let v4 = address(us).is_ipv4();
            let protocol = if v4 { IpProtocol::ICMPV4 } else { IpProtocol::ICMPV6 };
            for kind in if v4 { [8, 0] } else { [128, 129] } {
                let echo = [kind, 0, 0, 0, high, low, 0, 1];
                assert_eq!(steer(&ip(address(peer), address(us), protocol, &echo)), owner);
            }
            // An error about our own request.
            let request = [if v4 { 8 } else { 128 }, 0, 0, 0, high, low, 0, 1];
            let quoted = ip(address(us), address(peer), protocol, &request);
            let mut error = [if v4 { 11 } else { 3 }, 0, 0, 0, 0, 0, 0, 0].to_vec();
            error.extend_from_slice(&quoted);
            assert_eq!(steer(&ip(address(peer), address(us), protocol, &error)), owner);
        }
    }
}

#[test]
fn everyone_hears_what_all_learn_from() {
    let shards = shards();
    let arp = framed(EtherType::ARP, &[0; 28]);
    assert_eq!(shards.steer(Medium::Ethernet(MAC_B), &arp), Steer::Everyone);
    let igmp =
        ip(address(CLIENT), address("224.0.0.1"), IpProtocol::IGMP, &[0x11, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(steer(&igmp), Steer::Everyone);
    for kind in [130, 131, 132, 133, 134, 135, 136, 137, 143] {
        let message = [kind, 0, 0, 0, 0, 0, 0, 0];
        let packet = ip(address(CLIENT6), address(SERVER6), IpProtocol::ICMPV6, &message);
        assert_eq!(steer(&packet), Steer::Everyone, "{kind}");
    }
    let (from, to) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    let mut header = ipv4::Header::new(from, to, IpProtocol::TCP, 8);
    header.more_fragments = true;
    for offset in [0, 64] {
        header.fragment_offset = offset;
        let mut packet = header.to_vec();
        packet.extend_from_slice(&[0; 8]);
        assert_eq!(steer(&packet), Steer::Everyone);
    }
    let (from, to) = (CLIENT6.parse().unwrap(), SERVER6.parse().unwrap());
    for (offset, more) in [(0, true), (64, true), (64, false)] {
        let mut packet = ipv6::Header::new(from, to, IpProtocol::FRAGMENT, 16).to_vec();
        let next_header = IpProtocol::TCP;
        packet.extend_from_slice(
            &ipv6::FragmentHeader { next_header, offset, more, identification: 9 }.to_vec(),
        );
        // Whatever the piece looks like: as the headers of something else, too.
        packet.extend_from_slice(&[0xff; 8]);
        assert_eq!(steer(&packet), Steer::Everyone);
    }
}

#[test]
fn the_first_gets_what_is_nobodys() {
    let shards = shards();
    for bytes in [&b""[..], b"?", &[0x45; 19], &[0x60; 39], &[0; 2000], &[0xff; 60]] {
        assert_eq!(shards.steer(Medium::RawIp, bytes), Steer::First);
        assert_eq!(shards.steer(Medium::Ethernet(MAC_B), bytes), Steer::First);
    }
    for (protocol, body) in [
        (IpProtocol(99), &[0; 20][..]),
        (IpProtocol::TCP, &[0; 3]),
        (IpProtocol::UDP, &[]),
        (IpProtocol::ICMPV4, &[3, 3, 0, 0]),
        (IpProtocol::ICMPV4, &[13, 0, 0, 0, 0, 0, 0, 0]),
        // An error that quotes nothing.
        (IpProtocol::ICMPV4, &[3, 3, 0, 0, 0, 0, 0, 0]),
        (IpProtocol::ICMPV6, &[135, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let packet = ip(address(CLIENT), address(SERVER), protocol, body);
        assert_eq!(steer(&packet), Steer::First, "{protocol:?}");
    }
    let packet = Frame::syn(&at(CLIENT, 5), &at(SERVER, 80), 1).bytes();
    let vlan = Some(VlanTag { ethertype: EtherType::VLAN, control: 5 });
    let header = Header { destination: MAC_B, source: MAC_A, vlan, ethertype: EtherType::IPV4 };
    let mut tagged = header.to_vec();
    tagged.extend_from_slice(&packet);
    assert_eq!(shards.steer(Medium::Ethernet(MAC_B), &tagged), Steer::First);
    // Padding is no part of it.
    let mut padded = framed(EtherType::IPV4, &packet);
    padded.resize(padded.len() + 10, 0);
    assert!(matches!(shards.steer(Medium::Ethernet(MAC_B), &padded), Steer::Owner(_)));
}

#[test]
fn every_prefix_of_a_frame_has_a_place() {
    let shards = shards();
    let segment = Frame::syn(&at(CLIENT6, 5), &at(SERVER6, 80), 1).bytes();
    let frame = framed(EtherType::IPV6, &with_destination_options(&segment));
    for end in 0..frame.len() {
        // A cut packet is nobody's, and nothing panics.
        assert_eq!(shards.steer(Medium::Ethernet(MAC_B), &frame[..end]), Steer::First);
    }
}

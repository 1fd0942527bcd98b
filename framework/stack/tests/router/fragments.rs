//! Fragments through a NAT box, in any order (RFC 4787, REQ-14), with a bound on what is kept.

use std::time::Duration;

use fyke_stack::nat::NatConfig;
use fyke_stack::router::DropReason;
use fyke_stack::wire::{icmpv4, ipv4};

use crate::rig::*;

/// A datagram in three pieces.
fn pieces(packet: &[u8], identification: u16) -> Vec<Vec<u8>> {
    let view = ipv4::Packet::parse(packet).unwrap();
    let chunks: Vec<_> = view.payload().chunks(400).collect();
    let piece = |(n, chunk): (usize, &&[u8])| {
        let whole = [&packet[..20], chunk].concat();
        with_header(&whole_of(&whole), |header| {
            header.fragment_offset = (n * 400) as u16;
            header.more_fragments = n + 1 < chunks.len();
            header.identification = identification;
        })
    };
    chunks.iter().enumerate().map(piece).collect()
}

/// The same bytes with a length that is true.
fn whole_of(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len() as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Puts a datagram's pieces together.
fn joined(mut frames: Vec<Vec<u8>>) -> Vec<u8> {
    frames.sort_by_key(|frame| ipv4::Packet::parse(frame).unwrap().fragment_offset());
    let first = ipv4::Packet::parse(&frames[0]).unwrap();
    let body: Vec<u8> =
        frames.iter().flat_map(|it| ipv4::Packet::parse(it).unwrap().payload().to_vec()).collect();
    ip(first.source().into(), first.destination().into(), first.protocol(), &body)
}

/// Gives the router frames; those that left, all by one port.
fn carried(rig: &mut Rig, from: fyke_stack::router::PortId, frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let sent = frames.iter().flat_map(|frame| rig.input(from, frame).sent);
    sent.map(|(_, frame, _)| frame.to_vec()).collect()
}

#[test]
fn rfc4787_req14_fragments_pass_in_any_order_and_direction() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        let mut rig = Rig::nat(NatConfig::new());
        let packet = udp("192.168.1.9:5000", "203.0.113.7:53", &[3; 1000]);
        let all = pieces(&packet, 77);
        let (lan, wan) = (rig.lan, rig.wan);
        let sent = carried(&mut rig, lan, order.map(|n| all[n].clone()).to_vec());
        assert_eq!(sent.len(), 3, "{order:?}");
        // Whole again, its checksum is that of the new addresses.
        let (from, to) = ends(&joined(sent));
        assert_eq!((from.as_str(), to.as_str()), ("198.51.100.2:5000", "203.0.113.7:53"));
        let answer = pieces(&udp(&to, &from, &[4; 1000]), 99);
        let sent = carried(&mut rig, wan, order.map(|n| answer[n].clone()).to_vec());
        let (from, to) = ends(&joined(sent));
        assert_eq!((from.as_str(), to.as_str()), ("203.0.113.7:53", "192.168.1.9:5000"));
        assert_eq!(rig.router.nat().unwrap().fragments().1, 0, "nothing waits");
        assert_eq!(rig.router.counters().drops.total(), 0);
    }
}

#[test]
fn fragments_without_a_first_wait_for_a_while() {
    let mut rig = Rig::nat(NatConfig::new().fragment_timeout(Duration::from_secs(2)));
    let all = pieces(&udp("203.0.113.7:53", "198.51.100.2:5000", &[3; 1000]), 77);
    let wan = rig.wan;
    assert!(carried(&mut rig, wan, all[1..].to_vec()).is_empty());
    assert_eq!(rig.router.nat().unwrap().fragments(), (0, 2));
    let seen = rig.pass(Duration::from_secs(3));
    assert_eq!(seen.dropped, [DropReason::NatFragment; 2]);
    assert_eq!(rig.router.poll_timeout(), None);
    // A first that nobody inside asked for opens no way for the others.
    assert_eq!(rig.refused(rig.wan, &all[0]), DropReason::NatNoMapping);
    assert!(carried(&mut rig, wan, all[1..2].to_vec()).is_empty());
}

#[test]
fn what_is_kept_of_fragments_has_a_bound() {
    let config = NatConfig::new().fragments_held_max(20).fragment_datagrams_max(4);
    let mut rig = Rig::nat(config);
    let packet = udp("203.0.113.7:53", "198.51.100.2:5000", &[3; 1000]);
    let mut dropped = 0;
    for n in 0..100 {
        dropped += rig.input(rig.wan, &pieces(&packet, n)[1]).dropped.len();
    }
    assert_eq!((dropped, rig.router.nat().unwrap().fragments()), (80, (0, 20)));
    // One datagram alone does not get them all.
    let mut rig = Rig::nat(NatConfig::new());
    for _ in 0..30 {
        rig.input(rig.wan, &pieces(&packet, 1)[1]);
    }
    assert_eq!(rig.router.nat().unwrap().fragments(), (0, 16));
    let mut rig = Rig::nat(NatConfig::new().fragment_datagrams_max(4));
    for n in 0..100 {
        let all = pieces(&udp("192.168.1.9:5000", "203.0.113.7:53", &[3; 1000]), n);
        let lan = rig.lan;
        assert_eq!(carried(&mut rig, lan, all).len(), 3);
    }
    assert_eq!(rig.router.nat().unwrap().fragments(), (4, 0));
}

/// What waited for a neighbour was translated before: its sender hears about what it sent (RFC 5508,
/// section 4), and nobody outside sees an inside address.
#[test]
fn errors_of_the_box_itself_are_translated_back() {
    let mut rig = Rig::nat(NatConfig::new());
    rig.out(&udp("192.168.1.9:5000", "203.0.113.7:53", b"question"));
    rig.router.set_mtu(rig.lan, 100);
    let answer = udp("203.0.113.7:53", "198.51.100.2:5000", &[0; 200]);
    let answer = with_header(&answer, |header| header.dont_fragment = true);
    let seen = rig.input(rig.wan, &answer);
    let (port, error, _) = &seen.sent[0];
    let (from, message, quote) = error_v4(error);
    assert_eq!((*port, from.as_str()), (rig.wan, OUTSIDE));
    assert_eq!(message, icmpv4::Message::FragmentationNeeded { mtu: 100 });
    assert_eq!(quote, answer);
}

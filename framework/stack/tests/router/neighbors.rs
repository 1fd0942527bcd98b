//! Neighbours of an Ethernet port: asked for, used while they are asked again, limited.

use std::time::Duration;

use fyke_stack::Medium;
use fyke_stack::router::{DropReason, RouterConfig};
use fyke_stack::wire::ethernet::Frame;
use fyke_stack::wire::{MacAddress, icmpv4};

use crate::rig::*;

fn lan(change: impl FnOnce(&mut RouterConfig)) -> Rig {
    let mut config = RouterConfig::new();
    change(&mut config);
    Rig::with(config, Medium::Ethernet(MAC_ROUTER))
}

fn to(host: &str) -> Vec<u8> {
    udp("203.0.113.7:53", &format!("{host}:5000"), b"answer")
}

#[test]
fn packets_wait_for_the_answer_and_then_go() {
    let mut rig = lan(|config| config.neighbor_queue_packets_max = 3);
    let mut questions = 0;
    for n in 0..5 {
        let seen = rig.input(rig.wan, &to(INSIDE));
        questions += seen.sent.iter().filter(|(_, frame, _)| asked(frame).is_some()).count();
        let full = [DropReason::NeighborQueueFull];
        assert_eq!(seen.dropped, if n < 3 { &[][..] } else { &full[..] });
    }
    assert_eq!(questions, 1);
    let seen = rig.input(rig.lan, &arp_reply(INSIDE, MAC_HOST));
    assert_eq!(seen.sent.len(), 3);
    for (port, frame, mark) in &seen.sent {
        let view = Frame::parse(frame).unwrap();
        assert_eq!((*port, *mark, view.destination()), (rig.lan, 7, MAC_HOST));
        assert_eq!(ends(view.payload()).1, "192.168.1.9:5000");
    }
    assert_eq!(rig.router.poll_timeout(), None);
}

/// RFC 1812, section 5.2.7.1.
#[test]
fn who_does_not_answer_is_unreachable() {
    let mut rig = lan(|_| {});
    rig.input(rig.wan, &to(INSIDE));
    let seen = rig.pass(Duration::from_secs(5));
    let questions = seen.sent.iter().filter(|(_, frame, _)| asked(frame).is_some());
    assert_eq!((questions.count(), seen.dropped), (2, vec![DropReason::NeighborUnreachable]));
    let (port, error, _) = seen.sent.last().unwrap();
    let (from, message, _) = error_v4(error);
    assert_eq!((*port, from.as_str()), (rig.wan, OUTSIDE));
    assert_eq!(message, icmpv4::Message::Unreachable { code: icmpv4::unreachable::HOST });
    assert_eq!(rig.router.port_usage(rig.lan).unwrap().neighbors, 0);
}

#[test]
fn an_old_address_is_used_while_it_is_asked_for_again() {
    let mut rig = lan(|_| {});
    rig.input(rig.wan, &to(INSIDE));
    rig.input(rig.lan, &arp_reply(INSIDE, MAC_HOST));
    rig.pass(Duration::from_secs(61));
    let seen = rig.input(rig.wan, &to(INSIDE));
    assert_eq!(seen.sent.len(), 2, "the packet, and a question");
    assert_eq!(Frame::parse(&seen.sent[0].1).unwrap().destination(), MAC_HOST);
    assert!(asked(&seen.sent[1].1).is_some());
    assert_eq!(rig.input(rig.wan, &to(INSIDE)).sent.len(), 1, "one question at a time");
    // Another station has the address now.
    let moved = MacAddress([2, 0, 0, 0, 0, 7]);
    rig.input(rig.lan, &arp_reply(INSIDE, moved));
    let seen = rig.input(rig.wan, &to(INSIDE));
    assert_eq!(Frame::parse(&seen.sent[0].1).unwrap().destination(), moved);
    // And one that never answers is forgotten.
    rig.pass(Duration::from_secs(61));
    rig.input(rig.wan, &to(INSIDE));
    rig.pass(Duration::from_secs(4));
    assert_eq!(rig.router.port_usage(rig.lan).unwrap().neighbors, 0);
}

#[test]
fn a_scan_displaces_nobody_who_is_known() {
    let mut rig = lan(|config| {
        config.neighbors_max = 8;
        config.waiting_packets_max = 100;
    });
    for n in 2..6 {
        let host = format!("192.168.1.{n}");
        rig.input(rig.wan, &to(&host));
        rig.input(rig.lan, &arp_reply(&host, MacAddress([2, 0, 0, 0, 1, n])));
    }
    for n in 10..250 {
        rig.input(rig.wan, &to(&format!("192.168.1.{n}")));
    }
    let usage = rig.router.port_usage(rig.lan).unwrap();
    assert_eq!((usage.neighbors, usage.waiting_packets), (8, 4));
    for n in 2..6 {
        let seen = rig.input(rig.wan, &to(&format!("192.168.1.{n}")));
        assert_eq!(seen.sent.len(), 1, "{n} is still known");
    }
}

#[test]
fn all_that_waits_is_limited_and_nobody_takes_the_routers_name() {
    let mut rig = lan(|config| config.waiting_packets_max = 5);
    let mut full = 0;
    for n in 10..30 {
        full += rig.input(rig.wan, &to(&format!("192.168.1.{n}"))).dropped.len();
    }
    assert_eq!((full, rig.router.port_usage(rig.lan).unwrap().waiting_packets), (15, 5));
    let before = rig.router.port_usage(rig.lan).unwrap().neighbors;
    rig.input(rig.lan, &arp_reply("192.168.1.1", MAC_HOST));
    assert_eq!(rig.router.port_usage(rig.lan).unwrap().neighbors, before);
}

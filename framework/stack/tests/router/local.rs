//! A whole stack behind the router's own addresses.

use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::nat::{Nat, NatConfig};
use fyke_stack::router::PortId;
use fyke_stack::wire::{icmpv4, ipv4};
use fyke_stack::{
    EchoRequest, Event, IcmpContent, IcmpOptions, ListenOptions, Medium, RxMeta, Seed, Stack,
    StackConfig,
};

use crate::rig::*;

/// A gateway with a stack of its own, a host inside and one outside, all in virtual time.
struct Home {
    rig: Rig,
    stacks: [(PortId, Stack); 3],
}

const OWN: usize = 0;
const HOST: usize = 1;
const FAR: usize = 2;

impl Home {
    fn new(nat: bool) -> Self {
        let mut rig = Rig::new();
        let inner = rig.router.add_port(port(Medium::RawIp, &[])).unwrap();
        rig.router.set_local(inner).unwrap();
        if nat {
            let config = NatConfig::new().ports(1024..=32_767);
            let nat = Nat::new(config, OUTSIDE.parse().unwrap(), Seed::from(2), rig.now);
            rig.router.set_nat(nat, rig.wan).unwrap();
        }
        let now = rig.now;
        let stack = |addresses: &[&str], seed| {
            let mut stack = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(seed), now);
            for address in addresses {
                stack.add_address(now, address.parse().unwrap()).unwrap();
            }
            stack
        };
        let own = stack(&["192.168.1.1/24", "198.51.100.2/24", "fd00:1::1/64"], 1);
        let host = stack(&["192.168.1.9/24", "fd00:1::9/64"], 2);
        let far = stack(&["203.0.113.7/24"], 3);
        let stacks = [(inner, own), (rig.lan, host), (rig.wan, far)];
        Self { rig, stacks }
    }

    #[track_caller]
    fn settle(&mut self) {
        for _ in 0..1000 {
            let mut sent: Vec<(PortId, Bytes)> = Vec::new();
            for (port, stack) in &mut self.stacks {
                let mut frames: Vec<Bytes> = Vec::new();
                stack.poll_transmit(self.rig.now, &mut frames, 64);
                sent.extend(frames.into_iter().map(|frame| (*port, frame)));
            }
            if sent.is_empty() {
                return;
            }
            for (port, frame) in sent {
                for (to, frame, _) in self.rig.input(port, &frame).sent {
                    let (_, stack) = self.stacks.iter_mut().find(|(port, _)| *port == to).unwrap();
                    stack.input(self.rig.now, frame.freeze(), RxMeta::default());
                }
            }
        }
        panic!("they do not come to rest");
    }

    fn now(&self) -> Instant {
        self.rig.now
    }

    /// A connection between two of them, and what one says arrives.
    #[track_caller]
    fn talk(&mut self, client: usize, server: usize, address: &str) -> String {
        let now = self.now();
        let options = ListenOptions::default();
        let listener = self.stacks[server].1.listen(at("0.0.0.0:80"), options).unwrap();
        let id = self.stacks[client].1.connect(now, at(address), Default::default()).unwrap();
        self.stacks[client].1.write(now, id, "hello".into()).unwrap();
        self.settle();
        assert_eq!(self.stacks[client].1.poll_event(), Some(Event::Connected(id)));
        let accepted = self.stacks[server].1.accept(listener).expect("a connection");
        let read = self.stacks[server].1.read(now, accepted, 99).unwrap().unwrap();
        assert_eq!(read, "hello");
        self.stacks[server].1.endpoints(accepted).unwrap().1.ip().to_string()
    }
}

#[test]
fn the_gateway_serves_its_lan_and_reaches_out() {
    for nat in [false, true] {
        assert_eq!(Home::new(nat).talk(HOST, OWN, "192.168.1.1:80"), INSIDE);
        assert_eq!(Home::new(nat).talk(FAR, OWN, "198.51.100.2:80"), PEER);
        assert_eq!(Home::new(nat).talk(OWN, HOST, "192.168.1.9:80"), "192.168.1.1");
        let seen = Home::new(nat).talk(HOST, FAR, "203.0.113.7:80");
        assert_eq!(seen, if nat { OUTSIDE } else { INSIDE });
        let seen = Home::new(nat).talk(OWN, FAR, "203.0.113.7:80");
        assert!(seen == OUTSIDE || !nat, "{seen}");
    }
}

#[test]
fn the_gateway_answers_pings_by_its_stack() {
    let mut home = Home::new(true);
    let now = home.now();
    let ping = home.stacks[HOST].1.icmp_open(IcmpOptions::default()).unwrap();
    for target in ["192.168.1.1", "fd00:1::1"] {
        let request = EchoRequest::new(target.parse().unwrap(), 1, "hello".into());
        home.stacks[HOST].1.icmp_send(now, ping, &request).unwrap();
        home.settle();
        let report = home.stacks[HOST].1.icmp_receive(ping).unwrap();
        assert!(matches!(report.content, IcmpContent::EchoReply { .. }));
        assert_eq!(report.from.to_string(), target);
    }
    assert_eq!(home.stacks[OWN].1.counters().icmp_in, 2);
    assert_eq!(home.rig.router.counters().delivered, 2);
}

/// Without a stack the router answers itself.
#[test]
fn a_router_alone_answers_pings() {
    let mut rig = Rig::new();
    let message = icmpv4::Message::EchoRequest { identifier: 1, sequence: 2 };
    let ping = complaint(INSIDE, "192.168.1.1", message, b"data");
    let seen = rig.input(rig.lan, &ping);
    let (from, message, data) = error_v4(&seen.sent[0].1);
    assert_eq!((from.as_str(), data), ("192.168.1.1", b"data".to_vec()));
    assert_eq!(message, icmpv4::Message::EchoReply { identifier: 1, sequence: 2 });
}

/// Its own packets have not passed a router, and broadcasts of the LAN are for it, too.
#[test]
fn what_the_stack_sends_is_the_routers_own() {
    let mut home = Home::new(false);
    let (inner, lan) = (home.stacks[OWN].0, home.rig.lan);
    let packet = udp("192.168.1.1:9", "192.168.1.9:9", b"x");
    let packet = with_header(&packet, |header| header.ttl = 1);
    let seen = home.rig.input(inner, &packet);
    assert_eq!(seen.sent[0].0, lan);
    assert_eq!(ipv4::Packet::parse(&seen.sent[0].1).unwrap().ttl(), 1);
    let broadcast = udp("192.168.1.9:68", "255.255.255.255:67", b"discover");
    let seen = home.rig.input(lan, &broadcast);
    assert_eq!(seen.sent[0].0, inner);
    // What it sends that is too long comes back to it.
    home.rig.router.set_mtu(home.rig.wan, 600);
    let long = udp("198.51.100.2:9", "203.0.113.7:9", &[0; 900]);
    let long = with_header(&long, |header| header.dont_fragment = true);
    let seen = home.rig.input(inner, &long);
    let (_, message, _) = error_v4(&seen.sent[0].1);
    assert_eq!(
        (seen.sent[0].0, message),
        (inner, icmpv4::Message::FragmentationNeeded { mtu: 600 })
    );
    home.rig.pass(Duration::from_secs(1));
}

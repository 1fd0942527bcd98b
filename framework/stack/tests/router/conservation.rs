//! Every frame that comes in goes on, or is answered, or is dropped for one reason, sooner or later.
//!
//! Each has a mark of its own, which goes with it and with its fragments; what the router says itself
//! has none.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use fyke_stack::nat::{Nat, NatConfig, NatFiltering};
use fyke_stack::router::{DropReason, PortId, RouterConfig, RouterSink};
use fyke_stack::wire::{Emit, IpProtocol, icmpv4, ipv4, ipv6};
use fyke_stack::{Medium, Seed, Tunnel};

use crate::rig::*;

/// What became of each mark.
#[derive(Default)]
struct Ledger {
    sent: BTreeMap<u32, usize>,
    dropped: BTreeMap<u32, Vec<DropReason>>,
}

impl RouterSink for Ledger {
    fn transmit(&mut self, _: PortId, _: BytesMut, mark: u32) {
        *self.sent.entry(mark).or_default() += 1;
    }

    fn dropped(&mut self, _: PortId, reason: DropReason, _: BytesMut, mark: u32) {
        self.dropped.entry(mark).or_default().push(reason);
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

const HOSTS: [&str; 14] = [
    "192.168.1.9",
    "192.168.1.77",
    "192.168.1.1",
    "192.168.1.255",
    "198.51.100.2",
    "198.51.100.1",
    "203.0.113.7",
    "203.0.113.9",
    "10.7.7.7",
    "224.0.0.5",
    "255.255.255.255",
    "169.254.1.1",
    "127.0.0.1",
    "0.0.0.0",
];
const HOSTS6: [&str; 9] = [
    "fd00:1::9",
    "fd00:1::1",
    "2001:db8::2",
    "2001:db8::1",
    "2001:db8:9::9",
    "fe80::9",
    "ff02::1",
    "::",
    "2001:db8:ff::7",
];

/// A packet between two that may or may not be there.
fn packet(random: &mut Random) -> Vec<u8> {
    let port = random.one(&[9, 53, 1024, 5000, 40_000, 0x8700]);
    let length = random.one(&[0, 1, 16, 16, 200, 1400, 2000]);
    let mut packet = if random.below(3) == 0 {
        let (from, to) = (random.one(&HOSTS6), random.one(&HOSTS6));
        udp(&format!("[{from}]:{port}"), &format!("[{to}]:53"), &vec![0; length])
    } else {
        let (from, to) = (random.one(&HOSTS), random.one(&HOSTS));
        let whole = match random.below(5) {
            0 => tcp(&format!("{from}:{port}"), &format!("{to}:5000"), random.below(64) as u16),
            1 => ping(from, to, length),
            2 => ip(from.parse().unwrap(), to.parse().unwrap(), IpProtocol(41), &vec![6; length]),
            _ => udp(&format!("{from}:{port}"), &format!("{to}:5000"), &vec![7; length]),
        };
        with_header(&whole, |header| {
            header.dont_fragment = random.below(3) == 0;
            header.ttl = random.one(&[0, 1, 2, 64]);
            header.identification = random.below(8) as u16;
            header.more_fragments = random.below(8) == 0;
            header.fragment_offset = random.one(&[0, 0, 0, 8, 1480, 65_528]);
        })
    };
    if packet[0] >> 4 == 6 {
        packet[7] = random.one(&[0, 1, 64, 255]);
        packet[6] = random.one(&[17, 17, 17, 58, 0, 44, 59]);
    }
    if random.below(10) == 0 {
        let at = random.below(packet.len());
        packet[at] ^= 1 << random.below(8);
    }
    packet
}

fn ping(from: &str, to: &str, length: usize) -> Vec<u8> {
    let mut body = icmpv4::Message::EchoRequest { identifier: 9, sequence: 1 }.to_vec();
    let payload = vec![1; length];
    icmpv4::Message::fill_checksum(&mut body, &[&payload]);
    body.extend_from_slice(&payload);
    ip(from.parse().unwrap(), to.parse().unwrap(), IpProtocol::ICMPV4, &body)
}

/// Whether it may end here without being counted as a drop: the router answers pings and takes
/// neighbour discovery.
fn may_end(packet: &[u8]) -> bool {
    match (ipv4::Packet::parse(packet), ipv6::Packet::parse(packet)) {
        (Ok(view), _) => view.protocol() == IpProtocol::ICMPV4,
        (_, Ok(view)) => view.next_header() == IpProtocol::ICMPV6,
        _ => false,
    }
}

fn rig(nat: bool, lan: Medium) -> Rig {
    let mut config = RouterConfig::new();
    (config.neighbor_queue_packets_max, config.waiting_packets_max) = (3, 8);
    let mut rig = Rig::with(config, lan);
    rig.router.set_mtu(rig.wan, 1000);
    let tunnel = Tunnel::new(OUTSIDE.parse().unwrap(), "203.0.113.9".parse().unwrap());
    let through = rig.router.add_tunnel(tunnel, &["2001:db8:ff::2/64".parse().unwrap()]).unwrap();
    rig.router.add_link_route("2001:db8:9::/48".parse().unwrap(), through).unwrap();
    if nat {
        let config = NatConfig::new().filtering(NatFiltering::EndpointIndependent);
        let nat = Nat::new(config, OUTSIDE.parse().unwrap(), Seed::from(2), rig.now);
        rig.router.set_nat(nat, rig.wan).unwrap();
    }
    rig
}

#[test]
fn every_frame_goes_on_or_is_dropped_once() {
    for (seed, nat, lan) in [
        (1, false, Medium::RawIp),
        (2, true, Medium::RawIp),
        (3, true, Medium::Ethernet(MAC_ROUTER)),
    ] {
        let (mut rig, mut random) = (rig(nat, lan), Random(0x9e37_79b9_7f4a_7c15 ^ seed));
        let (mut ledger, mut packets) = (Ledger::default(), Vec::new());
        for mark in 1..=30_000 {
            let packet = packet(&mut random);
            let port = random.one(&[rig.lan, rig.wan]);
            let in_frame = port == rig.lan && lan != Medium::RawIp;
            let frame = if in_frame { framed(MAC_ROUTER, &packet) } else { packet.clone() };
            rig.router.input(rig.now, port, BytesMut::from(&frame[..]), mark, &mut ledger);
            packets.push(packet);
            rig.now += Duration::from_millis(1);
            rig.router.handle_timeout(rig.now, &mut ledger);
        }
        rig.now += Duration::from_secs(3600);
        while let Some(next) = rig.router.poll_timeout().filter(|next| *next <= rig.now) {
            rig.router.handle_timeout(next.max(rig.now), &mut ledger);
        }
        for (packet, mark) in packets.iter().zip(1..) {
            let sent = ledger.sent.get(&mark).copied().unwrap_or(0);
            let dropped = ledger.dropped.get(&mark).map_or(&[][..], |reasons| reasons);
            let fate = (sent > 0, dropped.len());
            let pieces = sent + dropped.len() > 1 && packet.len() > 1000;
            let sound = matches!(fate, (true, 0) | (false, 1)) || pieces;
            let ended = fate == (false, 0) && may_end(packet);
            assert!(sound || ended, "seed {seed}: {sent} {dropped:?} {packet:02x?}");
        }
        let counted: usize = ledger.dropped.values().map(Vec::len).sum();
        assert_eq!(rig.router.counters().drops.total(), counted as u64);
    }
}

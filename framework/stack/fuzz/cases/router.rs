//! One case of a router with a NAT box, a tunnel and a stack of its own, for the fuzzer and for
//! tests: frames by any port, packets that make sense, and time, as the bytes say.
//!
//! Nothing may panic or grow beyond its limits, no timer may spin, every packet that leaves is whole
//! and fits its link, and no inside address is seen outside.
//!
//! The input is a list of steps: a byte that says what, one that says how much, and for a frame as
//! many bytes.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::BytesMut;
use fyke_clock::Instant;
use fyke_stack::nat::{Nat, NatConfig, NatFiltering, NatMapping, NatUnknown};
use fyke_stack::router::{DropReason, PortConfig, PortId, Router, RouterConfig, RouterSink};
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, MacAddress, ipv4, ipv6, tcp, udp};
use fyke_stack::wire::{PseudoHeader, ethernet, icmpv4};
use fyke_stack::{Medium, Seed, Tunnel};

const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const WAN_MTU: u16 = 700;
const SESSIONS_MAX: usize = 12;
const FRAGMENTS_MAX: usize = 4;

/// Looks at what leaves.
struct Watch {
    wan: PortId,
    lan: PortId,
    dropped: u64,
}

impl RouterSink for Watch {
    fn transmit(&mut self, port: PortId, frame: BytesMut, _mark: u32) {
        if port == self.lan {
            assert!(ethernet::Frame::parse(&frame).is_ok() && frame.len() <= 14 + 1500);
            return;
        }
        if frame[0] >> 4 == 6 {
            assert_eq!(ipv6::Packet::parse(&frame).unwrap().as_bytes().len(), frame.len());
            return;
        }
        let packet = ipv4::Packet::parse(&frame).expect("a whole packet");
        assert!(packet.checksum_is_valid() && packet.as_bytes().len() == frame.len());
        if port == self.wan {
            let [a, b, ..] = packet.source().octets();
            assert_ne!([a, b], [192, 168], "an inside address outside");
            assert!(frame.len() <= usize::from(WAN_MTU));
        }
    }

    fn dropped(&mut self, _: PortId, _: DropReason, _: BytesMut, _: u32) {
        self.dropped += 1;
    }
}

struct Gateway {
    router: Router,
    now: Instant,
    ports: [PortId; 4],
    watch: Watch,
}

fn gateway(how: u8) -> Gateway {
    let now = Instant::from_nanos(1_000_000_000);
    let mut config = RouterConfig::new();
    config.neighbors_max = 4;
    config.neighbor_queue_packets_max = 2;
    config.waiting_packets_max = 6;
    let mut router = Router::new(config, Seed::from(1), now);
    let lan = PortConfig::new(Medium::Ethernet(MAC));
    let lan = lan.address("192.168.1.1/24".parse().unwrap());
    let lan = router.add_port(lan.address("fd00:1::1/64".parse().unwrap())).unwrap();
    let mut wan = PortConfig::new(Medium::RawIp).address("198.51.100.2/24".parse().unwrap());
    wan.mtu = WAN_MTU;
    let wan = router.add_port(wan.address("2001:db8::2/64".parse().unwrap())).unwrap();
    let local = router.add_port(PortConfig::new(Medium::RawIp)).unwrap();
    if how & 1 != 0 {
        router.set_local(local).unwrap();
    }
    let tunnel = Tunnel::new([198, 51, 100, 2].into(), [198, 51, 100, 9].into());
    let tunnel = router.add_tunnel(tunnel, &["fd00:2::1/64".parse().unwrap()]).unwrap();
    router.add_route("0.0.0.0/0".parse().unwrap(), "198.51.100.1".parse().unwrap()).unwrap();
    router.add_link_route("::/0".parse().unwrap(), tunnel).unwrap();
    let mappings = [NatMapping::EndpointIndependent, NatMapping::AddressAndPortDependent];
    let filters = [
        NatFiltering::EndpointIndependent,
        NatFiltering::AddressDependent,
        NatFiltering::AddressAndPortDependent,
        NatFiltering::AddressAndPortDependent,
    ];
    let nat = NatConfig::new()
        .mapping(mappings[usize::from(how >> 1 & 1)])
        .filtering(filters[usize::from(how >> 2 & 3)])
        .unknown(if how & 16 != 0 { NatUnknown::Reset } else { NatUnknown::Drop })
        .ports(2000..=2009)
        .sessions_max(SESSIONS_MAX)
        .sessions_per_host_max(8)
        .mappings_per_host_max(5)
        .fragment_datagrams_max(FRAGMENTS_MAX)
        .fragments_held_max(FRAGMENTS_MAX);
    let nat = Nat::new(nat, [198, 51, 100, 2].into(), Seed::from(2), now);
    router.set_nat(nat, wan).unwrap();
    let watch = Watch { wan, lan, dropped: 0 };
    Gateway { router, now, ports: [lan, wan, local, tunnel], watch }
}

impl Gateway {
    fn frame(&mut self, port: usize, bytes: &[u8], mark: u32) {
        let port = self.ports[port];
        self.router.input(self.now, port, BytesMut::from(bytes), mark, &mut self.watch);
    }

    /// A packet that makes sense: from one of few hosts inside or outside to one of few others, of
    /// one of the protocols, whole or in pieces.
    fn packet(&mut self, what: u8, how: u8) {
        let inside = Ipv4Addr::new(192, 168, 1, 2 + (how & 3));
        let peer = Ipv4Addr::new(203, 0, 113, 1 + (how >> 2 & 1));
        let outside = Ipv4Addr::new(198, 51, 100, 2);
        let outwards = how & 0x10 == 0;
        let (source, destination) = match (outwards, how & 0x80 != 0) {
            (true, false) => (inside, peer),
            // Hairpinning.
            (true, true) => (inside, outside),
            (false, _) => (peer, outside),
        };
        let (ours, theirs) = (2000 + u16::from(what >> 4), 80 + u16::from(how >> 5 & 1));
        let (from, to) = if outwards { (ours, theirs) } else { (theirs, ours) };
        let (protocol, body) = body(what & 3, source, destination, from, to);
        let fragment = if how & 0x40 != 0 { usize::from(what >> 2 & 3) } else { 0 };
        let (offset, more) = [(0, false), (0, true), (48, true), (96, false)][fragment];
        let header = ipv4::Header::new(source, destination, protocol, body.len() as u16);
        let header = ipv4::Header {
            fragment_offset: offset,
            more_fragments: more,
            dont_fragment: false,
            identification: u16::from(what),
            ..header
        };
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&body);
        if outwards {
            let ethertype = ethernet::EtherType::IPV4;
            let source = MacAddress([2, 0, 0, 0, 1, how & 3]);
            let link = ethernet::Header { destination: MAC, source, vlan: None, ethertype };
            bytes = [link.to_vec(), bytes].concat();
        }
        self.frame(usize::from(!outwards), &bytes, 7);
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        for _ in 0..64 {
            self.router.handle_timeout(self.now, &mut self.watch);
            if self.router.poll_timeout().is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!("a timer spins");
    }

    fn check(&mut self) {
        let lan = self.router.port_usage(self.ports[0]).unwrap();
        assert!(lan.neighbors <= 4 && lan.waiting_packets <= 6, "{lan:?}");
        let counters = *self.router.counters();
        assert_eq!(counters.drops.total(), self.watch.dropped);
        let nat = self.router.nat_mut().unwrap();
        let (ways, held) = nat.fragments();
        assert!(ways <= FRAGMENTS_MAX && held <= FRAGMENTS_MAX);
        assert!(nat.sessions(self.now) <= SESSIONS_MAX && nat.mappings(self.now) <= 30);
    }
}

/// A transport's bytes with their checksum.
fn body(
    kind: u8,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    from: u16,
    to: u16,
) -> (IpProtocol, Vec<u8>) {
    let pseudo = PseudoHeader::V4 { source, destination };
    let payload = [0x5a; 40];
    let (protocol, mut head) = match kind {
        0 => {
            let mut head =
                udp::Header { source_port: from, destination_port: to, payload_len: 40 }.to_vec();
            udp::Header::fill_checksum(&mut head, &pseudo, &[&payload], ChecksumIntent::Full);
            (IpProtocol::UDP, head)
        }
        1 | 2 => {
            let flags = [tcp::SYN, tcp::ACK][usize::from(kind - 1)];
            let header = tcp::Header {
                source_port: from,
                destination_port: to,
                flags,
                ..tcp::Header::default()
            };
            let mut head = header.to_vec();
            tcp::Header::fill_checksum(&mut head, &pseudo, &[&payload], ChecksumIntent::Full);
            (IpProtocol::TCP, head)
        }
        _ => {
            let message = icmpv4::Message::EchoRequest { identifier: from, sequence: to };
            let mut head = message.to_vec();
            icmpv4::Message::fill_checksum(&mut head, &[&payload]);
            (IpProtocol::ICMPV4, head)
        }
    };
    head.extend_from_slice(&payload);
    (protocol, head)
}

/// Lets the bytes happen to a gateway; the first says how it behaves.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let [how, rest @ ..] = input else { return };
    let mut rest = rest;
    let mut gateway = gateway(*how);
    while let [what, how, behind @ ..] = rest {
        rest = behind;
        match what % 8 {
            port @ 0..=3 => {
                let (frame, behind) = rest.split_at(rest.len().min(usize::from(*how)));
                rest = behind;
                gateway.frame(usize::from(port), frame, u32::from(*how));
            }
            4 => gateway.pass(u64::from(*how) * u64::from(*how)),
            _ => gateway.packet(what >> 3 | how << 5, *how),
        }
        gateway.check();
    }
    gateway.pass(10_000_000);
    gateway.check();
    assert_eq!(gateway.router.nat_mut().unwrap().sessions(gateway.now), 0);
}

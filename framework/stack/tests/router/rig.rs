//! A router, what it sent and dropped, and packets made by hand.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use fyke_clock::Instant;
use fyke_stack::nat::{Nat, NatConfig};
use fyke_stack::router::{DropReason, PortConfig, PortId, Router, RouterConfig, RouterSink};
use fyke_stack::wire::ethernet::{EtherType, Frame, Header};
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, arp, icmpv4, icmpv6, ipv4, ipv6,
    tcp, udp,
};
use fyke_stack::{Medium, Seed};

pub(crate) const MAC_ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
pub(crate) const MAC_HOST: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);
pub(crate) const INSIDE: &str = "192.168.1.9";
pub(crate) const PEER: &str = "203.0.113.7";
pub(crate) const OUTSIDE: &str = "198.51.100.2";

/// What a router sent and dropped.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sent: Vec<(PortId, BytesMut, u32)>,
    pub(crate) dropped: Vec<DropReason>,
}

impl RouterSink for Seen {
    fn transmit(&mut self, port: PortId, frame: BytesMut, mark: u32) {
        self.sent.push((port, frame, mark));
    }

    fn dropped(&mut self, _: PortId, reason: DropReason, _: BytesMut, _: u32) {
        self.dropped.push(reason);
    }
}

/// A gateway: a LAN port, a WAN port with the default route, both of raw IP unless told otherwise.
pub(crate) struct Rig {
    pub(crate) router: Router,
    pub(crate) now: Instant,
    pub(crate) lan: PortId,
    pub(crate) wan: PortId,
    pub(crate) seen: Seen,
}

pub(crate) fn port(medium: Medium, addresses: &[&str]) -> PortConfig {
    let mut config = PortConfig::new(medium);
    config.addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    config
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(RouterConfig::new(), Medium::RawIp)
    }

    pub(crate) fn with(config: RouterConfig, lan: Medium) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut router = Router::new(config, Seed::from(1), now);
        let lan = router.add_port(port(lan, &["192.168.1.1/24", "fd00:1::1/64"])).unwrap();
        let wan = port(Medium::RawIp, &["198.51.100.2/24", "2001:db8::2/64"]);
        let wan = router.add_port(wan).unwrap();
        router.add_route("0.0.0.0/0".parse().unwrap(), "198.51.100.1".parse().unwrap()).unwrap();
        router.add_route("::/0".parse().unwrap(), "2001:db8::1".parse().unwrap()).unwrap();
        Self { router, now, lan, wan, seen: Seen::default() }
    }

    /// With a NAT box before the WAN port.
    pub(crate) fn nat(config: NatConfig) -> Self {
        let mut rig = Self::new();
        let nat = Nat::new(config, OUTSIDE.parse().unwrap(), Seed::from(2), rig.now);
        rig.router.set_nat(nat, rig.wan).unwrap();
        rig
    }

    /// Gives the router a frame; what came of it.
    pub(crate) fn input(&mut self, port: PortId, frame: &[u8]) -> Seen {
        self.router.input(self.now, port, BytesMut::from(frame), 7, &mut self.seen);
        std::mem::take(&mut self.seen)
    }

    /// From the LAN: the one packet that left through the WAN port.
    #[track_caller]
    pub(crate) fn out(&mut self, packet: &[u8]) -> BytesMut {
        let (lan, wan) = (self.lan, self.wan);
        self.carried(lan, wan, packet)
    }

    /// From the WAN: the one packet that left through the LAN port.
    #[track_caller]
    pub(crate) fn back(&mut self, packet: &[u8]) -> BytesMut {
        let (lan, wan) = (self.lan, self.wan);
        self.carried(wan, lan, packet)
    }

    #[track_caller]
    fn carried(&mut self, from: PortId, to: PortId, packet: &[u8]) -> BytesMut {
        let mut seen = self.input(from, packet);
        assert_eq!(seen.dropped, []);
        let (port, frame, mark) = seen.sent.pop().expect("a packet");
        assert!(seen.sent.is_empty() && port == to && mark == 7);
        frame
    }

    /// The one reason why nothing was sent.
    #[track_caller]
    pub(crate) fn refused(&mut self, port: PortId, packet: &[u8]) -> DropReason {
        let seen = self.input(port, packet);
        assert_eq!((seen.sent.len(), seen.dropped.len()), (0, 1), "{:?}", seen.dropped);
        seen.dropped[0]
    }

    /// Lets time pass; what came of it.
    pub(crate) fn pass(&mut self, time: Duration) -> Seen {
        let end = self.now + time;
        while let Some(next) = self.router.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.router.handle_timeout(self.now, &mut self.seen);
        }
        self.now = end;
        std::mem::take(&mut self.seen)
    }
}

#[track_caller]
pub(crate) fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// An IP packet around a transport's bytes.
pub(crate) fn ip(from: IpAddr, to: IpAddr, protocol: IpProtocol, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u16;
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ipv4::Header { dont_fragment: false, ..ipv4::Header::new(from, to, protocol, len) }
                .to_vec()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6::Header::new(from, to, protocol, len).to_vec(),
        _ => panic!("two families"),
    };
    bytes.extend_from_slice(body);
    bytes
}

/// A datagram between two ends.
#[track_caller]
pub(crate) fn udp(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (at(from), at(to));
    let payload_len = payload.len() as u16;
    let header = udp::Header { source_port: from.port(), destination_port: to.port(), payload_len };
    let mut body = header.to_vec();
    let pseudo = PseudoHeader::new(from.ip(), to.ip()).unwrap();
    udp::Header::fill_checksum(&mut body, &pseudo, &[payload], ChecksumIntent::Full);
    body.extend_from_slice(payload);
    ip(from.ip(), to.ip(), IpProtocol::UDP, &body)
}

/// A TCP segment without data.
#[track_caller]
pub(crate) fn tcp(from: &str, to: &str, flags: u16) -> Vec<u8> {
    let (from, to) = (at(from), at(to));
    let header = tcp::Header {
        source_port: from.port(),
        destination_port: to.port(),
        flags,
        ..tcp::Header::default()
    };
    let mut body = header.to_vec();
    let pseudo = PseudoHeader::new(from.ip(), to.ip()).unwrap();
    tcp::Header::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    ip(from.ip(), to.ip(), IpProtocol::TCP, &body)
}

/// Changes the IPv4 header of a packet.
pub(crate) fn with_header(packet: &[u8], change: impl FnOnce(&mut ipv4::Header)) -> Vec<u8> {
    let view = ipv4::Packet::parse(packet).unwrap();
    let mut header = view.header();
    change(&mut header);
    [header.to_vec(), view.payload().to_vec()].concat()
}

/// Both ends of a datagram or segment, its checksums verified.
#[track_caller]
pub(crate) fn ends(packet: &[u8]) -> (String, String) {
    let (from, to, protocol, body) = if packet[0] >> 4 == 4 {
        let view = ipv4::Packet::parse(packet).unwrap();
        assert!(view.checksum_is_valid());
        let (from, to) = (IpAddr::from(view.source()), IpAddr::from(view.destination()));
        (from, to, view.protocol(), view.payload())
    } else {
        let view = ipv6::Packet::parse(packet).unwrap();
        let (from, to) = (IpAddr::from(view.source()), IpAddr::from(view.destination()));
        (from, to, view.next_header(), view.payload())
    };
    let pseudo = PseudoHeader::new(from, to).unwrap();
    match protocol {
        IpProtocol::UDP => {
            assert!(udp::Packet::parse(body).unwrap().checksum_is_valid(&pseudo));
        }
        _ => assert!(tcp::Packet::parse(body).unwrap().checksum_is_valid(&pseudo)),
    }
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    (SocketAddr::new(from, port(0)).to_string(), SocketAddr::new(to, port(2)).to_string())
}

/// An ICMPv4 error and what it quotes.
#[track_caller]
pub(crate) fn error_v4(packet: &[u8]) -> (String, icmpv4::Message, Vec<u8>) {
    let view = ipv4::Packet::parse(packet).unwrap();
    let icmp = icmpv4::Packet::parse(view.payload()).unwrap();
    assert!(view.checksum_is_valid() && icmp.checksum_is_valid());
    (view.source().to_string(), icmp.message(), icmp.payload().to_vec())
}

#[track_caller]
pub(crate) fn error_v6(packet: &[u8]) -> (String, icmpv6::Message, Vec<u8>) {
    let view = ipv6::Packet::parse(packet).unwrap();
    let icmp = icmpv6::Packet::parse(view.payload()).unwrap();
    let (source, destination) = (view.source(), view.destination());
    assert!(icmp.checksum_is_valid(&PseudoHeader::V6 { source, destination }));
    (source.to_string(), icmp.message(), icmp.payload().to_vec())
}

/// An ICMPv4 error about a packet.
pub(crate) fn complaint(from: &str, to: &str, message: icmpv4::Message, about: &[u8]) -> Vec<u8> {
    let quote = &about[..about.len().min(28)];
    let mut body = message.to_vec();
    icmpv4::Message::fill_checksum(&mut body, &[quote]);
    body.extend_from_slice(quote);
    ip(from.parse().unwrap(), to.parse().unwrap(), IpProtocol::ICMPV4, &body)
}

/// A packet of the host on the LAN in its frame.
pub(crate) fn framed(to: MacAddress, packet: &[u8]) -> Vec<u8> {
    let ethertype = if packet[0] >> 4 == 4 { EtherType::IPV4 } else { EtherType::IPV6 };
    let header = Header { destination: to, source: MAC_HOST, vlan: None, ethertype };
    [header.to_vec(), packet.to_vec()].concat()
}

/// What the host on the LAN says when it is asked by ARP.
pub(crate) fn arp_reply(address: &str, mac: MacAddress) -> Vec<u8> {
    let own = "192.168.1.1".parse().unwrap();
    let request = arp::Message::request(MAC_ROUTER, own, address.parse().unwrap());
    let reply = request.reply_to(mac, address.parse().unwrap());
    let (destination, ethertype) = (MAC_ROUTER, EtherType::ARP);
    let header = Header { destination, source: mac, vlan: None, ethertype };
    [header.to_vec(), reply.to_vec()].concat()
}

/// The address that an ARP request asks for.
pub(crate) fn asked(frame: &[u8]) -> Option<(MacAddress, IpAddr)> {
    let frame = Frame::parse(frame).ok().filter(|it| it.ethertype() == Some(EtherType::ARP))?;
    let message = arp::Message::parse(frame.payload()).ok()?;
    (message.operation == arp::Operation::Request)
        .then(|| (frame.destination(), message.target_ip.into()))
}

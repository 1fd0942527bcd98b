//! Several routers that would make for a host, some of which are dead (RFC 4861, section 6.3.6).

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::wire::ethernet::{EtherType, Frame, Header};
use fyke_stack::wire::ndp::{self, Message, NdpOption, RouterAdvertisement};
use fyke_stack::wire::{ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, icmpv6, ipv6};
use fyke_stack::{ListenOptions, Medium, RxMeta, StackConfig};

use crate::ethernet::{MAC_CLIENT, config};
use crate::world::{Host, addr};

const OWN: &str = "fe80::c";
const OWN_GLOBAL: &str = "2001:db8::c";
const FAR: &str = "2001:db8:ffff::1";

/// A host, its routers, and somebody behind them.
struct Site {
    now: Instant,
    host: Host,
    far: Host,
    alive: [bool; 2],
    /// Whom the host asked for.
    asked: Vec<Ipv6Addr>,
}

fn router(n: usize) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1 + n as u16)
}

fn mac(n: usize) -> MacAddress {
    MacAddress([2, 0, 0, 0, 1, n as u8])
}

/// What router `n` says, in its frame.
fn frame(n: usize, to: &str, message: Message, option: Option<NdpOption>) -> Bytes {
    let mut body = message.to_vec();
    option.iter().for_each(|option| option.append(&mut body));
    let (source, destination) = (router(n), to.parse().unwrap());
    let pseudo = PseudoHeader::V6 { source, destination };
    icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
    let mut header = ipv6::Header::new(source, destination, IpProtocol::ICMPV6, body.len() as u16);
    header.hop_limit = 255;
    let mut packet = header.to_vec();
    packet.extend_from_slice(&body);
    wrap(n, &packet)
}

fn wrap(n: usize, packet: &[u8]) -> Bytes {
    let (source, ethertype) = (mac(n), EtherType::IPV6);
    let mut bytes = Header { destination: MAC_CLIENT, source, vlan: None, ethertype }.to_vec();
    bytes.extend_from_slice(packet);
    bytes.into()
}

impl Site {
    fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut own = config(MAC_CLIENT);
        own.slaac = true;
        let host = Host::new(own, &["fe80::c/64", "2001:db8::c/64"], 1, now);
        let far = Host::new(StackConfig::new(Medium::RawIp), &["2001:db8:ffff::1/64"], 2, now);
        Self { now, host, far, alive: [true; 2], asked: Vec::new() }
    }

    fn advertise(&mut self, n: usize, lifetime_s: u16, link: bool) {
        let message =
            Message::RouterAdvertisement(RouterAdvertisement { lifetime_s, ..Default::default() });
        let option = link.then(|| NdpOption::SourceLinkLayer(mac(n)));
        self.host.stack.input(self.now, frame(n, "ff02::1", message, option), RxMeta::default());
    }

    /// Which router is used.
    fn used(&self) -> Option<IpAddr> {
        self.host.stack.routes().find(|route| route.network.prefix() == 0)?.gateway
    }

    fn settle(&mut self) {
        loop {
            let (frames, back) = (self.host.transmit(self.now), self.far.transmit(self.now));
            if frames.is_empty() && back.is_empty() {
                return;
            }
            frames.iter().for_each(|bytes| self.hear(bytes));
            // Packets come back through whichever router is there.
            let Some(n) = self.alive.iter().position(|alive| *alive) else { continue };
            for packet in back {
                self.host.stack.input(self.now, wrap(n, &packet), RxMeta::default());
            }
        }
    }

    fn hear(&mut self, bytes: &Bytes) {
        let frame_ = Frame::parse(bytes).unwrap();
        let Ok(packet) = ipv6::Packet::parse(frame_.payload()) else { return };
        let icmp = icmpv6::Packet::parse(packet.payload()).ok();
        let asks = icmp.and_then(|icmp| ndp::Packet::parse(&icmp).ok());
        if let Some(Message::NeighborSolicitation { target }) = asks.map(|asks| asks.message) {
            self.asked.push(target);
            let Some(n) = (0..2).find(|n| router(*n) == target && self.alive[*n]) else { return };
            let (router, solicited, override_known) = (true, true, true);
            let answer =
                Message::NeighborAdvertisement { target, router, solicited, override_known };
            let option = Some(NdpOption::TargetLinkLayer(mac(n)));
            self.host.stack.input(self.now, frame(n, OWN, answer, option), RxMeta::default());
        } else if let Some(n) = (0..2).find(|n| mac(*n) == frame_.destination())
            && self.alive[n]
        {
            let packet = Bytes::copy_from_slice(frame_.payload());
            self.far.stack.input(self.now, packet, RxMeta::default());
        }
    }

    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(next) = [self.host.stack.poll_timeout(), self.far.stack.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
            .filter(|next| *next <= end)
        {
            self.now = self.now.max(next);
            self.host.stack.handle_timeout(self.now);
            self.far.stack.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }
}

/// RFC 4861, section 6.3.6, 1: a router that became unreachable is not used while there is another,
/// and connections go on through that one; one that is there is kept to.
#[test]
fn rfc4861_6_3_6_a_dead_router_is_rotated_away() {
    let mut site = Site::new();
    site.advertise(0, 9000, true);
    site.advertise(1, 9000, true);
    site.advance(Duration::from_secs(2));
    assert_eq!(site.used(), Some(router(0).into()));
    let local = addr(&format!("[{FAR}]:80"));
    let listener = site.far.stack.listen(local, ListenOptions::default()).unwrap();
    let id = site.host.stack.connect(site.now, local, Default::default()).unwrap();
    site.advance(Duration::from_millis(10));
    let far = site.far.stack.accept(listener).unwrap();
    let own: IpAddr = OWN_GLOBAL.parse().unwrap();
    assert_eq!(site.host.stack.endpoints(id).unwrap().0.ip(), own);
    for (dead, left) in [(0, 1), (1, 0)] {
        site.alive[dead] = false;
        site.host.stack.write(site.now, id, vec![7; 5000].into()).unwrap();
        site.advance(Duration::from_secs(60));
        assert_eq!(site.used(), Some(router(left).into()));
        assert_eq!(site.far.read_all(site.now, far).0.len(), 5000, "through the other one");
        // It is there again, and may be used, but there is no reason to.
        site.alive[dead] = true;
        site.advertise(dead, 9000, true);
        site.advance(Duration::from_secs(2));
        assert_eq!(site.used(), Some(router(left).into()));
    }
}

/// RFC 4861, section 6.3.6: a router that is known to be there goes before one that nobody has heard
/// a link address of.
#[test]
fn rfc4861_6_3_6_known_routers_go_before_unknown_ones() {
    let mut site = Site::new();
    site.advertise(0, 9000, false);
    assert_eq!(site.used(), Some(router(0).into()));
    site.advertise(1, 9000, true);
    assert_eq!(site.used(), Some(router(1).into()));
    site.advertise(1, 0, true);
    assert_eq!(site.used(), Some(router(0).into()), "it makes for nobody any more");
}

/// RFC 4861, section 6.3.6, 2: when none is known to be there all are tried, each after all others.
#[test]
fn rfc4861_6_3_6_unknown_routers_are_tried_in_turn() {
    let mut site = Site::new();
    site.alive = [false; 2];
    site.advertise(0, 9000, false);
    site.advertise(1, 9000, false);
    let far = addr(&format!("[{FAR}]:80"));
    let id = site.host.stack.connect(site.now, far, Default::default()).unwrap();
    site.advance(Duration::from_secs(40));
    site.asked.dedup();
    let (first, second) = (router(0), router(1));
    assert_eq!(site.asked[..4], [first, second, first, second]);
    site.host.stack.abort(site.now, id).unwrap();
}

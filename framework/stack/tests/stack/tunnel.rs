//! IPv6 through IPv4 (RFC 4213): what two hosts say to each other in a tunnel, and a middle that
//! carries less and less.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use fyke_stack::wire::{Emit, IpProtocol, icmpv4, ipv4, ipv6};
use fyke_stack::{
    Cidr, Event, IcmpContent, IcmpOptions, Medium, Offload, Route, RxMeta, StackConfig, StackError,
    Tunnel, TunnelId, TunnelLine, TxFrame, TxSink, UdpOptions,
};

use crate::ethernet;
use crate::frames::ip;
use crate::path_mtu::told_mss;
use crate::world::{CLIENT, Host, SERVER, World, addr};

pub(crate) const INNER_CLIENT: &str = "fd00:1::1";
pub(crate) const INNER_SERVER: &str = "fd00:2::1";
const WEB: &str = "[fd00:2::1]:80";

/// The tunnel from one end.
fn tunnel(local: &str, remote: &str) -> Tunnel {
    Tunnel::new(local.parse().unwrap(), remote.parse().unwrap())
}

fn begin(world: &mut World, change: &dyn Fn(&mut Tunnel)) -> [TunnelId; 2] {
    let now = world.now;
    let end = |host: &mut Host, own: &str, (local, remote): (&str, &str), behind: &str| {
        host.stack.add_address(now, own.parse().unwrap()).unwrap();
        let mut tunnel = tunnel(local, remote);
        change(&mut tunnel);
        let id = host.stack.add_tunnel(now, tunnel).unwrap();
        host.stack.add_route(Route::through(behind.parse().unwrap(), id)).unwrap();
        id
    };
    [
        end(&mut world.client, "fd00:1::1/64", (CLIENT, SERVER), "fd00:2::/64"),
        end(&mut world.server, "fd00:2::1/64", (SERVER, CLIENT), "::/0"),
    ]
}

/// Two hosts whose IPv6 goes through a tunnel.
pub(crate) fn tunneled(change: impl Fn(&mut Tunnel)) -> World {
    let mut world = World::new();
    begin(&mut world, &change);
    world
}

pub(crate) fn line(host: &Host) -> TunnelLine {
    host.stack.tunnels().next().unwrap()
}

/// An IPv4 packet of the tunnel, and what is in it.
#[track_caller]
fn opened(frame: &Bytes) -> (ipv4::Packet<'_>, ipv6::Packet<'_>) {
    let outer = ipv4::Packet::parse(frame).unwrap();
    assert!(outer.checksum_is_valid() && outer.protocol() == IpProtocol::IPV6);
    (outer, ipv6::Packet::parse(outer.payload()).unwrap())
}

/// A router between the two that carries so much, says so, and quotes so much.
struct Middle {
    mtu: Rc<Cell<usize>>,
    refused: Rc<RefCell<Vec<(bool, Bytes)>>>,
    quote: usize,
}

impl Middle {
    fn between(world: &mut World, quote: usize) -> Self {
        let (mtu, refused) = (Rc::new(Cell::new(1500)), Rc::default());
        let (limit, list) = (Rc::clone(&mtu), Rc::<RefCell<Vec<(bool, Bytes)>>>::clone(&refused));
        world.filter = Box::new(move |forth, frame| {
            let fits = frame.len() <= limit.get();
            if !fits {
                list.borrow_mut().push((forth, frame.clone()));
            }
            fits
        });
        Self { mtu, refused, quote }
    }

    /// Carries frames until all is said, and tells senders what was too long.
    #[track_caller]
    fn settle(&self, world: &mut World) {
        for _ in 0..100 {
            world.settle();
            let refused = std::mem::take(&mut *self.refused.borrow_mut());
            if refused.is_empty() {
                return;
            }
            for (forth, frame) in refused {
                let packet = ipv4::Packet::parse(&frame).unwrap();
                assert!(packet.dont_fragment(), "it could be cut");
                let message = icmpv4::Message::FragmentationNeeded { mtu: self.mtu.get() as u16 };
                let mut body = message.to_vec();
                let quote = &frame[..frame.len().min(self.quote)];
                icmpv4::Message::fill_checksum(&mut body, &[quote]);
                body.extend_from_slice(quote);
                let (router, to) = ("192.0.2.254".parse().unwrap(), packet.source().into());
                let error = ip(router, to, IpProtocol::ICMPV4, &body);
                let host = if forth { &mut world.client } else { &mut world.server };
                host.stack.input(world.now, error, RxMeta::default());
            }
        }
        panic!("the path is never narrow enough");
    }
}

#[test]
fn rfc4213_3_tcp_goes_through() {
    let mut world = tunneled(|tunnel| tunnel.ttl = Some(77));
    let (client, server) = world.established(WEB);
    let info = world.client.stack.info(client).unwrap();
    assert_eq!(info.send_mss, 1480 - 60 - 12, "the connection knows what the tunnel carries");
    let data: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let mut sent = 0;
    let mut received = Vec::new();
    while received.len() < data.len() {
        let rest = Bytes::copy_from_slice(&data[sent..]);
        sent += world.client.stack.write(world.now, client, rest).unwrap_or(0);
        world.settle();
        received.extend(world.server.read_all(world.now, server).0);
    }
    assert_eq!(received, data);
    for frame in &world.client.sent {
        let (outer, inner) = opened(frame);
        assert_eq!(outer.source().to_string(), CLIENT);
        assert_eq!((outer.ttl(), outer.dont_fragment(), outer.dscp()), (77, true, 0));
        assert_eq!(inner.destination().to_string(), INNER_SERVER);
        // Nobody forwarded it (RFC 4213, section 3.3).
        assert_eq!(inner.hop_limit(), 64);
        assert!(frame.len() <= 1500);
    }
    let (one, two) = (line(&world.client), line(&world.server));
    assert_eq!((one.mtu, one.counters.packets_out), (1480, two.counters.packets_in));
    assert_eq!(one.counters.packets_in, two.counters.packets_out);
    assert_eq!(one.counters.bytes_out, two.counters.bytes_in);
    assert!(one.counters.bytes_out > 200_000);
}

#[test]
fn rfc4213_3_udp_goes_through_whole_and_in_pieces() {
    let mut world = tunneled(|_| {});
    let one = world.client.stack.udp_bind(addr("[fd00:1::1]:0"), UdpOptions::default()).unwrap();
    let two = world.server.stack.udp_bind(addr("[::]:53"), UdpOptions::default()).unwrap();
    let to = Some(addr("[fd00:2::1]:53"));
    for length in [0, 1, 1432, 1433, 5000] {
        world.client.stack.udp_send(world.now, one, to, vec![9; length].into()).unwrap();
        world.settle();
        let datagram = world.server.stack.udp_receive(two).unwrap();
        assert_eq!((datagram.payload.len(), datagram.hop_limit), (length, 64));
        let back = Some(datagram.from);
        world.server.stack.udp_send(world.now, two, back, datagram.payload).unwrap();
        world.settle();
        assert_eq!(world.client.stack.udp_receive(one).unwrap().payload.len(), length);
    }
    // 1432 fits with its headers, 1433 leaves in two IPv6 fragments, each in a packet of its own.
    assert_eq!(world.client.sent.len(), 3 + 2 + 4);
    assert!(world.client.sent.iter().all(|frame| !opened(frame).0.is_fragment()));
}

/// RFC 4213, sections 3.2.2 and 3.4: what a router in IPv4 says lowers the tunnel's MTU, however
/// little it quotes.
#[test]
fn rfc4213_3_2_2_a_narrow_middle_lowers_the_mtu() {
    for quote in [28, 576] {
        let mut world = tunneled(|_| {});
        let middle = Middle::between(&mut world, quote);
        let (client, server) = world.established(WEB);
        middle.mtu.set(1400);
        world.client.stack.write(world.now, client, vec![7; 8000].into()).unwrap();
        middle.settle(&mut world);
        // Who was quoted by its ports sends again at once; the other one when its time is over.
        if quote == 28 {
            assert!(world.server.read_all(world.now, server).0.is_empty());
            world.advance(std::time::Duration::from_secs(2));
            middle.settle(&mut world);
            assert!(line(&world.client).counters.too_big > 0, "and was told by the tunnel");
        }
        assert_eq!(world.server.read_all(world.now, server).0, vec![7; 8000], "{quote}");
        let info = world.client.stack.info(client).unwrap();
        assert_eq!((line(&world.client).mtu, info.send_mss), (1380, 1380 - 60 - 12));
        assert!(line(&world.client).counters.errors_in > 0);
    }
}

/// RFC 9293, section 3.7.1 (SHLD-6, MUST-67): SYN and SYN-ACK tell what the tunnel takes in, which is less
/// than the link below, and not what a narrow middle leaves of the way out.
#[test]
fn rfc_9293_3_7_1_syns_tell_what_the_tunnel_takes_in() {
    for (mtu, told) in [(1480, 1420), (1300, 1240), (9000, 1420)] {
        let mut world = tunneled(|tunnel| tunnel.mtu = mtu);
        let middle = Middle::between(&mut world, 576);
        let (client, _) = world.established(WEB);
        middle.mtu.set(1310);
        world.client.stack.write(world.now, client, vec![7; 8000].into()).unwrap();
        middle.settle(&mut world);
        world.connect(WEB);
        world.settle();
        let inner = |frame: &Bytes| told_mss(&frame.slice(ipv4::HEADER_LEN..));
        let all = world.client.sent.iter().chain(&world.server.sent);
        assert_eq!(all.filter_map(inner).collect::<Vec<_>>(), [told; 4]);
        assert_eq!(line(&world.client).mtu, 1290.min(mtu));
    }
}

/// RFC 4213, section 3.2.2: below what IPv6 needs, IPv4 fragments.
#[test]
fn rfc4213_3_2_2_below_1280_bytes_ipv4_cuts() {
    let mut world = tunneled(|_| {});
    let middle = Middle::between(&mut world, 576);
    let (client, server) = world.established(WEB);
    middle.mtu.set(900);
    world.client.stack.write(world.now, client, vec![7; 8000].into()).unwrap();
    middle.settle(&mut world);
    world.advance(std::time::Duration::from_secs(2));
    world.client.sent.clear();
    world.client.stack.write(world.now, client, vec![8; 8000].into()).unwrap();
    middle.settle(&mut world);
    let (bytes, _) = world.server.read_all(world.now, server);
    assert_eq!(bytes, [vec![7; 8000], vec![8; 8000]].concat());
    assert_eq!(line(&world.client).mtu, 1280);
    let packets = world.client.sent.iter().map(|frame| ipv4::Packet::parse(frame).unwrap());
    assert!(packets.clone().all(|packet| !packet.dont_fragment()));
    assert!(packets.filter(ipv4::Packet::is_fragment).count() > 8);
    assert!(world.server.stack.counters().reassembled > 4);
}

/// RFC 4213, section 3.2.1: a static MTU asks no router.
#[test]
fn rfc4213_3_2_1_a_static_mtu_stays() {
    let mut world = tunneled(|tunnel| (tunnel.mtu, tunnel.discover_mtu) = (1280, false));
    let (client, server) = world.established(WEB);
    world.client.stack.write(world.now, client, vec![7; 8000].into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, server).0, vec![7; 8000]);
    for frame in &world.client.sent {
        assert!(!opened(frame).0.dont_fragment() && frame.len() <= 1300);
    }
    // A tunnel that is longer than the link less its header is not believed.
    let mut world = tunneled(|tunnel| tunnel.mtu = 9000);
    assert_eq!(line(&world.client).mtu, 1480);
    let (client, server) = world.established(WEB);
    world.client.stack.write(world.now, client, vec![7; 8000].into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, server).0, vec![7; 8000]);
}

#[test]
fn what_must_not_be_fragmented_is_refused_by_the_tunnels_mtu() {
    let mut world = tunneled(|_| {});
    let mut options = UdpOptions::default();
    options.dont_fragment = true;
    let one = world.client.stack.udp_bind(addr("[fd00:1::1]:0"), options).unwrap();
    let to = Some(addr("[fd00:2::1]:53"));
    world.client.stack.udp_send(world.now, one, to, vec![0; 1432].into()).unwrap();
    let refused = world.client.stack.udp_send(world.now, one, to, vec![0; 1433].into());
    assert_eq!(refused, Err(StackError::MessageTooLong));
}

/// RFC 4213, sections 3.7 and 3.8: link-local addresses, and the one question that is answered.
#[test]
fn rfc4213_3_7_link_local_addresses_belong_to_the_tunnel() {
    let mut world = tunneled(|_| {});
    let (one, two) = (line(&world.client).tunnel, line(&world.server).tunnel);
    assert_eq!(one.link_local(), two.remote_link_local());
    let ping = world.client.stack.icmp_open(IcmpOptions::default()).unwrap();
    let request = fyke_stack::EchoRequest::new(two.link_local().into(), 1, "hello".into());
    world.client.stack.icmp_send(world.now, ping, &request).unwrap();
    world.settle();
    let answer = world.client.stack.icmp_receive(ping).unwrap();
    assert_eq!((answer.from, answer.to), (two.link_local().into(), one.link_local().into()));
    assert!(matches!(answer.content, IcmpContent::EchoReply { .. }));
    // The same request, not through the tunnel, is for nobody.
    let inner = Bytes::copy_from_slice(opened(&world.client.sent[0]).0.payload());
    world.server.stack.input(world.now, inner, RxMeta::default());
    assert!(world.server.transmit(world.now).is_empty());
    assert_eq!(world.server.stack.counters().drops[fyke_stack::DropReason::NotOurs], 1);
}

#[test]
fn it_works_over_ethernet_and_finds_its_way_by_arp() {
    let mut world = ethernet::link();
    begin(&mut world, &|_| {});
    let (client, server) = world.established(WEB);
    world.client.stack.write(world.now, client, vec![7; 50_000].into()).unwrap();
    world.settle();
    assert_eq!(world.server.read_all(world.now, server).0.len(), 50_000);
    assert!(world.client.stack.neighbors().all(|known| known.address.is_ipv4()));
}

fn offloading() -> World {
    let mut config = StackConfig::new(Medium::RawIp);
    config.offload = Offload { checksum: true, gso_bytes_max: 60_000 };
    let mut world = World::with(config.clone(), config);
    begin(&mut world, &|_| {});
    world
}

#[test]
fn super_segments_are_cut_before_they_go_in() {
    let mut world = offloading();
    let (client, server) = world.established(WEB);
    world.client.stack.write(world.now, client, vec![7; 50_000].into()).unwrap();
    world.settle();
    let first = world.server.read_all(world.now, server).0;
    assert_eq!(first, vec![7; 50_000]);
    // The stack sent fewer segments than packets, and each packet was one that a wire carries.
    let counters = world.client.stack.counters();
    assert!(counters.segments_out < counters.frames_out);
    assert!(world.client.sent.iter().all(|frame| frame.len() <= 1500));
    assert_eq!(world.server.stack.counters().drops.total(), 0);
}

/// A device with room for so many frames.
struct Ring(Vec<Bytes>, usize);

impl TxSink for Ring {
    fn ready(&self) -> bool {
        self.0.len() < self.1
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        assert!(self.ready(), "a frame for a device without room");
        self.0.push(frame.to_bytes());
    }
}

#[test]
fn a_device_without_room_gets_the_rest_of_a_super_segment_later() {
    let mut world = offloading();
    let (client, server) = world.established(WEB);
    // A window of ten segments, in super-segments.
    world.client.stack.write(world.now, client, vec![7; 13_000].into()).unwrap();
    let mut frames = Vec::new();
    for _ in 0..20 {
        let mut ring = Ring(Vec::new(), 3);
        world.client.stack.poll_transmit(world.now, &mut ring, 64);
        frames.extend(ring.0);
    }
    assert!(frames.len() >= 9);
    for frame in frames {
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
    assert_eq!(world.server.read_all(world.now, server).0, vec![7; 13_000]);
}

/// RFC 6040, section 4.1: what the outer header shows; RFC 4213, section 3.5: no more than that.
#[test]
fn rfc6040_4_1_marks_go_in() {
    for (ecn, shown) in [(true, [0, 1, 2, 3]), (false, [0; 4])] {
        let mut world = tunneled(|tunnel| tunnel.ecn = ecn);
        for inner in 0..4 {
            let mut options = UdpOptions::default();
            options.traffic_class = 0xb8 | inner;
            let socket = world.client.stack.udp_bind(addr("[fd00:1::1]:0"), options).unwrap();
            let to = Some(addr("[fd00:2::1]:53"));
            world.client.stack.udp_send(world.now, socket, to, "x".into()).unwrap();
            let sent = world.client.transmit(world.now);
            let (outer, packet) = opened(&sent[0]);
            assert_eq!(outer.traffic_class(), shown[usize::from(inner)]);
            assert_eq!(packet.traffic_class(), 0xb8 | inner);
        }
    }
}

#[test]
fn what_makes_no_tunnel_and_no_route() {
    let mut world = World::new();
    let (now, stack) = (world.now, &mut world.client.stack);
    let mut refused = |tunnel| stack.add_tunnel(now, tunnel).unwrap_err();
    for remote in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "10.0.0.255", "127.0.0.1", CLIENT] {
        assert_eq!(refused(tunnel(CLIENT, remote)), StackError::InvalidAddress, "{remote}");
    }
    assert_eq!(refused(tunnel(SERVER, "10.0.0.3")), StackError::AddressNotAvailable);
    let mut odd = tunnel(CLIENT, SERVER);
    odd.mtu = 1279;
    assert_eq!(refused(odd), StackError::InvalidOption);
    odd = tunnel(CLIENT, SERVER);
    odd.ttl = Some(0);
    assert_eq!(refused(odd), StackError::InvalidOption);
    let id = stack.add_tunnel(now, tunnel(CLIENT, SERVER)).unwrap();
    let again = stack.add_tunnel(now, tunnel(CLIENT, SERVER));
    assert_eq!(again, Err(StackError::AddressInUse));
    let network = |text: &str| text.parse::<Cidr>().unwrap();
    let v4 = Route::through(network("0.0.0.0/0"), id);
    assert_eq!(stack.add_route(v4), Err(StackError::InvalidAddress));
    let mut both = Route::through(network("::/0"), id);
    both.gateway = Some("2001:db8::9".parse().unwrap());
    assert_eq!(stack.add_route(both), Err(StackError::InvalidAddress));

    let second = stack.add_tunnel(now, tunnel(CLIENT, "10.0.0.3")).unwrap();
    stack.add_route(Route::through(network("::/0"), id)).unwrap();
    let own = tunnel(CLIENT, SERVER).link_local();
    let ours = |stack: &fyke_stack::Stack| stack.addresses().any(|it| it.cidr.address() == own);
    assert!(stack.remove_tunnel(id) && !stack.remove_tunnel(id));
    // The other one begins at the same address and keeps it.
    assert_eq!((stack.routes().count(), ours(stack)), (1, true));
    assert_eq!(stack.add_route(Route::through(network("::/0"), id)), Err(StackError::NoSuchTunnel));
    assert!(stack.remove_tunnel(second));
    assert_eq!((stack.routes().count(), ours(stack), stack.tunnels().count()), (0, false, 0));
    for n in 0..64 {
        let remote = format!("198.51.100.{n}");
        stack.add_tunnel(now, tunnel(CLIENT, &remote)).unwrap();
    }
    assert_eq!(stack.add_tunnel(now, tunnel(CLIENT, SERVER)), Err(StackError::LimitReached));
    assert_eq!(world.client.take_events(), Vec::<Event>::new());
}

//! An attacker who may send anything with any source: what comes back is counted, in bytes for each byte
//! that he sent, and so is the work. Nothing here looks at a clock.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::wire::{
    ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, igmp, ipv4, udp,
};
use fyke_stack::{DropReason, Medium, RxMeta, StackConfig, UdpOptions};

use crate::ethernet;
use crate::frames::{Frame, ip};
use crate::garbage::Random;
use crate::icmp::v4;
use crate::world::{CLIENT, CLIENT6, Host, SERVER, SERVER6, World, addr, at};

/// Long enough for every timer of a handshake or a datagram in pieces.
const ALL_TIMERS: Duration = Duration::from_secs(300);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A server whose clients are not there: somebody uses their addresses.
struct Reflector {
    world: World,
    sent: usize,
    came_back: usize,
}

impl Reflector {
    fn new() -> Self {
        let mut world = World::new();
        world.filter = Box::new(|_, _| false);
        world.listen("[::]:80");
        Self { world, sent: 0, came_back: 0 }
    }

    fn send(&mut self, frame: Bytes) {
        self.sent += frame.len();
        self.world.server.stack.input(self.world.now, frame, RxMeta::default());
        self.hear();
    }

    fn hear(&mut self) {
        let frames = self.world.server.transmit(self.world.now);
        self.came_back += frames.iter().map(Bytes::len).sum::<usize>();
    }

    /// Bytes out for a hundred bytes in, when all timers have run out.
    fn percent(mut self) -> usize {
        let end = self.world.now + ALL_TIMERS;
        while let Some(at) = self.world.server.stack.poll_timeout().filter(|at| *at <= end) {
            self.world.now = self.world.now.max(at);
            self.world.server.stack.handle_timeout(self.world.now);
            self.hear();
        }
        self.came_back * 100 / self.sent
    }
}

fn datagram(from: &str, to: &str, port: u16, payload: &[u8]) -> Bytes {
    let length = payload.len() as u16;
    let header = udp::Header { source_port: 1, destination_port: port, payload_len: length };
    let mut body = header.to_vec();
    let pseudo = PseudoHeader::new(address(from), address(to)).unwrap();
    udp::Header::fill_checksum(&mut body, &pseudo, &[payload], ChecksumIntent::Full);
    body.extend_from_slice(payload);
    ip(address(from), address(to), IpProtocol::UDP, &body)
}

fn echo(from: &str, to: &str, payload: &[u8]) -> Bytes {
    let pseudo = PseudoHeader::new(address(from), address(to)).unwrap();
    let (mut body, protocol) = if address(to).is_ipv4() {
        let message = icmpv4::Message::EchoRequest { identifier: 1, sequence: 1 };
        let mut body = message.to_vec();
        icmpv4::Message::fill_checksum(&mut body, &[payload]);
        (body, IpProtocol::ICMPV4)
    } else {
        let message = icmpv6::Message::EchoRequest { identifier: 1, sequence: 1 };
        let mut body = message.to_vec();
        icmpv6::fill_checksum(&mut body, &pseudo, &[payload], ChecksumIntent::Full);
        (body, IpProtocol::ICMPV6)
    };
    body.extend_from_slice(payload);
    ip(address(from), address(to), protocol, &body)
}

/// The first piece of something that never becomes whole.
fn fragment(id: u16) -> Bytes {
    first_of(id, IpProtocol::UDP, &[0; 8])
}

fn first_of(id: u16, protocol: IpProtocol, piece: &[u8; 8]) -> Bytes {
    let (from, to) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    let mut header = ipv4::Header::new(from, to, protocol, 8);
    header.identification = id;
    header.more_fragments = true;
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(piece);
    bytes.into()
}

/// One packet of each kind, and the most that it may bring back. A SYN alone brings six answers: that is
/// what a peer that loses our SYN-ACKs needs (RFC 9293, MUST-20), and a flood gets less, see below.
#[test]
fn no_single_packet_is_amplified_by_much() {
    let (from, to) = (at(CLIENT, 7), at(SERVER, 80));
    let (from6, to6) = (at(CLIENT6, 7), at(SERVER6, 80));
    let closed = at(SERVER, 81);
    let cases = [
        ("SYN", Frame::syn(&from, &to, 1).bytes(), 660),
        ("SYN over IPv6", Frame::syn(&from6, &to6, 1).bytes(), 640),
        ("SYN to nobody", Frame::syn(&from, &closed, 1).bytes(), 100),
        ("stray ACK", Frame::new(&from, &to, Flags::ACK, 1, 1).bytes(), 100),
        ("stray FIN", Frame::new(&from, &closed, Flags::FIN, 1, 1).bytes(), 100),
        ("stray SYN-ACK", Frame::new(&from, &to, Flags::SYN | Flags::ACK, 1, 1).bytes(), 100),
        ("RST", Frame::new(&from, &to, Flags::RST, 1, 1).bytes(), 0),
        ("no flags", Frame::new(&from, &to, Flags::default(), 1, 1).bytes(), 0),
        ("empty datagram", datagram(CLIENT, SERVER, 9, b""), 200),
        ("empty datagram over IPv6", datagram(CLIENT6, SERVER6, 9, b""), 200),
        ("datagram", datagram(CLIENT, SERVER, 9, &[0; 1400]), 41),
        ("echo", echo(CLIENT, SERVER, b"data"), 100),
        ("echo over IPv6", echo(CLIENT6, SERVER6, b"data"), 100),
        ("echo to everybody", echo(CLIENT, "10.0.0.255", b"data"), 0),
        ("datagram to everybody", datagram(CLIENT, "10.0.0.255", 9, b""), 0),
        ("datagram to all nodes", datagram(CLIENT6, "ff02::1", 9, b""), 0),
        ("unknown protocol", ip(address(CLIENT), address(SERVER), IpProtocol(200), b"1234"), 220),
        ("first fragment", fragment(1), 200),
        ("of an error", first_of(1, IpProtocol::ICMPV4, &[3, 1, 0, 0, 0, 0, 0, 0]), 0),
    ];
    for (what, frame, most) in cases {
        let mut reflector = Reflector::new();
        reflector.send(frame);
        let percent = reflector.percent();
        println!("{what}: {percent} %");
        assert!(percent <= most, "{what}: {percent} bytes for 100");
    }
}

/// The kinds that brought back more than they cost, by the thousand: the limits make little of them.
#[test]
fn floods_are_not_amplified() {
    type Make = fn(u16) -> Bytes;
    let cases: [(&str, Make, usize); 4] = [
        ("SYNs", |n| Frame::syn(&at(CLIENT, n | 1), &at(SERVER, 80), u32::from(n)).bytes(), 125),
        ("empty datagrams", |_| datagram(CLIENT, SERVER, 9, b""), 1),
        ("first fragments", fragment, 1),
        (
            "unknown protocols",
            |n| {
                let from = IpAddr::from([10, 9, (n >> 8) as u8, n as u8]);
                ip(from, address(SERVER), IpProtocol(200), b"")
            },
            25,
        ),
    ];
    for (what, make, most) in cases {
        let mut reflector = Reflector::new();
        (0..10_000).for_each(|n| reflector.send(make(n)));
        let percent = reflector.percent();
        println!("{what}: {percent} %");
        assert!(percent <= most, "{what}: {percent} bytes for 100");
    }
}

/// A device that takes nothing for a while: what waits for it is bounded.
#[test]
fn answers_that_cannot_leave_do_not_pile_up() {
    let mut world = World::new();
    for n in 0..10_000_u16 {
        let frame = Frame::syn(&at(CLIENT, n | 1), &at(SERVER, 81), 1).bytes();
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
    let most = fyke_stack::Limits::default().outbox_packets_max;
    assert_eq!(world.server.stack.usage().outbox, most);
    let drops = world.server.stack.counters().drops[DropReason::OutboxFull];
    assert_eq!(drops as usize, 10_000 - most);
}

/// The same with large answers: a number of packets alone would be a number of times 64 KiB.
#[test]
fn large_answers_that_cannot_leave_are_bounded_by_bytes() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.limits.outbox_bytes_max = 100_000;
    let mut world = World::with(config.clone(), config);
    let request = icmpv4::Message::EchoRequest { identifier: 7, sequence: 8 };
    for _ in 0..200 {
        let frame = v4(CLIENT, SERVER, request, &[1; 1400]);
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
    let waits = world.server.stack.usage().outbox;
    assert!((60..=71).contains(&waits), "{waits}");
    let drops = world.server.stack.counters().drops[DropReason::OutboxFull];
    assert_eq!(drops as usize, 200 - waits);
    // What had no room is gone; what comes later has room again.
    assert_eq!(world.server.transmit(world.now).len(), waits);
    let frame = v4(CLIENT, SERVER, request, &[1; 1400]);
    world.server.stack.input(world.now, frame, RxMeta::default());
    assert_eq!(world.server.transmit(world.now).len(), 1);
}

/// What a host sends to itself waits in a queue that has a bound in bytes, too.
#[test]
fn the_loopback_is_bounded_by_bytes() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.limits.loopback_bytes_max = 10_000;
    let mut world = World::with(config.clone(), config);
    let (stack, now) = (&mut world.client.stack, world.now);
    let receiver = stack.udp_bind(addr("127.0.0.1:5000"), UdpOptions::default()).unwrap();
    let sender = stack.udp_bind(addr("127.0.0.1:0"), UdpOptions::default()).unwrap();
    for _ in 0..15 {
        stack.udp_send(now, sender, Some(addr("127.0.0.1:5000")), vec![7; 1000].into()).unwrap();
    }
    world.client.transmit(now);
    let stack = &mut world.client.stack;
    let heard = std::iter::from_fn(|| stack.udp_receive(receiver).ok()).count();
    assert!((8..=9).contains(&heard), "{heard}");
    assert_eq!(stack.counters().drops[DropReason::LoopbackFull] as usize, 15 - heard);
}

/// What waits for the link addresses of many neighbours that are not there is bounded altogether.
#[test]
fn what_waits_for_neighbours_is_bounded_by_bytes() {
    let mut config = ethernet::config(ethernet::MAC_CLIENT);
    config.limits.neighbor_queues_bytes_max = 20_000;
    let mut world = ethernet::link();
    world.client = Host::new(config, &["10.0.0.1/24"], 3, world.now);
    world.filter = Box::new(|_, _| false);
    let id = world.client.stack.udp_bind(addr("0.0.0.0:0"), UdpOptions::default()).unwrap();
    for n in 100..140 {
        let to = Some(addr(&at(&format!("10.0.0.{n}"), 9)));
        world.client.stack.udp_send(world.now, id, to, vec![7; 1000].into()).unwrap();
        world.settle();
    }
    let full = world.client.stack.counters().drops[DropReason::NeighborQueueFull];
    assert!((21..=25).contains(&full), "{full}");
    // They are given up, and others have room.
    world.advance(Duration::from_secs(10));
    let lost = world.client.stack.counters().drops[DropReason::NeighborUnreachable];
    assert_eq!(lost + full, 40);
    let to = Some(addr("10.0.0.200:9"));
    world.client.stack.udp_send(world.now, id, to, vec![7; 1000].into()).unwrap();
    world.settle();
    assert_eq!(world.client.stack.counters().drops[DropReason::NeighborQueueFull], full);
}

/// Whoever knows the numbers of a connection gets an acknowledgement for a segment, never more, and
/// for a segment without text one in a while.
#[test]
fn connections_are_not_amplifiers() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    let (ours, theirs) =
        (world.server.stack.info(server).unwrap(), world.client.stack.info(client).unwrap());
    let mut from = theirs.snd_nxt.value();
    let port = world.server.stack.listing().find_map(|line| line.remote).unwrap().port();
    let (client, server) = (at(CLIENT, port), at(SERVER, 80));
    world.filter = Box::new(|_, _| false);
    from = from.wrapping_sub(1000);
    let cases = [
        ("old text", Flags::ACK, &b"x"[..], 160),
        ("old ACK", Flags::ACK, b"", 10),
        ("SYN", Flags::SYN, b"", 10),
        ("RST", Flags::RST, b"", 0),
    ];
    for (what, flags, payload, most) in cases {
        let (mut sent, mut came_back) = (0, 0);
        for _ in 0..1000 {
            let frame = Frame::new(&client, &server, flags, from, ours.snd_nxt.value());
            let stamp = TcpOption::Timestamps { value: 1, echo: 0 };
            let frame = frame.payload(payload).option(stamp).bytes();
            sent += frame.len();
            world.server.stack.input(world.now, frame, RxMeta::default());
            came_back += world.server.transmit(world.now).iter().map(Bytes::len).sum::<usize>();
        }
        let percent = came_back * 100 / sent;
        println!("{what}: {percent} %");
        assert!(percent <= most, "{what}: {percent} bytes for 100");
    }
    assert_eq!(world.server.stack.usage().connections, 1);
}

/// Questions about groups have one answer in their time, however many there are.
#[test]
fn questions_about_groups_have_one_answer() {
    let mut host = Reflector::new();
    let now = host.world.now;
    let stack = &mut host.world.server.stack;
    let id = stack.udp_bind(addr("0.0.0.0:9"), UdpOptions::default()).unwrap();
    for n in 0..100 {
        stack.udp_join(now, id, IpAddr::from([239, 0, 0, n])).unwrap();
    }
    host.world.advance(Duration::from_secs(10));
    let answers = |queries: usize| {
        let group = std::net::Ipv4Addr::UNSPECIFIED;
        let query = igmp::Query::V2 { max_response_ms: 100, group };
        let body = igmp::Message::Query(query, &[]).to_vec();
        let all = "224.0.0.1".parse().unwrap();
        let mut header =
            ipv4::Header::new(CLIENT.parse().unwrap(), all, IpProtocol::IGMP, body.len() as u16);
        header.ttl = 1;
        let mut bytes = header.to_vec();
        bytes.extend_from_slice(&body);
        vec![Bytes::from(bytes); queries]
    };
    answers(1000).into_iter().for_each(|query| host.send(query));
    assert_eq!(host.came_back, 0, "an answer waits");
    let percent = host.percent();
    println!("queries: {percent} %");
    // A report for each group, once.
    assert!((1..=20).contains(&percent), "{percent} bytes for 100");
}

/// Whatever a packet is, so much is looked at for it, and not more.
#[test]
fn a_hostile_packet_costs_a_bounded_number_of_steps() {
    let mut world = World::new();
    let (_, server) = world.established(&at(SERVER, 80));
    world.server.stack.write(world.now, server, vec![1; 50_000].into()).unwrap();
    world.filter = Box::new(|_, _| false);
    world.settle();
    let port = world.server.stack.listing().find_map(|line| line.remote).unwrap().port();
    let info = world.server.stack.info(server).unwrap();
    let (client, to) = (at(CLIENT, port), at(SERVER, 80));
    let mut random = Random(11);
    let before = *world.server.stack.counters();
    for n in 0..5000_u32 {
        let flags = Flags::from_bits(random.below(64) as u16);
        let seq = info.rcv_nxt.value().wrapping_add(random.below(70_000) as u32);
        let ack = info.snd_una.value().wrapping_add(random.below(60_000) as u32);
        let from =
            if n % 2 == 0 { client.clone() } else { at(CLIENT, random.below(60_000) as u16 | 1) };
        // What resets the connection ends the attack.
        let flags = flags.without(Flags::RST);
        let frame = Frame::new(&from, &to, flags, seq, ack).payload(&[1; 3]);
        world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
        world.server.transmit(world.now);
    }
    let after = *world.server.stack.counters();
    let steps = |of: fn(&fyke_stack::Work) -> u64| of(&after.work) - of(&before.work);
    assert_eq!(steps(|work| work.lookups), 5000);
    assert!(steps(|work| work.polls) <= 3 * 5000, "{}", steps(|work| work.polls));
    assert!(steps(|work| work.timer_moves) <= 2 * 5000, "{}", steps(|work| work.timer_moves));
    assert_eq!(steps(|work| work.timers), 0);
}

//! The network's side: IP options, ICMP, TTL and DiffServ.

use bytes::Bytes;
use fyke_stack::tcp::{CloseReason, State};
use fyke_stack::wire::ipv4::{Ipv4Option, Options};
use fyke_stack::wire::{Emit, IpProtocol, ipv4};
use fyke_stack::{ConnectOptions, DropReason, Event, ListenOptions, RxMeta};

use crate::frames::{Frame, ip};
use crate::world::{CLIENT, SERVER, World, addr, at};

/// MUST-50: options that IP knows and TCP does not need change nothing.
#[test]
fn ip_options_change_nothing() {
    for option in [
        Ipv4Option::RecordRoute(&[4, 0, 0, 0, 0]),
        Ipv4Option::Timestamp(&[5, 0, 0, 0, 0, 0]),
        Ipv4Option::RouterAlert(0),
        Ipv4Option::Unknown { kind: 30, data: &[1, 2] },
    ] {
        let mut world = World::new();
        world.listen(&at(SERVER, 80));
        let syn = Frame::syn(&at(CLIENT, 4000), &at(SERVER, 80), 100).bytes();
        let len = (syn.len() - 20) as u16;
        let (from, to) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
        let mut header = ipv4::Header::new(from, to, IpProtocol::TCP, len);
        header.options = Options::EMPTY.with(option).unwrap();
        let mut packet = header.to_vec();
        packet.extend_from_slice(&syn[20..]);
        world.server.stack.input(world.now, packet.into(), RxMeta::default());
        assert_eq!(world.server.stack.usage().embryos, 1, "{option:?}");
        let answer = world.server.transmit(world.now);
        assert_eq!(ipv4::Packet::parse(&answer[0]).unwrap().header_len(), 20);
    }
}

fn error(kind: u8, code: u8, quoted: &[u8]) -> Bytes {
    let mut body = vec![kind, code, 0, 0, 0, 0, 0, 0];
    body.extend_from_slice(&quoted[..28]);
    let sum = fyke_stack::wire::checksum::checksum(&body);
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    ip(SERVER.parse().unwrap(), CLIENT.parse().unwrap(), IpProtocol::ICMPV4, &body)
}

/// Unreachable net, host and source route; source quench; time exceeded; parameter problem.
const SOFT: &[(u8, u8)] = &[(3, 0), (3, 1), (3, 5), (4, 0), (11, 0), (11, 1), (12, 0)];

/// MUST-56, MUST-55, SHLD-25: what may pass ends neither a connection nor an open. MUST-54: it came
/// to the connection all the same, which says so when it ends.
#[test]
fn soft_errors_end_nothing() {
    for &(kind, code) in SOFT {
        let mut world = World::new();
        let (client, _) = world.established(&at(SERVER, 80));
        world.client.stack.write(world.now, client, "x".into()).unwrap();
        let segment = world.client.transmit(world.now).pop().unwrap();
        let before = world.client.stack.info(client).unwrap();
        world.client.stack.input(world.now, error(kind, code, &segment), RxMeta::default());
        let after = world.client.stack.info(client).unwrap();
        assert_eq!(after.state, State::Established, "{kind}/{code}");
        assert_eq!(after.congestion_window, before.congestion_window, "{kind}/{code}");
        let told = kind == 3 || kind == 11;
        assert_eq!(after.unreachable, told, "{kind}/{code}");
        assert!(world.client.take_events().is_empty());
        let opening = world.connect("10.0.0.9:80");
        let syn = world.client.transmit(world.now).pop().unwrap();
        world.client.stack.input(world.now, error(kind, code, &syn), RxMeta::default());
        assert_eq!(world.client.stack.state(opening), Some(State::SynSent), "{kind}/{code}");
        world.advance(std::time::Duration::from_secs(260));
        let reason = if told { CloseReason::Unreachable } else { CloseReason::TimedOut };
        let events = world.client.take_events();
        assert!(events.contains(&Event::Closed(opening, reason)), "{kind}/{code}: {events:?}");
        let ignored = world.client.stack.counters().drops[DropReason::IcmpIgnored];
        assert_eq!(ignored, if kind == 4 || kind == 12 { 2 } else { 0 }, "{kind}/{code}");
    }
}

/// SHLD-26: a hard error ends an open. A connection that works is not ended by a packet anybody can
/// send (RFC 5927, section 5.2).
#[test]
fn hard_errors_end_opens_only() {
    for code in [2, 3] {
        let mut world = World::new();
        let opening = world.connect("10.0.0.9:80");
        let syn = world.client.transmit(world.now).pop().unwrap();
        world.client.stack.input(world.now, error(3, code, &syn), RxMeta::default());
        let events = world.client.take_events();
        assert_eq!(events, [Event::Closed(opening, CloseReason::PortUnreachable)]);
        let (client, _) = world.established(&at(SERVER, 80));
        world.client.stack.write(world.now, client, "x".into()).unwrap();
        let segment = world.client.transmit(world.now).pop().unwrap();
        world.client.stack.input(world.now, error(3, code, &segment), RxMeta::default());
        assert_eq!(world.client.stack.state(client), Some(State::Established));
    }
}

/// MUST-49, MUST-48, SHLD-21, SHLD-22: TTL and DiffServ of each connection, from its first packet,
/// changed while it runs, and handed to IP as they are.
#[test]
fn hop_limit_and_traffic_class_are_the_applications() {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    (options.traffic_class, options.hop_limit) = (0x48, Some(33));
    world.server.stack.listen(addr(&at(SERVER, 80)), options).unwrap();
    let mut options = ConnectOptions::default();
    (options.traffic_class, options.hop_limit) = (0x28, Some(7));
    let client = world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options).unwrap();
    world.settle();
    let look = |frame: &Bytes| {
        let packet = ipv4::Packet::parse(frame).unwrap();
        (packet.traffic_class() & 0xfc, packet.ttl())
    };
    assert!(world.client.sent.iter().all(|frame| look(frame) == (0x28, 7)));
    assert!(world.server.sent.iter().all(|frame| look(frame) == (0x48, 33)));
    world.client.stack.set_traffic_class(client, 0xb8).unwrap();
    world.client.stack.set_hop_limit(client, 200).unwrap();
    world.client.stack.write(world.now, client, "x".into()).unwrap();
    assert_eq!(look(&world.client.transmit(world.now)[0]), (0xb8, 200));
}

/// MUST-47, SHLD-20: errors wait until they are asked for, and asking can be left out.
#[test]
fn errors_are_told_to_who_asks() {
    let mut world = World::new();
    let refused = world.connect(&at(SERVER, 81));
    world.settle();
    let read = world.client.stack.read(world.now, refused, 10);
    assert_eq!(read, Err(fyke_stack::StackError::Closed(CloseReason::Refused)));
    let told = world.client.take_events();
    assert_eq!(told, [Event::Closed(refused, CloseReason::Refused)]);
    // Nobody asks about this one; nothing piles up.
    for _ in 0..100 {
        let id = world.connect(&at(SERVER, 81));
        world.settle();
        world.client.stack.close(world.now, id).unwrap();
        world.settle();
    }
    assert_eq!(world.client.stack.usage().connections, 1);
}

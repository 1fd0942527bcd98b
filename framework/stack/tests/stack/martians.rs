//! Packets that cannot be, dropped before any table is asked.

use fyke_stack::wire::ipv4::{Ipv4Option, Options};
use fyke_stack::wire::{Emit, IpProtocol, ipv4};
use fyke_stack::{DropReason, RxMeta};

use crate::frames::Frame;
use crate::world::{CLIENT, SERVER, World, at};

#[test]
fn syns_from_impossible_sources_touch_nothing() {
    let mut world = World::new();
    world.listen("[::]:80");
    let sources = [
        "0.0.0.0:1",
        "127.0.0.1:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "10.0.0.255:1",
        "240.0.0.1:1",
        // LAND: our own address, even with our own port.
        "10.0.0.2:80",
    ];
    let sources6 = ["[::]:1", "[::1]:1", "[ff02::1]:1", "[::ffff:10.0.0.9]:1", "[2001:db8::2]:80"];
    let four = sources.iter().map(|source| Frame::syn(source, "10.0.0.2:80", 1));
    let six = sources6.iter().map(|source| Frame::syn(source, "[2001:db8::2]:80", 1));
    let mut sent = 0;
    for frame in four.chain(six) {
        world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
        sent += 1;
    }
    let counters = world.server.stack.counters();
    assert_eq!(counters.drops[DropReason::Martian], sent);
    assert_eq!((counters.work.lookups, world.server.stack.usage().embryos), (0, 0));
    assert!(world.server.transmit(world.now).is_empty());
}

#[test]
fn segments_to_groups_and_strangers_are_not_answered() {
    let mut world = World::new();
    world.listen("[::]:80");
    for to in ["10.0.0.255:80", "255.255.255.255:80", "224.0.0.1:80", "10.0.0.77:80"] {
        let frame = Frame::syn(&at(CLIENT, 5), to, 1).bytes();
        world.server.stack.input(world.now, frame, RxMeta::default());
        assert!(world.server.transmit(world.now).is_empty(), "{to}");
    }
    let drops = world.server.stack.counters().drops;
    assert_eq!((drops[DropReason::TcpNoSocket], drops[DropReason::NotOurs]), (3, 1));
}

#[test]
fn broken_checksums_and_source_routes_are_counted() {
    let mut world = World::new();
    world.listen("[::]:80");
    let good = Frame::syn(&at(CLIENT, 5), &at(SERVER, 80), 1).bytes();
    for (at, reason) in [(8, DropReason::IpChecksum), (30, DropReason::TransportChecksum)] {
        let mut bad = good.to_vec();
        bad[at] ^= 0x10;
        world.server.stack.input(world.now, bad.into(), RxMeta::default());
        assert_eq!(world.server.stack.counters().drops[reason], 1, "{reason:?}");
    }
    let mut header = ipv4::Header::new(
        CLIENT.parse().unwrap(),
        SERVER.parse().unwrap(),
        IpProtocol::TCP,
        (good.len() - 20) as u16,
    );
    header.options = Options::EMPTY.with(Ipv4Option::LooseSourceRoute(&[4, 10, 0, 0, 9])).unwrap();
    let mut routed = header.to_vec();
    routed.extend_from_slice(&good[20..]);
    world.server.stack.input(world.now, routed.into(), RxMeta::default());
    assert_eq!(world.server.stack.counters().drops[DropReason::SourceRoute], 1);
    assert_eq!(world.server.stack.usage().embryos, 0);
    // The same SYN without blemish opens.
    world.server.stack.input(world.now, good, RxMeta::default());
    assert_eq!(world.server.stack.usage().embryos, 1);
    assert_eq!(world.server.transmit(world.now).len(), 1);
}

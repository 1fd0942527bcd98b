//! Writing from memory of the caller's, asking for room, and hearing what arrived.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::CloseReason;
use fyke_stack::wire::MacAddress;
use fyke_stack::{
    Event, ListenerId, Medium, Offload, RxChecksum, RxMeta, StackConfig, StackError, TcpId,
    TxFrame, TxSink, UdpId,
};

use crate::world::{CLIENT, CLIENT6, SERVER, World, addr, at};

fn acks() -> World {
    let mut config = StackConfig::new(Medium::RawIp);
    config.report_acks = true;
    World::with(config, StackConfig::new(Medium::RawIp))
}

/// The bytes that a connection heard to be acknowledged, and its other events.
fn acknowledged(world: &mut World, id: TcpId) -> (u64, Vec<Event>) {
    let mut sum = 0;
    let mut others = Vec::new();
    for event in world.client.take_events() {
        match event {
            Event::Acked(of, count) => {
                assert!(of == id && count > 0);
                sum += u64::from(count);
            }
            other => others.push(other),
        }
    }
    (sum, others)
}

#[test]
fn slices_are_written_whole_and_in_order() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    let all: Vec<u8> = (0..30_000_u32).map(|n| (n % 251) as u8).collect();
    let mut rest = &all[..];
    for size in [1, 10, 0, 500, 3000, 100].iter().cycle() {
        let (part, behind) = rest.split_at(rest.len().min(*size));
        assert_eq!(world.client.stack.write_slice(world.now, client, part), Ok(part.len()));
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    world.settle();
    assert_eq!(world.server.read_all(world.now, server).0, all);
    world.client.stack.shutdown(world.now, client).unwrap();
    let shut = world.client.stack.write_slice(world.now, client, b"more");
    assert_eq!(shut, Err(StackError::Shutdown));
    assert_eq!(world.client.stack.want_writable(world.now, client), Err(StackError::Shutdown));
    world.client.stack.abort(world.now, client).unwrap();
    let gone = world.client.stack.write_slice(world.now, client, b"more");
    assert_eq!(gone, Err(StackError::NoSuchSocket));
}

/// Counts pieces and remembers bytes.
#[derive(Default)]
struct Gathering {
    pieces: Vec<usize>,
    bytes: Vec<u8>,
}

impl TxSink for Gathering {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        let inside = usize::from(frame.transport_offset) + TCP_HEADER_LEN;
        assert!(frame.header.len() >= inside);
        self.pieces.push(frame.payload.len());
        frame.payload.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
    }
}

const TCP_HEADER_LEN: usize = 20;

#[test]
fn many_small_writes_reach_the_device_as_they_are() {
    let mut config = StackConfig::new(Medium::RawIp);
    config.offload = Offload { checksum: true, gso_bytes_max: 65_000 };
    let mut world = World::with(config, StackConfig::new(Medium::RawIp));
    world.listen(&at(SERVER, 80));
    let client = world.connect(&at(SERVER, 80));
    carry(&mut world);
    // The handshake, and what opens the congestion window far enough.
    for _ in 0..2 {
        let opening = vec![0; 20_000].into();
        assert_eq!(world.client.stack.write(world.now, client, opening), Ok(20_000));
        carry(&mut world);
    }
    let all: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
    for part in all.chunks(1250) {
        let part = Bytes::copy_from_slice(part);
        assert_eq!(world.client.stack.write(world.now, client, part), Ok(1250));
    }
    let mut device = Gathering::default();
    world.client.stack.poll_transmit(world.now, &mut device, usize::MAX);
    assert!(all.starts_with(&device.bytes));
    assert!(device.bytes.len() > 18 * 1250);
    assert_eq!(device.pieces[0], device.bytes.len().min(65_000).div_ceil(1250));
}

/// Carries super-segments as they are, with checksums that nobody completes, until all is quiet.
fn carry(world: &mut World) {
    for _ in 0..8 {
        let mut device = Supers::default();
        world.client.stack.poll_transmit(world.now, &mut device, usize::MAX);
        for (frame, gso_size) in device.0 {
            let meta = RxMeta { gso_size, ..trusted() };
            world.server.stack.input(world.now, frame, meta);
        }
        for frame in world.server.transmit(world.now) {
            world.client.stack.input(world.now, frame, trusted());
        }
    }
}

#[derive(Default)]
struct Supers(Vec<(Bytes, u16)>);

impl TxSink for Supers {
    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.0.push((frame.to_bytes(), frame.gso.map_or(0, |gso| gso.size)));
    }
}

fn trusted() -> RxMeta {
    RxMeta { checksum: RxChecksum::Partial, gso_size: 0 }
}

#[test]
fn room_is_told_to_who_asks_for_it() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    // There is room: it is told at once, and once.
    world.client.stack.want_writable(world.now, client).unwrap();
    assert_eq!(world.client.take_events(), [Event::Writable(client)]);
    // The buffer is filled by no more than it takes, so that no write is refused.
    loop {
        let room = world.client.stack.writable(client);
        if room == 0 {
            break;
        }
        let taken = world.client.stack.write(world.now, client, vec![7; room].into()).unwrap();
        assert_eq!(taken, room);
        world.settle();
    }
    assert_eq!(world.client.take_events(), []);
    world.client.stack.want_writable(world.now, client).unwrap();
    assert_eq!(world.client.take_events(), []);
    while !world.server.read_all(world.now, server).0.is_empty() {
        world.settle();
    }
    assert_eq!(world.client.take_events(), [Event::Writable(client)]);
    assert!(world.client.stack.writable(client) > 0);
}

#[test]
fn what_was_acknowledged_is_told_to_the_byte() {
    let mut world = acks();
    let listener = world.listen(&at(SERVER, 80));
    let client = world.connect(&at(SERVER, 80));
    world.client.stack.write(world.now, client, Bytes::from_static(b"early")).unwrap();
    assert_eq!(acknowledged(&mut world, client), (0, vec![]));
    world.advance(Duration::from_millis(300));
    let server = world.server.stack.accept(listener).unwrap();
    // Neither the SYN counts nor, later, the FIN.
    let told = acknowledged(&mut world, client);
    assert_eq!(told, (5, vec![Event::Connected(client)]));
    let (mut written, mut heard) = (0, 0);
    while heard < 3_000_000 {
        let bytes = Bytes::from(vec![1; 64 << 10]);
        written += world.client.stack.write(world.now, client, bytes).unwrap() as u64;
        world.settle();
        world.server.read_all(world.now, server);
        world.settle();
        heard += acknowledged(&mut world, client).0;
        assert!(heard <= written);
    }
    world.client.stack.shutdown(world.now, client).unwrap();
    world.advance(Duration::from_secs(1));
    world.server.read_all(world.now, server);
    world.server.stack.close(world.now, server).unwrap();
    world.advance(Duration::from_secs(1));
    let (rest, others) = acknowledged(&mut world, client);
    assert_eq!(heard + rest, written);
    assert!(others.contains(&Event::PeerFin(client)));
    // Nothing is told to who did not ask.
    let mut world = World::new();
    let (client, _) = world.established(&at(SERVER, 80));
    world.client.stack.write(world.now, client, Bytes::from_static(b"hello")).unwrap();
    world.advance(Duration::from_secs(1));
    assert_eq!(world.client.take_events(), []);
}

#[test]
fn an_open_to_a_dead_neighbour_ends_when_it_is_known_to_be_dead() {
    let mut config = StackConfig::new(Medium::Ethernet(MacAddress([2, 0, 0, 0, 0, 1])));
    config.duplicate_address_probes = 0;
    // No packet can make it end, but this is none.
    config.icmp_ends_open = false;
    for (own, dead) in [(CLIENT, "10.0.0.77:80"), (CLIENT6, "[2001:db8::77]:80")] {
        let mut world = World::with(config.clone(), StackConfig::new(Medium::RawIp));
        world.filter = Box::new(|_, _| false);
        let client = world.connect(dead);
        assert_eq!(world.client.stack.endpoints(client).unwrap().0.ip().to_string(), own);
        world.advance(Duration::from_secs(5));
        let unreachable = Event::Closed(client, CloseReason::Unreachable);
        assert_eq!(world.client.take_events(), [unreachable]);
    }
}

#[test]
fn names_are_numbers_and_numbers_names() {
    let mut world = World::new();
    let (client, server) = world.established(&at(SERVER, 80));
    assert_eq!(TcpId::from_u64(client.as_u64()), client);
    let udp = world.client.stack.udp_bind(addr("0.0.0.0:9"), Default::default()).unwrap();
    assert_eq!(UdpId::from_u64(udp.as_u64()), udp);
    let stranger = ListenerId::from_u64(u64::MAX);
    assert_eq!(world.server.stack.listener_address(stranger), None);
    // A connection in the background has no name, but its ends.
    let (local, remote) = world.server.stack.endpoints(server).unwrap();
    world.server.stack.write(world.now, server, Bytes::from_static(b"bye")).unwrap();
    world.server.stack.close(world.now, server).unwrap();
    assert!(world.server.stack.info(server).is_none());
    let info = world.server.stack.info_between(local, remote).unwrap();
    assert_eq!(info.unsent + info.unacknowledged, 3);
    assert!(world.server.stack.info_between(remote, local).is_none());
}

/// Who reads an answer knows already that the question has arrived.
#[test]
fn what_a_segment_acknowledges_is_told_before_what_it_carries() {
    let mut world = acks();
    let (client, server) = world.established(&at(SERVER, 80));
    world.client.take_events();
    world.client.stack.write(world.now, client, Bytes::from_static(b"question")).unwrap();
    // The answer is written before a delayed acknowledgement leaves, and takes it along.
    for frame in world.client.transmit(world.now) {
        world.server.stack.input(world.now, frame, RxMeta::default());
    }
    assert_eq!(world.server.read_all(world.now, server).0, b"question");
    world.server.stack.write(world.now, server, Bytes::from_static(b"answer")).unwrap();
    world.settle();
    let told = world.client.take_events();
    assert_eq!(told, [Event::Acked(client, 8), Event::Readable(client)]);
}

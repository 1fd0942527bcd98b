//! Peers that want to cost memory: what they make the host keep is bounded by the limits that have a
//! name, because what is counted against these is at least what is there.

use std::net::IpAddr;

use bytes::Bytes;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::wire::{Emit, IpProtocol, ipv4, udp};
use fyke_stack::{ListenOptions, ListenerId, RxChecksum, RxMeta, TcpId, UdpOptions};

use crate::counting::live;
use crate::frames::{Frame, ip, parse};
use crate::world::{CLIENT, SERVER, World, addr, at};

const TRUSTED: RxMeta = RxMeta { checksum: RxChecksum::Valid, gso_size: 0 };
/// What a connection may have besides what is counted: a block for small segments, and lists that
/// have grown ahead.
const SLACK_BYTES: isize = 2048;

/// A connection as the attacker sees it.
struct Victim {
    port: u16,
    /// Our next number and the stack's.
    seq: u32,
    ack: u32,
    id: TcpId,
}

impl Victim {
    fn open(world: &mut World, listener: ListenerId, port: u16, mss: u16) -> Self {
        let (from, to) = (at(CLIENT, port), at(SERVER, 80));
        let syn = Frame::syn(&from, &to, 999).option(TcpOption::MaximumSegmentSize(mss));
        let syn = syn.option(TcpOption::SackPermitted);
        world.server.stack.input(world.now, syn.bytes(), RxMeta::default());
        let answer = parse(world.server.transmit(world.now).last().unwrap());
        let ack = answer.header.seq.wrapping_add(1);
        let third = Frame::new(&from, &to, Flags::ACK, 1000, ack);
        world.server.stack.input(world.now, third.bytes(), RxMeta::default());
        let id = world.server.stack.accept(listener).unwrap();
        world.server.take_events();
        Self { port, seq: 1000, ack, id }
    }

    fn frame(&self, offset: u32, payload: &[u8]) -> Frame {
        let (from, to) = (at(CLIENT, self.port), at(SERVER, 80));
        let seq = self.seq.wrapping_add(offset);
        Frame::new(&from, &to, Flags::ACK, seq, self.ack).payload(payload)
    }

    fn send(&self, world: &mut World, offset: u32, payload: &[u8]) {
        let frame = self.frame(offset, payload).bytes();
        world.server.stack.input(world.now, frame, TRUSTED);
    }
}

fn victims(count: u16, mss: u16) -> (World, Vec<Victim>) {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    options.backlog = 1024;
    let listener = world.server.stack.listen(addr(&at(SERVER, 80)), options).unwrap();
    let all = (0..count).map(|n| Victim::open(&mut world, listener, 2000 + n, mss)).collect();
    (world, all)
}

/// The answers are not kept.
fn flush(world: &mut World) {
    world.server.transmit(world.now);
    world.server.take_events();
}

/// What is held is counted, but for a little for each of so many connections.
#[track_caller]
fn assert_counted(world: &World, what: &str, grown: isize, connections: usize) {
    let counted = world.server.stack.usage().socket_bytes as isize;
    println!("{what}: {grown} bytes, {counted} counted");
    let slack = SLACK_BYTES * connections as isize;
    assert!(grown <= counted + slack, "{what}: {grown} bytes, {counted} counted");
}

#[test]
fn holes_of_one_byte_are_counted_for_what_they_cost() {
    let (mut world, victims) = victims(8, 1460);
    flush(&mut world);
    let before = live();
    for victim in &victims {
        for n in 0..1024 {
            victim.send(&mut world, 1 + 3 * n, b"x");
        }
    }
    flush(&mut world);
    assert_counted(&world, "one-byte holes", live() - before, victims.len());
    // Ranges that grow byte by byte have many pieces.
    for victim in &victims {
        for n in 0..1024 {
            victim.send(&mut world, 2 + 3 * n, b"y");
        }
    }
    flush(&mut world);
    assert_counted(&world, "two-byte ranges", live() - before, victims.len());
}

#[test]
fn long_ranges_of_small_pieces_are_counted_for_what_they_cost() {
    let (mut world, victims) = victims(4, 1460);
    flush(&mut world);
    let before = live();
    for victim in &victims {
        for range in 0..50 {
            for n in 0..60 {
                victim.send(&mut world, 1 + 1000 * range + 8 * n, b"12345678");
            }
        }
    }
    flush(&mut world);
    assert_counted(&world, "small pieces", live() - before, victims.len());
}

#[test]
fn single_bytes_in_order_cost_little() {
    let (mut world, victims) = victims(200, 1460);
    flush(&mut world);
    let before = live();
    for victim in &victims {
        for n in 0..3 {
            victim.send(&mut world, n, b"z");
        }
    }
    flush(&mut world);
    let each = (live() - before) / victims.len() as isize;
    println!("three bytes: {each} bytes for each connection");
    assert!(each <= 1024, "{each} bytes for three");
    for victim in &victims[..20] {
        (3..2000).for_each(|n| victim.send(&mut world, n, b"z"));
    }
    flush(&mut world);
    let each = (live() - before) / 20;
    println!("two thousand bytes: {each} bytes for each connection");
    assert!(each <= 16_384, "{each} bytes for two thousand");
}

#[test]
fn blocks_by_the_thousand_are_counted_for_what_they_cost() {
    let (mut world, victims) = victims(4, 48);
    for victim in &victims {
        world.server.stack.write(world.now, victim.id, Bytes::from(vec![1; 60_000])).unwrap();
    }
    flush(&mut world);
    // What the application wrote is there already.
    let before = live() - world.server.stack.usage().socket_bytes as isize;
    for victim in &victims {
        for round in 0..400_u32 {
            // Every second byte of what is out.
            let at = victim.ack.wrapping_add(1 + 6 * round);
            let blocks: Vec<(u32, u32)> = (0..3).map(|n| (at + 2 * n, at + 2 * n + 1)).collect();
            let sack = fyke_stack::wire::tcp::SackBlocks::new(&blocks);
            let frame = victim.frame(0, b"").option(TcpOption::Sack(sack));
            world.server.stack.input(world.now, frame.bytes(), TRUSTED);
            flush(&mut world);
        }
    }
    assert_counted(&world, "blocks", live() - before, victims.len());
}

#[test]
fn fragments_cost_no_more_than_their_limit() {
    let mut world = World::new();
    let most = fyke_stack::Limits::default().reassembly_bytes_max as isize;
    for length in [8, 1400] {
        let before = live();
        for n in 0..20_000_u32 {
            let source = IpAddr::from([10, 1, (n >> 16) as u8, (n >> 8) as u8]);
            let IpAddr::V4(source) = source else { unreachable!() };
            let to = SERVER.parse().unwrap();
            let mut header = ipv4::Header::new(source, to, IpProtocol::UDP, length);
            header.identification = n as u16;
            header.fragment_offset = 64;
            header.more_fragments = true;
            let mut bytes = header.to_vec();
            bytes.resize(bytes.len() + usize::from(length), 7);
            world.server.stack.input(world.now, bytes.into(), TRUSTED);
        }
        let grown = live() - before;
        println!("fragments of {length} bytes: {grown}");
        assert!(grown <= most, "fragments of {length} bytes: {grown} bytes of {most}");
        world.advance(std::time::Duration::from_secs(60));
        flush(&mut world);
    }
}

/// A datagram of one byte in a frame of 1500.
fn padded() -> Bytes {
    let header = udp::Header { source_port: 7, destination_port: 53, payload_len: 1 };
    let mut body = header.to_vec();
    body.push(1);
    let frame = ip(CLIENT.parse().unwrap(), SERVER.parse().unwrap(), IpProtocol::UDP, &body);
    let mut frame = frame.to_vec();
    frame.resize(1500, 0);
    frame.into()
}

#[test]
fn small_datagrams_are_counted_for_what_they_cost() {
    let mut world = World::new();
    let ports: Vec<u16> = (53..63).collect();
    for port in &ports {
        world.server.stack.udp_bind(addr(&at(SERVER, *port)), UdpOptions::default()).unwrap();
    }
    let before = live();
    for port in &ports {
        for _ in 0..256 {
            let mut frame = padded().to_vec();
            frame[22..24].copy_from_slice(&port.to_be_bytes());
            world.server.stack.input(world.now, frame.into(), TRUSTED);
        }
    }
    flush(&mut world);
    assert_counted(&world, "datagrams", live() - before, ports.len());
}

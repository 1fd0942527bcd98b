//! Two threads, as packetdrill has them: one makes a call that waits, the other moves time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fyke_packetdrill::packet::{IpHeader, Packet, Payload, Segment, flag};
use fyke_packetdrill::run::{Call, Returned, System};

use super::{EPOCH, World};

fn segment(packet: &Packet) -> &Segment {
    match &packet.payload {
        Payload::Tcp(segment) => segment,
        other => panic!("{other:?}"),
    }
}

/// The answer to a packet: back where it came from.
fn answer(to: &Packet, reply: Segment) -> Vec<u8> {
    let ip = IpHeader { source: to.ip.destination, destination: to.ip.source, ..to.ip };
    let (near, far) = (segment(to).source_port, segment(to).destination_port);
    let reply = Segment { source_port: far, destination_port: near, window: 1000, ..reply };
    Packet { ip, payload: Payload::Tcp(reply) }.to_bytes()
}

/// Lets the other thread get as far as waiting.
fn until_waiting(world: &World) {
    while !world.is_waiting() {
        std::thread::yield_now();
    }
}

#[test]
fn a_call_that_waits_ends_at_its_exact_time() {
    let world = Arc::new(World::new(System::Linux, &[]));
    assert_eq!(world.call(&Call::Socket(5)), Returned::Done(5, vec![]));
    let remote: SocketAddr = "192.0.2.1:80".parse().unwrap();
    let other = Arc::clone(&world);
    let thread = std::thread::spawn(move || {
        let connected = other.call(&Call::Connect(5, remote));
        (connected, other.now(), other.call(&Call::Receive(5, 10, vec![])), other.now())
    });
    let (at, syn) = world.sniff().unwrap();
    assert_eq!(at, EPOCH);
    let syn = Packet::from_bytes(&syn).unwrap();
    world.sleep(Duration::from_millis(100));
    let (ack, flags) = (segment(&syn).seq.wrapping_add(1), flag::SYN | flag::ACK);
    world.inject(answer(&syn, Segment { ack, flags, ..Segment::default() })).unwrap();
    // However late the other thread wakes up, it learns when its call ended.
    world.sleep(Duration::from_secs(5));
    until_waiting(&world);
    let data = Segment { seq: 1, ack, flags: flag::ACK, data: vec![7; 3], ..Segment::default() };
    world.inject(answer(&syn, data)).unwrap();
    world.sleep(Duration::from_secs(5));
    let (connected, connected_at, read, read_at) = thread.join().unwrap();
    assert_eq!(connected, Returned::Done(0, vec![]));
    assert_eq!(connected_at, EPOCH + Duration::from_millis(100));
    assert_eq!(read, Returned::Done(3, vec![7; 3]));
    assert_eq!(read_at, EPOCH + Duration::from_millis(5100));
}

#[test]
fn nothing_to_sniff_is_told() {
    let world = World::new(System::FreeBsd, &[("net.inet.tcp.blackhole", "2")]);
    assert_eq!(world.sniff(), None);
    assert!(!world.has(3));
    assert!(world.inject(vec![0; 40]).is_ok());
}

#[test]
fn a_wait_for_readiness_ends_with_its_time() {
    let world = World::new(System::Linux, &[]);
    world.call(&Call::Socket(3));
    world.call(&Call::Bind(3, "192.168.0.1:80".parse().unwrap()));
    world.call(&Call::Listen(3, 1));
    world.wait_ready(vec![3], 0);
    let world = Arc::new(world);
    let other = Arc::clone(&world);
    let thread = std::thread::spawn(move || {
        other.wait_ready(vec![3], 250);
        other.now()
    });
    until_waiting(&world);
    world.sleep(Duration::from_secs(1));
    assert_eq!(thread.join().unwrap(), EPOCH + Duration::from_millis(250));
}

//! What sockets hold in all has a bound, and a host that has reached it still serves.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::CloseReason;
use fyke_stack::{
    DropReason, Event, ListenerId, Medium, StackConfig, StackError, TcpId, UdpOptions,
};

use crate::world::{SERVER, World, addr, at};

/// The bound of these tests.
const MAX: usize = 256 << 10;
const SEGMENT: usize = 1460;
/// What a datagram that waits counts besides its payload.
const DATAGRAM_BYTES: usize = 256;

/// A server with little memory, and a client with much.
fn world() -> World {
    let mut server = StackConfig::new(Medium::RawIp);
    server.limits.socket_bytes_max = MAX;
    World::with(StackConfig::new(Medium::RawIp), server)
}

fn open(world: &mut World, listener: ListenerId) -> (TcpId, TcpId) {
    let client = world.connect(&at(SERVER, 80));
    world.settle();
    (client, world.server.stack.accept(listener).expect("nothing to accept"))
}

fn held(world: &World) -> usize {
    world.server.stack.usage().socket_bytes
}

/// Writes until the stack takes no more; says how much it took.
fn fill(world: &mut World, id: TcpId) -> usize {
    let mut all = 0;
    loop {
        let data = Bytes::from(vec![7; 64 << 10]);
        match world.server.stack.write(world.now, id, data).unwrap() {
            0 => return all,
            taken => all += taken,
        }
        world.settle();
    }
}

#[test]
fn what_nobody_reads_is_bounded_over_all_connections_and_comes_in_the_end() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    let pairs: Vec<_> = (0..20).map(|_| open(&mut world, listener)).collect();
    for (client, _) in &pairs {
        let data = Bytes::from(vec![1; 60_000]);
        assert_eq!(world.client.stack.write(world.now, *client, data), Ok(60_000));
        world.settle();
    }
    world.advance(Duration::from_secs(3));
    assert!(held(&world) >= MAX, "{} held: the bound was not reached", held(&world));
    assert!(held(&world) <= MAX + pairs.len() * SEGMENT, "{} held", held(&world));
    assert!(world.server.stack.counters().drops[DropReason::BuffersFull] > 0);
    // Reading makes room, and what was refused comes again.
    let mut received = vec![0; pairs.len()];
    for _ in 0..600 {
        for (sum, (_, server)) in received.iter_mut().zip(&pairs) {
            *sum += world.server.read_all(world.now, *server).0.len();
        }
        world.advance(Duration::from_millis(500));
        if received.iter().all(|sum| *sum == 60_000) {
            break;
        }
    }
    assert_eq!(received, vec![60_000; pairs.len()]);
    assert_eq!(held(&world), 0);
    assert_eq!(world.server.stack.counters().evicted, 0, "nobody was stalled");
}

#[test]
fn a_segment_out_of_order_is_not_kept_when_memory_is_full() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    let (client, server) = open(&mut world, listener);
    let hogs: Vec<_> = (0..5).map(|_| open(&mut world, listener)).collect();
    for (hog, _) in &hogs {
        world.client.stack.write(world.now, *hog, Bytes::from(vec![1; 60_000])).unwrap();
        world.settle();
    }
    assert!(held(&world) >= MAX);
    let before = held(&world);
    // Of ten segments the first is lost.
    let mut lost = false;
    world.filter = Box::new(move |forth, frame| {
        let first = forth && !lost && frame.len() > 1000;
        lost |= first;
        !first
    });
    world.client.stack.write(world.now, client, Bytes::from(vec![2; 10 * SEGMENT])).unwrap();
    world.settle();
    assert_eq!(held(&world), before);
    assert_eq!(world.server.stack.info(server).unwrap().out_of_order, 0);
    // One segment at a time gets through, even now.
    let mut received = 0;
    for _ in 0..100 {
        world.advance(Duration::from_secs(1));
        received += world.server.read_all(world.now, server).0.len();
    }
    assert_eq!(received, 10 * SEGMENT);
}

#[test]
fn who_takes_nothing_goes_first_and_others_are_served() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    // Their windows close and stay closed, as in a sockstress attack.
    let stuck: Vec<_> = (0..30).map(|_| open(&mut world, listener)).collect();
    for (_, server) in &stuck {
        fill(&mut world, *server);
        world.advance(Duration::from_secs(5));
    }
    let evicted = world.server.stack.counters().evicted;
    assert!(evicted > 0, "{} held, nobody evicted", held(&world));
    assert!(held(&world) <= MAX, "{} held", held(&world));
    let closed: Vec<_> = world.server.take_events();
    let gone = |id| closed.contains(&Event::Closed(id, CloseReason::OutOfMemory));
    assert!(gone(stuck[0].1), "the first goes first");
    assert!(!gone(stuck[29].1), "the last stays");
    assert_eq!(closed.iter().filter(|e| matches!(e, Event::Closed(..))).count() as u64, evicted);
    // Their peers were told.
    let told = world.client.take_events();
    assert!(told.contains(&Event::Closed(stuck[0].0, CloseReason::Reset)));
    // Somebody who reads gets everything meanwhile.
    let (client, server) = open(&mut world, listener);
    let (mut sent, mut received) = (0, 0);
    for _ in 0..2000 {
        let piece = Bytes::from(vec![9; (200_000 - sent).min(50_000)]);
        sent += world.server.stack.write(world.now, server, piece).unwrap();
        world.advance(Duration::from_millis(10));
        received += world.client.read_all(world.now, client).0.len();
        if received == 200_000 {
            break;
        }
    }
    assert_eq!(received, 200_000);
}

#[test]
fn a_full_host_opens_nothing_new_until_there_is_room() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    let pairs: Vec<_> = (0..5).map(|_| open(&mut world, listener)).collect();
    for (client, _) in &pairs {
        world.client.stack.write(world.now, *client, Bytes::from(vec![1; 60_000])).unwrap();
        world.settle();
    }
    assert!(held(&world) >= MAX);
    let late = world.connect(&at(SERVER, 80));
    world.advance(Duration::from_millis(500));
    assert_eq!(world.server.stack.accept(listener), None);
    for (_, server) in &pairs {
        world.server.read_all(world.now, *server);
    }
    // The SYN comes again.
    world.advance(Duration::from_secs(2));
    assert!(world.server.stack.accept(listener).is_some());
    assert!(world.client.take_events().contains(&Event::Connected(late)));
}

#[test]
fn a_refused_write_is_told_when_there_is_room_again() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    let hogs: Vec<_> = (0..4).map(|_| open(&mut world, listener)).collect();
    for (hog, _) in &hogs {
        world.client.stack.write(world.now, *hog, Bytes::from(vec![1; 50_000])).unwrap();
        world.settle();
    }
    assert!((MAX * 3 / 4..MAX).contains(&held(&world)), "{} held", held(&world));
    let (client, server) = open(&mut world, listener);
    world.server.take_events();
    let taken = world.server.stack.write(world.now, server, Bytes::from(vec![2; 20_000])).unwrap();
    assert_eq!(taken, 4096, "buffers are small now");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.client.read_all(world.now, client).0.len(), taken);
    assert!(world.server.take_events().contains(&Event::Writable(server)));
    // No more is offered to anybody, but who reads is sent to.
    assert!(world.server.stack.info(server).unwrap().rcv_wnd > 0);
}

#[test]
fn what_is_counted_is_what_is_there_and_nothing_in_the_end() {
    let mut world = world();
    let listener = world.listen(&at(SERVER, 80));
    let udp = world.server.stack.udp_bind(addr(&at(SERVER, 9)), UdpOptions::default()).unwrap();
    let from = world.client.stack.udp_bind(addr("10.0.0.1:9"), UdpOptions::default()).unwrap();
    let pairs: Vec<_> = (0..10).map(|_| open(&mut world, listener)).collect();
    for (n, (client, server)) in pairs.iter().enumerate() {
        world.client.stack.write(world.now, *client, Bytes::from(vec![1; 500 * n])).unwrap();
        world
            .client
            .stack
            .udp_send(world.now, from, Some(addr(&at(SERVER, 9))), vec![2; 300].into())
            .unwrap();
        world.settle();
        world.server.stack.write(world.now, *server, Bytes::from(vec![3; 100 * n])).unwrap();
    }
    let lines: usize = world
        .server
        .stack
        .listing()
        .filter(|line| line.id.is_some())
        .map(|line| line.unread + line.unacknowledged)
        .sum();
    assert_eq!(held(&world), lines + 10 * (300 + DATAGRAM_BYTES));
    world.settle();
    for (n, (client, server)) in pairs.into_iter().enumerate() {
        match n % 3 {
            0 => world.server.stack.abort(world.now, server).unwrap(),
            1 => world.client.stack.abort(world.now, client).unwrap(),
            _ => {
                world.server.read_all(world.now, server);
                world.server.stack.close(world.now, server).unwrap();
                world.client.stack.close(world.now, client).unwrap();
            }
        }
    }
    world.advance(Duration::from_secs(1));
    // The application has not closed these; what they received can still be read.
    let unread: usize = world.server.stack.listing().map(|line| line.unread).sum();
    assert_eq!(held(&world), unread + 10 * (300 + DATAGRAM_BYTES));
    world.server.stack.udp_receive(udp).unwrap();
    assert_eq!(held(&world), unread + 9 * (300 + DATAGRAM_BYTES));
    world.server.stack.udp_close(world.now, udp).unwrap();
    for event in world.server.take_events() {
        if let Event::Closed(id, _) = event {
            world.server.stack.close(world.now, id).unwrap();
        }
    }
    world.advance(Duration::from_secs(120));
    assert_eq!((held(&world), world.server.stack.usage().connections), (0, 0));
}

#[test]
fn datagrams_count_too() {
    let mut world = world();
    let mut options = UdpOptions::default();
    options.receive_bytes_max = Some(usize::MAX);
    let to = addr(&at(SERVER, 9));
    let udp = world.server.stack.udp_bind(to, options).unwrap();
    let from = world.client.stack.udp_bind(addr("10.0.0.1:9"), UdpOptions::default()).unwrap();
    for _ in 0..230 {
        world.client.stack.udp_send(world.now, from, Some(to), vec![2; 1400].into()).unwrap();
        world.settle();
    }
    assert!((MAX..MAX + 1400 + DATAGRAM_BYTES).contains(&held(&world)));
    assert!(world.server.stack.counters().drops[DropReason::BuffersFull] > 0);
    while world.server.stack.udp_receive(udp) != Err(StackError::WouldBlock) {}
    assert_eq!(held(&world), 0);
}

#[test]
fn datagrams_that_wait_to_be_sent_count() {
    let mut world = world();
    let from = world.client.stack.udp_bind(addr("10.0.0.1:9"), UdpOptions::default()).unwrap();
    let to = Some(addr(&at(SERVER, 9)));
    for _ in 0..3 {
        world.client.stack.udp_send(world.now, from, to, vec![2; 300].into()).unwrap();
    }
    assert_eq!(world.client.stack.usage().socket_bytes, 3 * (300 + DATAGRAM_BYTES));
    world.client.transmit(world.now);
    assert_eq!(world.client.stack.usage().socket_bytes, 0);
    world.client.stack.udp_send(world.now, from, to, vec![2; 300].into()).unwrap();
    world.client.stack.udp_close(world.now, from).unwrap();
    assert_eq!(world.client.stack.usage().socket_bytes, 0);
}

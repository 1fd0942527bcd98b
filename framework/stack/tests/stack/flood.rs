//! SYN floods: memory stays flat, and a real client gets in.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{CloseReason, Flags};
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::{
    ConnectOptions, DropReason, Event, ListenOptions, RxChecksum, RxMeta, StackError, TcpId,
};

use crate::frames::{Frame, parse};
use crate::world::{CLIENT, SERVER, SERVER6, World, addr, at};

/// SYNs from as many addresses, not answered by anybody.
fn flood(world: &mut World, count: u32) {
    let template = Frame::syn("[2001:db8:bad::1]:1", &at(SERVER6, 80), 1).bytes();
    let meta = RxMeta { checksum: RxChecksum::Valid, ..RxMeta::default() };
    let mut sink: Vec<Bytes> = Vec::new();
    for n in 0..count {
        let mut frame = template.to_vec();
        frame[20..24].copy_from_slice(&n.to_be_bytes());
        frame[40..42].copy_from_slice(&(n as u16 | 1).to_be_bytes());
        world.server.stack.input(world.now, frame.into(), meta);
        if n % 512 == 511 {
            world.server.stack.poll_transmit(world.now, &mut sink, usize::MAX);
            sink.clear();
        }
    }
}

#[test]
fn a_million_spoofed_syns_leave_memory_flat_and_a_real_client_gets_in() {
    let mut world = World::new();
    let listener = world.listen("[::]:80");
    flood(&mut world, 10_000);
    let before = world.server.stack.usage();
    flood(&mut world, 1_000_000);
    let after = world.server.stack.usage();
    assert_eq!(before.table_bytes, after.table_bytes);
    assert_eq!((after.connections, before.timers), (0, after.timers));
    assert!(after.embryos <= 4096, "{after:?}");
    assert!(world.server.stack.counters().cookies_out > 900_000);

    let client = world.connect(&at(SERVER, 80));
    world.client.stack.write(world.now, client, "let me in".into()).unwrap();
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, server), (b"let me in".to_vec(), false));
    assert_eq!(world.server.stack.counters().cookies_accepted, 1);
    let info = world.server.stack.info(server).unwrap();
    assert!(info.sack && info.timestamps && info.window_scales.is_some(), "{info:?}");
    // The flood leaves nothing behind.
    world.advance(Duration::from_secs(70));
    assert_eq!(world.server.stack.usage().embryos, 0);
}

#[test]
fn a_cookie_connection_without_timestamps_does_without_options() {
    let mut world = World::new();
    let listener = world.listen("[::]:80");
    flood(&mut world, 5_000);
    let (from, to) = (at(CLIENT, 999), at(SERVER, 80));
    let syn = Frame::syn(&from, &to, 100).option(TcpOption::MaximumSegmentSize(1400));
    let syn = syn.option(TcpOption::WindowScale(5));
    world.server.stack.input(world.now, syn.bytes(), RxMeta::default());
    let syn_ack = parse(world.server.transmit(world.now).last().unwrap());
    assert_eq!(syn_ack.flags(), Flags::SYN | Flags::ACK);
    assert!(!syn_ack.header.options.iter().any(|o| matches!(o, TcpOption::WindowScale(_))));
    let ack = Frame::new(&from, &to, Flags::ACK, 101, syn_ack.header.seq.wrapping_add(1));
    world.server.stack.input(world.now, ack.bytes(), RxMeta::default());
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.stack.info(server).unwrap().window_scales, None);
}

#[test]
fn guessed_and_stale_cookies_open_nothing() {
    let mut world = World::new();
    let listener = world.listen("[::]:80");
    flood(&mut world, 5_000);
    let (from, to) = (at(CLIENT, 999), at(SERVER, 80));
    for guess in 0..1000_u32 {
        let ack = Frame::new(&from, &to, Flags::ACK, 101, guess.wrapping_mul(2_654_435_761));
        world.server.stack.input(world.now, ack.bytes(), RxMeta::default());
    }
    assert_eq!(world.server.stack.accept(listener), None);
    assert_eq!(world.server.stack.counters().drops[DropReason::BadCookie], 1000);
    assert_eq!(world.server.stack.counters().drops[DropReason::TcpNoSocket], 0, "counted once");

    world.server.transmit(world.now);
    world.server.stack.input(world.now, Frame::syn(&from, &to, 100).bytes(), RxMeta::default());
    let syn_ack = parse(world.server.transmit(world.now).last().unwrap());
    world.now += Duration::from_secs(200);
    let ack = Frame::new(&from, &to, Flags::ACK, 101, syn_ack.header.seq.wrapping_add(1));
    world.server.stack.input(world.now, ack.bytes(), RxMeta::default());
    assert_eq!(world.server.stack.accept(listener), None);
}

#[test]
fn without_cookies_a_full_cache_drops() {
    let mut config = fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp);
    config.limits.syn_cookies = false;
    let mut world = World::with(config.clone(), config);
    world.listen("[::]:80");
    flood(&mut world, 1_000);
    let drops = world.server.stack.counters().drops;
    assert_eq!(drops[DropReason::SynCacheFull] as usize, 1_000 - 128);
}

/// picoTCP #53: a reset in SYN-RECEIVED must give the slot back.
#[test]
fn a_reset_frees_the_slot_of_an_embryo() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    for port in 1..=5_000_u16 {
        let (from, to) = (at(CLIENT, port), at(SERVER, 80));
        world.server.stack.input(world.now, Frame::syn(&from, &to, 7).bytes(), RxMeta::default());
        assert_eq!(world.server.stack.usage().embryos, 1);
        let guess = Frame::new(&from, &to, Flags::RST, 9, 0);
        world.server.stack.input(world.now, guess.bytes(), RxMeta::default());
        assert_eq!(world.server.stack.usage().embryos, 1, "not by a guess");
        let reset = Frame::new(&from, &to, Flags::RST, 8, 0);
        world.server.stack.input(world.now, reset.bytes(), RxMeta::default());
        assert_eq!(world.server.stack.usage().embryos, 0);
    }
    assert_eq!(world.server.stack.counters().cookies_out, 0);
}

#[test]
fn one_crowded_listener_leaves_the_others_their_cache() {
    let mut world = World::new();
    world.listen("[::]:80");
    world.listen("[::]:81");
    flood(&mut world, 100_000);
    assert_eq!(world.server.stack.usage().embryos, 128, "its backlog, not the whole cache");
    let before = world.server.stack.counters().cookies_out;
    let client = world.connect(&at(SERVER, 81));
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(client)]);
    assert_eq!(world.server.stack.counters().cookies_out, before);
}

/// Connects until the limit says no, and again when room is made.
#[test]
fn connections_are_limited_at_both_ends() {
    let mut config = fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp);
    config.limits.connections_max = 2;
    let mut world = World::with(config.clone(), config);
    let listener = world.server.stack.listen(addr("[::]:80"), ListenOptions::default()).unwrap();
    let clients: Vec<TcpId> = (0..2).map(|_| world.connect(&at(SERVER, 80))).collect();
    let third =
        world.client.stack.connect(world.now, addr("10.0.0.2:80"), ConnectOptions::default());
    assert_eq!(third, Err(StackError::LimitReached));
    world.settle();
    assert!((0..2).all(|_| world.server.stack.accept(listener).is_some()));
    world.client.stack.abort(world.now, clients[0]).unwrap();
    world.settle();
    assert_eq!(world.client.take_events(), [Event::Connected(clients[1])]);
    let reset = world.server.take_events();
    assert!(matches!(reset[..], [.., Event::Closed(_, CloseReason::Reset)]), "{reset:?}");
    world.connect(&at(SERVER, 80));
}

/// The limit holds for those who come as well as for those we go to.
#[test]
fn those_who_come_are_limited() {
    let mut config = fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp);
    config.limits.connections_max = 2;
    let mut world = World::with(fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp), config);
    world.listen(&at(SERVER, 80));
    (0..5).for_each(|_| {
        world.connect(&at(SERVER, 80));
    });
    world.settle();
    assert_eq!(world.server.stack.usage().connections, 2);
    assert_eq!(world.server.stack.counters().drops[DropReason::ConnectionLimit], 3);
}

/// Cookies hold no place in the accept queue: when all come back at once, there is none for most.
#[test]
fn cookies_do_not_overflow_the_accept_queue() {
    let mut world = World::new();
    let mut options = ListenOptions::default();
    options.backlog = 2;
    let listener = world.server.stack.listen(addr("[::]:80"), options).unwrap();
    flood(&mut world, 1000);
    world.server.transmit(world.now);
    let acks: Vec<_> = (1..=20)
        .map(|port| {
            let (from, to) = (at(CLIENT, port), at(SERVER, 80));
            let syn = Frame::syn(&from, &to, 100).bytes();
            world.server.stack.input(world.now, syn, RxMeta::default());
            let cookie = parse(world.server.transmit(world.now).last().unwrap()).header.seq;
            Frame::new(&from, &to, Flags::ACK, 101, cookie.wrapping_add(1)).bytes()
        })
        .collect();
    for ack in acks {
        world.server.stack.input(world.now, ack, RxMeta::default());
    }
    let accepted = std::iter::from_fn(|| world.server.stack.accept(listener)).count();
    assert!((1..=3).contains(&accepted), "{accepted}");
    assert!(world.server.stack.counters().drops[DropReason::AcceptQueueFull] >= 17);
}

//! TCP Fast Open (RFC 7413), section by section: cookies, data in the SYN, limits, fallback.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{CloseReason, Flags, State};
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::{ConnectOptions, Event, ListenOptions, ListenerId, RxMeta, TcpId};

use crate::frames::{Frame, Seen, parse};
use crate::world::{SERVER, World, addr, at};

/// Nobody in the world has it: what is sent there is not answered.
const STRANGER: &str = "10.0.0.9";

fn listen(world: &mut World, pending: usize) -> ListenerId {
    let mut options = ListenOptions::default();
    options.fast_open_pending_max = pending;
    world.server.stack.listen(addr("0.0.0.0:80"), options).unwrap()
}

fn connect(world: &mut World, data: &'static str) -> TcpId {
    let mut options = ConnectOptions::default();
    options.fast_open = Some(data.into());
    world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options).unwrap()
}

fn cookie(seen: &Seen) -> Option<Vec<u8>> {
    seen.header.options.iter().find_map(|option| match option {
        TcpOption::FastOpen(cookie) => Some(cookie.to_vec()),
        _ => None,
    })
}

/// A first connection, by which the client has a cookie. Both ends are closed.
fn acquainted(pending: usize) -> (World, ListenerId) {
    let mut world = World::new();
    let listener = listen(&mut world, pending);
    let client = connect(&mut world, "first");
    world.settle();
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, server).0, b"first");
    world.client.stack.close(world.now, client).unwrap();
    world.settle();
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    world.client.take_events();
    world.server.take_events();
    world.client.sent.clear();
    world.server.sent.clear();
    (world, listener)
}

/// A SYN of a stranger's, with an option and data.
fn syn(port: u16, cookie: &[u8], data: &[u8]) -> Frame {
    let frame = Frame::syn(&at(STRANGER, port), &at(SERVER, 80), 100).payload(data);
    frame.option(TcpOption::FastOpen(cookie))
}

fn give(world: &mut World, frame: &Frame) -> Vec<Seen> {
    world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
    world.server.transmit(world.now).iter().map(parse).collect()
}

/// The cookie the server has for a stranger.
fn strangers_cookie(world: &mut World) -> Vec<u8> {
    let answer = give(world, &syn(900, b"", b"")).remove(0);
    give(world, &Frame::new(&at(STRANGER, 900), &at(SERVER, 80), Flags::RST, 101, 0));
    cookie(&answer).expect("a cookie")
}

#[test]
fn a_cookie_is_asked_for_given_and_used() {
    // Sections 3 and 4.1.3.
    let (mut world, listener) = acquainted(8);
    let client = connect(&mut world, "hello");
    // The SYN alone is enough for the server's program to read and to answer.
    let syn = world.client.transmit(world.now).remove(0);
    assert_eq!((parse(&syn).payload, cookie(&parse(&syn)).unwrap().len()), (b"hello".to_vec(), 8));
    world.server.stack.input(world.now, syn, RxMeta::default());
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.stack.state(server), Some(State::SynReceived));
    assert_eq!(world.server.read_all(world.now, server).0, b"hello");
    world.server.stack.write(world.now, server, "answer".into()).unwrap();
    let answers = world.server.transmit(world.now);
    let [first, second] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(parse(first).flags(), Flags::SYN | Flags::ACK);
    assert_eq!(parse(second).payload, b"answer");
    for answer in answers {
        world.client.stack.input(world.now, answer, RxMeta::default());
    }
    assert_eq!(world.client.read_all(world.now, client).0, b"answer");
    world.settle();
    let (ours, theirs) = (world.client.stack.info(client), world.server.stack.info(server));
    for info in [ours.unwrap(), theirs.unwrap()] {
        assert_eq!((info.state, info.unacknowledged, info.syn_data), (State::Established, 0, true));
    }
    let told = world.server.take_events();
    assert!(!told.contains(&Event::Connected(server)), "accepting it told that: {told:?}");
}

#[test]
fn it_is_off_unless_asked_for() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    let answer = give(&mut world, &syn(1, b"", b"")).remove(0);
    assert_eq!(cookie(&answer), None);
    // A client that asked in vain does without, also the next time.
    for asks in [true, false] {
        connect(&mut world, "data");
        let first = parse(&world.client.transmit(world.now).remove(0));
        assert_eq!((cookie(&first).is_some(), first.payload.len()), (asks, 0));
        world.client.stack.input(world.now, syn_ack(&first).bytes(), RxMeta::default());
        let third = world.client.transmit(world.now);
        assert!(third.iter().any(|frame| parse(frame).payload == b"data"));
    }
}

#[test]
fn a_peer_that_refuses_a_cookie_and_gives_none_is_left_alone() {
    // Section 2: a cookie has 4 to 16 bytes, and an even number of them.
    for (given, goes_on) in [(&b"12345"[..], false), (b"123", false), (b"abcdef", true)] {
        let (mut world, _) = acquainted(8);
        connect(&mut world, "hello");
        let sent = parse(&world.client.transmit(world.now).remove(0));
        let answer = syn_ack(&sent).option(TcpOption::FastOpen(given));
        world.client.stack.input(world.now, answer.bytes(), RxMeta::default());
        world.client.transmit(world.now);
        connect(&mut world, "again");
        let next = cookie(&parse(&world.client.transmit(world.now).remove(0)));
        assert_eq!(next, goes_on.then(|| given.to_vec()), "{given:?}");
    }
}

/// A plain answer to a SYN of the client's.
fn syn_ack(syn: &Seen) -> Frame {
    let (server, client) = (syn.destination.to_string(), syn.source.to_string());
    let ack = syn.header.seq.wrapping_add(1);
    Frame::new(&server, &client, Flags::SYN | Flags::ACK, 5000, ack)
}

#[test]
fn a_cookie_that_is_not_ours_gets_the_usual_handshake_and_a_new_cookie() {
    // Section 4.2.2: the data is not taken.
    let mut world = World::new();
    let listener = listen(&mut world, 8);
    let right = strangers_cookie(&mut world);
    for forged in [&b"12345678"[..], &right[..6], &[0; 16]] {
        let answer = give(&mut world, &syn(901, forged, b"data")).remove(0);
        assert_eq!((answer.header.ack, cookie(&answer)), (101, Some(right.clone())), "{forged:?}");
        assert_eq!(world.server.stack.accept(listener), None);
        give(&mut world, &Frame::new(&at(STRANGER, 901), &at(SERVER, 80), Flags::RST, 101, 0));
    }
    // Its SYN-ACK brings the cookie each time it is sent.
    give(&mut world, &syn(901, b"", b""));
    world.advance(Duration::from_millis(1100));
    let again = parse(world.server.sent.last().unwrap());
    assert_eq!((again.flags(), cookie(&again)), (Flags::SYN | Flags::ACK, Some(right)));
}

#[test]
fn pending_connections_are_limited_and_resets_do_not_make_room() {
    // Section 5.1.
    let mut world = World::new();
    let listener = listen(&mut world, 2);
    let right = strangers_cookie(&mut world);
    let fast = |world: &mut World, port| {
        let answer = give(world, &syn(port, &right, b"data")).remove(0);
        answer.header.ack == 105
    };
    assert!(fast(&mut world, 1) && fast(&mut world, 2));
    assert!(!fast(&mut world, 3), "the third waits for its handshake");
    // A handshake that is complete makes room.
    let server = world.server.stack.accept(listener).unwrap();
    let ack = world.server.stack.info(server).unwrap().snd_nxt.value();
    give(&mut world, &Frame::new(&at(STRANGER, 1), &at(SERVER, 80), Flags::ACK, 105, ack));
    assert_eq!(world.server.stack.state(server), Some(State::Established));
    assert!(fast(&mut world, 4) && !fast(&mut world, 5));
    // A reset does not, for a while.
    give(&mut world, &Frame::new(&at(STRANGER, 2), &at(SERVER, 80), Flags::RST, 105, 0));
    assert!(!fast(&mut world, 6));
    world.advance(Duration::from_secs(61));
    assert!(fast(&mut world, 7));
}

#[test]
fn a_handshake_nobody_completes_ends_and_makes_room() {
    let mut world = World::new();
    let listener = listen(&mut world, 1);
    let right = strangers_cookie(&mut world);
    give(&mut world, &syn(1, &right, b"data"));
    let server = world.server.stack.accept(listener).unwrap();
    world.advance(Duration::from_secs(200));
    let ended = Event::Closed(server, CloseReason::TimedOut);
    assert!(world.server.take_events().contains(&ended));
    assert_eq!(give(&mut world, &syn(2, &right, b"data"))[0].header.ack, 105);
}

#[test]
fn what_the_answer_does_not_acknowledge_goes_again_at_once() {
    // Section 4.2.1: nothing of it, a part, all of it.
    for taken in [0, 2, 5] {
        let (mut world, _) = acquainted(8);
        let client = connect(&mut world, "hello");
        let sent = parse(&world.client.transmit(world.now).remove(0));
        assert_eq!(sent.payload, b"hello");
        let mut answer = syn_ack(&sent);
        answer.header.ack += taken;
        world.client.stack.input(world.now, answer.bytes(), RxMeta::default());
        let next: Vec<_> = world.client.transmit(world.now).iter().map(parse).collect();
        let data: Vec<u8> = next.iter().flat_map(|seen| seen.payload.clone()).collect();
        assert_eq!(data, b"hello"[taken as usize..], "{taken} bytes were taken");
        let info = world.client.stack.info(client).unwrap();
        assert_eq!((info.syn_data, info.state), (taken == 5, State::Established));
        assert_eq!((info.recoveries, info.timeouts), (0, 0), "that is no congestion");
    }
    // What acknowledges more than was sent is answered by a reset.
    let (mut world, _) = acquainted(8);
    connect(&mut world, "hello");
    let sent = parse(&world.client.transmit(world.now).remove(0));
    let mut answer = syn_ack(&sent);
    answer.header.ack += 6;
    world.client.stack.input(world.now, answer.bytes(), RxMeta::default());
    assert_eq!(parse(&world.client.transmit(world.now)[0]).flags(), Flags::RST);
}

#[test]
fn a_syn_that_is_lost_goes_again_as_a_plain_one_and_the_peer_is_left_alone() {
    // Section 4.1.3.1: a path that drops the option.
    let (mut world, listener) = acquainted(8);
    world.filter = Box::new(|forth, frame: &Bytes| {
        let seen = parse(frame);
        !(forth && seen.flags().contains(Flags::SYN) && cookie(&seen).is_some())
    });
    connect(&mut world, "hello");
    world.advance(Duration::from_secs(2));
    let syns: Vec<_> = world.client.sent.iter().map(parse).collect();
    assert_eq!((syns[0].payload.len(), syns[1].payload.len()), (5, 0));
    assert_eq!(cookie(&syns[1]), None);
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, server).0, b"hello");
    let plain = |world: &mut World| {
        world.client.sent.clear();
        connect(world, "again");
        world.settle();
        cookie(&parse(&world.client.sent[0])).is_none()
    };
    assert!(plain(&mut world));
    world.advance(Duration::from_secs(3600));
    world.filter = Box::new(|_, _| true);
    assert!(!plain(&mut world), "an hour later it is tried again");
}

#[test]
fn a_syn_with_data_that_comes_twice_is_one_connection() {
    let mut world = World::new();
    let listener = listen(&mut world, 8);
    let right = strangers_cookie(&mut world);
    let frame = syn(1, &right, b"once");
    let first = give(&mut world, &frame).remove(0);
    let again = give(&mut world, &frame).remove(0);
    assert_eq!((first.header.seq, first.header.ack), (again.header.seq, again.header.ack));
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.stack.accept(listener), None);
    assert_eq!(world.server.read_all(world.now, server).0, b"once");
}

#[test]
fn no_more_than_a_segment_goes_with_the_syn() {
    let (mut world, listener) = acquainted(8);
    connect(&mut world, Box::leak("x".repeat(5000).into_boxed_str()));
    world.settle();
    assert_eq!(parse(&world.client.sent[0]).payload.len(), 1460 - 40, "room for all options");
    let server = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, server).0.len(), 5000);
}

//! TIME-WAIT without a socket: what it answers, what may take its place, what it costs.

use std::time::Duration;

use fyke_stack::tcp::{Flags, State};
use fyke_stack::wire::tcp::TcpOption;
use fyke_stack::{ConnectOptions, Event, RxMeta};

use crate::frames::{Frame, Seen, parse};
use crate::world::{CLIENT, SERVER, World, addr, at};

/// A connection of which the server is left in TIME-WAIT; says what the client's next numbers are.
fn closed_by_server(world: &mut World, local: &str) -> (u32, u32) {
    let listener = world.listen(&at(SERVER, 80));
    let mut options = ConnectOptions::default();
    options.local = Some(addr(local));
    let client = world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options).unwrap();
    world.settle();
    let server = world.server.stack.accept(listener).unwrap();
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    world.client.stack.close(world.now, client).unwrap();
    world.advance(Duration::from_millis(100));
    assert_eq!(world.server.stack.usage().time_waits, 1);
    let last = parse(world.client.sent.last().unwrap());
    (last.header.seq, last.header.ack)
}

fn answer(world: &mut World, frame: &Frame) -> Option<Seen> {
    world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
    world.server.transmit(world.now).first().map(parse)
}

#[test]
fn resets_do_not_end_it_and_a_lost_acknowledgement_is_given_again() {
    let mut world = World::new();
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let (seq, ack) = closed_by_server(&mut world, &from);
    let stamp = |frame: Frame| frame.option(TcpOption::Timestamps { value: 5_000_000, echo: 0 });
    for reset in [seq, seq.wrapping_add(1)] {
        let frame = Frame::new(&from, &to, Flags::RST, reset, 0);
        assert!(answer(&mut world, &frame).is_none());
        assert_eq!(world.server.stack.usage().time_waits, 1, "RFC 1337");
    }
    let state = world.server.stack.listing().find(|line| line.remote.is_some()).unwrap().state;
    assert_eq!(state, Some(State::TimeWait));
    world.advance(Duration::from_secs(50));
    let fin = stamp(Frame::new(&from, &to, Flags::FIN | Flags::ACK, seq, ack));
    let again = answer(&mut world, &fin).unwrap();
    assert_eq!((again.flags(), again.header.ack), (Flags::ACK, seq.wrapping_add(1)));
    world.advance(Duration::from_secs(50));
    assert_eq!(world.server.stack.usage().time_waits, 1, "the wait began anew");
    world.advance(Duration::from_secs(11));
    assert_eq!(world.server.stack.usage().time_waits, 0);
}

#[test]
fn a_later_syn_opens_anew_behind_the_old_numbers() {
    let mut world = World::new();
    let from = at(CLIENT, 4000);
    let (_, ack) = closed_by_server(&mut world, &from);
    world.client.stack.poll_event();
    let mut options = ConnectOptions::default();
    options.local = Some(addr(&from));
    world.advance(Duration::from_secs(1));
    let client = world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options).unwrap();
    world.settle();
    assert!(world.client.take_events().contains(&Event::Connected(client)));
    assert_eq!(world.server.stack.counters().time_waits_reused, 1);
    assert_eq!(world.server.stack.usage().time_waits, 0);
    let syn_ack =
        world.server.sent.iter().map(parse).rfind(|seen| seen.flags().contains(Flags::SYN));
    let ahead = syn_ack.unwrap().header.seq.wrapping_sub(ack).cast_signed();
    assert!(ahead > 0, "RFC 9293, section 3.4.3");
}

#[test]
fn an_old_syn_does_not() {
    let mut world = World::new();
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let (seq, _) = closed_by_server(&mut world, &from);
    let old = Frame::syn(&from, &to, seq.wrapping_sub(1000));
    let ack = answer(&mut world, &old).unwrap();
    assert_eq!(ack.flags(), Flags::ACK);
    assert_eq!(world.server.stack.usage().time_waits, 1);
}

#[test]
fn two_ends_that_disagree_do_not_answer_for_ever() {
    let mut world = World::new();
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let (seq, ack) = closed_by_server(&mut world, &from);
    let off = Frame::new(&from, &to, Flags::ACK, seq.wrapping_add(1 << 20), ack)
        .option(TcpOption::Timestamps { value: u32::MAX / 4, echo: 0 });
    let answers = (0..100).filter(|_| answer(&mut world, &off).is_some()).count();
    assert_eq!(answers, 1);
    world.advance(Duration::from_millis(501));
    assert!(answer(&mut world, &off).is_some());
}

#[test]
fn they_have_a_bound_and_make_room_for_each_other() {
    let mut config = fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp);
    config.limits.time_wait_entries_max = 500;
    let mut world = World::with(config.clone(), config);
    let listener = world.listen(&at(SERVER, 80));
    for _ in 0..2_000 {
        let client = world.connect(&at(SERVER, 80));
        world.settle();
        let server = world.server.stack.accept(listener).unwrap();
        world.server.stack.close(world.now, server).unwrap();
        world.settle();
        world.client.stack.close(world.now, client).unwrap();
        world.settle();
    }
    let usage = world.server.stack.usage();
    assert_eq!((usage.time_waits, usage.connections), (500, 0));
    assert!(usage.table_bytes < 400 * 1024, "{usage:?}");
    assert!(usage.timers <= 2, "one for all that wait, one for the SYN cache: {usage:?}");
}

#[test]
fn ports_come_back_from_time_wait_when_all_are_there() {
    let mut config = fyke_stack::StackConfig::new(fyke_stack::Medium::RawIp);
    config.ports = 50_000..=50_009;
    let mut world = World::with(config.clone(), config);
    let listener = world.listen(&at(SERVER, 80));
    let mut last = 0;
    for round in 0..3 {
        for _ in 0..10 {
            let client = world.connect(&at(SERVER, 80));
            world.settle();
            let server = world.server.stack.accept(listener).unwrap();
            // The client closes first and is the one that waits.
            world.client.stack.close(world.now, client).unwrap();
            world.settle();
            world.server.stack.close(world.now, server).unwrap();
            world.settle();
        }
        assert_eq!(world.client.stack.usage().time_waits, 10);
        let options = ConnectOptions::default();
        let none = world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options);
        assert_eq!(none, Err(fyke_stack::StackError::NoPorts), "they rest for a second");
        world.advance(Duration::from_secs(2));
        let reused = world.client.stack.counters().time_waits_reused;
        assert_eq!(reused - last, if round == 0 { 0 } else { 10 });
        last = reused;
    }
}

/// RFC 9293, section 3.4.3: the numbers of what opens anew are behind those of much that was sent
/// fast. Its SYN-ACK goes again when others' do, and holds up nobody's.
#[test]
fn a_connection_opened_anew_waits_like_others() {
    let mut world = World::new();
    let (from, to) = (at(CLIENT, 4000), at(SERVER, 80));
    let listener = world.listen(&to);
    let mut options = ConnectOptions::default();
    options.local = Some(addr(&from));
    let client = world.client.stack.connect(world.now, addr(&to), options).unwrap();
    world.settle();
    let server = world.server.stack.accept(listener).unwrap();
    for _ in 0..400 {
        let taken = world.server.stack.write(world.now, server, vec![7; 50_000].into()).unwrap();
        world.settle();
        world.client.read_all(world.now, client);
        world.settle();
        assert_eq!(taken, 50_000);
    }
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    world.client.stack.close(world.now, client).unwrap();
    world.advance(Duration::from_millis(100));
    assert_eq!(world.server.stack.usage().time_waits, 1);
    let last = parse(world.client.sent.last().unwrap());
    let anew = Frame::syn(&from, &to, last.header.seq.wrapping_add(1000));
    let syn_ack = answer(&mut world, &anew).unwrap();
    assert_eq!(syn_ack.flags(), Flags::SYN | Flags::ACK);
    let ahead = syn_ack.header.seq.wrapping_sub(last.header.ack).cast_signed();
    assert!(ahead > 0, "{ahead}");
    // Another one, just after. Neither is answered.
    let other = answer(&mut world, &Frame::syn(&at(CLIENT, 4001), &to, 77)).unwrap();
    assert_eq!(other.flags(), Flags::SYN | Flags::ACK);
    world.server.sent.clear();
    world.filter = Box::new(|_, _| false);
    world.advance(Duration::from_millis(1100));
    let again = |port| move |seen: &Seen| seen.header.destination_port == port;
    let sent: Vec<_> = world.server.sent.iter().map(parse).collect();
    assert_eq!(sent.iter().filter(|seen| again(4001)(seen)).count(), 1, "the other's");
    assert_eq!(sent.iter().filter(|seen| again(4000)(seen)).count(), 1, "its own");
    world.advance(Duration::from_secs(200));
    assert_eq!(world.server.stack.usage().embryos, 0);
}

/// RFC 6191: what may end the wait is a connection that takes its place, not a SYN that somebody
/// made up and nobody here wants.
#[test]
fn a_syn_that_opens_nothing_does_not_end_it() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    let mut options = ConnectOptions::default();
    options.local = Some(addr(&at(CLIENT, 4000)));
    let client = world.client.stack.connect(world.now, addr(&at(SERVER, 80)), options).unwrap();
    world.settle();
    let server = world.server.stack.accept(listener).unwrap();
    // The client closes first, and waits.
    world.client.stack.close(world.now, client).unwrap();
    world.settle();
    world.server.stack.close(world.now, server).unwrap();
    world.settle();
    assert_eq!(world.client.stack.usage().time_waits, 1);
    let last = parse(world.server.sent.last().unwrap());
    for flags in [Flags::SYN, Flags::SYN | Flags::FIN] {
        let seq = last.header.seq.wrapping_add(100_000);
        let forged = Frame::new(&at(SERVER, 80), &at(CLIENT, 4000), flags, seq, 0);
        world.client.stack.input(world.now, forged.bytes(), RxMeta::default());
        let answer = world.client.transmit(world.now).first().map(parse);
        assert_eq!(world.client.stack.usage().time_waits, 1, "{flags:?}");
        assert!(answer.is_none_or(|seen| seen.flags() == Flags::ACK), "{flags:?}");
    }
}

//! Segments that belong to nothing (RFC 9293, section 3.10.7.1) and to embryos (3.10.7.4).

use fyke_stack::RxMeta;
use fyke_stack::tcp::Flags;
use fyke_stack::wire::tcp::TcpOption;

use crate::frames::{Frame, Seen, parse};
use crate::world::{CLIENT, SERVER, World, at};

fn answer(world: &mut World, frame: &Frame) -> Option<Seen> {
    world.server.stack.input(world.now, frame.bytes(), RxMeta::default());
    let frames = world.server.transmit(world.now);
    assert!(frames.len() <= 1);
    frames.first().map(parse)
}

#[test]
fn nobody_at_the_port_answers_with_a_reset() {
    let mut world = World::new();
    let (from, to) = (at(CLIENT, 5), at(SERVER, 9));
    let syn = answer(&mut world, &Frame::syn(&from, &to, 100).payload(b"12")).unwrap();
    assert_eq!(syn.flags(), Flags::RST | Flags::ACK);
    assert_eq!((syn.header.seq, syn.header.ack), (0, 103));
    let ack = answer(&mut world, &Frame::new(&from, &to, Flags::ACK, 7, 4711)).unwrap();
    assert_eq!((ack.flags(), ack.header.seq), (Flags::RST, 4711));
    assert_eq!(ack.destination, from.parse().unwrap());
    for flags in [Flags::RST, Flags::RST | Flags::ACK] {
        assert!(answer(&mut world, &Frame::new(&from, &to, flags, 7, 8)).is_none());
    }
    assert_eq!(world.server.stack.counters().resets_out, 2);
}

#[test]
fn a_listener_answers_as_the_rfc_says() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    let (from, to) = (at(CLIENT, 5), at(SERVER, 80));
    let segment = |flags| Frame::new(&from, &to, flags, 100, 200);
    assert!(answer(&mut world, &segment(Flags::RST)).is_none());
    let reset = answer(&mut world, &segment(Flags::ACK)).unwrap();
    assert_eq!((reset.flags(), reset.header.seq), (Flags::RST, 200));
    let reset = answer(&mut world, &segment(Flags::SYN | Flags::ACK)).unwrap();
    assert_eq!((reset.flags(), reset.header.seq), (Flags::RST, 200));
    for flags in [Flags::NONE, Flags::FIN, Flags::SYN | Flags::FIN, Flags::PSH] {
        assert!(answer(&mut world, &segment(flags)).is_none(), "{flags:?}");
    }
    assert_eq!(world.server.stack.usage().embryos, 0);
}

#[test]
fn an_embryo_answers_as_the_rfc_says() {
    let mut world = World::new();
    let listener = world.listen(&at(SERVER, 80));
    let (from, to) = (at(CLIENT, 5), at(SERVER, 80));
    let syn = Frame::syn(&from, &to, 100)
        .option(TcpOption::MaximumSegmentSize(1460))
        .option(TcpOption::Timestamps { value: 50, echo: 0 });
    let first = answer(&mut world, &syn).unwrap();
    let again = answer(&mut world, &syn).unwrap();
    assert_eq!((first.flags(), first.header.ack), (Flags::SYN | Flags::ACK, 101));
    assert_eq!(first.header, again.header, "the same SYN, the same answer");
    let next = first.header.seq.wrapping_add(1);
    let with = |flags, seq, ack, value| {
        Frame::new(&from, &to, flags, seq, ack).option(TcpOption::Timestamps { value, echo: 0 })
    };
    // Another SYN, an old timestamp, a number out of the window: where we stand.
    for frame in [
        Frame::syn(&from, &to, 5000),
        with(Flags::ACK, 101, next, 49),
        with(Flags::ACK, 101_000, next, 51),
    ] {
        let ack = answer(&mut world, &frame).unwrap();
        assert_eq!((ack.flags(), ack.header.seq, ack.header.ack), (Flags::ACK, next, 101));
    }
    // Acknowledging what was never sent is a reset, and the embryo lives on.
    let reset = answer(&mut world, &with(Flags::ACK, 101, next.wrapping_add(1), 51)).unwrap();
    assert_eq!((reset.flags(), reset.header.seq), (Flags::RST, next.wrapping_add(1)));
    assert_eq!(world.server.stack.usage().embryos, 1);
    // The right one opens, and carries data and FIN at once.
    let last = with(Flags::ACK | Flags::FIN, 101, next, 51).payload(b"all");
    let ack = answer(&mut world, &last).unwrap();
    assert_eq!(ack.header.ack, 105);
    let id = world.server.stack.accept(listener).unwrap();
    assert_eq!(world.server.read_all(world.now, id), (b"all".to_vec(), true));
}

#[test]
fn sequence_numbers_differ_by_peer_port_and_seed_and_grow() {
    let mut world = World::new();
    world.listen(&at(SERVER, 80));
    let mut numbers = Vec::new();
    for port in 1..=50 {
        let syn = Frame::syn(&at(CLIENT, port), &at(SERVER, 80), 1);
        numbers.push(answer(&mut world, &syn).unwrap().header.seq);
    }
    let mut steps: Vec<u32> =
        numbers.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    steps.sort_unstable();
    steps.dedup();
    assert_eq!(steps.len(), 49, "no step tells the next number");
}

#[test]
fn source_ports_cannot_be_guessed_from_the_last() {
    let mut world = World::new();
    let ports: Vec<u16> = (2..60)
        .map(|host| {
            let id = world.connect(&format!("10.0.0.{host}:80"));
            world.client.stack.endpoints(id).unwrap().0.port()
        })
        .collect();
    let near = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 100).count();
    assert!(near < 5, "{ports:?}");
    assert!(ports.iter().all(|port| (32_768..=60_999).contains(port)));
}

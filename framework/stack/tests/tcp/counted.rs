//! What can be seen of a connection: what was counted, and what it waited for.

use fyke_stack::tcp::{EcnMode, Flags, Info, Limit, Options, Segment, SeqNum};

use crate::disorder::ten_out;
use crate::loss::{at, sacks};
use crate::rig::{IRS, ISS, Rig, WINDOW, ms, plain};

fn info(rig: &Rig) -> Info {
    rig.connection.info().until(rig.now)
}

#[test]
fn time_is_counted_for_what_it_was_spent_on() {
    let mut rig = Rig::established(plain());
    let window = |rig: &mut Rig, ack: u32, window: u16| {
        let mut segment = rig.segment(Flags::ACK, ack, b"");
        segment.window = window;
        rig.give(segment);
        rig.poll();
    };
    assert_eq!((info(&rig).limit.0, info(&rig).busy), (Limit::Idle, ms(0)));
    rig.pass(ms(500));
    window(&mut rig, ISS + 1, 0);
    rig.write(1000);
    rig.poll();
    rig.pass(ms(100));
    let seen = info(&rig);
    assert_eq!((seen.limit.0, seen.busy, seen.window_limited), (Limit::Window, ms(100), ms(100)));
    window(&mut rig, ISS + 1, WINDOW);
    rig.now += ms(30);
    let seen = info(&rig);
    assert_eq!((seen.limit.0, seen.busy, seen.window_limited), (Limit::Network, ms(130), ms(100)));
    window(&mut rig, ISS + 1001, WINDOW);
    rig.now += ms(1000);
    let seen = info(&rig);
    assert_eq!((seen.limit.0, seen.busy, seen.window_limited), (Limit::Idle, ms(130), ms(100)));
    assert_eq!(seen.bytes_acknowledged, 1000);
}

#[test]
fn a_writer_that_waits_for_room_is_told_apart() {
    let mut config = plain();
    config.send_buffer_bytes = 2000;
    config.send_buffer_bytes_max = 2000;
    let mut rig = Rig::established(config);
    assert_eq!(rig.connection.write(vec![b'x'; 5000].into(), rig.now), 2000);
    rig.poll();
    rig.now += ms(20);
    rig.ack(ISS + 2001);
    rig.poll();
    let seen = info(&rig);
    assert_eq!((seen.busy, seen.buffer_limited, seen.window_limited), (ms(20), ms(20), ms(0)));
}

#[test]
fn segments_and_deliveries_are_counted() {
    let mut rig = ten_out(plain());
    let start = rig.connection.info();
    // The SYN and one segment arrived before.
    assert_eq!((start.delivered, start.data_segments_out, start.data_segments_in), (2, 11, 0));
    rig.now += ms(100);
    sacks(&mut rig, at(1), &[(at(9), at(10))]);
    sacks(&mut rig, at(1), &[(at(3), at(4)), (at(9), at(10))]);
    rig.ack(at(11));
    let seen = rig.connection.info();
    assert_eq!(seen.delivered, 12);
    assert_eq!((seen.reordered, seen.reordering_bytes), (2, 10_000 - 1000));
    sacks(&mut rig, at(11), &[(at(2), at(3))]);
    assert_eq!(rig.connection.info().duplicates, 1);
    assert_eq!(rig.connection.info().bytes_acknowledged, 11_000);
}

#[test]
fn bytes_are_counted_when_they_are_in_order() {
    let mut rig = Rig::established(plain());
    rig.seq += 100;
    rig.data(&[1; 100]);
    assert_eq!(rig.connection.info().bytes_received, 0, "there is a hole before them");
    rig.seq -= 200;
    rig.data(&[0; 100]);
    assert_eq!(rig.connection.info().bytes_received, 200);
    // In order, and beyond another hole, in one segment.
    rig.seq += 150;
    rig.data(&[3; 50]);
    rig.seq -= 100;
    rig.data(&[2; 50]);
    assert_eq!((rig.connection.info().bytes_received, rig.connection.readable()), (300, 300));
}

#[test]
fn what_came_last_is_remembered() {
    let mut rig = Rig::connect(plain());
    rig.now += ms(30);
    let mut answer = rig.segment(Flags::SYN | Flags::ACK, ISS + 1, b"");
    answer.options = Options { mss: Some(1000), ..Options::default() };
    rig.give(answer);
    rig.seq += 1;
    rig.poll();
    let since = |rig: &Rig| rig.now - info(rig).data_received_at;
    rig.now += ms(1000);
    assert_eq!(since(&rig), ms(1000));
    rig.ack(ISS + 1);
    assert_eq!((since(&rig), info(&rig).heard_at), (ms(1000), rig.now));
    rig.data(b"news");
    assert_eq!((since(&rig), info(&rig).data_segments_in), (ms(0), 1));
}

#[test]
fn rfc_3168_marks_are_counted_with_what_they_acknowledge() {
    let mut config = plain();
    config.ecn = EcnMode::Active;
    let mut rig = Rig::connect(config);
    rig.give(Segment {
        seq: SeqNum::new(IRS),
        ack: SeqNum::new(ISS + 1),
        flags: Flags::SYN | Flags::ACK | Flags::ECE,
        window: WINDOW,
        options: Options { mss: Some(1000), ..Options::default() },
        ..Segment::default()
    });
    rig.seq += 1;
    rig.write(4000);
    rig.poll();
    rig.ack(at(1));
    rig.give(rig.segment(Flags::ACK | Flags::ECE, at(4), b""));
    let seen = rig.connection.info();
    assert_eq!((seen.delivered, seen.delivered_marked), (5, 3));
}

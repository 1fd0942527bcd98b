//! When bytes and acknowledgements go out.

use fyke_stack::tcp::{Config, Event, Flags, SeqNum};

use crate::rig::{IRS, ISS, Rig, ms, plain};

/// SHLD-27, SHLD-28, MAY-16: small writes that wait leave as full segments, with one PSH at the end.
#[test]
fn small_writes_become_full_segments_with_one_push() {
    let mut config = plain();
    config.minshall = false;
    let mut rig = Rig::established(config);
    rig.write(100);
    assert_eq!(rig.poll().len(), 1);
    for _ in 0..20 {
        rig.write(146);
        assert!(rig.poll().iter().all(|segment| segment.payload.len() == 1460));
    }
    rig.now += ms(10);
    let before = rig.connection.info().unsent;
    rig.write(500);
    rig.ack(ISS + 101);
    let sent = rig.poll();
    let sizes: Vec<usize> = sent.iter().map(|segment| segment.payload.len()).collect();
    assert!(sizes.iter().rev().skip(1).all(|size| *size == 1460), "{sizes:?} {before}");
    let pushes = sent.iter().filter(|segment| segment.flags.contains(Flags::PSH)).count();
    assert!(pushes <= 1, "{sent:?}");
}

/// MUST-60, MUST-61: nothing waits for ever for a push that nobody can ask for, and the last byte
/// that was written is pushed.
#[test]
fn what_is_written_goes_out_without_a_push() {
    let mut rig = Rig::established(plain());
    for len in [1, 100, 1460, 3000] {
        rig.write(len);
        let sent = rig.poll();
        assert_eq!(sent.iter().map(|segment| segment.payload.len()).sum::<usize>(), len);
        assert!(sent.last().unwrap().flags.contains(Flags::PSH));
        let all = rig.connection.info().snd_nxt.value();
        rig.ack(all);
    }
}

/// MAY-17: PSH tells the application nothing, because every byte is told at once.
#[test]
fn bytes_are_readable_with_or_without_a_push() {
    for flags in [Flags::ACK, Flags::ACK | Flags::PSH] {
        let mut rig = Rig::established(plain());
        rig.give(rig.segment(flags, ISS + 1, b"x"));
        assert_eq!((rig.events(), rig.connection.readable()), (vec![Event::Readable], 1));
    }
}

/// MUST-58, MUST-59: everything that has come is processed before the one acknowledgement.
#[test]
fn a_batch_has_one_acknowledgement() {
    let mut rig = Rig::established(plain());
    for _ in 0..6 {
        rig.data(&[7; 1460]);
    }
    let acks = rig.poll();
    assert_eq!((acks.len(), acks[0].ack), (1, SeqNum::new(IRS + 1 + 6 * 1460)));
}

/// MUST-40.
#[test]
fn acknowledgements_are_held_back_for_less_than_half_a_second() {
    for config in [Config::linux(), Config::freebsd()] {
        assert!(config.delayed_ack < ms(500));
        let mut config = config;
        (config.quick_acks, config.timestamps, config.receive_buffer_bytes) = (0, false, 10_000);
        let mut rig = Rig::established(config);
        rig.data(b"x");
        let now = rig.poll().len();
        let acks = rig.pass(ms(499)).len();
        assert_eq!(now + acks, 1);
    }
}

/// MAY-13, SHLD-31: what comes out of order is kept, and acknowledged at once by where the hole is.
#[test]
fn out_of_order_segments_are_kept_and_acknowledged() {
    let mut rig = Rig::established(plain());
    let mut ahead = rig.segment(Flags::ACK, ISS + 1, b"world");
    ahead.seq += 6;
    rig.give(ahead);
    let acks = rig.poll();
    assert_eq!((acks.len(), acks[0].ack), (1, SeqNum::new(IRS + 1)));
    rig.data(b"hello ");
    assert_eq!(rig.connection.readable(), 11);
    assert_eq!(rig.poll()[0].ack, SeqNum::new(IRS + 12));
}

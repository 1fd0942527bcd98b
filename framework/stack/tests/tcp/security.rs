//! Blind attackers and hostile peers (RFC 5961, RFC 7323, RFC 5927), and what memory they can take.

use std::time::Duration;

use bytes::Bytes;
use fyke_stack::tcp::{
    CloseReason, Config, Connection, ConnectionOption, Ecn, EcnMode, Event, Flags, KeepAlive,
    Options, Segment, SeqNum, State, Timestamp,
};

use crate::rig::{IRS, ISS, Rig, WINDOW, ms, plain};

fn stamped(value: u32, echo: u32) -> Options {
    Options { timestamp: Some(Timestamp { value, echo }), ..Options::default() }
}

fn with_timestamps(config: Config) -> Rig {
    Rig::established_with(config, Options { mss: Some(1460), ..stamped(1000, 0) })
}

#[test]
fn challenges_are_counted_for_each_connection() {
    let mut config = plain();
    config.challenge_acks_per_second = 3;
    let mut rig = Rig::established(config);
    let mut sent = 0;
    for offset in 1..100 {
        let mut reset = rig.segment(Flags::RST, 0, b"");
        reset.seq += offset;
        rig.give(reset);
        sent += rig.poll().len();
    }
    assert_eq!(sent, 3);
    rig.now += Duration::from_secs(1);
    rig.give(rig.segment(Flags::SYN, 0, b""));
    assert_eq!(rig.poll().len(), 1);
    assert_eq!(rig.connection.info().challenges, 4);
}

#[test]
fn answers_to_nonsense_are_spaced() {
    // Two ends that answer each other's answers would do so for ever.
    let mut config = plain();
    config.invalid_ack_interval = ms(500);
    let mut rig = Rig::established(config);
    let mut sent = 0;
    for _ in 0..50 {
        let mut old = rig.segment(Flags::ACK, ISS + 1, b"");
        old.seq = SeqNum::new(IRS - 1000);
        rig.give(old);
        sent += rig.poll().len();
        rig.now += ms(10);
    }
    assert_eq!(sent, 1);
}

#[test]
fn a_pure_acknowledgement_is_never_answered() {
    let mut rig = Rig::established(plain());
    rig.write(100);
    rig.poll();
    for _ in 0..10 {
        rig.ack(ISS + 1);
    }
    assert!(rig.poll().iter().all(|segment| !segment.payload.is_empty()));
}

#[test]
fn old_timestamps_are_dropped() {
    let mut rig = with_timestamps(Config::linux());
    let mut fresh = rig.segment(Flags::ACK, ISS + 1, b"one");
    fresh.options = stamped(2000, 0);
    rig.give(fresh);
    rig.poll();
    rig.seq += 3;
    // A wrapped sequence number: the right place, another time (RFC 7323, section 5).
    let mut old = rig.segment(Flags::ACK, ISS + 1, b"two");
    old.options = stamped(1999, 0);
    rig.give(old.clone());
    assert_eq!(rig.connection.readable(), 3);
    assert_eq!(rig.poll().len(), 1, "and it is answered");
    assert_eq!(rig.connection.info().old_timestamps, 1);
    // After 24 days of silence a timestamp says nothing about order.
    rig.now += Duration::from_secs(25 * 24 * 3600);
    rig.give(old);
    assert_eq!(rig.connection.readable(), 6);
}

#[test]
fn resets_are_judged_without_timestamps() {
    // RFC 7323, section 5.2.
    let mut rig = with_timestamps(Config::linux());
    let mut reset = rig.segment(Flags::RST, 0, b"");
    reset.options = stamped(1, 0);
    rig.give(reset);
    assert_eq!(rig.connection.state(), State::Closed);
}

#[test]
fn a_missing_timestamp_is_a_matter_of_configuration() {
    for required in [true, false] {
        let mut config = Config::linux();
        config.timestamps_required = required;
        let mut rig = with_timestamps(config);
        rig.give(rig.segment(Flags::ACK, ISS + 1, b"bare"));
        assert_eq!(rig.connection.readable(), if required { 0 } else { 4 });
    }
}

#[test]
fn rfc_7323_section_3_2_a_missing_timestamp_is_dropped_in_silence() {
    let mut config = Config::linux();
    config.timestamps_required = true;
    let mut rig = with_timestamps(config);
    rig.give(rig.segment(Flags::ACK, ISS + 1, b"bare"));
    assert_eq!((rig.poll(), rig.connection.next_deadline()), (vec![], None));
    assert_eq!(rig.connection.info().old_timestamps, 0, "it has none");
    rig.give(rig.segment(Flags::RST, 0, b""));
    assert_eq!(rig.connection.state(), State::Closed, "a reset needs none");
}

#[test]
fn what_is_echoed_is_of_what_was_acknowledged() {
    // RFC 7323, section 4.3: a segment ahead of a hole does not change it.
    let mut rig = with_timestamps(Config::linux());
    let mut ahead = rig.segment(Flags::ACK, ISS + 1, b"ahead");
    ahead.seq += 10;
    ahead.options = stamped(3000, 0);
    rig.give(ahead);
    assert_eq!(rig.poll()[0].options.timestamp.unwrap().echo, 1000);
    let mut next = rig.segment(Flags::ACK, ISS + 1, b"0123456789");
    next.options = stamped(2500, 0);
    rig.give(next);
    assert_eq!(rig.poll()[0].options.timestamp.unwrap().echo, 2500);
}

#[test]
fn what_came_first_stays() {
    let mut rig = Rig::established(plain());
    let mut first = rig.segment(Flags::ACK, ISS + 1, b"good");
    first.seq += 4;
    rig.give(first);
    rig.give(rig.segment(Flags::ACK, ISS + 1, b"holeEVIL"));
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "hole");
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "good");
}

#[test]
fn holes_are_bounded() {
    let mut config = plain();
    config.out_of_order_ranges_max = 8;
    let mut rig = Rig::established(config);
    for hole in 0..500 {
        let mut byte = rig.segment(Flags::ACK, ISS + 1, b"x");
        byte.seq += 1 + 2 * hole;
        rig.give(byte);
        rig.poll();
    }
    assert!(rig.connection.info().out_of_order <= 8);
}

#[test]
fn sequence_numbers_wrap_anywhere() {
    for iss in [u32::MAX, u32::MAX - 700, 0x7fff_ffff, 0x7fff_ff00, 0] {
        let now = Rig::start();
        let initial = fyke_stack::tcp::Initial {
            iss: SeqNum::new(iss),
            timestamp_offset: u32::MAX,
            mss: fyke_stack::tcp::Mss::both(1460),
        };
        let connection = Connection::connect(std::sync::Arc::new(plain()), initial, now);
        let mut rig = Rig { connection, now, seq: iss.wrapping_sub(5) };
        rig.poll();
        rig.give(Segment {
            seq: SeqNum::new(rig.seq),
            ack: SeqNum::new(iss) + 1,
            flags: Flags::SYN | Flags::ACK,
            window: 60_000,
            options: Options { mss: Some(1460), ..Options::default() },
            ..Segment::default()
        });
        rig.seq = rig.seq.wrapping_add(1);
        rig.write(5000);
        assert_eq!(rig.poll().iter().map(|s| s.payload.len()).sum::<usize>(), 5000);
        let end = SeqNum::new(iss) + 5001;
        let mut data = rig.segment(Flags::ACK, end.value(), b"");
        data.payload = Bytes::from_static(&[3; 1000]);
        rig.give(data);
        assert_eq!((rig.connection.readable(), rig.connection.info().unacknowledged), (1000, 0));
    }
}

#[test]
fn marks_are_echoed_until_the_sender_slows_down() {
    // RFC 3168, section 6.1.
    let mut config = plain();
    config.ecn = EcnMode::Active;
    let mut rig = Rig::connect(config);
    rig.give(Segment {
        seq: SeqNum::new(IRS),
        ack: SeqNum::new(ISS + 1),
        flags: Flags::SYN | Flags::ACK | Flags::ECE,
        window: 60_000,
        options: Options { mss: Some(1460), ..Options::default() },
        ..Segment::default()
    });
    rig.seq = IRS + 1;
    assert_eq!(rig.poll()[0].ecn, Ecn::NotCapable, "pure acknowledgements are not marked");
    let mut marked = rig.segment(Flags::ACK, ISS + 1, b"data");
    marked.ecn = Ecn::Congestion;
    rig.give(marked);
    rig.seq += 4;
    assert!(rig.poll()[0].flags.contains(Flags::ECE));
    rig.write(10_000);
    let sent = rig.poll();
    assert!(sent.iter().all(|s| s.flags.contains(Flags::ECE) && s.ecn == Ecn::Capable0));
    rig.give(rig.segment(Flags::ACK | Flags::CWR, ISS + 1, b"slower"));
    rig.seq += 6;
    rig.connection.set_option(rig.now, ConnectionOption::QuickAck(true));
    assert!(rig.poll().iter().all(|s| !s.flags.contains(Flags::ECE)));

    // The other half: one reduction a window, told by CWR on the next new data.
    let before = rig.connection.info().congestion_window;
    rig.now += ms(50);
    rig.give(rig.segment(Flags::ACK | Flags::ECE, ISS + 1 + 1460, b""));
    let after = rig.connection.info().congestion_window;
    assert!(after < before);
    rig.give(rig.segment(Flags::ACK | Flags::ECE, ISS + 1 + 2920, b""));
    assert!(rig.connection.info().congestion_window >= after, "once a window");
    rig.ack(ISS + 1 + 10_000);
    rig.write(1460);
    assert!(rig.poll()[0].flags.contains(Flags::CWR));
    rig.write(1460);
    assert!(!rig.poll()[0].flags.contains(Flags::CWR));
}

#[test]
fn a_silent_peer_is_probed_and_given_up() {
    let mut config = plain();
    config.keep_alive = Some(KeepAlive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(10),
        probes: 3,
    });
    let mut rig = Rig::established(config);
    assert!(rig.pass(Duration::from_secs(59)).is_empty());
    let probe = rig.pass(Duration::from_secs(1));
    // A number before SND.UNA, so that the peer has to answer (RFC 9293, section 3.8.4).
    assert_eq!((probe.len(), probe[0].seq), (1, SeqNum::new(ISS)));
    rig.ack(ISS + 1);
    assert!(rig.pass(Duration::from_secs(59)).is_empty(), "it lives");
    let sent = rig.pass(Duration::from_secs(31));
    assert_eq!(sent.len(), 4, "three probes and a reset");
    assert!(sent[3].flags.contains(Flags::RST));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::KeepAliveTimeout)]);
}

#[test]
fn keep_alive_is_off_unless_asked_for() {
    let mut rig = Rig::established(plain());
    assert_eq!(rig.connection.next_deadline(), None);
    rig.connection.set_option(rig.now, ConnectionOption::KeepAlive(Some(KeepAlive::default())));
    assert_eq!(rig.connection.next_deadline(), Some(rig.now + Duration::from_secs(7200)));
    rig.connection.set_option(rig.now, ConnectionOption::KeepAlive(None));
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Connection>() <= 512, "{}", size_of::<Connection>());
}

/// Whatever a peer sends, in whatever state: no panic, no contradiction, a bounded answer.
#[test]
fn garbage_breaks_nothing() {
    let mut random = 0x1234_5678_9abc_def0u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let near = |n: u64, base: u32| match n % 5 {
        0 => base,
        1 => base.wrapping_add((n >> 8) as u32 % 5000),
        2 => base.wrapping_sub((n >> 8) as u32 % 5000),
        3 => base.wrapping_add(0x7fff_ffff),
        _ => (n >> 16) as u32,
    };
    for round in 0..3000 {
        let mut config = if round % 2 == 0 { plain() } else { Config::linux() };
        config.sack = round % 3 != 0;
        let mut rig = match round % 4 {
            0 => Rig::accept(config),
            1 => Rig::connect(config),
            _ => Rig::established_with(
                config,
                Options { mss: Some(1460), sack_permitted: true, ..stamped(1, 0) },
            ),
        };
        for step in 0..30 {
            let info = rig.connection.info();
            let mut segment = Segment {
                seq: SeqNum::new(near(next(), info.rcv_nxt.value())),
                ack: SeqNum::new(near(next(), info.snd_una.value())),
                flags: Flags::from_bits(next() as u16),
                window: next() as u16,
                urgent: next() as u16,
                payload: Bytes::from(vec![step; next() as usize % 2000]),
                gso_size: if next() % 8 == 0 { next() as u16 } else { 0 },
                ..Segment::default()
            };
            if next() % 3 > 0 {
                segment.flags = segment.flags.without(Flags::RST | Flags::SYN) | Flags::ACK;
            }
            for _ in 0..next() % 5 {
                let left = near(next(), info.snd_una.value());
                let right = near(next(), left);
                segment.options.sack.push(SeqNum::new(left), SeqNum::new(right));
            }
            if next() % 2 == 0 {
                segment.options =
                    Options { sack: segment.options.sack, ..stamped(next() as u32, next() as u32) };
            }
            rig.give(segment);
            match next() % 8 {
                0 => {
                    rig.connection.write(vec![0; next() as usize % 5000].into(), rig.now);
                }
                1 => {
                    rig.connection.read(next() as usize % 3000 + 1, rig.now);
                }
                2 if next() % 8 == 0 => rig.connection.shutdown(),
                3 if next() % 16 == 0 => rig.connection.close(rig.now),
                4 => {
                    assert!(rig.pass(ms(next() % 2000)).len() < 2000);
                }
                _ => {}
            }
            assert!(rig.poll().len() < 200);
        }
    }
}

/// RFC 5961, section 7, for all that has no text: two ends that disagree about where they stand, and
/// space their answers by nothing, do not answer each other for ever.
#[test]
fn rfc5961_7_two_ends_out_of_step_answer_each_other_a_few_times_a_second() {
    let mut config = plain();
    config.invalid_ack_interval = Duration::ZERO;
    config.challenge_acks_per_second = 10;
    // Each believes that the other's numbers are those of somebody else.
    let mut ends = [Rig::established(config.clone()), Rig::established(config)];
    let stray = Segment {
        seq: SeqNum::new(ISS + 1),
        ack: SeqNum::new(IRS + 1),
        flags: Flags::ACK,
        window: WINDOW,
        ..Segment::default()
    };
    let mut under_way = vec![stray.clone()];
    let mut answers = 0;
    for millis in 0..5000 {
        let end = &mut ends[millis % 2];
        end.now = Rig::start() + Duration::from_millis(millis as u64);
        for segment in std::mem::take(&mut under_way) {
            end.connection.on_segment(end.now, &segment);
        }
        under_way = end.poll();
        answers += under_way.len();
        if under_way.is_empty() {
            // Somebody else's packet starts it again.
            under_way.push(stray.clone());
        }
    }
    assert!((50..=5 * 2 * 10).contains(&answers), "{answers} in five seconds");
}

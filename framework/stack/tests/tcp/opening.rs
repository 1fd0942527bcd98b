//! How connections begin (RFC 9293, sections 3.5 and 3.10.7.3), and what the SYNs agree upon.

use std::sync::Arc;
use std::time::Duration;

use fyke_stack::tcp::{
    CloseReason, Config, Connection, ConnectionOption, EcnMode, Event, Flags, Handshake, IcmpError,
    IcmpKind, Mss, Options, Segment, SeqNum, State, Timestamp,
};

use crate::rig::{IRS, ISS, Rig, WINDOW, initial, ms, plain, syn};

fn answer(flags: Flags) -> Segment {
    Segment {
        seq: SeqNum::new(IRS),
        ack: SeqNum::new(ISS + 1),
        flags,
        window: WINDOW,
        ..Segment::default()
    }
}

#[test]
fn an_active_open_offers_what_the_configuration_has() {
    let now = Rig::start();
    let mut connection = Connection::connect(Arc::new(Config::linux()), initial(), now);
    let mut sent = crate::rig::Sent::default();
    connection.poll(now, &mut sent);
    let syn = &sent.0[0];
    assert_eq!((syn.flags, syn.seq), (Flags::SYN, SeqNum::new(ISS)));
    assert_eq!(syn.options.mss, Some(1460));
    assert!(syn.options.sack_permitted && syn.options.window_scale.is_some());
    assert_eq!(syn.options.timestamp, Some(Timestamp { value: 1007, echo: 0 }));
    // A SYN's window is never scaled (RFC 7323, section 2.2).
    assert_eq!(syn.window, u16::MAX);
}

#[test]
fn options_count_only_when_both_ends_have_them() {
    let mut rig = Rig::connect(Config::linux());
    rig.give(Segment {
        options: Options { mss: Some(500), ..Options::default() },
        ..answer(Flags::SYN | Flags::ACK)
    });
    let info = rig.connection.info();
    assert_eq!(info.state, State::Established);
    assert!(!info.sack && !info.timestamps && info.window_scales.is_none());
    assert_eq!(info.send_mss, 500);
    assert_eq!(info.snd_wnd, u32::from(WINDOW));
}

#[test]
fn a_scale_above_fourteen_means_fourteen() {
    let options = Options { window_scale: Some(200), ..Options::default() };
    let mut rig = Rig::established_with(Config::linux(), options);
    assert_eq!(rig.connection.info().window_scales.unwrap().0, 14);
    rig.give(rig.segment(Flags::ACK, ISS + 1, b""));
    assert_eq!(rig.connection.info().snd_wnd, u32::from(WINDOW) << 14);
}

#[test]
fn a_tiny_segment_size_has_a_floor() {
    // One byte a packet is an attack, not a link.
    let options = Options { mss: Some(1), ..Options::default() };
    let rig = Rig::established_with(plain(), options);
    assert_eq!(rig.connection.info().send_mss, 48);
}

#[test]
fn without_a_segment_size_it_is_536() {
    let rig = Rig::established_with(plain(), Options::default());
    assert_eq!(rig.connection.info().send_mss, 536);
}

#[test]
fn a_syn_is_sent_again_with_doubled_waits_and_then_given_up() {
    let mut config = plain();
    config.syn_retries = 3;
    let mut rig = Rig::connect(config);
    let mut at = Vec::new();
    for _ in 0..3 {
        let deadline = rig.connection.next_deadline().unwrap();
        at.push((deadline - Rig::start()).as_secs());
        let sent = rig.pass(deadline - rig.now);
        assert_eq!((sent.len(), sent[0].flags), (1, Flags::SYN));
    }
    assert_eq!(at, [1, 3, 7]);
    assert!(rig.pass(Duration::from_secs(8)).is_empty());
    assert_eq!(rig.events(), [Event::Closed(CloseReason::TimedOut)]);
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn a_syn_ack_is_sent_again_and_then_given_up() {
    let mut config = plain();
    config.syn_ack_retries = 2;
    let mut rig = Rig::accept(config);
    let sent = rig.pass(Duration::from_secs(3));
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|segment| segment.flags == Flags::SYN | Flags::ACK));
    rig.pass(Duration::from_secs(5));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::TimedOut)]);
}

#[test]
fn a_reset_answers_a_syn_only_with_its_number() {
    let mut rig = Rig::connect(plain());
    // Without an acknowledgement, or with another, anybody could have sent it.
    rig.give(Segment { flags: Flags::RST, ..answer(Flags::RST) });
    rig.give(Segment { ack: SeqNum::new(ISS + 2), ..answer(Flags::RST | Flags::ACK) });
    assert_eq!(rig.connection.state(), State::SynSent);
    rig.give(answer(Flags::RST | Flags::ACK));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::Refused)]);
}

#[test]
fn both_ends_may_open_at_once() {
    // RFC 9293, figure 8.
    let mut rig = Rig::connect(plain());
    rig.give(syn());
    assert_eq!(rig.connection.state(), State::SynReceived);
    let sent = rig.poll();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].flags, Flags::SYN | Flags::ACK);
    assert_eq!((sent[0].seq, sent[0].ack), (SeqNum::new(ISS), SeqNum::new(IRS + 1)));
    rig.give(answer(Flags::SYN | Flags::ACK));
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.events(), [Event::Connected]);
}

#[test]
fn what_was_written_before_the_open_follows_it() {
    let mut rig = Rig::connect(plain());
    rig.write(10);
    assert!(rig.poll().is_empty());
    rig.give(answer(Flags::SYN | Flags::ACK));
    let sent = rig.poll();
    assert_eq!(sent.len(), 1, "the acknowledgement goes with the data");
    assert_eq!((sent[0].payload.len(), sent[0].seq), (10, SeqNum::new(ISS + 1)));
    assert_eq!(sent[0].ack, SeqNum::new(IRS + 1));
}

#[test]
fn shutting_down_before_the_open_sends_the_fin_after_it() {
    let mut rig = Rig::connect(plain());
    rig.write(3);
    rig.connection.shutdown();
    rig.give(answer(Flags::SYN | Flags::ACK));
    assert_eq!(rig.connection.state(), State::FinWait1);
    let sent = rig.poll();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].flags.contains(Flags::FIN) && sent[0].payload.len() == 3);
}

#[test]
fn data_with_the_last_segment_of_the_handshake_is_not_lost() {
    let mut rig = Rig::accept(plain());
    let mut segment = rig.segment(Flags::ACK | Flags::FIN, ISS + 1, b"all of it");
    segment.window = 7;
    rig.give(segment);
    assert_eq!(rig.connection.state(), State::CloseWait);
    assert_eq!(rig.events(), [Event::Connected, Event::Readable, Event::PeerFin]);
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "all of it");
    assert!(rig.connection.is_at_end());
    assert_eq!(rig.connection.info().snd_wnd, 7);
}

#[test]
fn data_in_a_syn_waits_for_the_open() {
    let now = Rig::start();
    let first = Segment { payload: "early".into(), ..syn() };
    let connection = Connection::accept(Arc::new(plain()), &first, initial(), now);
    let mut rig = Rig { connection, now, seq: IRS + 6 };
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].ack), (1, SeqNum::new(IRS + 6)));
    rig.ack(ISS + 1);
    assert_eq!(rig.connection.state(), State::Established);
    assert_eq!(rig.connection.read(100, now).unwrap(), "early");
}

#[test]
fn rfc_9293_section_3_8_6_what_a_syn_brings_fills_the_window_it_was_sent_into() {
    // The SYN-ACK acknowledges it, and offered as much room behind it as nobody had.
    let now = Rig::start();
    let first = Segment { payload: vec![b'x'; 1000].into(), ..syn() };
    let connection = Connection::accept(Arc::new(plain()), &first, initial(), now);
    let mut rig = Rig { connection, now, seq: IRS + 1001 };
    let edge = |sent: &Segment| sent.ack + u32::from(sent.window);
    let told = edge(&rig.poll()[0]);
    rig.ack(ISS + 1);
    rig.data(&[b'y'; 9000]);
    let sent = rig.poll();
    assert!(edge(&sent[0]).is_at_least(told), "the right edge went back from {told}: {sent:?}");
    assert_eq!(rig.connection.readable(), 10_000, "what was offered is taken");
}

#[test]
fn a_handshake_of_a_syn_cache_becomes_a_connection() {
    let now = Rig::start();
    let config = Arc::new(Config::linux());
    let options = Options {
        mss: Some(1400),
        window_scale: Some(3),
        sack_permitted: true,
        timestamp: Some(Timestamp { value: 500, echo: 0 }),
        ..Options::default()
    };
    let syn = Segment { options, ..syn() };
    let handshake = Handshake::of_syn(&config, &syn, initial());
    let answer = handshake.syn_ack(&config, 1460, now);
    assert_eq!(answer.flags, Flags::SYN | Flags::ACK);
    assert_eq!(answer.options.timestamp.unwrap().echo, 500);

    let connection = Connection::from_handshake(config, &handshake, Mss::both(1460), now + ms(20));
    let mut rig = Rig { connection, now: now + ms(20), seq: IRS + 1 };
    assert!(rig.poll().is_empty(), "the SYN-ACK went out before");
    let mut third = rig.segment(Flags::ACK, ISS + 1, b"hi");
    let echo = answer.options.timestamp.unwrap().value;
    third.options.timestamp = Some(Timestamp { value: 520, echo });
    rig.give(third);
    let info = rig.connection.info();
    assert_eq!(info.state, State::Established);
    assert!(info.sack && info.timestamps);
    assert_eq!(info.snd_wnd, u32::from(WINDOW) << 3);
    assert_eq!(info.send_mss, 1400 - 12);
    assert_eq!(info.rtt, Some(ms(20)));
    assert_eq!(rig.connection.read(10, rig.now).unwrap(), "hi");
}

#[test]
fn a_handshake_is_small_enough_for_a_cache() {
    assert!(size_of::<Handshake>() <= 64, "{}", size_of::<Handshake>());
}

#[test]
fn closing_before_an_answer_ends_it_silently() {
    let mut rig = Rig::connect(plain());
    rig.connection.close(rig.now);
    assert!(rig.poll().is_empty());
    assert_eq!(rig.events(), [Event::Closed(CloseReason::Aborted)]);
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn hard_icmp_errors_end_an_open_and_nothing_else() {
    let port = |seq| IcmpError { kind: IcmpKind::PortUnreachable, seq: SeqNum::new(seq) };
    let mut rig = Rig::connect(plain());
    rig.connection.on_icmp(rig.now, port(ISS + 1));
    assert_eq!(rig.connection.state(), State::SynSent, "quotes what was never sent");
    rig.connection.on_icmp(rig.now, port(ISS));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::PortUnreachable)]);

    // RFC 5927, section 5.2: a connection that works is not ended by a packet anybody can send.
    let mut rig = Rig::established(plain());
    rig.write(100);
    rig.poll();
    rig.connection.on_icmp(rig.now, port(ISS + 1));
    assert_eq!(rig.connection.state(), State::Established);
}

#[test]
fn ecn_is_agreed_by_two_flags_and_one() {
    let mut config = plain();
    config.ecn = EcnMode::Active;
    let now = Rig::start();
    let mut connection = Connection::connect(Arc::new(config), initial(), now);
    let mut sent = crate::rig::Sent::default();
    connection.poll(now, &mut sent);
    assert_eq!(sent.0[0].flags, Flags::SYN | Flags::ECE | Flags::CWR);
    let mut rig = Rig { connection, now, seq: IRS };
    rig.give(answer(Flags::SYN | Flags::ACK | Flags::ECE));
    assert!(rig.connection.info().ecn);

    // A peer that reflects flags it does not know (RFC 3168, section 6.1.1) has not agreed.
    let mut config = plain();
    config.ecn = EcnMode::Active;
    let mut rig = Rig::connect(config);
    rig.give(answer(Flags::SYN | Flags::ACK | Flags::ECE | Flags::CWR));
    assert!(!rig.connection.info().ecn);
}

#[test]
fn an_option_gives_one_connection_its_own_configuration() {
    let shared = Arc::new(plain());
    let now = Rig::start();
    let mut one = Connection::connect(shared.clone(), initial(), now);
    one.set_option(now, ConnectionOption::SynRetries(0));
    let mut rig = Rig { connection: one, now, seq: IRS };
    rig.poll();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.events(), [Event::Closed(CloseReason::TimedOut)]);
    assert_eq!(shared.syn_retries, plain().syn_retries);
}

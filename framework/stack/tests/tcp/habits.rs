//! Where the two systems differ from each other or from the letter of an RFC, and what we do.

use std::sync::Arc;
use std::time::Duration;

use fyke_stack::tcp::{
    CloseReason, Config, Connection, Event, FastOpen, Flags, IcmpError, IcmpKind, Mss, Options,
    Segment, SeqNum, State,
};

use crate::rig::{IRS, ISS, Rig, WINDOW, initial, ms, plain};

#[test]
fn rfc_9293_section_3_10_7_4_acknowledgements_of_what_was_never_sent() {
    for (answered, mut config) in [
        (true, Config::default()),
        (true, Config::freebsd()),
        // Linux drops them without a word.
        (false, Config::linux()),
    ] {
        config.timestamps = false;
        config.quick_acks = 0;
        let mut rig = Rig::established(config);
        rig.give(rig.segment(Flags::ACK | Flags::FIN, ISS + 5000, b"dropped"));
        assert_eq!(rig.poll().len(), usize::from(answered));
        let info = rig.connection.info();
        assert_eq!((info.state, info.rcv_nxt), (State::Established, SeqNum::new(IRS + 1)));
    }
}

#[test]
fn rfc_9293_section_3_10_8_a_user_time_out_ends_in_silence() {
    // FreeBSD tells the peer, which may be the only one that does not know.
    for reset_on_timeout in [false, true] {
        let mut config = plain();
        config.reset_on_timeout = reset_on_timeout;
        config.user_timeout = Some(ms(3000));
        let mut rig = Rig::established(config);
        rig.write(100);
        rig.poll();
        let sent = rig.pass(ms(4000));
        assert_eq!(rig.events(), [Event::Closed(CloseReason::UserTimeout)]);
        let resets = sent.iter().filter(|segment| segment.flags.contains(Flags::RST)).count();
        assert_eq!(resets, usize::from(reset_on_timeout));
    }
    assert!(Config::freebsd().reset_on_timeout && !Config::default().reset_on_timeout);
}

#[test]
fn rfc_9293_section_3_6_1_data_for_nobody_is_reset_where_the_peer_waits() {
    let mut rig = Rig::established(plain());
    rig.write(3000);
    rig.poll();
    rig.connection.close(rig.now);
    rig.poll();
    // All that was sent is lost: the peer waits for the first byte, and would challenge another.
    rig.give(rig.segment(Flags::ACK, ISS + 1, b"news"));
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].flags), (1, Flags::RST));
    assert_eq!(sent[0].seq, SeqNum::new(ISS + 1));
}

#[test]
fn rfc_9293_section_3_10_7_3_text_of_a_simultaneous_open_waits() {
    let mut rig = Rig::connect(plain());
    rig.give(Segment {
        seq: SeqNum::new(IRS),
        flags: Flags::SYN,
        window: WINDOW,
        payload: bytes::Bytes::from_static(b"abc"),
        options: Options { mss: Some(1460), ..Options::default() },
        ..Segment::default()
    });
    let answer = rig.poll();
    assert_eq!((answer.len(), answer[0].flags), (1, Flags::SYN | Flags::ACK));
    assert_eq!(answer[0].ack, SeqNum::new(IRS + 1), "of the SYN alone");
    assert_eq!((rig.connection.readable(), rig.events()), (0, vec![]));
    assert!(rig.connection.read(100, rig.now).is_none());
    rig.seq = IRS + 4;
    rig.ack(ISS + 1);
    assert_eq!(rig.events(), [Event::Connected, Event::Readable]);
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "abc");
    let sent = rig.pass(Duration::from_millis(500));
    assert_eq!((sent.len(), sent[0].ack), (1, SeqNum::new(IRS + 4)), "and is acknowledged then");
}

#[test]
fn rfc_7413_section_4_2_1_a_syn_too_big_for_the_path_goes_without_data() {
    let too_big = |rig: &mut Rig| {
        let error = IcmpError { kind: IcmpKind::PacketTooBig { mss: 800 }, seq: SeqNum::new(ISS) };
        rig.connection.on_icmp(rig.now, error);
        rig.poll()
    };
    // RFC 9293, section 3.7.1: what it tells is another matter, but where that is the habit.
    for (syn_tells_path, told) in [(false, 1460), (true, 800)] {
        let cookie = bytes::Bytes::from_static(b"cookie!!");
        let fast = FastOpen { cookie, peer_mss: 1460 };
        let now = Rig::start();
        let mut config = plain();
        config.syn_tells_path = syn_tells_path;
        let mut connection = Connection::connect_fast(Arc::new(config), initial(), fast, now);
        assert_eq!(connection.write(vec![b'x'; 1000].into(), now), 1000);
        let mut rig = Rig { connection, now, seq: IRS };
        let syn = rig.poll();
        assert_eq!((syn.len(), syn[0].payload.len()), (1, 1000));
        rig.now += ms(10);
        let again = too_big(&mut rig);
        assert_eq!((again.len(), again[0].flags, again[0].payload.len()), (1, Flags::SYN, 0));
        assert_eq!((again[0].options.mss, &again[0].options.fast_open), (Some(told), &None));
        assert!(too_big(&mut rig).is_empty(), "told twice");
    }
    // A SYN alone fits everywhere: whoever says otherwise is not believed.
    let mut rig = Rig::connect(plain());
    assert!(too_big(&mut rig).is_empty());
    assert_eq!(rig.connection.info().send_mss, 536);
}

#[test]
fn rfc_6691_a_link_smaller_than_the_least_segment_is_told() {
    let mut config = plain();
    config.mss_min = 48;
    let mut small = initial();
    small.mss = Mss::both(32);
    let now = Rig::start();
    let connection = Connection::connect(Arc::new(config), small, now);
    let mut rig = Rig { connection, now, seq: IRS };
    assert_eq!(rig.poll()[0].options.mss, Some(32));
    assert_eq!(rig.connection.info().send_mss, 32);
}

#[test]
fn rfc_7413_section_4_2_2_early_data_fills_the_window_of_the_syn() {
    // Our SYN has its number before that window, although it is not acknowledged yet.
    let mut syn = crate::rig::syn();
    syn.window = 3000;
    syn.options.mss = Some(1000);
    let now = Rig::start();
    let connection = Connection::accept_fast(Arc::new(plain()), &syn, initial(), now);
    let mut rig = Rig { connection, now, seq: IRS + 1 };
    rig.poll();
    rig.write(5000);
    let sent: usize = rig.poll().iter().map(|segment| segment.payload.len()).sum();
    assert_eq!(sent, 3000);
}

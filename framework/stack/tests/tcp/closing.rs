//! How connections end (RFC 9293, section 3.6; RFC 2525; RFC 1337; RFC 6191).

use std::time::Duration;

use fyke_stack::tcp::{
    CloseReason, Config, ConnectionOption, Event, Flags, KeepAlive, Options, Segment, SeqNum,
    State, Timestamp,
};

use crate::rig::{IRS, ISS, Rig, ms, plain, syn};

#[test]
fn one_direction_ends_while_the_other_goes_on() {
    let mut rig = Rig::established(plain());
    rig.connection.shutdown();
    let fin = rig.poll();
    assert_eq!((fin.len(), fin[0].flags), (1, Flags::FIN | Flags::ACK));
    rig.ack(ISS + 2);
    assert_eq!(rig.connection.state(), State::FinWait2);
    assert_eq!(rig.connection.write("more".into(), rig.now), 0, "we said that was all");
    rig.data(b"the peer goes on");
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "the peer goes on");
    // Without a process that waits no timer hurries the peer.
    assert!(rig.pass(Duration::from_secs(3600)).iter().all(|segment| segment.flags == Flags::ACK));
    rig.fin(ISS + 2);
    assert_eq!(rig.connection.state(), State::TimeWait);
}

#[test]
fn the_fin_goes_with_the_last_byte() {
    let mut rig = Rig::established(plain());
    rig.write(2000);
    rig.connection.shutdown();
    let sent = rig.poll();
    assert_eq!(sent.len(), 2);
    assert!(!sent[0].flags.contains(Flags::FIN));
    assert_eq!(sent[1].flags, Flags::FIN | Flags::PSH | Flags::ACK);
    assert_eq!(sent[1].payload.len(), 540);
}

#[test]
fn a_lost_fin_is_sent_again() {
    let mut rig = Rig::established(plain());
    rig.connection.shutdown();
    rig.poll();
    let again = rig.pass(ms(400));
    assert!(again.iter().any(|segment| segment.flags.contains(Flags::FIN)
        && segment.seq == SeqNum::new(ISS + 1)
        && segment.payload.is_empty()));
}

#[test]
fn the_fin_is_acknowledged_exactly() {
    // In LAST-ACK an acknowledgement of less is not that of the FIN.
    let mut rig = Rig::established(plain());
    rig.fin(ISS + 1);
    rig.write(100);
    rig.connection.shutdown();
    rig.poll();
    assert_eq!(rig.connection.state(), State::LastAck);
    rig.ack(ISS + 101);
    assert_eq!(rig.connection.state(), State::LastAck);
    rig.ack(ISS + 102);
    assert_eq!(rig.connection.state(), State::Closed);
    assert!(rig.events().contains(&Event::Closed(CloseReason::Finished)));
}

#[test]
fn a_fin_before_its_data_waits_for_it() {
    let mut rig = Rig::established(plain());
    let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 1, b"");
    fin.seq = SeqNum::new(IRS + 6);
    rig.give(fin);
    assert_eq!(rig.connection.state(), State::Established);
    rig.data(b"first");
    assert_eq!(rig.connection.state(), State::CloseWait);
    let events = rig.events();
    assert_eq!(events, [Event::Readable, Event::PeerFin]);
    assert_eq!(rig.connection.info().rcv_nxt, SeqNum::new(IRS + 7));
}

#[test]
fn nothing_follows_a_fin() {
    let mut rig = Rig::established(plain());
    let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 1, b"");
    fin.seq = SeqNum::new(IRS + 4);
    rig.give(fin);
    rig.data(b"abcdefgh");
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "abc");
    assert!(rig.connection.is_at_end());
}

#[test]
fn closing_with_unread_data_resets() {
    // RFC 2525, section 2.17: the peer must learn that its data was not read.
    let mut rig = Rig::established(plain());
    rig.data(b"unread");
    rig.poll();
    rig.connection.close(rig.now);
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].flags), (1, Flags::RST | Flags::ACK));
    assert!(rig.events().contains(&Event::Closed(CloseReason::ClosedWithUnreadData)));
}

#[test]
fn data_for_a_process_that_is_gone_resets() {
    let mut rig = Rig::established(plain());
    rig.connection.close(rig.now);
    rig.poll();
    rig.ack(ISS + 2);
    rig.data(b"late");
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].flags.contains(Flags::RST)), (1, true));
    assert_eq!(rig.connection.state(), State::Closed);
}

#[test]
fn lingering_for_no_time_resets() {
    let mut rig = Rig::established(plain());
    rig.connection.set_option(rig.now, ConnectionOption::ResetOnClose(true));
    rig.write(10);
    rig.connection.close(rig.now);
    let sent = rig.poll();
    assert_eq!((sent.len(), sent[0].flags), (1, Flags::RST | Flags::ACK));
    assert_eq!(sent[0].seq, SeqNum::new(ISS + 1), "what was written is dropped");
}

#[test]
fn aborting_resets_once() {
    for state in [State::SynReceived, State::Established, State::FinWait1, State::CloseWait] {
        let mut rig = Rig::in_state(state);
        rig.connection.abort();
        rig.connection.abort();
        let sent = rig.poll();
        assert_eq!((sent.len(), sent[0].flags), (1, Flags::RST | Flags::ACK), "{state}");
        assert_eq!(rig.connection.next_deadline(), None);
    }
}

#[test]
fn fin_wait_2_of_a_closed_connection_ends() {
    let mut rig = Rig::established(plain());
    rig.connection.close(rig.now);
    rig.poll();
    rig.ack(ISS + 2);
    assert_eq!(rig.connection.state(), State::FinWait2);
    rig.pass(Duration::from_secs(59));
    assert_eq!(rig.connection.state(), State::FinWait2);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.connection.state(), State::Closed);
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::FinWait2Timeout)));
}

#[test]
fn time_wait_lasts_and_begins_anew_with_the_peers_fin() {
    let mut rig = Rig::in_state(State::TimeWait);
    rig.pass(Duration::from_secs(50));
    // Our last acknowledgement was lost.
    let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 2, b"");
    fin.seq = SeqNum::new(IRS + 1);
    rig.give(fin);
    assert_eq!(rig.poll().len(), 1);
    rig.pass(Duration::from_secs(59));
    assert_eq!(rig.connection.state(), State::TimeWait);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.connection.state(), State::Closed);
    assert_eq!(rig.connection.next_deadline(), None);
}

#[test]
fn a_reset_does_not_shorten_time_wait() {
    // RFC 1337: it may be an old duplicate.
    let mut rig = Rig::in_state(State::TimeWait);
    let reset = rig.segment(Flags::RST, 0, b"");
    rig.give(reset);
    assert_eq!(rig.connection.state(), State::TimeWait);
}

#[test]
fn a_new_connection_may_take_the_place_of_time_wait() {
    // By number alone.
    let rig = Rig::in_state(State::TimeWait);
    let later = |seq: u32| Segment { seq: SeqNum::new(seq), ..syn() };
    assert!(rig.connection.may_be_reused_by(&later(IRS + 3)));
    assert!(!rig.connection.may_be_reused_by(&later(IRS)));
    assert!(!rig.connection.may_be_reused_by(&rig.segment(Flags::ACK, ISS, b"")));
    assert!(!Rig::in_state(State::FinWait2).connection.may_be_reused_by(&later(IRS + 9)));

    // By timestamp (RFC 6191, section 2).
    let stamp = |value| Options {
        mss: Some(1460),
        timestamp: Some(Timestamp { value, echo: 0 }),
        ..Options::default()
    };
    let mut config = Config::linux();
    config.timestamps_required = false;
    let mut rig = Rig::established_with(config, stamp(100));
    rig.connection.shutdown();
    rig.poll();
    let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 2, b"");
    fin.options = stamp(200);
    rig.give(fin);
    assert_eq!(rig.connection.state(), State::TimeWait);
    let with = |seq: u32, value| Segment { options: stamp(value), ..later(seq) };
    assert!(rig.connection.may_be_reused_by(&with(IRS, 201)), "an earlier number, a later time");
    assert!(!rig.connection.may_be_reused_by(&with(IRS + 9, 199)), "an old duplicate");
}

#[test]
fn an_orphan_that_nobody_answers_is_given_up() {
    let mut config = plain();
    config.orphan_retries = 3;
    let mut rig = Rig::established(config);
    rig.write(10);
    rig.connection.close(rig.now);
    rig.poll();
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.connection.state(), State::Closed);
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::TimedOut)));
}

#[test]
fn a_reset_leaves_what_was_received() {
    let mut rig = Rig::established(plain());
    rig.data(b"the last words");
    rig.give(rig.segment(Flags::RST, 0, b""));
    assert_eq!(rig.events(), [Event::Readable, Event::Closed(CloseReason::Reset)]);
    assert_eq!(rig.connection.read(100, rig.now).unwrap(), "the last words");
    assert_eq!(rig.connection.read(100, rig.now), None);
    assert!(rig.connection.is_at_end());
}

#[test]
fn a_fin_that_came_again_may_acknowledge_ours() {
    // Both FINs crossed; the peer's second one is the first to acknowledge ours.
    let mut rig = Rig::in_state(State::Closing);
    rig.seq -= 1;
    rig.fin(ISS + 2);
    assert_eq!(rig.connection.state(), State::TimeWait);
    let answer = rig.poll();
    assert_eq!((answer.len(), answer[0].ack), (1, SeqNum::new(IRS + 2)));
    // An acknowledgement of what was never sent does not.
    let mut rig = Rig::in_state(State::Closing);
    rig.seq -= 1;
    rig.fin(ISS + 3);
    assert_eq!(rig.connection.state(), State::Closing);
    assert_eq!(rig.poll().len(), 1, "it is out of the window and answered");
}

#[test]
fn data_that_came_again_may_acknowledge_more() {
    let mut rig = Rig::established(plain());
    rig.data(b"once");
    rig.write(1000);
    rig.poll();
    rig.seq -= 4;
    let again = rig.segment(Flags::ACK, ISS + 501, b"once");
    rig.give(again);
    assert_eq!(rig.connection.info().snd_una, SeqNum::new(ISS + 501));
    // What ends before the last byte is older than that, and says nothing.
    let older = rig.segment(Flags::ACK, ISS + 801, b"on");
    rig.give(older);
    assert_eq!(rig.connection.info().snd_una, SeqNum::new(ISS + 501));
    assert_eq!(rig.connection.readable(), 4);
}

/// A peer whose bytes from 1000 to 1500 are here, out of order, and whose FIN has number 200.
fn contradictory(config: Config) -> Rig {
    let mut rig = Rig::established(config);
    let mut late = rig.segment(Flags::ACK, ISS + 1, &[b'b'; 500]);
    late.seq += 1000;
    rig.give(late);
    for (offset, text) in [(200, &[][..]), (100, &[b'a'; 100]), (1000, &[b'b'; 100])] {
        let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 1, text);
        fin.seq += offset;
        rig.give(fin);
    }
    assert!(rig.poll().iter().all(|segment| segment.flags == Flags::ACK));
    rig
}

/// RFC 9293, section 3.10.7.4, eighth step, and a peer that contradicts itself: of text and a FIN
/// before it what was received first counts, and the stream does not stop at a number that it has
/// gone past.
#[test]
fn rfc9293_3_10_7_4_a_fin_before_text_that_is_here_is_none() {
    let mut rig = contradictory(plain());
    rig.data(&[b'a'; 1000]);
    assert_eq!(rig.connection.state(), State::Established);
    rig.seq += 500;
    rig.data(&[b'c'; 10]);
    let mut all = Vec::new();
    while let Some(bytes) = rig.connection.read(10_000, rig.now) {
        all.extend_from_slice(&bytes);
    }
    assert_eq!(all, [vec![b'a'; 1000], vec![b'b'; 500], vec![b'c'; 10]].concat());
    rig.fin(ISS + 1);
    assert_eq!(rig.connection.state(), State::CloseWait);
    let last = rig.poll().pop().unwrap();
    assert_eq!(last.ack, SeqNum::new(rig.seq), "all of it, and the FIN");
}

/// RFC 9293, sections 3.8.4 and 3.9.1: nor does the connection hang when the peer sticks to its FIN
/// and says nothing else: keep-alive and the user time-out end it.
#[test]
fn rfc9293_3_8_4_who_sends_only_such_fins_is_given_up() {
    let mut config = plain();
    config.keep_alive = Some(KeepAlive {
        idle: Duration::from_secs(60),
        interval: Duration::from_secs(10),
        probes: 3,
    });
    let mut rig = contradictory(config);
    rig.pass(Duration::from_secs(60 + 3 * 10));
    assert_eq!(rig.connection.state(), State::Closed);
    assert!(rig.events().contains(&Event::Closed(CloseReason::KeepAliveTimeout)));
    let mut config = plain();
    config.user_timeout = Some(Duration::from_secs(30));
    let mut rig = contradictory(config);
    rig.write(100);
    rig.poll();
    for _ in 0..30 {
        rig.pass(Duration::from_secs(1));
        let mut fin = rig.segment(Flags::FIN | Flags::ACK, ISS + 1, b"");
        fin.seq += 200;
        rig.give(fin);
        rig.poll();
    }
    assert_eq!(rig.connection.state(), State::Closed);
    assert!(rig.events().contains(&Event::Closed(CloseReason::UserTimeout)));
}

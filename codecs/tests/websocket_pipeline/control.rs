//! Pings and pongs (RFC 6455 sections 5.5.2 and 5.5.3), and how messages are sent.

use bytes::Bytes;
use fyke_codecs::websocket::{CloseCode, CloseFrame, Message};
use fyke_core::ChannelOptions;

use crate::support::*;

#[test]
fn every_ping_is_answered_with_its_content() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    for content in [&b""[..], b"a", &[0xff; 125]] {
        channel.write_inbound(frame(PING, content));
        assert_eq!(channel.read_outbound(), plain(PONG, content));
    }
    let pings = [frame(PING, b"1"), frame(PING, b"2")].concat();
    channel.write_inbound(pings);
    assert_eq!(channel.read_outbound(), [plain(PONG, b"1"), plain(PONG, b"2")].concat());
    assert!(log.take().is_empty(), "the application does not see them");
}

#[test]
fn while_the_peer_does_not_read_only_the_last_ping_is_remembered() {
    let log = Log::default();
    let options = ChannelOptions::default().water_marks(4, 8).pause_when_unwritable(false);
    let mut channel = opened_with(options, config(), &log);
    channel.set_room(Some(0));
    channel.write_inbound(frame(TEXT, b"0123456789"));
    assert!(!channel.is_writable());
    for content in [b"1", b"2", b"3"] {
        channel.write_inbound(frame(PING, content));
    }
    assert_eq!(channel.pending_bytes(), 12, "no pong waits behind the message");
    channel.set_room(None);
    let expected = [plain(TEXT, b"0123456789"), plain(PONG, b"3")].concat();
    assert_eq!(channel.read_outbound(), expected);
}

#[test]
fn pongs_reach_the_application_only_when_asked_for() {
    let log = Log::default();
    opened(config(), &log).write_inbound(frame(PONG, b"x"));
    assert!(log.take().is_empty());
    let mut channel = opened(config().drop_pong_frames(false), &log);
    channel.write_inbound(frame(PONG, b"x"));
    assert_eq!(log.take(), [format!("{:?}", Message::Pong("x".into()))]);
}

#[test]
fn long_payloads_are_sent_from_where_they_lie() {
    let mut channel = opened(config().copy_bytes_max(3), &Log::default());
    let shared = Message::binary(Bytes::from_static(b"shared")).share();
    for message in [shared.clone(), Message::text("abc"), shared, Message::text("owned".to_owned())]
    {
        let sent = channel.write_outbound(message).expect("the tail takes messages");
        sent.wait().expect("the transport takes all");
    }
    let expected = [
        plain(0x82, b"shared"),
        plain(TEXT, b"abc"),
        plain(0x82, b"shared"),
        plain(TEXT, b"owned"),
    ];
    assert_eq!(channel.read_outbound(), expected.concat());
}

#[test]
fn the_answers_of_a_turn_leave_in_one_write_of_the_transport() {
    let mut channel = opened(config().copy_bytes_max(3), &Log::default());
    let before = channel.write_calls();
    let said: Vec<u8> = (0..20_u8)
        .flat_map(|n| [frame(TEXT, b"a longer text"), frame(TEXT, b"abc"), frame(PING, &[n])])
        .flatten()
        .collect();
    channel.write_inbound(said);
    assert_eq!(channel.write_calls() - before, 1);
    assert_eq!(channel.read_outbound().len(), 20 * (15 + 5 + 3));
}

#[test]
fn what_cannot_be_sent_fails_its_promise_and_nothing_else() {
    let mut channel = opened(config(), &Log::default());
    let too_long = [
        Message::Ping(vec![0; 126].into()),
        Message::Close(Some(CloseFrame::new(CloseCode::NORMAL, "x".repeat(124)))),
    ];
    for message in too_long {
        let sent = channel.write_outbound(message).expect("the tail takes messages");
        assert!(sent.wait().is_err());
    }
    assert!(channel.is_open());
    channel.write_inbound(frame(TEXT, b"still here"));
    assert_eq!(channel.read_outbound(), plain(TEXT, b"still here"));
}

//! The closing handshake, its time-out, and failures (RFC 6455 sections 5.5.1, 7.1 and 7.4).

use std::time::Duration;

use fyke_codecs::websocket::{CloseCode, CloseFrame, Limits, Message};
use fyke_core::{ChannelOptions, CloseReason};

use crate::support::*;

const TIMEOUT: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(10);

#[test]
fn the_peers_close_is_answered_with_its_code() {
    let cases = [
        (close(1000, "bye"), close(1000, ""), Some(CloseFrame::new(CloseCode::NORMAL, "bye"))),
        (close(1001, ""), close(1001, ""), Some(CloseFrame::new(CloseCode::GOING_AWAY, ""))),
        (close(4999, ""), close(4999, ""), CloseCode::new(4999).map(|c| CloseFrame::new(c, ""))),
        (vec![], vec![], None),
    ];
    for (theirs, ours, seen) in cases {
        let log = Log::default();
        let mut channel = opened(config(), &log);
        channel.write_inbound([frame(CLOSE, &theirs), frame(TEXT, b"too late")].concat());
        assert_eq!(channel.read_outbound(), plain(CLOSE, &ours));
        assert!(channel.output_ended(), "the server ends the connection first (section 7.1.1)");
        assert_eq!(log.take(), [seen_close(seen)]);
        channel.finish_inbound();
        assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
        assert_eq!(log.take(), ["inactive"]);
    }
}

#[test]
fn a_close_of_the_application_waits_for_the_answer() {
    for (asked, content) in [("close", close(1000, "")), ("leave", vec![])] {
        let log = Log::default();
        let mut channel = opened(config(), &log);
        channel.write_inbound(frame(TEXT, asked.as_bytes()));
        assert_eq!(channel.read_outbound(), plain(CLOSE, &content));
        // What was under way still arrives; pings find no answer any more.
        channel.write_inbound([frame(TEXT, b"under way"), frame(PING, b"x")].concat());
        assert!(channel.read_outbound().is_empty());
        assert!(channel.is_open());
        channel.write_inbound(frame(CLOSE, &close(1000, "")));
        assert!(channel.read_outbound().is_empty(), "one close each");
        assert!(channel.output_ended());
        let seen = seen_close(Some(CloseFrame::new(CloseCode::NORMAL, "")));
        assert_eq!(log.take(), [asked, "under way", &seen]);
        channel.finish_inbound();
        assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    }
}

#[test]
fn an_answer_that_does_not_come_is_waited_for_ten_seconds() {
    for config in [config(), config().close_timeout(TIMEOUT / 5)] {
        let timeout = if format!("{config:?}").contains("2s") { TIMEOUT / 5 } else { TIMEOUT };
        let mut channel = opened(config, &Log::default());
        channel.write_inbound(frame(TEXT, b"close"));
        channel.advance(timeout - TICK);
        assert!(channel.is_open(), "after almost {timeout:?}");
        assert!(!channel.output_ended());
        channel.advance(2 * TICK);
        assert!(!channel.is_open(), "after {timeout:?}");
        assert!(channel.output_ended(), "in order, as everything has been taken");
        channel.finish_inbound();
        assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
    }
}

#[test]
fn a_peer_that_takes_nothing_is_cut_when_the_time_is_over() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    channel.set_room(Some(0));
    channel.write_inbound(frame(TEXT, b"close"));
    channel.advance(TIMEOUT + TICK);
    assert_eq!(channel.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(log.take(), ["close", "inactive"]);
}

#[test]
fn nothing_is_sent_behind_a_close() {
    let log = Log::default();
    let mut channel = opened(config(), &log);
    channel.write_inbound(frame(TEXT, b"leave twice"));
    assert_eq!(channel.read_outbound(), plain(CLOSE, b""));
    let late = channel.write_outbound(Message::text("late")).expect("the tail takes messages");
    assert!(late.wait().is_err_and(|error| error.is_closed()));
    assert!(channel.read_outbound().is_empty());
    channel.write_inbound(frame(CLOSE, b""));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
    assert!(channel.take_error().is_none());
}

#[test]
fn a_breach_of_the_protocol_is_told_and_ends_the_connection() {
    let long = [0x82, 0xfe, 0x10, 0x00, 1, 2, 3, 4];
    let cases: &[(&[u8], u16, CloseReason)] = &[
        (&plain(TEXT, b"not masked"), 1002, CloseReason::Protocol),
        (&frame(0xc1, b"reserved bit"), 1002, CloseReason::Protocol),
        (&frame(0x83, b"reserved opcode"), 1002, CloseReason::Protocol),
        (&frame(0x80, b"continues nothing"), 1002, CloseReason::Protocol),
        (&frame(0x09, b"a ping in fragments"), 1002, CloseReason::Protocol),
        (&frame(CLOSE, b"x"), 1002, CloseReason::Protocol),
        (&frame(CLOSE, &close(1005, "")), 1002, CloseReason::Protocol),
        (&frame(CLOSE, b"\x03\xe8\xff"), 1007, CloseReason::Protocol),
        (&frame(TEXT, b"\xff"), 1007, CloseReason::Protocol),
        (&frame(0x01, b"\xff"), 1007, CloseReason::Protocol),
        (&long, 1009, CloseReason::Limit),
    ];
    for (bytes, code, reason) in cases {
        let log = Log::default();
        let limits = Limits::new().message_bytes_max(4095);
        let mut channel = opened(config().limits(limits), &log);
        let bytes = [*bytes, &frame(TEXT, b"not looked at")].concat();
        channel.write_inbound([frame(TEXT, b"good"), bytes.clone()].concat());
        let sent = channel.read_outbound();
        let closing = &sent[6..];
        assert_eq!(sent[..6], plain(TEXT, b"good"), "{bytes:02x?}");
        assert_eq!((closing[0], &closing[2..4]), (CLOSE, &code.to_be_bytes()[..]), "{bytes:02x?}");
        assert_eq!(closing.len(), 2 + usize::from(closing[1]), "nothing follows: {bytes:02x?}");
        assert!(channel.output_ended(), "{bytes:02x?}");
        let seen = log.take();
        assert_eq!((seen.len(), seen[0].as_str()), (2, "good"), "{seen:?}");
        assert!(seen[1].starts_with(&format!("error: {code}: ")), "{seen:?}");
        channel.finish_inbound();
        assert_eq!(channel.close_reason(), Some(*reason), "{bytes:02x?}");
    }
}

#[test]
fn an_end_without_a_close_is_no_conversation() {
    for (bytes, reason) in [
        (vec![], CloseReason::PeerEnd),
        (frame(TEXT, b"cut off")[..9].to_vec(), CloseReason::Protocol),
        (frame(0x01, b"more to come"), CloseReason::Protocol),
    ] {
        let log = Log::default();
        let mut channel = opened(config(), &log);
        channel.write_inbound(bytes);
        channel.finish_inbound();
        assert!(channel.read_outbound().is_empty());
        assert_eq!(channel.close_reason(), Some(reason));
        assert_eq!(log.take().last().map(String::as_str), Some("inactive"));
    }
}

#[test]
fn a_failing_application_says_1011() {
    let mut channel = opened(config(), &Log::default());
    channel.write_inbound(frame(TEXT, b"fail"));
    assert_eq!(channel.read_outbound(), plain(CLOSE, &close(1011, "")));
    assert!(channel.output_ended());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

#[test]
fn a_server_that_shuts_down_says_1001_and_waits_for_nobody() {
    for closing in [false, true] {
        let mut channel = opened(config(), &Log::default());
        if closing {
            channel.write_inbound(frame(TEXT, b"leave"));
            assert_eq!(channel.read_outbound(), plain(CLOSE, b""));
        }
        channel.event_loop().shutdown(Duration::from_secs(5), |report| assert_eq!(report.cut, 0));
        channel.run_pending();
        let expected = if closing { vec![] } else { plain(CLOSE, &close(1001, "")) };
        assert_eq!(channel.read_outbound(), expected);
        assert!(channel.output_ended());
        channel.advance(Duration::from_secs(1));
        assert!(channel.close_reason().is_some(), "long before the deadline");
    }
}

#[test]
fn handles_close_in_order_too() {
    let mut channel = opened(config(), &Log::default());
    channel.channel().close();
    channel.run_pending();
    assert_eq!(channel.read_outbound(), plain(CLOSE, &close(1000, "")));
    channel.write_inbound(frame(CLOSE, &close(1000, "")));
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Local));
}

#[test]
fn a_ping_that_waits_is_forgotten_by_a_close() {
    let options = ChannelOptions::default().water_marks(4, 8).pause_when_unwritable(false);
    let mut channel = opened_with(options, config(), &Log::default());
    channel.set_room(Some(0));
    channel.write_inbound([frame(TEXT, b"0123456789"), frame(PING, b"1")].concat());
    channel.write_inbound(frame(CLOSE, b""));
    channel.set_room(None);
    let expected = [plain(TEXT, b"0123456789"), plain(CLOSE, b"")].concat();
    assert_eq!(channel.read_outbound(), expected);
}

//! permessage-deflate through the pipeline, messages in parts, and WebSockets at every path.

use fyke_codecs::websocket::{
    DeflateConfig, Limits, Message, Opened, PreparedMessage, WebSocketServerProtocolConfig,
};
use fyke_core::CloseReason;
use fyke_core::embedded::EmbeddedChannel;

use crate::support::*;

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn deflating() -> WebSocketServerProtocolConfig {
    config().deflate(DeflateConfig::new().threshold_bytes(5))
}

/// The answer to a handshake with these lines.
fn shake(config: WebSocketServerProtocolConfig, lines: &str) -> (EmbeddedChannel, String) {
    let mut channel = server(config, &Log::default());
    channel.write_inbound(handshake(lines));
    let head = String::from_utf8(channel.read_outbound().to_vec()).expect("a head");
    (channel, head)
}

#[test]
fn what_is_agreed_to_stands_in_the_answer() {
    let line = "Sec-WebSocket-Extensions: permessage-deflate";
    let none = "";
    let cases = [
        (config(), OFFER, none),
        (deflating(), "", none),
        (deflating(), "Sec-WebSocket-Extensions: x-webkit-deflate-frame", none),
        (deflating(), "Sec-WebSocket-Extensions: permessage-deflate; x", none),
        (deflating(), OFFER, "\r\n"),
        (
            deflating(),
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9",
            "; server_max_window_bits=9\r\n",
        ),
        (
            config().deflate(DeflateConfig::new().server_no_context_takeover(true)),
            OFFER,
            "; server_no_context_takeover\r\n",
        ),
    ];
    for (config, offer, expected) in cases {
        let (_, head) = shake(config, offer);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        match expected {
            "" => assert!(!head.contains("Extensions"), "{head}"),
            more => assert!(head.contains(&format!("\r\n{line}{more}")), "{head}"),
        }
    }
    let (mut channel, head) = shake(deflating(), "Sec-WebSocket-Extensions: a b");
    assert!(head.starts_with("HTTP/1.1 400 ") && channel.is_open(), "{head}");
}

#[test]
fn compressed_messages_go_both_ways() {
    let (mut channel, _) = shake(deflating(), OFFER);
    channel.write_inbound(frame(0xc1, HELLO));
    assert_eq!(channel.read_outbound(), plain(0xc1, HELLO));
    // The second time, both windows know it.
    channel.write_inbound(frame(0xc1, b"\xf2\x00\x11\x00\x00"));
    assert_eq!(channel.read_outbound(), plain(0xc1, b"\xf2\x00\x11\x00\x00"));
    channel.write_inbound(frame(0x81, b"tiny"));
    assert_eq!(channel.read_outbound(), plain(0x81, b"tiny"));
    channel.write_inbound(frame(0xc1, b"\x07"));
    let sent = channel.read_outbound();
    assert_eq!((sent[0], &sent[2..4]), (CLOSE, &b"\x03\xef"[..]), "1007");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Protocol));
}

#[test]
fn without_an_agreement_rsv1_is_a_breach() {
    for (config, offer) in [(config(), OFFER), (deflating(), "")] {
        let (mut channel, _) = shake(config, offer);
        channel.write_inbound(frame(0xc1, HELLO));
        assert_eq!(channel.read_outbound()[2..4], [0x03, 0xea]);
    }
}

#[test]
fn a_bomb_is_refused_by_what_comes_out() {
    let limits = Limits::new().message_bytes_max(1000);
    let (mut channel, _) = shake(deflating().limits(limits), OFFER);
    // 3612 times the letter a.
    let bomb = b"\xec\xc1\x81\0\0\0\0\xc3 \xd6\xf9K\x1c\xe4U\x01\0\0\xf0n\0";
    channel.write_inbound(frame(0xc1, bomb));
    let sent = channel.read_outbound();
    assert_eq!((sent[0], &sent[2..4]), (0x88, &b"\x03\xf1"[..]), "{sent:?}");
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Limit));
}

#[test]
fn one_prepared_message_for_many() {
    let short = Message::from(PreparedMessage::text("Hello"));
    let long = Message::from(PreparedMessage::text("Hello ".repeat(100)));
    let config = deflating().copy_bytes_max(3);
    // Five bytes of text are seven compressed: they stay as they are.
    for (offer, first) in [(OFFER, 0xc1), ("", 0x81), (OFFER, 0xc1)] {
        let (mut channel, _) = shake(config.clone(), offer);
        for message in [short.clone(), long.clone()] {
            let sent = channel.write_outbound(message).expect("the tail takes messages");
            sent.wait().expect("the transport takes all");
        }
        let sent = channel.read_outbound();
        assert_eq!(sent[..7], plain(0x81, b"Hello"), "{offer}");
        assert_eq!((sent[7], sent.len() < 60), (first, !offer.is_empty()), "{sent:?}");
    }
}

#[test]
fn messages_in_parts() {
    let log = Log::default();
    let mut channel = server(config().streaming(true), &log);
    channel.write_inbound(handshake(""));
    assert_eq!(channel.read_outbound(), ACCEPTED.as_bytes());
    log.take();
    channel.write_inbound(frame(0x01, b"on"));
    assert_eq!(channel.read_outbound(), plain(0x01, b"on"), "at once, before its end");
    channel.write_inbound(frame(0x80, b"e"));
    assert_eq!(channel.read_outbound(), plain(0x80, b"e"));
    channel.write_inbound(frame(CLOSE, b""));
    assert_eq!(channel.read_outbound(), plain(CLOSE, b""));
    assert_eq!(log.take().len(), 3);
}

#[test]
fn every_path_is_a_websocket() {
    let config = WebSocketServerProtocolConfig::any_path();
    for path in ["/", "/ws", "/a/b?c=d"] {
        let mut channel = server(config.clone(), &Log::default());
        let head = String::from_utf8(handshake("")).expect("text");
        channel.write_inbound(head.replace("/ws?room=1", path).into_bytes());
        assert_eq!(channel.read_outbound(), ACCEPTED.as_bytes(), "{path}");
    }
    let mut channel = server(config, &Log::default());
    channel.write_inbound(request(&["GET /page HTTP/1.1", "Host: a"]));
    assert!(channel.read_outbound().starts_with(b"HTTP/1.1 426 "));
}

#[test]
fn the_application_knows_what_was_agreed_to() {
    fn bits(opened: &Opened<'_>) -> Option<u8> {
        opened.deflate.map(|agreed| agreed.server_max_window_bits())
    }
    use fyke_codecs::http1::ServerCodec;
    use fyke_codecs::websocket::WebSocketServerProtocolHandler;
    let log = Log::default();
    let (noted, config) = (log.clone(), deflating());
    let mut channel = EmbeddedChannel::new(move |ch| {
        let noted = noted.clone();
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, move |opened| {
            noted.note(format!("{:?}", bits(opened)));
            App::new(&Log::default(), opened)
        });
        ch.pipeline()
            .codec("http", ServerCodec::default())
            .duplex("ws-upgrade", upgrade)
            .inbound("service", Service::default())
    });
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=11";
    channel.write_inbound(handshake(offer));
    assert_eq!(log.take(), ["Some(11)"]);
}

//! The handshake (RFC 6455 section 4.2), and the change from one protocol to the other.

use fyke_buffer::ByteBuf;
use fyke_codecs::http1::ServerCodec;
use fyke_codecs::websocket::WebSocketServerProtocolHandler;
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{CloseReason, Context, ErrorKind, InboundHandler, LinkError, Outgoing, Result};

use crate::support::*;

/// The text that `bytes` begin with.
fn text_of(bytes: &ByteBuf) -> &str {
    let end = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    std::str::from_utf8(&bytes[..end]).expect("checked above")
}

#[test]
fn opens() {
    let log = Log::default();
    let mut channel = server(config(), &log);
    channel.write_inbound(handshake("Sec-WebSocket-Protocol: chat"));
    assert_eq!(channel.read_outbound(), ACCEPTED.as_bytes());
    assert_eq!(channel.stages(), ["ws-decoder", "ws", "ws-app"]);
    assert_eq!(log.take(), ["opened /ws?room=1 None"]);
    channel.write_inbound(frame(TEXT, b"Hello"));
    assert_eq!(channel.read_outbound(), plain(TEXT, b"Hello"));
}

#[test]
fn bytes_behind_the_handshake_are_frames() {
    let log = Log::default();
    let mut channel = server(config(), &log);
    let mut bytes = handshake("");
    bytes.extend(frame(TEXT, b"one"));
    bytes.extend(frame(PING, b"two"));
    bytes.extend(&frame(TEXT, b"three")[..4]);
    channel.write_inbound(bytes);
    let answers = [ACCEPTED.as_bytes(), &plain(TEXT, b"one"), &plain(PONG, b"two")].concat();
    assert_eq!(channel.read_outbound(), answers);
    channel.write_inbound(&frame(TEXT, b"three")[4..]);
    assert_eq!(channel.read_outbound(), plain(TEXT, b"three"));
    assert_eq!(log.take(), ["opened /ws?room=1 None", "one", "three"]);
}

#[test]
fn other_requests_pass() {
    let mut channel = server(config(), &Log::default());
    let other = [
        request(&["GET /page HTTP/1.1", "Host: a"]),
        request(&["GET /ws/more HTTP/1.1", "Host: a"]),
        request(&["POST /upload HTTP/1.1", "Host: a", "Content-Length: 3"]),
        b"abc".to_vec(),
        request(&["GET /other HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: h2c"]),
        handshake(""),
    ];
    channel.write_inbound(other.concat());
    let sent = channel.read_outbound();
    let answer =
        |path: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
    let expected = ["/page", "/ws/more", "/upload", "/other"].map(answer).concat() + ACCEPTED;
    assert_eq!(text_of(&sent), expected);
}

#[test]
fn refuses_what_is_no_handshake() {
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const VERSION: &str = "Sec-WebSocket-Version: 13";
    const UP: [&str; 2] = ["Upgrade: websocket", "Connection: Upgrade"];
    let cases: &[(&str, &[&str], &str, &str)] = &[
        ("GET /ws HTTP/1.1", &[], "426", "Upgrade: websocket"),
        ("GET /ws HTTP/1.1", &[UP[0], KEY, VERSION], "426", "Connection: Upgrade"),
        ("GET /ws HTTP/1.1", &["Upgrade: h2c", UP[1], KEY, VERSION], "426", "Upgrade: websocket"),
        ("GET /ws HTTP/1.1", &[UP[0], UP[1], KEY], "426", "Sec-WebSocket-Version: 13"),
        (
            "GET /ws HTTP/1.1",
            &[UP[0], UP[1], KEY, "Sec-WebSocket-Version: 8"],
            "426",
            "Sec-WebSocket-Version: 13",
        ),
        ("GET /ws HTTP/1.1", &[UP[0], UP[1], VERSION], "400", ""),
        ("GET /ws HTTP/1.1", &[UP[0], UP[1], VERSION, KEY, KEY], "400", ""),
        ("GET /ws HTTP/1.1", &[UP[0], UP[1], VERSION, "Sec-WebSocket-Key: short"], "400", ""),
        ("GET /ws HTTP/1.0", &[UP[0], UP[1], "Connection: keep-alive", VERSION, KEY], "400", ""),
        ("POST /ws HTTP/1.1", &[UP[0], UP[1], VERSION, KEY], "405", "Allow: GET"),
        ("HEAD /ws HTTP/1.1", &[], "405", "Allow: GET"),
        ("GET /ws HTTP/1.1", &[UP[0], UP[1], VERSION, KEY, "Origin: http://b"], "403", ""),
    ];
    for (line, fields, status, field) in cases {
        let log = Log::default();
        let mut channel = server(config(), &log);
        let lines = [&[*line, "Host: a"], *fields].concat();
        // The connection goes on behind the refusal, in the same read too.
        let mut bytes = request(&lines);
        bytes.extend(request(&["GET /next HTTP/1.1", "Host: a"]));
        channel.write_inbound(bytes);
        let sent = channel.read_outbound();
        let text = text_of(&sent);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{lines:?}: {text}");
        assert!(text.contains(&format!("\r\n{field}")), "{lines:?}: {text}");
        assert!(text.ends_with("\r\n\r\n/next"), "{lines:?}: {text}");
        assert!(log.take().is_empty(), "{lines:?}");
        assert!(channel.is_open(), "{lines:?}");
    }
}

#[test]
fn the_body_of_a_refused_request_is_nobodys_request() {
    let mut channel = server(config(), &Log::default());
    let mut bytes = request(&["POST /ws HTTP/1.1", "Host: a", "Content-Length: 28"]);
    bytes.extend(request(&["GET /smuggled HTTP/1.1"]).iter().chain(b"xx").copied());
    bytes.extend(b"xx");
    bytes.extend(request(&["GET /next HTTP/1.1", "Host: a"]));
    channel.write_inbound(bytes);
    let sent = channel.read_outbound();
    let text = text_of(&sent);
    assert!(text.starts_with("HTTP/1.1 405 "), "{text}");
    assert!(!text.contains("smuggled"), "{text}");
}

#[test]
fn origins() {
    let cases = [
        ("", true),
        ("Origin: http://server.example.com", true),
        ("Origin: HTTPS://Server.Example.COM", true),
        ("Origin: http://server.example.com:81", false),
        ("Origin: http://server.example.com.evil.example", false),
        ("Origin: http://evil.example", false),
        ("Origin: ftp://server.example.com", false),
        ("Origin: null", false),
        ("Origin:", false),
        ("Origin: http://server.example.com\r\nOrigin: http://server.example.com", false),
    ];
    for (origin, own) in cases {
        let mut channel = server(config(), &Log::default());
        channel.write_inbound(handshake(origin));
        let status = if own { "HTTP/1.1 101 " } else { "HTTP/1.1 403 " };
        let sent = channel.read_outbound();
        assert!(sent.starts_with(status.as_bytes()), "{origin}: {}", text_of(&sent));
        let mut channel = server(config().any_origin(), &Log::default());
        channel.write_inbound(handshake(origin));
        assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 "), "{origin}");
    }
    let only_evil = config().origin(|head| head.header("origin") == Some(b"http://evil.example"));
    let mut channel = server(only_evil, &Log::default());
    channel.write_inbound(handshake("Origin: http://evil.example"));
    assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 "));
}

#[test]
fn subprotocols() {
    let cases = [
        ("", None),
        ("Sec-WebSocket-Protocol: soap", None),
        ("Sec-WebSocket-Protocol: soap, mqtt, stomp", Some("mqtt")),
        ("Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: stomp", Some("stomp")),
    ];
    for (offer, agreed) in cases {
        let log = Log::default();
        let mut channel = server(config().protocols(&["stomp", "mqtt"]), &log);
        channel.write_inbound(handshake(offer));
        let sent = channel.read_outbound();
        let line = agreed.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n"));
        let text = text_of(&sent);
        match line {
            Some(line) => assert!(text.contains(&line), "{text}"),
            None => assert!(!text.contains("Sec-WebSocket-Protocol"), "{text}"),
        }
        assert_eq!(log.take(), [format!("opened /ws?room=1 {agreed:?}")]);
    }
}

#[test]
fn answers_keep_the_order_of_the_requests() {
    for server in [server, full_server] {
        let log = Log::default();
        let mut channel = server(config(), &log);
        let requests = [
            request(&["GET /later/1 HTTP/1.1", "Host: a"]),
            request(&["GET /ws HTTP/1.1", "Host: a"]),
            request(&["GET /later/2 HTTP/1.1", "Host: a"]),
            handshake(""),
            frame(TEXT, b"already here"),
        ];
        channel.write_inbound(requests.concat());
        assert!(channel.read_outbound().is_empty(), "everything waits for the service");
        assert!(log.take().is_empty());
        channel.fire_event(AnswerNow);
        let sent = channel.read_outbound();
        let head = text_of(&sent);
        let parts = ["/later/1", "HTTP/1.1 426 ", "/later/2", "HTTP/1.1 101 "];
        assert!(parts.map(|part| head.find(part).expect(part)).is_sorted(), "{head}");
        let behind = [ACCEPTED.as_bytes(), &plain(TEXT, b"already here")].concat();
        assert!(sent.ends_with(&behind), "{head}");
        assert_eq!(log.take(), ["opened /ws?room=1 None", "already here"]);
        channel.write_inbound(frame(TEXT, b"and on"));
        assert_eq!(channel.read_outbound(), plain(TEXT, b"and on"));
    }
}

/// Passes bytes on.
struct InFront;

impl InboundHandler for InFront {
    type In = ByteBuf;
    type Out = ByteBuf;
    type Write = Outgoing;

    fn read(&mut self, cx: &mut Context<'_, Self>, bytes: ByteBuf) -> Result<()> {
        cx.fire_read(bytes);
        Ok(())
    }
}

fn with_stage_in_front(http_stage: &'static str) -> EmbeddedChannel {
    let config = config().http_stage(http_stage);
    EmbeddedChannel::new(move |ch| {
        let log = Log::default();
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, move |o| App::new(&log, o));
        ch.pipeline()
            .inbound("front", InFront)
            .codec("h1", ServerCodec::default())
            .duplex("ws-upgrade", upgrade)
            .inbound("service", Service::default())
    })
}

#[test]
fn stages_in_front_of_http_stay() {
    let mut channel = with_stage_in_front("h1");
    channel.write_inbound([handshake(""), frame(TEXT, b"Hello")].concat());
    assert_eq!(channel.stages(), ["front", "ws-decoder", "ws", "ws-app"]);
    assert!(channel.read_outbound().ends_with(&plain(TEXT, b"Hello")));
}

#[test]
fn an_http_stage_that_is_not_there_is_an_error() {
    let mut channel = with_stage_in_front("http");
    channel.write_inbound(handshake(""));
    let error = channel.take_error().expect("a wrong name is told");
    let ErrorKind::Link(LinkError::NoSuchStage(name)) = error.kind() else { panic!("{error}") };
    assert_eq!(name, "http");
    assert!(!channel.is_open());
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::Handler));
}

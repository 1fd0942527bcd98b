//! Sections 3, 4.1 and 4.2.2: URLs, what a client asks for, which answers open a WebSocket.

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::http1::client::{ClientCodec, ClientResponsePart};
use fyke_codecs::websocket::{
    Agreed, ClientHandshake, ClientHandshakeError, DeflateConfig, WebSocketUrl,
};

const NONCE: [u8; 16] = *b"the sample nonce";
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

fn handshake() -> ClientHandshake {
    ClientHandshake::new(NONCE)
}

fn sent(handshake: &ClientHandshake) -> (ClientCodec, String) {
    let mut codec = ClientCodec::default();
    let mut dst = ByteBuf::new();
    codec.encode(handshake.request("a:81", "/b?c").into(), &mut dst).expect("a good request");
    (codec, String::from_utf8(dst.to_vec()).expect("text"))
}

/// What a client makes of an answer of these lines behind the status line.
fn answer(handshake: &ClientHandshake, lines: &[&str]) -> Result<Agreed, ClientHandshakeError> {
    let (mut codec, _) = sent(handshake);
    let text = format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\nhi", lines.concat());
    let mut src = ByteBuf::from(text.as_bytes());
    match codec.decode(&mut src).expect("a response") {
        Some(ClientResponsePart::Head(head)) => handshake.check(&head),
        other => panic!("{lines:?}: {other:?}"),
    }
}

#[test]
fn the_request_4_1() {
    let (_, text) = sent(&handshake());
    assert_eq!(
        text,
        "GET /b?c HTTP/1.1\r\nHost: a:81\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    let more = handshake()
        .protocols(["chat", "superchat"])
        .deflate(&DeflateConfig::new())
        .header("Origin", "http://a");
    let (_, text) = sent(&more);
    for line in [
        "\r\nSec-WebSocket-Protocol: chat, superchat\r\n",
        "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        "\r\nOrigin: http://a\r\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let split = handshake().header("Cookie", "a\r\nHost: evil");
    assert!(split.request("a", "/").check().is_err());
    assert!(handshake().request("a", "/ HTTP/1.1\r\n").check().is_err());
}

#[test]
fn answers_that_open_4_1() {
    let protocol = |name: Option<&str>| name.map(str::to_owned);
    let both = handshake().protocols(["chat", "superchat"]);
    let table: &[(&ClientHandshake, &[&str], Option<&str>)] = &[
        (&handshake(), &[UPGRADE, ACCEPT], None),
        (&handshake(), &["upgrade: WebSocket\r\nconnection: x, UPGRADE\r\n", ACCEPT], None),
        (&handshake(), &[UPGRADE, ACCEPT, "X-More: 1\r\n"], None),
        (&both, &[UPGRADE, ACCEPT], None),
        (&both, &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol: superchat\r\n"], Some("superchat")),
    ];
    for (handshake, lines, expected) in table {
        let agreed = answer(handshake, lines).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
        assert_eq!((agreed.protocol, agreed.deflate), (protocol(*expected), None), "{lines:?}");
    }
    let deflates = handshake().deflate(&DeflateConfig::new());
    let line = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n";
    let agreed = answer(&deflates, &[UPGRADE, ACCEPT, line]).expect("good").deflate;
    assert_eq!(agreed.map(|agreed| agreed.server_max_window_bits()), Some(10));
    assert_eq!(answer(&deflates, &[UPGRADE, ACCEPT]).expect("good").deflate, None);
}

#[test]
fn answers_that_do_not_open_4_1() {
    use ClientHandshakeError::{Accept, NoUpgrade, Protocol};
    let both = handshake().protocols(["chat", "superchat"]);
    let table: &[(ClientHandshakeError, &ClientHandshake, &[&str])] = &[
        (NoUpgrade, &handshake(), &["Upgrade: h2c\r\nConnection: Upgrade\r\n", ACCEPT]),
        (NoUpgrade, &handshake(), &["Upgrade: websocket, h2c\r\nConnection: Upgrade\r\n", ACCEPT]),
        (NoUpgrade, &handshake(), &[UPGRADE, "Upgrade: websocket\r\n", ACCEPT]),
        (Accept, &handshake(), &[UPGRADE]),
        (Accept, &handshake(), &[UPGRADE, ACCEPT, ACCEPT]),
        (Accept, &handshake(), &[UPGRADE, "Sec-WebSocket-Accept:\r\n"]),
        (
            Accept,
            &handshake(),
            &[UPGRADE, "Sec-WebSocket-Accept: S3PPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"],
        ),
        (Accept, &handshake(), &[UPGRADE, "Sec-WebSocket-Accept: dGhlIHNhbXBsZSBub25jZQ==\r\n"]),
        (Protocol, &handshake(), &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol: chat\r\n"]),
        (Protocol, &handshake(), &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol:\r\n"]),
        (Protocol, &both, &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol: Chat\r\n"]),
        (Protocol, &both, &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol: chat, superchat\r\n"]),
        (
            Protocol,
            &both,
            &[UPGRADE, ACCEPT, "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n"],
        ),
    ];
    for (error, handshake, lines) in table {
        assert_eq!(answer(handshake, lines), Err(*error), "{lines:?}");
    }
    let deflates = handshake().deflate(&DeflateConfig::new());
    for (handshake, value) in [
        (&handshake(), "permessage-deflate"),
        (&handshake(), "a b"),
        (&deflates, "permessage-bzip2"),
        (&deflates, "permessage-deflate; client_max_window_bits=8"),
        (&deflates, "permessage-deflate, permessage-deflate"),
        (&deflates, ""),
    ] {
        let line = format!("Sec-WebSocket-Extensions: {value}\r\n");
        let refused = answer(handshake, &[UPGRADE, ACCEPT, &line]);
        assert!(
            matches!(refused, Err(ClientHandshakeError::Extensions(_))),
            "{value}: {refused:?}"
        );
    }
}

#[test]
fn other_statuses_do_not_open() {
    for (status, reason) in [(200, "OK"), (301, "Moved"), (401, "No"), (404, "No"), (426, "No")] {
        let handshake = handshake();
        let (mut codec, _) = sent(&handshake);
        let text =
            format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n{UPGRADE}{ACCEPT}\r\n");
        let part = codec.decode(&mut ByteBuf::from(text.as_bytes())).expect("a response");
        let Some(ClientResponsePart::Head(head)) = part else { panic!("{part:?}") };
        let error = handshake.check(&head).expect_err("no 101");
        assert!(matches!(error, ClientHandshakeError::Status(s) if s.as_u16() == status));
        assert!(error.to_string().ends_with(&status.to_string()), "{error}");
    }
}

#[test]
fn urls_3() {
    let table = [
        ("ws://a", "a", 80, "a", "/"),
        ("WS://a/", "a", 80, "a", "/"),
        ("ws://a:80/x", "a", 80, "a", "/x"),
        ("ws://a:/x", "a", 80, "a", "/x"),
        ("ws://a:9001", "a", 9001, "a:9001", "/"),
        ("ws://a?b=c", "a", 80, "a", "/?b=c"),
        (
            "ws://127.0.0.1:9001/runCase?case=1&agent=x",
            "127.0.0.1",
            9001,
            "127.0.0.1:9001",
            "/runCase?case=1&agent=x",
        ),
        ("ws://[::1]/x", "::1", 80, "[::1]", "/x"),
        ("ws://[::1]:81/x", "::1", 81, "[::1]:81", "/x"),
        ("wss://a/x", "a", 443, "a", "/x"),
        ("wss://a:80/x", "a", 80, "a:80", "/x"),
    ];
    for (text, host, port, authority, target) in table {
        let url: WebSocketUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((url.host(), url.port()), (host, port), "{text}");
        assert_eq!((url.authority(), url.target()), (authority, target), "{text}");
        assert_eq!(url.is_secure(), text.starts_with("wss"), "{text}");
        assert_eq!(url.to_string().parse().as_ref(), Ok(&url), "{text}");
    }
    for text in [
        "",
        "a",
        "http://a",
        "ws:/a",
        "ws://",
        "ws:///x",
        "ws://:80",
        "ws://a:x",
        "ws://a:65536",
        "ws://a:-1",
        "ws://u@a",
        "ws://u:p@a/",
        "ws://a/#x",
        "ws://a#x",
        "ws://a b",
        "ws://a/\r\n",
        "ws://a/\u{e4}",
        "ws://[::1",
        "ws://[::1]x",
        "ws://[a]",
        "ws://::1",
    ] {
        assert!(text.parse::<WebSocketUrl>().is_err(), "{text}");
    }
}

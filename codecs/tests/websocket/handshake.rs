//! Section 4.2: the opening handshake.

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::http1::{RequestHead, RequestPart, Response, ServerCodec};
use fyke_codecs::websocket::{Handshake, HandshakeError, accept_key, choose_protocol};

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n";

fn request(text: &str) -> (ServerCodec, RequestHead) {
    let mut codec = ServerCodec::default();
    let mut src = ByteBuf::from(text);
    match codec.decode(&mut src) {
        Ok(Some(RequestPart::Full(head) | RequestPart::Head(head))) => (codec, head),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn get(lines: &[&str]) -> RequestHead {
    request(&format!("GET /chat HTTP/1.1\r\nHost: a\r\n{}\r\n", lines.concat())).1
}

fn answer(response: Response) -> String {
    let (mut codec, _) = request(&format!("GET / HTTP/1.1\r\nHost: a\r\n{UPGRADE}\r\n"));
    let mut dst = ByteBuf::new();
    codec.encode(response.into(), &mut dst).expect("good");
    String::from_utf8_lossy(&dst).into_owned()
}

#[test]
fn the_rfc_s_own_example_1_3() {
    assert_eq!(&accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let handshake = Handshake::check(&get(&[UPGRADE, KEY, VERSION])).expect("good");
    assert_eq!(
        answer(handshake.response(Some("chat"))),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n"
    );
    assert!(!answer(handshake.response(None)).contains("Protocol:"));
}

#[test]
fn requests_that_open() {
    for lines in [
        &["Upgrade: WebSocket\r\nConnection: keep-alive, upgrade\r\n", KEY, VERSION][..],
        &["Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n", KEY, VERSION],
        &[UPGRADE, KEY, VERSION, "Sec-WebSocket-Protocol: a, b,\r\n"],
        &[UPGRADE, KEY, VERSION, "Sec-WebSocket-Extensions: unknown; a=\"b\", x\r\n"],
        &[UPGRADE, VERSION, KEY, "Origin: http://a\r\n", "Content-Length: 0\r\n"],
        &[UPGRADE, VERSION, "Sec-WebSocket-Key:   dGhlIHNhbXBsZSBub25jZR==  \r\n"],
    ] {
        assert!(Handshake::check(&get(lines)).is_ok(), "{lines:?}");
    }
}

#[test]
fn requests_that_do_not_open_4_2_1() {
    use HandshakeError::{
        Body, Extensions, HttpVersion, Key, Method, NoUpgrade, Protocols, Version,
    };
    let refused = |head: &RequestHead| Handshake::check(head).err();
    let table: &[(HandshakeError, u16, &[&str])] = &[
        (NoUpgrade, 426, &[KEY, VERSION]),
        (NoUpgrade, 426, &["Connection: upgrade\r\n", KEY, VERSION]),
        (NoUpgrade, 426, &["Upgrade: websocket\r\n", KEY, VERSION]),
        (NoUpgrade, 426, &["Upgrade: h2c\r\nConnection: upgrade\r\n", KEY, VERSION]),
        (NoUpgrade, 426, &["Upgrade: websockets\r\nConnection: upgrade\r\n", KEY, VERSION]),
        (NoUpgrade, 426, &["Upgrade: websocket\r\nConnection: keep-alive\r\n", KEY, VERSION]),
        (Version, 426, &[UPGRADE, KEY]),
        (Version, 426, &[UPGRADE, KEY, "Sec-WebSocket-Version: 8\r\n"]),
        (Version, 426, &[UPGRADE, KEY, "Sec-WebSocket-Version: 13, 8\r\n"]),
        (Version, 426, &[UPGRADE, KEY, VERSION, VERSION]),
        (Version, 426, &[UPGRADE, KEY, "Sec-WebSocket-Version: 013\r\n"]),
        (Key, 400, &[UPGRADE, VERSION]),
        (Key, 400, &[UPGRADE, VERSION, KEY, KEY]),
        (Key, 400, &[UPGRADE, VERSION, "Sec-WebSocket-Key:\r\n"]),
        (Key, 400, &[UPGRADE, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n"]),
        (Key, 400, &[UPGRADE, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n"]),
        (Key, 400, &[UPGRADE, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"]),
        (Key, 400, &[UPGRADE, VERSION, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2*jZQ==\r\n"]),
        (Body, 400, &[UPGRADE, VERSION, KEY, "Content-Length: 1\r\n"]),
        (Body, 400, &[UPGRADE, VERSION, KEY, "Transfer-Encoding: chunked\r\n"]),
        (Protocols, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol:\r\n"]),
        (Protocols, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol: a b\r\n"]),
        (Protocols, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol: a, a\r\n"]),
        (Protocols, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol: \"a\"\r\n"]),
        (Extensions, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Extensions:\r\n"]),
        (Extensions, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Extensions: a b\r\n"]),
        (Extensions, 400, &[UPGRADE, VERSION, KEY, "Sec-WebSocket-Extensions: a; =b\r\n"]),
    ];
    for (error, status, lines) in table {
        assert_eq!(refused(&get(lines)), Some(*error), "{lines:?}");
        assert_eq!(error.status().as_u16(), *status, "{lines:?}");
    }
    let lines = [UPGRADE, VERSION, KEY].concat();
    let (_, post) = request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
    assert_eq!(refused(&post), Some(Method));
    let (_, old) = request(&format!("GET / HTTP/1.0\r\nHost: a\r\n{lines}\r\n"));
    assert_eq!(refused(&old), Some(HttpVersion));
}

#[test]
fn refusals_say_what_would_do() {
    let version = answer(HandshakeError::Version.response());
    assert!(version.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{version}");
    assert!(version.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{version}");
    let none = answer(HandshakeError::NoUpgrade.response());
    assert!(none.contains("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"), "{none}");
    assert!(answer(HandshakeError::Method.response()).contains("\r\nAllow: GET\r\n"));
    assert!(answer(HandshakeError::Key.response()).starts_with("HTTP/1.1 400 "));
}

#[test]
fn subprotocols_4_2_2() {
    let offer = |lines: &[&str]| get(&[&[UPGRADE, VERSION, KEY], lines].concat());
    let supported = ["b", "a"];
    let both = offer(&["Sec-WebSocket-Protocol: x, a,b\r\n"]);
    assert_eq!(choose_protocol(&both, &supported), Some("a"), "the client's order decides");
    let apart = offer(&["Sec-WebSocket-Protocol: x\r\n", "Sec-WebSocket-Protocol: b\r\n"]);
    assert_eq!(choose_protocol(&apart, &supported), Some("b"));
    assert_eq!(choose_protocol(&offer(&["Sec-WebSocket-Protocol: A\r\n"]), &supported), None);
    assert_eq!(choose_protocol(&offer(&[]), &supported), None);
}

/// Each name is compared with all others, so a list has a limit of its own.
#[test]
fn a_hundred_subprotocols_and_no_more() {
    let offered = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("p{n}")).collect();
        let line = format!("Sec-WebSocket-Protocol: {}\r\n", names.join(","));
        Handshake::check(&get(&[UPGRADE, VERSION, KEY, &line])).err()
    };
    assert_eq!(offered(100), None);
    assert_eq!(offered(101), Some(HandshakeError::Protocols));
}

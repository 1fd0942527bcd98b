//! However the bytes of a whole conversation are cut, what comes back is the same.

use fyke_codecs::websocket::WebSocketServerProtocolConfig;
use fyke_core::CloseReason;
use fyke_core::embedded::EmbeddedChannel;

use crate::support::*;

/// A page, the handshake, messages in fragments with a ping in between, and a close.
fn conversation() -> Vec<u8> {
    [
        request(&["GET /page HTTP/1.1", "Host: a"]),
        request(&["GET /ws HTTP/1.1", "Host: a"]),
        handshake(""),
        frame(TEXT, "grüße".as_bytes()),
        frame(0x01, "fr\u{e4}g".as_bytes()),
        frame(PING, b"are you there?"),
        frame(0x80, b"ments"),
        frame(0x82, b"\x00\xff"),
        frame(TEXT, b""),
        frame(CLOSE, &close(1000, "bye")),
        frame(TEXT, b"nobody hears this"),
    ]
    .concat()
}

/// What comes back, and what the application saw.
fn run<'a>(server: Server, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<String>) {
    let log = Log::default();
    let mut channel = server(config(), &log);
    for piece in pieces {
        channel.write_inbound(piece);
    }
    channel.finish_inbound();
    assert_eq!(channel.close_reason(), Some(CloseReason::PeerEnd));
    (channel.read_outbound().to_vec(), log.take())
}

type Server = fn(WebSocketServerProtocolConfig, &Log) -> EmbeddedChannel;

#[test]
fn every_split_is_the_same_behind_the_codec() {
    every_split_is_the_same(server);
}

#[test]
fn every_split_is_the_same_behind_a_whole_server() {
    every_split_is_the_same(full_server);
}

fn every_split_is_the_same(server: Server) {
    let bytes = conversation();
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| run(server, pieces);
    let whole = run(&mut [&bytes[..]].into_iter());
    let answers = [
        plain(TEXT, "grüße".as_bytes()),
        plain(PONG, b"are you there?"),
        plain(TEXT, "frägments".as_bytes()),
        plain(0x82, b"\x00\xff"),
        plain(TEXT, b""),
        plain(CLOSE, &close(1000, "")),
    ];
    let expected = [ACCEPTED.as_bytes(), &answers.concat()].concat();
    assert!(whole.0.ends_with(&expected), "{}", whole.0.escape_ascii());
    assert_eq!(whole.1.len(), 7, "{:?}", whole.1);
    assert_eq!(whole.1.last().map(String::as_str), Some("inactive"));
    for cut in 1..bytes.len() {
        assert_eq!(run(&mut [&bytes[..cut], &bytes[cut..]].into_iter()), whole, "cut at {cut}");
    }
    assert_eq!(run(&mut bytes.chunks(1)), whole, "byte after byte");
    assert_eq!(run(&mut bytes.chunks(3)), whole, "three bytes at a time");
}

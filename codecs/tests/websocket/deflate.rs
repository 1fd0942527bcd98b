//! RFC 7692: compressed messages.

use crate::support::{
    BINARY, CONT, DEFLATE, FIN, KEY, PING, TEXT, client, feed_agreed, frame, header, params,
};
use crate::table::Expect::{Fails, Messages};
use crate::table::{Case, Expect, check};
use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::websocket::{DeflateConfig, Limits, Message, MessageCodec, Role, WebSocketError};

/// RSV1: the message is compressed.
const RSV1: u8 = 0x40;
const PLAIN: &str = "permessage-deflate";
const ALONE: &str = "permessage-deflate; client_no_context_takeover";
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

/// Compresses with another program's understanding of the RFC: flate2's own.
pub(crate) fn deflated(bits: u8, content: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(6);
    let mut compress = flate2::Compress::new_with_window_bits(level, false, bits);
    let mut out = Vec::with_capacity(content.len() + 1000);
    let done = compress.compress_vec(content, &mut out, flate2::FlushCompress::Sync);
    done.expect("compressible");
    assert!(compress.total_in() as usize == content.len() && out.ends_with(b"\0\0\xff\xff"));
    out.truncate(out.len() - 4);
    out
}

fn rfc_examples() -> Vec<Case> {
    let hello = || Message::text("Hello");
    let again = b"\xf2\x00\x11\x00\x00";
    let two = client(&[(FIN | RSV1 | TEXT, HELLO), (FIN | RSV1 | TEXT, again)]);
    let case = |clause, name: &str, input, messages| {
        Case::new(clause, name, input, Messages(messages)).agreed(PLAIN)
    };
    let one = |payload: &[u8]| client(&[(FIN | RSV1 | TEXT, payload)]);
    vec![
        case("7692 7.2.3.1", "one block", one(HELLO), vec![hello()]),
        case(
            "7692 7.2.3.1",
            "one block in two frames",
            client(&[(RSV1 | TEXT, &HELLO[..3]), (FIN | CONT, &HELLO[3..])]),
            vec![hello()],
        ),
        case("7692 7.2.3.2", "the window is shared", two.clone(), vec![hello(), hello()]),
        Case::new("7692 7.2.3.2", "the window is not shared", two, Fails(1, 1007)).agreed(ALONE),
        case("7692 7.2.3.3", "no compression", one(b"\0\x05\0\xfa\xffHello\0"), vec![hello()]),
        case("7692 7.2.3.4", "BFINAL", one(b"\xf3\x48\xcd\xc9\xc9\x07\0\0"), vec![hello()]),
        case(
            "7692 7.2.3.4",
            "BFINAL, and another message",
            [one(b"\xf3\x48\xcd\xc9\xc9\x07\0\0"), one(HELLO)].concat(),
            vec![hello(), hello()],
        ),
        case(
            "7692 7.2.3.5",
            "two blocks",
            one(b"\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0"),
            vec![hello()],
        ),
        case("7692 7.2.3.6", "an empty message", one(b"\0"), vec![Message::text("")]),
        case("7692 7.2.3.6", "no byte at all", one(b""), vec![Message::text("")]),
    ]
}

fn reserved_bits() -> Vec<Case> {
    let case =
        |name: &str, input, expect: Expect| Case::new("7692 6", name, input, expect).agreed(PLAIN);
    let bad = |name: &str, frames: &[(u8, &[u8])]| case(name, client(frames), Fails(0, 1002));
    vec![
        bad("RSV1 on a ping", &[(PING | RSV1, b"")]),
        bad("RSV1 on a pong", &[(0x8a | RSV1, b"")]),
        bad("RSV1 on a close", &[(0x88 | RSV1, b"")]),
        bad("RSV1 on a continuation", &[(RSV1 | TEXT, &HELLO[..3]), (FIN | RSV1 | CONT, b"")]),
        bad("RSV1 on a plain one's continuation", &[(TEXT, b"a"), (FIN | RSV1 | CONT, b"b")]),
        bad("RSV2", &[(FIN | 0x20 | TEXT, b"")]),
        bad("RSV3", &[(FIN | 0x10 | TEXT, b"")]),
        bad("RSV1 and RSV2", &[(FIN | 0x60 | TEXT, HELLO)]),
        bad("RSV1 and RSV3", &[(FIN | 0x50 | TEXT, HELLO)]),
        bad("RSV1 inside a message", &[(TEXT, b"a"), (FIN | RSV1 | TEXT, HELLO)]),
        case(
            "some compressed, some not",
            client(&[(FIN | TEXT, b"a"), (FIN | RSV1 | TEXT, HELLO), (FIN | BINARY, b"b")]),
            Messages(vec![Message::text("a"), Message::text("Hello"), Message::binary(b"b")]),
        ),
        case(
            "pings in between",
            client(&[(RSV1 | TEXT, &HELLO[..3]), (PING, b"p"), (FIN | CONT, &HELLO[3..])]),
            Messages(vec![Message::Ping("p".into()), Message::text("Hello")]),
        ),
        Case::new(
            "7692 6",
            "from a server",
            frame(Role::Client, FIN | RSV1 | TEXT, HELLO),
            Messages(vec![Message::text("Hello")]),
        )
        .role(Role::Client)
        .agreed(PLAIN),
        Case::new(
            "7692 6",
            "nothing agreed to",
            client(&[(FIN | RSV1 | TEXT, HELLO)]),
            Fails(0, 1002),
        ),
    ]
}

fn broken() -> Vec<Case> {
    let long = deflated(15, &[b'x'; 3000]);
    let text = |content: &[u8]| deflated(15, content);
    let case = |name: &str, input, expect: Expect| {
        Case::new("7692 7.2.2", name, input, expect).agreed(PLAIN)
    };
    let one = |payload: &[u8]| client(&[(FIN | RSV1 | TEXT, payload)]);
    let open = |payload: &[u8]| client(&[(RSV1 | TEXT, payload)]);
    vec![
        case("a block of the reserved kind", one(b"\x07"), Fails(0, 1007)),
        case("a stored block whose lengths differ", one(b"\0\x05\0\0\0Hello\0"), Fails(0, 1007)),
        case("a distance beyond the beginning", one(b"\xf2\x00\x11\x00\x00"), Fails(0, 1007)),
        case("noise", one(&[0xff; 40]), Fails(0, 1007)),
        case("noise in an open message", open(&[0xff; 40]), Fails(0, 1007)),
        case("text that is no UTF-8", one(&text(b"ok\xff")), Fails(0, 1007)),
        case("text that is no UTF-8, open", open(&text(b"ok\xff and more")), Fails(0, 1007)),
        case("text that ends in a character", one(&text(b"\xe2\x82")), Fails(0, 1007)),
        case("a good one first", [one(HELLO), one(b"\x07")].concat(), Fails(1, 1007)),
        case("long", one(&long), Messages(vec![Message::text("x".repeat(3000))])),
        case(
            "long, byte by byte",
            {
                let mut input = open(b"");
                long.iter().for_each(|byte| input.extend(client(&[(CONT, &[*byte])])));
                [input, client(&[(FIN | CONT, b"")])].concat()
            },
            Messages(vec![Message::text("x".repeat(3000))]),
        ),
    ]
}

fn limits() -> Vec<Case> {
    let limits = Limits::new().message_bytes_max(1000);
    let case = |name: &str, input, expect: Expect| {
        Case::new("10.4", name, input, expect).agreed(PLAIN).limits(limits)
    };
    let one = |payload: &[u8]| client(&[(FIN | RSV1 | BINARY, payload)]);
    let zeros = |len| deflated(15, &vec![0; len]);
    let many = |len| Messages(vec![Message::binary(vec![0; len])]);
    vec![
        case("inflates to the limit", one(&zeros(1000)), many(1000)),
        case("inflates beyond the limit", one(&zeros(1001)), Fails(0, 1009)),
        case("inflates far beyond the limit", one(&zeros(1_000_000)), Fails(0, 1009)),
        case(
            "beyond the limit in an open message",
            client(&[(RSV1 | BINARY, &zeros(1001))]),
            Fails(0, 1009),
        ),
        case(
            "each inflates to the limit",
            [one(&zeros(1000)), one(&deflated(15, &[0; 1000]))].concat(),
            Messages(vec![Message::binary(vec![0; 1000]); 2]),
        ),
        case(
            "more declared than compressing adds",
            header(true, FIN | RSV1 | BINARY, 2, 1500),
            Fails(0, 1009),
        ),
        case(
            "2^63-1 declared, compressed",
            header(true, FIN | RSV1 | BINARY, 8, i64::MAX as u64),
            Fails(0, 1009),
        ),
        case(
            "an eighth more is nothing yet",
            header(true, FIN | RSV1 | BINARY, 2, 1125),
            Messages(vec![]),
        ),
    ]
}

/// All rows of this file.
pub(crate) fn cases() -> Vec<Case> {
    [rfc_examples(), reserved_bits(), broken(), limits()].into_iter().flatten().collect()
}

#[test]
fn the_rfc_s_own_examples_7692_7_2_3() {
    check(&rfc_examples());
}

#[test]
fn reserved_bits_7692_6() {
    check(&reserved_bits());
}

#[test]
fn broken_data_7692_7_2_2() {
    check(&broken());
}

#[test]
fn limits_count_what_comes_out() {
    check(&limits());
}

#[test]
fn ratio_limit_beyond_a_mebibyte() {
    let bomb = |len: usize| client(&[(FIN | RSV1 | BINARY, &deflated(15, &vec![0; len]))]);
    let limits = Limits::new().message_bytes_max(8 << 20);
    let code = |limits: Limits, len| {
        let input = bomb(len);
        feed_agreed(Role::Server, limits, Some(PLAIN), [&input[..]], false).code()
    };
    assert_eq!(code(limits, 1 << 20), None, "not looked at yet");
    assert_eq!(code(limits, 2 << 20), Some(1009));
    assert_eq!(code(limits.inflate_ratio_max(1100), 8 << 20), None);
    assert_eq!(code(limits.inflate_ratio_max(1100), (8 << 20) + 1), Some(1009));
    // It is the message that counts, not the piece that came last.
    let mut honest = deflated(15, &noise(100_000));
    honest.extend(b"\0\0\xff\xff");
    honest.extend(deflated(15, &vec![0; 2 << 20]));
    let input = client(&[(FIN | RSV1 | BINARY, &honest)]);
    assert_eq!(feed_agreed(Role::Server, limits, Some(PLAIN), [&input[..]], false).code(), None);
}

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Contents that compress well, badly and not at all, with distances beyond small windows.
fn contents() -> Vec<Vec<u8>> {
    let words: Vec<u8> =
        (0..3000_u32).flat_map(|n| format!("{} ", n * 7919 % 1013).into_bytes()).collect();
    let far = [noise(600), vec![b'-'; 40_000], noise(600)].concat();
    vec![b"Hello".to_vec(), vec![], vec![0; 100_000], noise(70_000), words.clone(), far, words]
}

#[test]
fn round_trips_with_every_window_and_takeover_7_1() {
    for bits in 9..=15 {
        for more in ["", "; server_no_context_takeover; client_no_context_takeover"] {
            let agreed = format!(
                "permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}{more}"
            );
            for level in [1, 6] {
                let config = DeflateConfig::new().level(level).threshold_bytes(0);
                let new = |codec: MessageCodec| codec.deflate(&config, params(&agreed));
                let mut server = new(MessageCodec::server(Limits::new().inflate_ratio_max(2000)));
                let mut client =
                    new(MessageCodec::client(Limits::new().inflate_ratio_max(2000), || KEY));
                let mut wire = ByteBuf::new();
                for content in contents() {
                    let message = Message::binary(content);
                    server.encode(message.clone(), &mut wire).expect("good");
                    let read = client.decode(&mut wire).expect("good");
                    assert_eq!(read.as_ref(), Some(&message), "to the client: {agreed}, {level}");
                    client.encode(message.clone(), &mut wire).expect("good");
                    let read = server.decode(&mut wire).expect("good");
                    assert_eq!(read, Some(message), "to the server: {agreed}, {level}");
                    assert!(wire.is_empty());
                }
            }
        }
    }
}

#[test]
fn windows_are_no_larger_than_agreed_to_7_1_2() {
    // A reader with a window of this size understands everything.
    for bits in 9..=15 {
        let agreed = format!("permessage-deflate; server_max_window_bits={bits}");
        let config = DeflateConfig::new().level(9).threshold_bytes(0);
        let mut server = MessageCodec::server(Limits::new()).deflate(&config, params(&agreed));
        let mut reader = flate2::Decompress::new_with_window_bits(false, bits);
        for content in contents() {
            let mut wire = ByteBuf::new();
            server.encode(Message::binary(content.clone()), &mut wire).expect("good");
            let skipped = match wire[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            let input = [&wire[skipped..], b"\0\0\xff\xff"].concat();
            let mut out = Vec::with_capacity(content.len() + 64);
            let done = reader.decompress_vec(&input, &mut out, flate2::FlushDecompress::Sync);
            done.unwrap_or_else(|error| panic!("{bits}: {error}"));
            assert!(out == content, "{bits}: {} bytes", content.len());
        }
    }
}

#[test]
fn a_window_that_lives_on_pays() {
    let sizes = |agreed| {
        let mut codec = MessageCodec::server(Limits::new()).deflate(&DEFLATE, params(agreed));
        [0, 1].map(|_| {
            let mut wire = ByteBuf::new();
            codec.encode(Message::binary(noise(2000)), &mut wire).expect("good");
            wire.readable()
        })
    };
    let [first, second] = sizes(PLAIN);
    assert!(first > 2000 && second < 100, "{first} and {second}");
    let [first, second] = sizes("permessage-deflate; server_no_context_takeover");
    assert_eq!((first, second), (2004, 2004), "sent as it is, as it does not become smaller");
}

#[test]
fn short_messages_are_sent_as_they_are() {
    let config = DeflateConfig::new().threshold_bytes(10);
    let mut codec = MessageCodec::server(Limits::new()).deflate(&config, params(PLAIN));
    let mut first_bytes = |message| {
        let mut wire = ByteBuf::new();
        codec.encode(message, &mut wire).expect("good");
        wire[0]
    };
    assert_eq!(first_bytes(Message::text("012345678")), FIN | TEXT);
    assert_eq!(first_bytes(Message::text("0123456789")), FIN | RSV1 | TEXT);
    assert_eq!(first_bytes(Message::Ping("0123456789".into())), PING);
    assert_eq!(first_bytes(Message::Close(None)), 0x88);
}

#[test]
fn what_could_not_be_written_is_not_in_the_window() {
    let config = DeflateConfig::new().threshold_bytes(0);
    let mut server = MessageCodec::server(Limits::new()).deflate(&config, params(PLAIN));
    let mut client = MessageCodec::client(Limits::new(), || KEY).deflate(&config, params(PLAIN));
    let lost = Message::binary(noise(500));
    let mut full = ByteBuf::with_max_capacity(100);
    assert!(server.encode(lost.clone(), &mut full).is_err());
    let mut wire = ByteBuf::new();
    server.encode(lost.clone(), &mut wire).expect("good");
    assert_eq!(client.decode(&mut wire).expect("good"), Some(lost));
}

#[test]
fn an_error_of_the_compression_says_1007() {
    let mut server = MessageCodec::server(Limits::new()).deflate(&DEFLATE, params(PLAIN));
    let mut src = ByteBuf::from(&client(&[(FIN | RSV1 | TEXT, b"\x07")])[..]);
    let error = server.decode(&mut src).expect_err("no such block");
    let error = WebSocketError::of(&error).expect("an error of the protocol");
    assert_eq!((error.code().as_u16(), error.what()), (1007, "compressed data is corrupt"));
}

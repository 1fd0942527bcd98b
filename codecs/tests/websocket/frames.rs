//! Section 5: what a frame may be, one table of what is refused.

use crate::support::{
    BINARY, CLOSE, CONT, FIN, PING, PONG, TEXT, client, decode, decode_with, feed, frame,
    frame_with_form, header,
};
use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::websocket::{FrameDecoder, Limits, Message, OpCode, Role};

fn server(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, first, payload)
}

#[test]
fn reserved_bits_5_2() {
    for bits in [0x40, 0x20, 0x10, 0x60, 0x50, 0x30, 0x70] {
        for first in [FIN | TEXT, FIN | BINARY, TEXT, PING, PONG, CLOSE] {
            let outcome = decode(&server(first | bits, b""));
            assert_eq!(outcome.code(), Some(1002), "{:#x}", first | bits);
        }
    }
}

#[test]
fn reserved_opcodes_5_2() {
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        for payload in [&b""[..], b"x"] {
            let outcome = decode(&server(FIN | opcode, payload));
            assert_eq!(outcome.code(), Some(1002), "{opcode:#x}");
        }
        let behind = client(&[(FIN | TEXT, b"ok"), (FIN | opcode, b""), (FIN | TEXT, b"no")]);
        let outcome = decode(&behind);
        assert_eq!((outcome.code(), outcome.messages.len()), (Some(1002), 1), "{opcode:#x}");
    }
}

#[test]
fn masks_by_role_5_1() {
    for first in [FIN | TEXT, FIN | BINARY, PING, PONG, CLOSE, TEXT] {
        let plain = frame(Role::Client, first, b"");
        assert_eq!(decode(&plain).code(), Some(1002), "{first:#x}");
        let masked = frame(Role::Server, first, b"");
        let outcome = decode_with(Role::Client, Limits::new(), &masked);
        assert_eq!(outcome.code(), Some(1002), "{first:#x}");
    }
    let outcome = decode_with(Role::Client, Limits::new(), &frame(Role::Client, FIN | TEXT, b"hi"));
    assert_eq!(outcome.messages, [Message::text("hi")]);
}

#[test]
fn lengths_5_2() {
    for len in [0, 1, 124, 125, 126, 127, 128, 255, 256] {
        let payload = vec![b'x'; len];
        let outcome = decode(&server(FIN | BINARY, &payload));
        assert_eq!(outcome.messages, [Message::binary(payload)], "{len}");
    }
    for len in [65_534, 65_535, 65_536, 65_537, 200_000] {
        let payload = vec![b'x'; len];
        let input = server(FIN | TEXT, &payload);
        for size in [input.len(), 1000, 4096, 65_536] {
            let outcome = feed(Role::Server, Limits::new(), input.chunks(size), true);
            assert_eq!(outcome.messages.len(), 1, "{len} in pieces of {size}");
            assert!(matches!(&outcome.messages[0], Message::Text(text) if text.len() == len));
        }
    }
}

#[test]
fn lengths_in_more_bytes_than_needed_5_2() {
    for (form, len) in [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65_535)] {
        let outcome = decode(&header(true, FIN | BINARY, form, len));
        assert_eq!(outcome.code(), Some(1002), "{len} in {form} bytes");
    }
    for (form, payload) in [(2, vec![0; 126]), (8, vec![0; 65_536])] {
        let input = frame_with_form(Role::Server, FIN | BINARY, form, &payload);
        assert_eq!(feed(Role::Server, Limits::new(), [&input[..]], true).error, None);
    }
}

#[test]
fn lengths_beyond_reason_are_refused_before_a_byte_comes() {
    for len in [1 << 63, u64::MAX] {
        assert_eq!(decode(&header(true, FIN | BINARY, 8, len)).code(), Some(1002), "{len:#x}");
    }
    for len in [16 * 1024 * 1024 + 1, 1 << 32, i64::MAX as u64] {
        assert_eq!(decode(&header(true, FIN | BINARY, 8, len)).code(), Some(1009), "{len:#x}");
    }
    assert_eq!(decode(&header(true, FIN | BINARY, 8, 16 * 1024 * 1024)).error, None);
}

#[test]
fn control_frames_5_5() {
    for first in [CLOSE, PING, PONG] {
        for len in [126, 127, 65_535] {
            let outcome = decode(&header(true, first, 2, len));
            assert_eq!(outcome.code(), Some(1002), "{first:#x} of {len}");
        }
        assert_eq!(decode(&header(true, first, 8, 65_536)).code(), Some(1002));
        let outcome = decode(&server(first & !FIN, b""));
        assert_eq!(outcome.code(), Some(1002), "fragmented {first:#x}");
    }
    for len in [0, 1, 125] {
        let payload = vec![0xfe; len];
        let input = client(&[(PING, &payload), (PONG, &payload)]);
        let expected =
            [Message::Ping(payload.clone().into()), Message::Pong(payload.clone().into())];
        assert_eq!(decode(&input).messages, expected, "{len}");
    }
}

#[test]
fn fragmentation_5_4() {
    type Frames = &'static [(u8, &'static [u8])];
    let refused: &[(&str, Frames)] = &[
        ("continuation of nothing", &[(CONT, b"x")]),
        ("last continuation of nothing", &[(FIN | CONT, b"x")]),
        ("continuation of nothing, empty", &[(FIN | CONT, b"")]),
        ("continuation behind a whole message", &[(FIN | TEXT, b"a"), (FIN | CONT, b"x")]),
        ("continuation behind the last one", &[(TEXT, b"a"), (FIN | CONT, b"b"), (CONT, b"c")]),
        ("text inside text", &[(TEXT, b"a"), (TEXT, b"b")]),
        ("whole text inside text", &[(TEXT, b"a"), (FIN | TEXT, b"b")]),
        ("binary inside text", &[(TEXT, b"a"), (FIN | BINARY, b"b")]),
        ("text inside binary", &[(BINARY, b"a"), (CONT, b"b"), (TEXT, b"c")]),
        ("text behind a ping inside text", &[(TEXT, b"a"), (PING, b""), (TEXT, b"b")]),
        ("continuation behind a ping", &[(PING, b""), (FIN | CONT, b"b")]),
    ];
    for (name, frames) in refused {
        assert_eq!(decode(&client(frames)).code(), Some(1002), "{name}");
    }
    let accepted: &[(&str, Frames, &[Message])] = &[
        ("two", &[(TEXT, b"a"), (FIN | CONT, b"b")], &[Message::text("ab")]),
        ("empty ones", &[(TEXT, b""), (CONT, b""), (FIN | CONT, b"")], &[Message::text("")]),
        ("empty first", &[(BINARY, b""), (FIN | CONT, b"b")], &[Message::binary(b"b")]),
        ("empty last", &[(TEXT, b"a"), (FIN | CONT, b"")], &[Message::text("a")]),
        (
            "ping in between",
            &[(TEXT, b"a"), (PING, b"p"), (CONT, b"b"), (PONG, b""), (FIN | CONT, b"c")],
            &[Message::Ping(b"p".into()), Message::Pong(b"".into()), Message::text("abc")],
        ),
        (
            "one behind the other",
            &[(TEXT, b"a"), (FIN | CONT, b"b"), (BINARY, b"c"), (FIN | CONT, b"d")],
            &[Message::text("ab"), Message::binary(b"cd")],
        ),
        ("close in between", &[(TEXT, b"a"), (CLOSE, b"")], &[Message::Close(None)]),
    ];
    for (name, frames, messages) in accepted {
        let outcome = decode(&client(frames));
        assert_eq!(outcome.error, None, "{name}");
        assert_eq!(outcome.messages, *messages, "{name}");
    }
}

#[test]
fn the_rfc_s_own_examples_5_7() {
    let hello = [Message::text("Hello")];
    let plain = |input: &[u8]| decode_with(Role::Client, Limits::new(), input).messages;
    assert_eq!(plain(b"\x81\x05Hello"), hello);
    assert_eq!(decode(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").messages, hello);
    assert_eq!(plain(b"\x01\x03Hel\x80\x02lo"), hello);
    assert_eq!(plain(b"\x89\x05Hello"), [Message::Ping(b"Hello".into())]);
    let pong = decode(b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(pong.messages, [Message::Pong(b"Hello".into())]);
}

#[test]
fn a_large_frame_comes_in_parts() {
    let mut decoder = FrameDecoder::new(Role::Server, Limits::new());
    let input = client(&[(BINARY, &[7; 300]), (PING, b"p"), (FIN | CONT, &[8; 5])]);
    let mut src = ByteBuf::from(&input[..108]);
    let mut said = Vec::new();
    let mut pull = |src: &mut ByteBuf| {
        while let Some(part) = decoder.decode(src).expect("good frames") {
            let payload = part.payload.to_vec();
            said.push((part.opcode, part.first, part.last, part.ends_message(), payload));
        }
    };
    pull(&mut src);
    src.write_slice(&input[108..]);
    pull(&mut src);
    assert_eq!(
        said,
        [
            (OpCode::Binary, true, false, false, vec![7; 100]),
            (OpCode::Binary, false, true, false, vec![7; 200]),
            (OpCode::Ping, true, true, true, b"p".to_vec()),
            (OpCode::Continuation, true, true, true, vec![8; 5]),
        ]
    );
    assert!(decoder.is_between());
}

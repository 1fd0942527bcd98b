//! Section 5: what a frame may be. First tables, then what is no table.

use crate::support::{
    BINARY, CLOSE, CONT, FIN, PING, PONG, TEXT, client, decode, decode_with, frame,
    frame_with_form, header,
};
use crate::table::Expect::{Fails, Messages};
use crate::table::{Case, check};
use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codecs::websocket::{FrameDecoder, Limits, Message, OpCode, Role};

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const FIRST: [u8; 6] = [FIN | TEXT, FIN | BINARY, TEXT, PING, PONG, CLOSE];

/// A frame as nobody of this role may receive it: masked for a client, plain for a server.
fn wrongly_masked(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let other = if role == Role::Server { Role::Client } else { Role::Server };
    frame(other, first, payload)
}

fn masks() -> Vec<Case> {
    let mut cases = Vec::new();
    for role in ROLES {
        for first in FIRST {
            for payload in [&b""[..], b"abc"] {
                let name = format!("wrong mask, {first:#x} of {}", payload.len());
                let input = wrongly_masked(role, first, payload);
                cases.push(Case::new("5.1", name, input, Fails(0, 1002)).role(role));
            }
        }
        let input = frame(role, FIN | TEXT, b"hi");
        let behind = [&input[..], &wrongly_masked(role, FIN | TEXT, b"no")].concat();
        let expect = Messages(vec![Message::text("hi")]);
        cases.push(Case::new("5.1", "right mask", input, expect).role(role));
        cases.push(Case::new("5.1", "the second is wrong", behind, Fails(1, 1002)).role(role));
    }
    cases
}

fn reserved_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for role in ROLES {
        for bits in [0x40, 0x20, 0x10, 0x60, 0x50, 0x30, 0x70] {
            for first in FIRST {
                let input = frame(role, first | bits, b"");
                let name = format!("reserved bits {:#x}", first | bits);
                cases.push(Case::new("5.2", name, input, Fails(0, 1002)).role(role));
            }
        }
    }
    let continued = client(&[(TEXT, b"a"), (CONT | 0x40, b"b")]);
    cases.push(Case::new("5.2", "RSV1 on a continuation", continued, Fails(0, 1002)));
    cases.push(Case::new("5.2", "on the first byte alone", vec![0xa1], Fails(0, 1002)));
    cases
}

fn reserved_opcodes() -> Vec<Case> {
    let mut cases = Vec::new();
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        let mut add = |what: &str, input, before| {
            let name = format!("opcode {opcode:#x}, {what}");
            cases.push(Case::new("5.2", name, input, Fails(before, 1002)));
        };
        add("empty", client(&[(FIN | opcode, b"")]), 0);
        add("with content", client(&[(FIN | opcode, b"x")]), 0);
        add("not final", client(&[(opcode, b"")]), 0);
        add("its first byte alone", vec![FIN | opcode], 0);
        let behind = [(FIN | TEXT, &b"ok"[..]), (FIN | opcode, b""), (FIN | TEXT, b"no")];
        add("behind a message", client(&behind), 1);
        add("inside a message", client(&[(TEXT, b"ok"), (FIN | opcode, b"")]), 0);
    }
    cases
}

fn lengths() -> Vec<Case> {
    let mut cases = Vec::new();
    for role in ROLES {
        for len in [0, 1, 124, 125, 126, 127, 128, 255, 256, 65_535, 65_536, 200_000] {
            let payload = vec![b'x'; len];
            let input = frame(role, FIN | BINARY, &payload);
            let expect = Messages(vec![Message::binary(payload)]);
            cases.push(Case::new("5.2", format!("length {len}"), input, expect).role(role));
        }
        let masked = role == Role::Server;
        for (form, len) in [(2, 0), (2, 1), (2, 125), (8, 0), (8, 125), (8, 126), (8, 65_535)] {
            let input = header(masked, FIN | BINARY, form, len);
            let name = format!("length {len} in {form} bytes");
            cases.push(Case::new("5.2", name, input, Fails(0, 1002)).role(role));
        }
        for (form, payload) in [(2, vec![0; 126]), (8, vec![0; 65_536])] {
            let input = frame_with_form(role, FIN | BINARY, form, &payload);
            let name = format!("{} is the least in {form} bytes", payload.len());
            let expect = Messages(vec![Message::binary(payload)]);
            cases.push(Case::new("5.2", name, input, expect).role(role));
        }
        for len in [1 << 63, (1 << 63) + 1, u64::MAX] {
            let input = header(masked, FIN | BINARY, 8, len);
            let name = format!("highest bit of {len:#x}");
            cases.push(Case::new("5.2", name, input, Fails(0, 1002)).role(role));
        }
    }
    cases
}

fn control_frames() -> Vec<Case> {
    let mut cases = Vec::new();
    for first in [CLOSE, PING, PONG] {
        let mut add = |what: &str, input| {
            let name = format!("{first:#x}, {what}");
            cases.push(Case::new("5.5", name, input, Fails(0, 1002)));
        };
        for len in [126, 127, 65_535] {
            add(&format!("{len} bytes"), header(true, first, 2, len));
        }
        add("65536 bytes", header(true, first, 8, 65_536));
        add("short length in 2 bytes", header(true, first, 2, 5));
        add("short length in 8 bytes", header(true, first, 8, 5));
        add("not final", client(&[(first & !FIN, b"")]));
        add("not final, with content", client(&[(first & !FIN, b"\x03\xe8")]));
        add("not final, inside a message", client(&[(TEXT, b"a"), (first & !FIN, b"")]));
    }
    for len in [0, 1, 2, 64, 124, 125] {
        let payload = vec![0xfe; len];
        let ping = Message::Ping(payload.clone().into());
        let pong = Message::Pong(payload.clone().into());
        let input = client(&[(PING, &payload), (PONG, &payload)]);
        let name = format!("ping and pong of {len}");
        cases.push(Case::new("5.5", name, input, Messages(vec![ping, pong])));
    }
    let ten: Vec<_> = (0..10_u8).map(|n| Message::Ping(vec![n].into())).collect();
    let frames: Vec<u8> = (0..10_u8).flat_map(|n| client(&[(PING, &[n])])).collect();
    cases.push(Case::new("5.5.2", "ten pings", frames, Messages(ten)));
    let unasked = Message::Pong("unasked".into());
    let input = client(&[(PONG, b"unasked")]);
    cases.push(Case::new("5.5.3", "unsolicited pong", input, Messages(vec![unasked])));
    cases
}

type Frames = &'static [(u8, &'static [u8])];

#[rustfmt::skip]
const REFUSED: &[(&str, Frames)] = &[
    ("continuation of nothing", &[(CONT, b"x")]),
    ("last continuation of nothing", &[(FIN | CONT, b"x")]),
    ("continuation of nothing, empty", &[(FIN | CONT, b"")]),
    ("continuation of nothing, then text", &[(FIN | CONT, b"x"), (FIN | TEXT, b"a")]),
    ("text inside text", &[(TEXT, b"a"), (TEXT, b"b")]),
    ("whole text inside text", &[(TEXT, b"a"), (FIN | TEXT, b"b")]),
    ("binary inside text", &[(TEXT, b"a"), (FIN | BINARY, b"b")]),
    ("binary inside binary", &[(BINARY, b"a"), (BINARY, b"b")]),
    ("text inside binary", &[(BINARY, b"a"), (CONT, b"b"), (TEXT, b"c")]),
    ("whole text inside binary", &[(BINARY, b"a"), (CONT, b"b"), (FIN | TEXT, b"c")]),
    ("empty text inside text", &[(TEXT, b""), (FIN | TEXT, b"")]),
];

#[rustfmt::skip]
const REFUSED_BEHIND_ONE: &[(&str, Frames)] = &[
    ("continuation behind a whole message", &[(FIN | TEXT, b"a"), (FIN | CONT, b"x")]),
    ("continuation behind the last one", &[(TEXT, b"a"), (FIN | CONT, b"b"), (CONT, b"c")]),
    ("text behind a ping inside text", &[(TEXT, b"a"), (PING, b""), (TEXT, b"b")]),
    ("continuation behind a ping", &[(PING, b""), (FIN | CONT, b"b")]),
    ("continuation behind a pong", &[(PONG, b""), (CONT, b"b")]),
];

fn fragmentation() -> Vec<Case> {
    let accepted: &[(&str, Frames, &[Message])] = &[
        ("two", &[(TEXT, b"a"), (FIN | CONT, b"b")], &[Message::text("ab")]),
        ("three", &[(TEXT, b"a"), (CONT, b"b"), (FIN | CONT, b"c")], &[Message::text("abc")]),
        ("empty ones", &[(TEXT, b""), (CONT, b""), (FIN | CONT, b"")], &[Message::text("")]),
        ("empty binary ones", &[(BINARY, b""), (FIN | CONT, b"")], &[Message::binary(b"")]),
        ("empty first", &[(BINARY, b""), (FIN | CONT, b"b")], &[Message::binary(b"b")]),
        ("empty last", &[(TEXT, b"a"), (FIN | CONT, b"")], &[Message::text("a")]),
        ("empty middle", &[(TEXT, b"a"), (CONT, b""), (FIN | CONT, b"c")], &[Message::text("ac")]),
        (
            "ping in between",
            &[(TEXT, b"a"), (PING, b"p"), (CONT, b"b"), (PONG, b""), (FIN | CONT, b"c")],
            &[Message::Ping(b"p".into()), Message::Pong(b"".into()), Message::text("abc")],
        ),
        (
            "many pings in between",
            &[(BINARY, b"a"), (PING, b"1"), (PING, b"2"), (PING, b"3"), (FIN | CONT, b"b")],
            &[
                Message::Ping(b"1".into()),
                Message::Ping(b"2".into()),
                Message::Ping(b"3".into()),
                Message::binary(b"ab"),
            ],
        ),
        (
            "one behind the other",
            &[(TEXT, b"a"), (FIN | CONT, b"b"), (BINARY, b"c"), (FIN | CONT, b"d")],
            &[Message::text("ab"), Message::binary(b"cd")],
        ),
        (
            "whole ones around fragments",
            &[(FIN | TEXT, b"a"), (TEXT, b"b"), (FIN | CONT, b"c"), (FIN | BINARY, b"d")],
            &[Message::text("a"), Message::text("bc"), Message::binary(b"d")],
        ),
        ("close in between", &[(TEXT, b"a"), (CLOSE, b"")], &[Message::Close(None)]),
        ("nothing yet", &[(TEXT, b"a"), (CONT, b"b")], &[]),
    ];
    let refused = REFUSED
        .iter()
        .map(|(name, frames)| Case::new("5.4", *name, client(frames), Fails(0, 1002)));
    let later = REFUSED_BEHIND_ONE
        .iter()
        .map(|(name, frames)| Case::new("5.4", *name, client(frames), Fails(1, 1002)));
    let accepted = accepted.iter().map(|(name, frames, messages)| {
        Case::new("5.4", *name, client(frames), Messages(messages.to_vec()))
    });
    refused.chain(later).chain(accepted).collect()
}

fn rfc_examples() -> Vec<Case> {
    let hello = || Messages(vec![Message::text("Hello")]);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let pong = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    let said = |message| Messages(vec![message]);
    let binary = |bytes: &[u8], len: usize| [bytes, &vec![7; len]].concat();
    let many = |len| said(Message::binary(vec![7; len]));
    let plain = [
        ("unmasked text", b"\x81\x05Hello".to_vec(), hello()),
        ("fragmented text", b"\x01\x03Hel\x80\x02lo".to_vec(), hello()),
        ("unmasked ping", b"\x89\x05Hello".to_vec(), said(Message::Ping(b"Hello".into()))),
        ("256 bytes", binary(b"\x82\x7e\x01\x00", 256), many(256)),
        ("64 KiB", binary(b"\x82\x7f\0\0\0\0\0\x01\0\0", 65_536), many(65_536)),
    ];
    let plain = plain
        .into_iter()
        .map(|(name, input, expect)| Case::new("5.7", name, input, expect).role(Role::Client));
    let masked = [
        Case::new("5.7", "masked text", masked.to_vec(), hello()),
        Case::new("5.7", "masked pong", pong.to_vec(), said(Message::Pong(b"Hello".into()))),
    ];
    plain.chain(masked).collect()
}

/// All rows of this file.
pub(crate) fn cases() -> Vec<Case> {
    [
        masks(),
        reserved_bits(),
        reserved_opcodes(),
        lengths(),
        control_frames(),
        fragmentation(),
        rfc_examples(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn masks_by_role_5_1() {
    check(&masks());
}

#[test]
fn reserved_bits_5_2() {
    check(&reserved_bits());
}

#[test]
fn reserved_opcodes_5_2() {
    check(&reserved_opcodes());
}

#[test]
fn lengths_5_2() {
    check(&lengths());
}

#[test]
fn control_frames_5_5() {
    check(&control_frames());
}

#[test]
fn fragmentation_5_4() {
    check(&fragmentation());
}

#[test]
fn the_rfc_s_own_examples_5_7() {
    check(&rfc_examples());
}

#[test]
fn lengths_beyond_the_limit_are_refused_before_a_byte_comes_10_4() {
    for len in [16 * 1024 * 1024 + 1, 1 << 32, i64::MAX as u64] {
        assert_eq!(decode(&header(true, FIN | BINARY, 8, len)).code(), Some(1009), "{len:#x}");
    }
    let most = header(true, FIN | BINARY, 8, 16 * 1024 * 1024);
    assert_eq!(decode(&most).error, None);
    // What is admitted is not believed: the decoder takes the header and holds nothing.
    let mut decoder = FrameDecoder::new(Role::Server, Limits::new());
    let mut src = ByteBuf::from(&most[..]);
    assert!(decoder.decode(&mut src).expect("good so far").is_none());
    assert_eq!(src.readable(), 0);
}

#[test]
fn masks_of_the_payload_start_anew_with_each_frame_5_3() {
    let outcome = decode_with(
        Role::Server,
        Limits::new(),
        &client(&[(BINARY, &[1, 2, 3]), (CONT, &[4, 5, 6, 7, 8]), (FIN | CONT, &[9])]),
    );
    assert_eq!(outcome.messages, [Message::binary(vec![1, 2, 3, 4, 5, 6, 7, 8, 9])]);
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

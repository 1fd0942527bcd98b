//! Messages in parts: passed on as they arrive, sent as they are made.

use crate::deflate::deflated;
use crate::support::{BINARY, CONT, DEFLATE, FIN, KEY, PING, TEXT, client, params};
use fyke_buffer::ByteBuf;
use fyke_codec::check::every_split_with;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::websocket::{
    Limits, Message, MessageCodec, MessageDecoder, Part, Role, WebSocketError,
};

const PLAIN: &str = "permessage-deflate";

/// Parts of one message joined, as the cuts mean nothing.
fn joined(said: &mut Vec<(String, Vec<u8>, bool)>, message: Message) {
    let Message::Part(part) = message else {
        said.push((format!("{message:?}"), vec![], true));
        return;
    };
    let kind = if part.text { "text" } else { "binary" };
    match said.iter_mut().rev().find(|(kind, ..)| kind == "text" || kind == "binary") {
        Some((of, bytes, ended)) if !part.first => {
            assert!(of == kind && !*ended, "{part:?} continues nothing");
            bytes.extend_from_slice(&part.payload);
            *ended = part.last;
        }
        before => {
            assert!(part.first && before.is_none_or(|(_, _, ended)| *ended), "{part:?}");
            said.push((kind.to_owned(), part.payload.to_vec(), part.last));
        }
    }
}

fn stream(agreed: Option<&str>, input: &[u8]) -> Vec<(String, Vec<u8>, bool)> {
    let make = || {
        let decoder = MessageDecoder::new(Role::Server, Limits::new()).streaming();
        match agreed {
            Some(agreed) => decoder.deflate(&DEFLATE, params(agreed)),
            None => decoder,
        }
    };
    let outcome = every_split_with(make, input, joined).unwrap_or_else(|error| panic!("{error}"));
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    outcome.items
}

#[test]
fn parts_are_passed_on_whatever_the_cut() {
    let input = client(&[
        (TEXT, "gr\u{fc}".as_bytes()),
        (PING, b"p"),
        (CONT, b""),
        (FIN | CONT, "\u{df}e".as_bytes()),
        (FIN | BINARY, b""),
        (FIN | BINARY, b"whole"),
    ]);
    let ping = format!("{:?}", Message::Ping("p".into()));
    let expected = [
        ("text".to_owned(), "gr\u{fc}\u{df}e".as_bytes().to_vec(), true),
        (ping, vec![], true),
        ("binary".to_owned(), vec![], true),
        ("binary".to_owned(), b"whole".to_vec(), true),
    ];
    assert_eq!(stream(None, &input), expected);
}

#[test]
fn compressed_ones_too() {
    let small = deflated(15, &[b'x'; 500]);
    let (head, tail) = small.split_at(3);
    let input = client(&[(0x40 | TEXT, head), (CONT, tail), (FIN | CONT, b""), (FIN | TEXT, b"y")]);
    let expected =
        [("text".to_owned(), vec![b'x'; 500], true), ("text".to_owned(), b"y".to_vec(), true)];
    assert_eq!(stream(Some(PLAIN), &input), expected);
}

#[test]
fn what_comes_out_of_one_frame_comes_in_bounded_parts() {
    let content = vec![7; 1_000_000];
    let input = client(&[(FIN | 0x40 | BINARY, &deflated(15, &content))]);
    let decoder = MessageDecoder::new(Role::Server, Limits::new()).streaming();
    let mut decoder = decoder.deflate(&DEFLATE, params(PLAIN));
    let mut src = ByteBuf::from(&input[..]);
    let (mut sum, mut ended) = (0, false);
    while let Some(message) = decoder.decode(&mut src).expect("good") {
        let Message::Part(part) = message else { panic!("{message:?}") };
        assert!(part.payload.len() <= 32 * 1024 && !ended, "{part:?}");
        assert_eq!(part.first, sum == 0);
        sum += part.payload.len();
        ended = part.last;
    }
    assert_eq!((sum, ended), (content.len(), true));
}

#[test]
fn text_fails_in_its_first_bad_part() {
    let mut decoder = MessageDecoder::new(Role::Server, Limits::new()).streaming();
    let input = client(&[(TEXT, b"good"), (CONT, b"bad \xff"), (FIN | CONT, b"later")]);
    let mut src = ByteBuf::from(&input[..]);
    let first = decoder.decode(&mut src).expect("good so far");
    let part = Part { text: true, first: true, last: false, payload: "good".into() };
    assert_eq!(first, Some(Message::Part(part)));
    let error = decoder.decode(&mut src).expect_err("no UTF-8");
    assert_eq!(WebSocketError::of(&error).map(|e| e.code().as_u16()), Some(1007));
}

#[test]
fn parts_are_sent_as_fragments() {
    let part = |first, last, text: &'static str| {
        Message::Part(Part { text: true, first, last, payload: text.into() })
    };
    let messages = [
        part(true, false, "one "),
        Message::Ping("p".into()),
        part(false, false, ""),
        part(false, true, "two"),
        part(true, true, "three"),
        part(true, false, "four"),
        part(false, true, ""),
    ];
    for agreed in [None, Some(PLAIN), Some("permessage-deflate; server_no_context_takeover")] {
        let (mut server, mut reader) =
            (MessageCodec::server(Limits::new()), MessageCodec::client(Limits::new(), || KEY));
        if let Some(agreed) = agreed {
            server = server.deflate(&DEFLATE, params(agreed));
            reader = reader.deflate(&DEFLATE, params(agreed));
        }
        let mut wire = ByteBuf::new();
        for message in messages.clone() {
            server.encode(message, &mut wire).expect("good");
        }
        let bit = if agreed.is_some() { 0x40 } else { 0 };
        assert_eq!(wire[0], TEXT | bit, "{agreed:?}");
        let mut read = Vec::new();
        while let Some(message) = reader.decode(&mut wire).expect("good") {
            read.push(message);
        }
        let ping = Message::Ping("p".into());
        let texts = ["one two", "three", "four"].map(Message::text);
        assert_eq!(read[..2], [ping, texts[0].clone()], "{agreed:?}");
        assert_eq!(read[2..], texts[1..], "{agreed:?}");
    }
    let mut codec = MessageCodec::server(Limits::new());
    let wrong = codec.encode(part(false, true, "of nothing"), &mut ByteBuf::new());
    assert!(wrong.is_err());
}

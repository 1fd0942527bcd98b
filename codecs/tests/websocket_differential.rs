//! The same bytes through our decoder and through tungstenite's must mean the same.
//!
//! Where the two differ by design, the generator keeps away: tungstenite takes lengths in more bytes
//! than needed and answers forbidden close codes in its own way.

use std::io::{self, Read, Write};

use fyke_buffer::ByteBuf;
use fyke_codec::{Decoder, Encoder};
use fyke_codecs::websocket::{Limits, Message, MessageCodec, MessageDecoder, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use tungstenite::protocol::{Role as TheirRole, WebSocket};

/// A connection of which only this much has come; what is written is kept.
struct Wire {
    incoming: io::Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Wire {
    fn new(incoming: Vec<u8>) -> Self {
        Self { incoming: io::Cursor::new(incoming), written: Vec::new() }
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What both say about an input: kinds and contents in order, and whether it was refused.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    messages: Vec<(&'static str, Vec<u8>)>,
    refused: bool,
}

fn ours(role: Role, input: &[u8]) -> Verdict {
    let mut decoder = MessageDecoder::new(role, Limits::new());
    let mut src = ByteBuf::from(input);
    let mut messages = Vec::new();
    loop {
        let message = match decoder.decode(&mut src) {
            Ok(Some(message)) => message,
            Ok(None) => return Verdict { messages, refused: false },
            Err(_) => return Verdict { messages, refused: true },
        };
        messages.push(match message {
            Message::Text(text) => ("text", text.as_bytes().to_vec()),
            Message::Binary(bytes) => ("binary", bytes.to_vec()),
            Message::Ping(bytes) => ("ping", bytes.to_vec()),
            Message::Pong(bytes) => ("pong", bytes.to_vec()),
            Message::Close(_) => ("close", Vec::new()),
            other => panic!("not asked for: {other:?}"),
        });
    }
}

fn theirs(role: TheirRole, input: &[u8]) -> Verdict {
    let mut socket = WebSocket::from_raw_socket(Wire::new(input.to_vec()), role, None);
    let mut messages = Vec::new();
    loop {
        use tungstenite::Message;
        let message = match socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Verdict { messages, refused: false };
            }
            // It stops at the close that it has answered, as a server ends the connection.
            Err(tungstenite::Error::ConnectionClosed) => {
                return Verdict { messages, refused: false };
            }
            Err(_) => return Verdict { messages, refused: true },
        };
        let closes = matches!(message, Message::Close(_));
        messages.push(match message {
            Message::Text(text) => ("text", text.as_str().as_bytes().to_vec()),
            Message::Binary(bytes) => ("binary", bytes.to_vec()),
            Message::Ping(bytes) => ("ping", bytes.to_vec()),
            Message::Pong(bytes) => ("pong", bytes.to_vec()),
            Message::Close(_) => ("close", Vec::new()),
            Message::Frame(frame) => panic!("not asked for: {frame:?}"),
        });
        if closes {
            return Verdict { messages, refused: false };
        }
    }
}

/// A frame; most are in order, so that a good many get far.
#[derive(Clone, Debug)]
struct Piece {
    first: u8,
    masked: bool,
    payload: Vec<u8>,
}

fn piece(masked: bool) -> impl Strategy<Value = Piece> {
    let data = prop_oneof![
        8 => "[a-z\u{e4}\u{20ac}\u{1f41f}]{0,40}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..8),
        1 => vec(any::<u8>(), 120..300),
    ];
    let first = prop_oneof![
        10 => prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80]),
        4 => prop::sample::select(vec![0x89, 0x8a]),
        1 => any::<u8>().prop_filter("a close has its own rules", |first| first & 0xf != 8),
    ];
    (first, data, prop::bool::weighted(0.02)).prop_map(move |(first, payload, wrong)| Piece {
        first,
        masked: masked != wrong,
        payload,
    })
}

fn close(masked: bool) -> impl Strategy<Value = Piece> {
    let content = prop_oneof![
        Just(Vec::new()),
        Just(vec![3]),
        (prop::sample::select(vec![1000_u16, 1001, 1011, 3000, 4999]), "[a-z]{0,20}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
        Just(vec![3, 0xe8, 0xff]),
    ];
    content.prop_map(move |payload| Piece { first: 0x88, masked, payload })
}

fn bytes_of(pieces: &[Piece]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = Vec::new();
    for Piece { first, masked, payload } in pieces {
        let bit = if *masked { 0x80 } else { 0 };
        bytes.push(*first);
        match u8::try_from(payload.len()) {
            Ok(len @ 0..=125) => bytes.push(bit | len),
            _ => {
                bytes.push(bit | 126);
                bytes.extend((payload.len() as u16).to_be_bytes());
            }
        }
        let key = if *masked { KEY } else { [0; 4] };
        if *masked {
            bytes.extend(KEY);
        }
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    bytes
}

fn conversation(masked: bool) -> impl Strategy<Value = Vec<u8>> {
    (vec(piece(masked), 0..8), prop::option::of(close(masked)), vec(piece(masked), 0..2)).prop_map(
        |(mut pieces, close, behind)| {
            if let Some(close) = close {
                pieces.push(close);
                pieces.extend(behind);
            }
            bytes_of(&pieces)
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        "\\PC{0,80}".prop_map(Message::text),
        vec(any::<u8>(), 0..300).prop_map(Message::binary),
        vec(any::<u8>(), 65_530..65_540).prop_map(Message::binary),
        vec(any::<u8>(), 0..=125).prop_map(|bytes| Message::Ping(bytes.into())),
        vec(any::<u8>(), 0..=125).prop_map(|bytes| Message::Pong(bytes.into())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn servers_read_the_same(input in conversation(true)) {
        prop_assert_eq!(ours(Role::Server, &input), theirs(TheirRole::Server, &input));
    }

    #[test]
    fn clients_read_the_same(input in conversation(false)) {
        prop_assert_eq!(ours(Role::Client, &input), theirs(TheirRole::Client, &input));
    }

    #[test]
    fn what_we_write_they_read(messages in vec(message(), 0..4), from_client in any::<bool>()) {
        let (mut codec, reader, ours_reader) = if from_client {
            (MessageCodec::client(Limits::new(), || [9, 8, 7, 6]), TheirRole::Server, Role::Server)
        } else {
            (MessageCodec::server(Limits::new()), TheirRole::Client, Role::Client)
        };
        let mut wire = ByteBuf::new();
        for message in &messages {
            codec.encode(message.clone(), &mut wire).expect("good");
        }
        let verdict = theirs(reader, &wire);
        prop_assert_eq!(verdict.messages.len(), messages.len());
        prop_assert_eq!(ours(ours_reader, &wire), verdict);
    }

    #[test]
    fn what_they_write_we_read(texts in vec("\\PC{0,200}", 0..4), from_client in any::<bool>()) {
        let (role, reader) = if from_client {
            (TheirRole::Client, Role::Server)
        } else {
            (TheirRole::Server, Role::Client)
        };
        let mut socket = WebSocket::from_raw_socket(Wire::new(Vec::new()), role, None);
        for text in &texts {
            socket.write(tungstenite::Message::text(text.clone())).expect("good");
            socket.write(tungstenite::Message::Binary(text.clone().into())).expect("good");
        }
        socket.flush().expect("good");
        let verdict = ours(reader, &socket.get_ref().written);
        prop_assert!(!verdict.refused);
        let kinds = ["text", "binary"].into_iter().cycle();
        let expected: Vec<_> = texts
            .iter()
            .flat_map(|text| [text, text])
            .zip(kinds)
            .map(|(text, kind)| (kind, text.as_bytes().to_vec()))
            .collect();
        prop_assert_eq!(verdict.messages, expected);
    }
}

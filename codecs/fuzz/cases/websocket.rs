//! One case of WebSocket, for the fuzzer and for the replay of its corpus.
//!
//! ```text
//!   0         1        2       3       4..
//!   options   window   limit   chunk   the stream
//! ```
//! The stream is decoded as a whole, in chunks, and byte by byte, which must give the same; what
//! came out is encoded by the other side and decoded once more, which must give it back. With the
//! highest option the stream is the text of a handshake instead.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use fyke_codecs::websocket::{
    DeflateConfig, DeflateParams, Limits, Message, MessageCodec, MessageDecoder, Part, Role,
    WebSocketUrl,
};

/// Bytes before the stream.
const HEADER: usize = 4;

const CLIENT: u8 = 1;
const DEFLATE: u8 = 2;
const NO_TAKEOVER: u8 = 4;
const STREAMING: u8 = 8;
const LARGE: u8 = 16;
const HANDSHAKE: u8 = 128;

/// Decides the options by the header and checks the stream behind it.
///
/// # Panics
/// When a property does not hold.
pub(crate) fn check(input: &[u8]) {
    let Some((&header, stream)) = input.split_first_chunk::<HEADER>() else { return };
    let [options, window, limit, chunk] = header;
    if options & HANDSHAKE != 0 {
        return check_handshake(stream, window);
    }
    let bytes_max = u64::from(limit) << if options & LARGE != 0 { 12 } else { 0 };
    let setup = Setup {
        role: if options & CLIENT != 0 { Role::Client } else { Role::Server },
        limits: Limits::new().message_bytes_max(bytes_max).fragments_max(100),
        agreed: (options & DEFLATE != 0).then(|| agreed(window, options & NO_TAKEOVER != 0)),
        streams: options & STREAMING != 0,
    };
    let whole = setup.run(stream.chunks(stream.len().max(1)));
    assert_eq!(whole, setup.run(stream.chunks(usize::from(chunk).max(1))), "in chunks of {chunk}");
    assert_eq!(whole, setup.run(stream.chunks(1)), "byte by byte");
    let (messages, _) = whole;
    for message in &messages {
        assert!(len(message) as u64 <= bytes_max.max(125), "over the limit: {message:?}");
    }
    setup.check_again(messages);
}

fn len(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Part(part) => part.payload.len(),
        _ => 0,
    }
}

/// The same windows both ways.
fn agreed(window: u8, no_takeover: bool) -> DeflateParams {
    let bits = 9 + window % 7;
    let more =
        if no_takeover { "; server_no_context_takeover; client_no_context_takeover" } else { "" };
    let answer = format!(
        "permessage-deflate; server_max_window_bits={bits}; client_max_window_bits={bits}{more}"
    );
    let agreed = DeflateConfig::new().accept([answer.as_bytes()]);
    agreed.expect("good parameters").expect("permessage-deflate")
}

struct Setup {
    role: Role,
    limits: Limits,
    agreed: Option<DeflateParams>,
    streams: bool,
}

impl Setup {
    fn decoder(&self) -> MessageDecoder {
        let mut decoder = MessageDecoder::new(self.role, self.limits);
        if let Some(agreed) = self.agreed {
            decoder = decoder.deflate(&DeflateConfig::new(), agreed);
        }
        if self.streams { decoder.streaming() } else { decoder }
    }

    /// The messages of a stream and the error that ended it; parts are joined.
    fn run<'a>(&self, chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<Message>, Option<String>) {
        let mut decoder = self.decoder();
        let mut src = ByteBuf::new();
        let mut messages = Vec::new();
        let feed = || -> Result<(), CodecError> {
            for chunk in chunks {
                src.write_slice(chunk);
                while let Some(message) = decoder.decode(&mut src)? {
                    collect(&mut messages, message);
                }
            }
            Ok(())
        };
        let error = feed().err().map(|error| error.to_string());
        if self.streams && error.is_some() {
            // How much of a broken message was passed on depends on the cuts.
            messages.retain(|message| !matches!(message, Message::Part(part) if !part.last));
        }
        (messages, error)
    }

    /// What was read is written by the other side and read once more.
    fn check_again(&self, messages: Vec<Message>) {
        let config = DeflateConfig::new().threshold_bytes(0).level(1);
        let mut writer = match self.role {
            Role::Server => MessageCodec::client(self.limits, || [0x37, 0xfa, 0x21, 0x3d]),
            Role::Client => MessageCodec::server(self.limits),
        };
        if let Some(agreed) = self.agreed {
            writer = writer.deflate(&config, agreed);
        }
        let mut wire = ByteBuf::new();
        let whole = |message: &Message| !matches!(message, Message::Part(part) if !part.last);
        let messages: Vec<Message> = messages.into_iter().filter(whole).collect();
        for message in &messages {
            writer.encode(message.clone(), &mut wire).expect("what was read can be written");
        }
        let (again, error) = self.run([&wire[..]].into_iter());
        assert_eq!((again, error), (messages, None));
    }
}

/// Adds a message, or joins a part with those of its message.
fn collect(messages: &mut Vec<Message>, message: Message) {
    let Message::Part(part) = message else { return messages.push(message) };
    let open = messages.iter_mut().rev().find_map(|message| match message {
        Message::Part(before) if !before.last => Some(before),
        _ => None,
    });
    match open {
        Some(before) => {
            assert!(!part.first && before.text == part.text, "{part:?} behind {before:?}");
            let joined = [before.payload.as_slice(), part.payload.as_slice()].concat();
            *before = Part { last: part.last, payload: joined.into(), ..before.clone() };
        }
        None => {
            assert!(part.first, "{part:?} continues nothing");
            messages.push(Message::Part(part));
        }
    }
}

/// Texts of a handshake: what is agreed to can be read again, and is what was meant.
fn check_handshake(text: &[u8], window: u8) {
    let config = DeflateConfig::new().server_max_window_bits(window).client_max_window_bits(window);
    if let Ok(Some(agreed)) = config.answer([text]) {
        assert!((9..=15).contains(&agreed.server_max_window_bits()), "{agreed:?}");
        let asked = DeflateConfig::new().answer([agreed.to_string().as_bytes()]);
        assert!(asked.is_ok_and(|asked| asked.is_some()), "{agreed}");
    }
    if let Ok(Some(agreed)) = config.accept([text]) {
        assert!((9..=15).contains(&agreed.client_max_window_bits()), "{agreed:?}");
    }
    if let Ok(text) = str::from_utf8(text)
        && let Ok(url) = text.parse::<WebSocketUrl>()
    {
        assert_eq!(url.to_string().parse().as_ref(), Ok(&url));
    }
}

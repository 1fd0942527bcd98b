//! Builds frames, right and wrong ones, and writes down what a decoder makes of them.

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_codec::check::every_split;
use fyke_codecs::websocket::{
    DeflateConfig, DeflateParams, Limits, Message, MessageDecoder, Role, WebSocketError,
};
use std::sync::LazyLock;

pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// First bytes of frames.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const CONT: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// A frame with its length in the shortest form.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let form = match payload.len() {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    frame_with_form(role, first, form, payload)
}

/// A frame as `role` receives it, with its length in 0, 2 or 8 bytes behind the second byte.
pub(crate) fn frame_with_form(role: Role, first: u8, form: usize, payload: &[u8]) -> Vec<u8> {
    let masked = role == Role::Server;
    let mut bytes = header(masked, first, form, payload.len() as u64);
    let key = if masked { KEY } else { [0; 4] };
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// A header alone.
pub(crate) fn header(masked: bool, first: u8, form: usize, len: u64) -> Vec<u8> {
    let bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match form {
        0 => bytes.push(bit | len as u8),
        2 => {
            bytes.push(bit | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(bit | 127);
            bytes.extend(len.to_be_bytes());
        }
    }
    if masked {
        bytes.extend(KEY);
    }
    bytes
}

/// Frames of a client, one behind the other.
pub(crate) fn client(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(Role::Server, *first, payload)).collect()
}

/// Everything a decoder said about an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) messages: Vec<Message>,
    /// The close code and the reason of the failure; code 0 for an error of another kind.
    pub(crate) error: Option<(u16, String)>,
    /// Bytes the decoder left untouched; not counted after an error.
    pub(crate) left: usize,
}

impl Outcome {
    pub(crate) fn code(&self) -> Option<u16> {
        self.error.as_ref().map(|(code, _)| *code)
    }
}

/// A decoder of this end, for what was agreed to.
fn decoder(role: Role, limits: Limits, agreed: Option<&str>) -> MessageDecoder {
    let decoder = MessageDecoder::new(role, limits);
    match agreed {
        None => decoder,
        Some(agreed) => decoder.deflate(&DEFLATE, params(agreed)),
    }
}

/// One pool for all tests, as one server has.
pub(crate) static DEFLATE: LazyLock<DeflateConfig> = LazyLock::new(DeflateConfig::new);

/// What an answer agrees to.
pub(crate) fn params(answer: &str) -> DeflateParams {
    let agreed = DeflateConfig::new().accept([answer.as_bytes()]);
    agreed.expect("good parameters").expect("permessage-deflate")
}

/// Feeds the pieces one after the other, pulling after each; `eof` says the input ends there.
pub(crate) fn feed<'a>(
    role: Role,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    eof: bool,
) -> Outcome {
    feed_agreed(role, limits, None, pieces, eof)
}

pub(crate) fn feed_agreed<'a>(
    role: Role,
    limits: Limits,
    agreed: Option<&str>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    eof: bool,
) -> Outcome {
    let mut decoder = decoder(role, limits, agreed);
    let mut src = ByteBuf::new();
    let mut outcome = Outcome::default();
    let mut note = |decoded| match decoded {
        Ok(Some(message)) => {
            outcome.messages.push(message);
            true
        }
        Ok(None) => false,
        Err(error) => {
            let said = WebSocketError::of(&error).map(|e| (e.code().as_u16(), e.what().to_owned()));
            outcome.error = Some(said.unwrap_or((0, error.to_string())));
            false
        }
    };
    for piece in pieces {
        src.write_slice(piece);
        while note(decoder.decode(&mut src)) {}
    }
    if eof {
        while note(decoder.decode_eof(&mut src)) {}
    }
    if outcome.error.is_none() {
        outcome.left = src.readable();
    }
    outcome
}

/// What a server makes of `input`, which must not depend on how the input is cut.
pub(crate) fn decode(input: &[u8]) -> Outcome {
    decode_with(Role::Server, Limits::new(), input)
}

pub(crate) fn decode_with(role: Role, limits: Limits, input: &[u8]) -> Outcome {
    decode_agreed(role, limits, None, input)
}

pub(crate) fn decode_agreed(
    role: Role,
    limits: Limits,
    agreed: Option<&str>,
    input: &[u8],
) -> Outcome {
    let checked = every_split(|| decoder(role, limits, agreed), input);
    let checked = checked.unwrap_or_else(|violation| panic!("{violation} in {input:02x?}"));
    let whole = feed_agreed(role, limits, agreed, [input], false);
    assert_eq!(checked.items, whole.messages);
    whole
}

//! What was encoded must be decoded to the same.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::fmt::Debug;

use fyke_buffer::ByteBuf;

use super::{Violation, every_split};
use crate::{CodecError, Decoder, Encoder};

/// Why messages did not survive being encoded and decoded.
#[derive(Debug)]
#[non_exhaustive]
pub enum RoundTripError {
    /// A message could not be encoded.
    Encode {
        /// Which one, counted from zero.
        message: usize,
        /// The encoder's error.
        source: CodecError,
    },
    /// Encoding a message changed bytes that were in the buffer before it.
    Overwrote {
        /// Which one, counted from zero.
        message: usize,
    },
    /// The bytes could not be decoded.
    Decode {
        /// How many messages were decoded before.
        messages: usize,
        /// The decoder's error.
        source: CodecError,
    },
    /// Something else was decoded than was encoded.
    Differs {
        /// What is different, in words.
        difference: String,
    },
    /// Decoding depends on how the bytes arrive.
    Violation(Violation),
}

impl fmt::Display for RoundTripError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encode { message, .. } => write!(f, "message {message} cannot be encoded"),
            Self::Overwrote { message } => {
                write!(f, "encoding message {message} changed the bytes before it")
            }
            Self::Decode { messages, .. } => {
                write!(f, "the encoded bytes cannot be decoded after {messages} messages")
            }
            Self::Differs { difference } => write!(f, "decoded is not encoded: {difference}"),
            Self::Violation(_) => write!(f, "the encoded bytes are not decoded reliably"),
        }
    }
}

impl Error for RoundTripError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Encode { source, .. } | Self::Decode { source, .. } => Some(source),
            Self::Violation(violation) => Some(violation),
            Self::Overwrote { .. } | Self::Differs { .. } => None,
        }
    }
}

/// Encodes `messages` one after the other, decodes the bytes in [every way](every_split) and
/// compares. Returns the bytes, for a look at the wire.
///
/// # Errors
/// When encoding or decoding fails, or something else comes back than was sent.
pub fn round_trip<E, D, M>(
    mut encoder: E,
    make_decoder: impl Fn() -> D,
    messages: &[M],
) -> Result<Vec<u8>, RoundTripError>
where
    E: Encoder<M>,
    D: Decoder,
    D::Item: PartialEq + PartialEq<M> + Debug,
    M: Clone + Debug,
{
    let mut wire = ByteBuf::new();
    for (message, value) in messages.iter().enumerate() {
        let before = wire.to_vec();
        encoder
            .encode(value.clone(), &mut wire)
            .map_err(|source| RoundTripError::Encode { message, source })?;
        if !wire.starts_with(&before) {
            return Err(RoundTripError::Overwrote { message });
        }
    }
    let outcome = every_split(make_decoder, &wire).map_err(RoundTripError::Violation)?;
    let decoded = outcome.items;
    let unequal = decoded.iter().zip(messages).position(|(decoded, sent)| decoded != sent);
    if let Some(i) = unequal {
        let difference = format!("message {i} is {:?} instead of {:?}", decoded[i], messages[i]);
        return Err(RoundTripError::Differs { difference });
    }
    if let Some(source) = outcome.error {
        return Err(RoundTripError::Decode { messages: decoded.len(), source });
    }
    if decoded.len() != messages.len() {
        let difference = format!("{} messages instead of {}", decoded.len(), messages.len());
        return Err(RoundTripError::Differs { difference });
    }
    Ok(wire.to_vec())
}

/// Asserts that [`round_trip`] succeeds, and returns the bytes.
///
/// # Panics
/// When it does not succeed.
#[track_caller]
pub fn assert_round_trip<E, D, M>(
    encoder: E,
    make_decoder: impl Fn() -> D,
    messages: &[M],
) -> Vec<u8>
where
    E: Encoder<M>,
    D: Decoder,
    D::Item: PartialEq + PartialEq<M> + Debug,
    M: Clone + Debug,
{
    match round_trip(encoder, make_decoder, messages) {
        Ok(wire) => wire,
        Err(error) => match error.source() {
            Some(source) => panic!("{error}: {source}"),
            None => panic!("{error}"),
        },
    }
}

//! Messages, as handlers see them.

use super::{CloseFrame, PreparedMessage};
use crate::payload::Payload;
use bytes::Bytes;
use core::fmt;
use core::str::Utf8Error;
use fyke_buffer::ByteBuf;

/// One message, put together from its fragments.
///
/// To send one to many, clone a [`PreparedMessage`]: that copies nothing and encodes once. To keep
/// one at hand that is cheap to clone, call [`share`](Self::share).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Text, known to be UTF-8.
    Text(Text),
    /// Any bytes.
    Binary(Payload),
    /// A question whether this end is there; to be answered with a pong of the same content.
    Ping(Payload),
    /// The answer to a ping, or unasked.
    Pong(Payload),
    /// The last message of one side; both sides send one.
    Close(Option<CloseFrame>),
    /// A part of a text or binary message: what a decoder that streams passes on, and what sends a
    /// message that is still being made.
    Part(Part),
    /// A text or binary message for many; see [`PreparedMessage`].
    Prepared(PreparedMessage),
}

/// A part of a text or binary message; as it is sent, a fragment (RFC 6455 section 5.4).
///
/// The cuts mean nothing: they may be anywhere, inside a character too. Text has been checked to be
/// UTF-8 as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Whether it is a part of text.
    pub text: bool,
    /// Whether the message begins with it.
    pub first: bool,
    /// Whether the message ends with it.
    pub last: bool,
    /// The content.
    pub payload: Payload,
}

impl Message {
    /// A text message.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(bytes: impl Into<Payload>) -> Self {
        Self::Binary(bytes.into())
    }

    /// What a decoder has put together; text has been checked as it came.
    #[inline(always)]
    pub(crate) fn of_data(is_text: bool, content: ByteBuf) -> Self {
        let payload = Payload::Buf(content);
        if is_text { Self::Text(Text(payload)) } else { Self::Binary(payload) }
    }

    /// The same message in a form that is cheap to clone.
    #[must_use]
    pub fn share(self) -> Self {
        match self {
            Self::Text(Text(payload)) => Self::Text(Text(payload.share())),
            Self::Binary(payload) => Self::Binary(payload.share()),
            Self::Ping(payload) => Self::Ping(payload.share()),
            Self::Pong(payload) => Self::Pong(payload.share()),
            Self::Part(part) => Self::Part(Part { payload: part.payload.share(), ..part }),
            close @ Self::Close(_) => close,
            prepared @ Self::Prepared(_) => prepared,
        }
    }
}

/// Bytes that have been checked to be UTF-8.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Text(Payload);

impl Text {
    /// Text that is known to be right, shared with others.
    pub(crate) fn shared(bytes: Bytes) -> Self {
        Self(Payload::Bytes(bytes))
    }

    /// The text.
    ///
    /// Safe code has to look at the bytes again for this: call it once and keep the result.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        simdutf8::basic::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Length in bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is empty.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the bytes away.
    #[must_use]
    pub fn into_payload(self) -> Payload {
        self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&'static str> for Text {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl TryFrom<ByteBuf> for Text {
    type Error = Utf8Error;

    fn try_from(bytes: ByteBuf) -> Result<Self, Utf8Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes.into()))
    }
}

impl TryFrom<Bytes> for Text {
    type Error = Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Utf8Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes.into()))
    }
}

//! What is wrong with a response.

use core::fmt;

use fyke_codec::CodecError;

use crate::http1::HttpError;

/// The kind of a [`ResponseError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseErrorKind {
    /// The bytes are no response, or could be read in two ways.
    Malformed,
    /// A limit was reached.
    TooLarge,
    /// The response is in order, but nothing here can read it.
    Unsupported,
    /// Nothing was asked.
    Unsolicited,
}

/// A response that cannot be read. Travels as [`CodecError::Protocol`].
///
/// Where the next response would begin is not known after it, so the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseError {
    kind: ResponseErrorKind,
    what: &'static str,
}

impl ResponseError {
    pub(crate) const fn new(kind: ResponseErrorKind, what: &'static str) -> Self {
        Self { kind, what }
    }

    pub(crate) const fn malformed(what: &'static str) -> Self {
        Self::new(ResponseErrorKind::Malformed, what)
    }

    pub(crate) const fn too_large(what: &'static str) -> Self {
        Self::new(ResponseErrorKind::TooLarge, what)
    }

    /// What kind of error it is.
    #[must_use]
    pub const fn kind(&self) -> ResponseErrorKind {
        self.kind
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The `ResponseError` inside a codec's error, if there is one.
    #[must_use]
    pub fn of(error: &CodecError) -> Option<&Self> {
        match error {
            CodecError::Protocol { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

/// The parsers that both sides share speak of requests' statuses: 431 and 413 are limits.
impl From<HttpError> for ResponseError {
    fn from(error: HttpError) -> Self {
        match error.status().as_u16() {
            413 | 414 | 431 => Self::too_large(error.what()),
            _ => Self::malformed(error.what()),
        }
    }
}

impl From<ResponseError> for CodecError {
    #[cold]
    fn from(error: ResponseError) -> Self {
        Self::peer(error)
    }
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable response: {}", self.what)
    }
}

impl core::error::Error for ResponseError {}

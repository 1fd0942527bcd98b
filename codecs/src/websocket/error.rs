//! What a peer did wrong, and the close code that says so.

use super::{CloseCode, CloseFrame};
use core::fmt;
use fyke_codec::CodecError;

/// A breach of RFC 6455 by the peer: the connection fails (section 7.1.7).
///
/// Travels as [`CodecError::Protocol`]. The handler sends [`close_frame`](Self::close_frame) and
/// closes; nothing more is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebSocketError {
    code: CloseCode,
    what: &'static str,
}

impl WebSocketError {
    /// 1002.
    #[cold]
    pub(crate) const fn protocol(what: &'static str) -> Self {
        Self { code: CloseCode::PROTOCOL_ERROR, what }
    }

    /// 1007.
    #[cold]
    pub(crate) const fn utf8(what: &'static str) -> Self {
        Self { code: CloseCode::INVALID_PAYLOAD, what }
    }

    /// 1007: what was compressed is no compressed data.
    #[cold]
    pub(crate) const fn deflate(what: &'static str) -> Self {
        Self { code: CloseCode::INVALID_PAYLOAD, what }
    }

    /// 1009.
    #[cold]
    pub(crate) const fn too_big(what: &'static str) -> Self {
        Self { code: CloseCode::TOO_BIG, what }
    }

    /// The code for the close frame.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The close frame to send: the code, and what is wrong as the reason.
    #[must_use]
    pub fn close_frame(&self) -> CloseFrame {
        CloseFrame::new(self.code, self.what)
    }

    /// The `WebSocketError` inside a codec's error, if there is one.
    #[must_use]
    pub fn of(error: &CodecError) -> Option<&Self> {
        match error {
            CodecError::Protocol { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

impl core::error::Error for WebSocketError {}

impl From<WebSocketError> for CodecError {
    #[cold]
    fn from(error: WebSocketError) -> Self {
        Self::peer(error)
    }
}

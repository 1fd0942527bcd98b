//! How a connection ends: codes and reasons (RFC 6455 section 7.4).

use super::{Text, WebSocketError};
use core::fmt;
use fyke_buffer::ByteBuf;

/// A status code that may stand in a close frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// This end goes away: a server shuts down, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The other side broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// This end does not take this kind of message.
    pub const UNSUPPORTED: Self = Self(1003);
    /// The content does not fit the kind of message: text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// The message breaks a rule of this end.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// The message is larger than this end accepts.
    pub const TOO_BIG: Self = Self(1009);
    /// The server did not agree to an extension the client needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// This end failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The service is overloaded.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// The server is a gateway and got an invalid response.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// A code by its number; `None` for one that must not be sent (sections 7.4.1 and 7.4.2).
    ///
    /// 1004, 1005, 1006 and 1015 never travel, 1016 to 2999 are reserved, below 1000 and above 4999
    /// there are none. 3000 to 4999 belong to libraries and applications.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why one side closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The code.
    pub code: CloseCode,
    /// The reason in words, at most 123 bytes; not meant for end users.
    pub reason: Text,
}

/// The longest reason: a control frame's 125 bytes without the code.
pub(crate) const REASON_BYTES_MAX: usize = 123;

impl CloseFrame {
    /// A close with a code and a reason. A longer reason than 123 bytes cannot be encoded.
    #[must_use]
    pub fn new(code: CloseCode, reason: impl Into<Text>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Reads the content of a close frame (section 5.5.1); `None` where there is none.
    pub(crate) fn parse(mut payload: ByteBuf) -> Result<Option<Self>, WebSocketError> {
        if payload.is_empty() {
            return Ok(None);
        }
        let Some(code) = payload.read_u16().ok().and_then(CloseCode::new) else {
            return Err(WebSocketError::protocol("close frame with an invalid code"));
        };
        let Ok(reason) = Text::try_from(payload) else {
            return Err(WebSocketError::utf8("reason of a close frame is not UTF-8"));
        };
        Ok(Some(Self { code, reason }))
    }
}

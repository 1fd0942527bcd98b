//! What a frame is.

/// The opcode of a frame (RFC 6455 section 5.2). Reserved ones are refused when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// The next fragment of a message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The end of what one side has to say.
    Close = 0x8,
    /// A question whether the other side is there.
    Ping = 0x9,
    /// The answer to a ping, or a sign of life.
    Pong = 0xa,
}

impl OpCode {
    /// Reads the low four bits of a frame's first byte; `None` for a reserved opcode.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping and pong: short, whole, and allowed between fragments (section 5.5).
    #[inline]
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

//! A length in front of each message, when the other direction does not use the same frames.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Encoder};

use super::width::Width;

/// Puts the length of a message in front of it (Netty: `LengthFieldPrepender`).
///
/// [`LengthField`](super::LengthField) encodes too; this is for a direction of its own, with
/// Netty's options. Beware of the sign: here the adjustment is added to what is written, there
/// to what was read.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Encoder;
/// use fyke_codecs::frames::{LengthFieldPrepender, Width};
///
/// let mut wire = ByteBuf::new();
/// LengthFieldPrepender::new(Width::U16).includes_length(true).encode(b"HELLO", &mut wire)?;
/// assert_eq!(wire.as_slice(), b"\x00\x07HELLO");
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct LengthFieldPrepender {
    width: Width,
    little_endian: bool,
    includes_length: bool,
    adjustment: i64,
}

impl LengthFieldPrepender {
    /// A length field of that width that counts the message.
    pub const fn new(width: Width) -> Self {
        Self { width, little_endian: false, includes_length: false, adjustment: 0 }
    }

    /// Whether the length counts the field itself (Netty: `lengthIncludesLengthFieldLength`;
    /// default no).
    pub const fn includes_length(mut self, yes: bool) -> Self {
        self.includes_length = yes;
        self
    }

    /// What is added to the length that is written (Netty: `lengthAdjustment`; default 0).
    pub const fn adjustment(mut self, bytes: i64) -> Self {
        self.adjustment = bytes;
        self
    }

    /// The least significant byte of the length comes first; the default is network byte order.
    pub const fn little_endian(mut self) -> Self {
        self.little_endian = true;
        self
    }
}

impl<M: AsRef<[u8]> + 'static> Encoder<M> for LengthFieldPrepender {
    #[inline]
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let msg = msg.as_ref();
        let own = if self.includes_length { self.width.bytes() as u64 } else { 0 };
        // No overflow: a slice is at most half of the address space.
        match (msg.len() as u64 + own).checked_add_signed(self.adjustment) {
            Some(length) => self.width.append(self.little_endian, length, msg, dst),
            None => Err(negative()),
        }
    }
}

#[cold]
fn negative() -> CodecError {
    CodecError::Unencodable { what: "the adjusted length is negative" }
}

//! Bytes in, frames out; a large frame in parts, as it arrives.

use super::frame::{Header, RESERVED, RESERVED_DEFLATE, Whole};
use super::mask::mask;
use super::{Limits, OpCode, Role, WebSocketError};
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

/// A frame, or as much of a data frame as is there. Control frames come whole.
#[derive(Debug)]
pub struct FramePart {
    /// What the frame is; [`OpCode::Continuation`] for every fragment behind the first.
    pub opcode: OpCode,
    /// Whether the frame is the last of its message.
    pub fin: bool,
    /// Whether its message is compressed (RFC 7692 section 6).
    pub compressed: bool,
    /// Whether this is the first part of the frame.
    pub first: bool,
    /// Whether this is the last part of the frame.
    pub last: bool,
    /// The content, not masked any more.
    pub payload: ByteBuf,
}

impl FramePart {
    /// Whether a message ends with this part.
    #[inline]
    #[must_use]
    pub const fn ends_message(&self) -> bool {
        self.fin && self.last
    }
}

/// The frame being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    header: Header,
    /// Bytes of the payload still to come.
    left: u64,
    /// The key, turned to where the next byte stands.
    key: [u8; 4],
}

/// Decodes frames (RFC 6455 section 5) and checks all there is to check about them.
///
/// Errors are [`WebSocketError`]s in [`CodecError::Protocol`]. After a close frame what follows is
/// dropped.
#[derive(Debug)]
pub struct FrameDecoder {
    role: Role,
    limits: Limits,
    /// Bits that no frame may carry.
    reserved: u8,
    current: Option<Current>,
    /// A fragmented message has begun.
    in_message: bool,
    /// The message in progress, or the last one, is compressed.
    compressed: bool,
    /// Declared bytes of the message so far.
    message_bytes: u64,
    fragments: u32,
    closed: bool,
}

impl FrameDecoder {
    /// A decoder for this end of the connection.
    #[must_use]
    pub const fn new(role: Role, limits: Limits) -> Self {
        Self {
            role,
            limits,
            reserved: RESERVED,
            current: None,
            in_message: false,
            compressed: false,
            message_bytes: 0,
            fragments: 0,
            closed: false,
        }
    }

    /// Lets messages be compressed: what is passed on is marked, and still compressed. The limit of
    /// a message then leaves room for what compressing may add.
    #[must_use]
    pub const fn allow_compressed(mut self) -> Self {
        self.reserved = RESERVED_DEFLATE;
        self
    }

    /// Whether the peer's close frame has been read.
    #[inline]
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) const fn role(&self) -> Role {
        self.role
    }

    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the stream may end here: between two messages, or behind a close frame.
    #[inline]
    #[must_use]
    pub const fn is_between(&self) -> bool {
        self.closed || (self.current.is_none() && !self.in_message)
    }

    /// Drops whatever follows.
    pub(crate) const fn close(&mut self) {
        self.closed = true;
    }

    /// The payload of a text or binary message that is here in one frame and not compressed, and
    /// whether it is text, if that is what comes next. Whatever else there is, and be it wrong,
    /// [`next`](Self::next) finds out.
    ///
    /// Nearly all messages are like this, and it leaves nothing behind to be remembered. `role` is that
    /// of the decoder: who knows it gets code for it alone.
    #[inline(always)]
    pub(crate) fn next_whole(&mut self, role: Role, src: &mut ByteBuf) -> Option<(bool, ByteBuf)> {
        debug_assert_eq!(role, self.role, "a decoder reads the frames of its role");
        if self.closed | self.in_message | self.current.is_some() {
            return None;
        }
        let Whole { is_text, head, len, key } = Whole::parse(src, role)?;
        if len as u64 > self.limits.message_bytes_max || self.limits.fragments_max == 0 {
            return None;
        }
        let skipped = src.skip(head);
        debug_assert!(skipped.is_ok(), "the header has been seen");
        let mut payload = src.split_to(len);
        if role == Role::Server {
            mask(&mut payload, key);
        }
        Some((is_text, payload))
    }

    /// The next part, with the error not boxed yet.
    #[inline]
    pub(crate) fn next(&mut self, src: &mut ByteBuf) -> Result<Option<FramePart>, WebSocketError> {
        if self.closed {
            src.clear();
            return Ok(None);
        }
        let mut current = match self.current {
            Some(current) => current,
            None => {
                let Some((header, len)) = Header::parse(src, self.role, self.reserved)? else {
                    return Ok(None);
                };
                // A control frame is handed over whole, so it may as well stay where it is.
                if header.opcode.is_control() && ((src.readable() - len) as u64) < header.len {
                    return Ok(None);
                }
                self.begin(&header)?;
                let skipped = src.skip(len);
                debug_assert!(skipped.is_ok(), "the header has been seen");
                Current { header, left: header.len, key: header.key }
            }
        };
        let take = current.left.min(src.readable() as u64);
        if take == 0 && current.left > 0 {
            self.current = Some(current);
            return Ok(None);
        }
        // The first part is the one that brings the first byte, whenever the header came.
        let first = current.left == current.header.len;
        let mut payload = src.split_to(take as usize);
        if self.role == Role::Server {
            current.key = mask(&mut payload, current.key);
        }
        current.left -= take;
        let last = current.left == 0;
        self.current = if last { None } else { Some(current) };
        let Header { fin, opcode, .. } = current.header;
        if opcode == OpCode::Close {
            self.closed = true;
        }
        let compressed = self.compressed && !opcode.is_control();
        Ok(Some(FramePart { opcode, fin, compressed, first, last, payload }))
    }

    /// The rules of fragmentation (section 5.4).
    #[inline]
    fn check_sequence(&self, header: &Header) -> Result<(), WebSocketError> {
        match header.opcode {
            OpCode::Continuation if !self.in_message => {
                Err(WebSocketError::protocol("continuation of no message"))
            }
            OpCode::Text | OpCode::Binary if self.in_message => {
                Err(WebSocketError::protocol("new message inside a fragmented one"))
            }
            _ => Ok(()),
        }
    }

    /// Admits a frame, before a byte of it is held.
    #[inline]
    fn begin(&mut self, header: &Header) -> Result<(), WebSocketError> {
        self.check_sequence(header)?;
        if header.opcode.is_control() {
            return Ok(());
        }
        if !self.in_message {
            self.message_bytes = 0;
            self.fragments = 0;
            self.compressed = header.compressed;
        }
        self.message_bytes = self.message_bytes.saturating_add(header.len);
        self.fragments += 1;
        self.in_message = !header.fin;
        let bytes_max = match self.compressed {
            false => self.limits.message_bytes_max,
            true => self.limits.deflated_bytes_max(self.fragments),
        };
        if self.message_bytes > bytes_max {
            return Err(WebSocketError::too_big("message over the limit"));
        }
        if self.fragments > self.limits.fragments_max {
            return Err(WebSocketError::too_big("message of more fragments than the limit"));
        }
        Ok(())
    }
}

impl Decoder for FrameDecoder {
    type Item = FramePart;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<FramePart>, CodecError> {
        self.next(src).map_err(|error| {
            self.close();
            error.into()
        })
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<FramePart>, CodecError> {
        match self.decode(src)? {
            None if !src.is_empty() || !self.is_between() => {
                Err(CodecError::Truncated { left: src.readable() })
            }
            part => Ok(part),
        }
    }
}

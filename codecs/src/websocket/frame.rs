//! The frame's header, both ways, and frames as they are written (RFC 6455 section 5.2).
//!
//! ```text
//! | FIN RSV1-3 opcode(4) | MASK length(7) | length: 0, 2 or 8 bytes | key: 0 or 4 bytes | payload
//! ```

use super::mask::{Masks, mask};
use super::{OpCode, Role, WebSocketError};
use crate::payload::Payload;
use core::fmt;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Encoder};

/// The longest payload of a control frame (section 5.5).
pub(crate) const CONTROL_BYTES_MAX: u64 = 125;
const HEADER_BYTES_MAX: usize = 14;

/// A header that is right in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: OpCode,
    pub(crate) len: u64,
    /// All zeros for a frame without a mask.
    pub(crate) key: [u8; 4],
}

impl Header {
    /// Reads the header at the start of `bytes` and how long it is; `None` until all of it is there.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, WebSocketError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, opcode) = first_byte(first)?;
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let short = second & 0x7f;
        if opcode.is_control() && u64::from(short) > CONTROL_BYTES_MAX {
            return Err(WebSocketError::protocol("control frame over 125 bytes"));
        }
        let masked = second & 0x80 != 0;
        match role {
            Role::Server if !masked => {
                return Err(WebSocketError::protocol("frame of a client without a mask"));
            }
            Role::Client if masked => {
                return Err(WebSocketError::protocol("frame of a server with a mask"));
            }
            _ => {}
        }
        let Some((len, behind)) = length(short, &bytes[2..])? else { return Ok(None) };
        if !masked {
            return Ok(Some((Self { fin, opcode, len, key: [0; 4] }, bytes.len() - behind.len())));
        }
        let Some((key, behind)) = behind.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some((Self { fin, opcode, len, key: *key }, bytes.len() - behind.len())))
    }

    /// Writes the header; `key` is written when there is one.
    #[inline]
    fn write(fin: bool, opcode: OpCode, len: usize, key: Option<[u8; 4]>, dst: &mut ByteBuf) {
        let mut text = [0; HEADER_BYTES_MAX];
        text[0] = opcode as u8 | if fin { 0x80 } else { 0 };
        let mut end = 2;
        match len {
            0..=125 => text[1] = len as u8,
            126..=0xffff => {
                text[1] = 126;
                text[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                end = 4;
            }
            _ => {
                text[1] = 127;
                text[2..10].copy_from_slice(&(len as u64).to_be_bytes());
                end = 10;
            }
        }
        if let Some(key) = key {
            text[1] |= 0x80;
            text[end..end + 4].copy_from_slice(&key);
            end += 4;
        }
        dst.write_slice(&text[..end]);
    }
}

/// FIN and opcode; what is wrong with them is told before anything else has come.
#[inline]
fn first_byte(first: u8) -> Result<(bool, OpCode), WebSocketError> {
    if first & 0x70 != 0 {
        return Err(WebSocketError::protocol("reserved bit set without an extension"));
    }
    let Some(opcode) = OpCode::from_bits(first & 0x0f) else {
        return Err(WebSocketError::protocol("reserved opcode"));
    };
    let fin = first & 0x80 != 0;
    if !fin && opcode.is_control() {
        return Err(WebSocketError::protocol("fragmented control frame"));
    }
    Ok((fin, opcode))
}

/// The payload's length and what stands behind it; refuses a longer form than needed.
#[inline]
fn length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, WebSocketError> {
    let (len, least, behind) = match short {
        126 => {
            let Some((len, behind)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*len)), 126, behind)
        }
        127 => {
            let Some((len, behind)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
            (u64::from_be_bytes(*len), 0x1_0000, behind)
        }
        short => (u64::from(short), 0, bytes),
    };
    if len < least {
        return Err(WebSocketError::protocol("length not in its shortest form"));
    }
    if len > i64::MAX as u64 {
        return Err(WebSocketError::protocol("length with its highest bit set"));
    }
    Ok(Some((len, behind)))
}

/// A frame to be written, for those who fragment their messages themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// What it is.
    pub opcode: OpCode,
    /// Its content, not masked.
    pub payload: Payload,
}

/// Writes frames, and keeps to the rules of fragmentation (section 5.4).
pub struct FrameEncoder {
    masks: Option<Box<dyn Masks>>,
    in_message: bool,
    closed: bool,
}

impl FrameEncoder {
    /// Writes a server's frames.
    #[must_use]
    pub const fn server() -> Self {
        Self { masks: None, in_message: false, closed: false }
    }

    /// Writes a client's frames, each masked with a key of its own.
    #[must_use]
    pub fn client(masks: impl Masks) -> Self {
        Self { masks: Some(Box::new(masks)), in_message: false, closed: false }
    }

    /// Whether a close frame has been written: nothing may follow it.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Writes a frame; a payload of more than `copy_bytes_max` bytes is left to the caller, who sends
    /// it directly behind. What has to be masked is always copied.
    #[inline]
    pub(crate) fn frame(
        &mut self,
        fin: bool,
        opcode: OpCode,
        payload: Payload,
        dst: &mut ByteBuf,
        copy_bytes_max: usize,
    ) -> Result<Option<Payload>, CodecError> {
        self.check(fin, opcode, payload.len())?;
        let key = self.masks.as_mut().map(|masks| masks.next_mask());
        let copied = key.is_some() || payload.len() <= copy_bytes_max;
        let room = HEADER_BYTES_MAX + if copied { payload.len() } else { 0 };
        dst.ensure_writable(room).map_err(|_| unencodable("the outbound buffer is full"))?;
        match opcode {
            OpCode::Close => self.closed = true,
            OpCode::Ping | OpCode::Pong => {}
            _ => self.in_message = !fin,
        }
        Header::write(fin, opcode, payload.len(), key, dst);
        if !copied {
            return Ok(Some(payload));
        }
        dst.write_slice(&payload);
        if let Some(key) = key {
            let start = dst.readable() - payload.len();
            mask(&mut dst[start..], key);
        }
        Ok(None)
    }

    #[inline]
    fn check(&self, fin: bool, opcode: OpCode, len: usize) -> Result<(), CodecError> {
        if self.closed {
            return Err(unencodable("a frame behind a close frame"));
        }
        if opcode.is_control() {
            if !fin || len as u64 > CONTROL_BYTES_MAX {
                return Err(unencodable("a control frame in fragments or over 125 bytes"));
            }
        } else if self.in_message != (opcode == OpCode::Continuation) {
            return Err(unencodable("a frame that does not continue the message in progress"));
        }
        Ok(())
    }
}

#[cold]
pub(crate) const fn unencodable(what: &'static str) -> CodecError {
    CodecError::Unencodable { what }
}

impl fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameEncoder")
            .field("masks", &self.masks.is_some())
            .field("in_message", &self.in_message)
            .field("closed", &self.closed)
            .finish()
    }
}

impl Encoder<Frame> for FrameEncoder {
    fn encode(&mut self, frame: Frame, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.frame(frame.fin, frame.opcode, frame.payload, dst, usize::MAX).map(|_| ())
    }
}

//! The frame's header, both ways (RFC 6455 section 5.2).
//!
//! ```text
//! | FIN RSV1-3 opcode(4) | MASK length(7) | length: 0, 2 or 8 bytes | key: 0 or 4 bytes | payload
//! ```

use super::{OpCode, Role, WebSocketError};
use fyke_buffer::{ByteBuf, CapacityExceeded};

/// The longest payload of a control frame (section 5.5).
pub(crate) const CONTROL_BYTES_MAX: u64 = 125;
/// The longest header: a length of eight bytes, and a key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;
/// The longest payload whose length has two bytes at most.
pub(crate) const SHORT_BYTES_MAX: usize = u16::MAX as usize;
/// The first of the reserved bits.
pub(crate) const RSV1: u8 = 0x40;
/// Bits that nobody may set while no extension gives them a meaning.
pub(crate) const RESERVED: u8 = 0x70;
/// The same where permessage-deflate was agreed to.
pub(crate) const RESERVED_DEFLATE: u8 = RESERVED & !RSV1;

/// A header that is right in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) opcode: OpCode,
    /// RSV1: the message that begins here is compressed (RFC 7692 section 6).
    pub(crate) compressed: bool,
    pub(crate) len: u64,
    /// All zeros for a frame without a mask.
    pub(crate) key: [u8; 4],
}

/// The header of a frame that is all there, and all there is of a text or binary message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whole {
    pub(crate) is_text: bool,
    /// Length of the header and of the payload behind it.
    pub(crate) head: usize,
    pub(crate) len: usize,
    /// All zeros for a frame without a mask.
    pub(crate) key: [u8; 4],
}

impl Whole {
    /// Reads the header at the start of `bytes` if it is one of these, and if a payload of less than
    /// 64 KiB is behind it. About anything else [`Header::parse`] has to say what it is.
    #[inline(always)]
    pub(crate) fn parse(bytes: &[u8], role: Role) -> Option<Self> {
        const TEXT: u8 = first(true, OpCode::Text);
        const BINARY: u8 = first(true, OpCode::Binary);
        let masked = role == Role::Server;
        let &[first @ (TEXT | BINARY), second, ..] = bytes else { return None };
        if masked != (second & 0x80 != 0) {
            return None;
        }
        let (len, mut head) = match second & 0x7f {
            short @ 0..=125 => (usize::from(short), 2),
            126 => {
                let len = usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?));
                if len < 126 {
                    return None;
                }
                (len, 4)
            }
            _ => return None,
        };
        let mut key = [0; 4];
        if masked {
            key = *bytes[head..].first_chunk()?;
            head += 4;
        }
        if bytes.len() < head + len {
            return None;
        }
        Some(Self { is_text: first == TEXT, head, len, key })
    }
}

impl Header {
    /// Reads the header at the start of `bytes` and how long it is; `None` until all of it is there.
    /// The bits of `reserved` may not be set.
    #[inline]
    pub(crate) fn parse(
        bytes: &[u8],
        role: Role,
        reserved: u8,
    ) -> Result<Option<(Self, usize)>, WebSocketError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, opcode) = first_byte(first, reserved)?;
        let compressed = first & RSV1 != 0;
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
            let header = Self { fin, opcode, compressed, len, key: [0; 4] };
            return Ok(Some((header, bytes.len() - behind.len())));
        }
        let Some((&key, behind)) = behind.split_first_chunk::<4>() else { return Ok(None) };
        Ok(Some((Self { fin, opcode, compressed, len, key }, bytes.len() - behind.len())))
    }

    /// Writes a frame without a mask, header and payload, which is no longer than
    /// [`SHORT_BYTES_MAX`].
    ///
    /// # Errors
    /// When `dst` has no room for it; then nothing is written.
    #[inline(always)]
    pub(crate) fn write_short(
        first: u8,
        payload: &[u8],
        dst: &mut ByteBuf,
    ) -> Result<(), CapacityExceeded> {
        match payload.len() {
            len @ 0..=125 => put([first, len as u8], payload, dst),
            len => {
                let [high, low] = (len as u16).to_be_bytes();
                put([first, 126, high, low], payload, dst)
            }
        }
    }

    /// Writes the header; `key` is written when there is one.
    #[inline]
    pub(crate) fn write(first: u8, len: usize, key: Option<[u8; 4]>, dst: &mut ByteBuf) {
        let mut text = [0; HEADER_BYTES_MAX];
        text[0] = first;
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

/// Appends both, which is looked for room but once.
#[inline(always)]
fn put<const N: usize>(
    header: [u8; N],
    payload: &[u8],
    dst: &mut ByteBuf,
) -> Result<(), CapacityExceeded> {
    let frame_bytes = N + payload.len();
    dst.ensure_writable(frame_bytes)?;
    let room = dst.spare_mut().get_mut(..frame_bytes).and_then(<[u8]>::split_first_chunk_mut);
    if let Some((start, rest)) = room {
        *start = header;
        rest.copy_from_slice(payload);
        dst.advance_writer(frame_bytes);
    }
    Ok(())
}

/// The first byte of a frame.
#[inline]
pub(crate) const fn first(fin: bool, opcode: OpCode) -> u8 {
    opcode as u8 | if fin { 0x80 } else { 0 }
}

/// FIN and opcode; what is wrong with them is told before anything else has come.
#[inline]
fn first_byte(first: u8, reserved: u8) -> Result<(bool, OpCode), WebSocketError> {
    if first & reserved != 0 {
        return Err(WebSocketError::protocol("reserved bit set without an extension"));
    }
    let Some(opcode) = OpCode::from_bits(first & 0x0f) else {
        return Err(WebSocketError::protocol("reserved opcode"));
    };
    let fin = first & 0x80 != 0;
    if !fin && opcode.is_control() {
        return Err(WebSocketError::protocol("fragmented control frame"));
    }
    if first & RSV1 != 0 && !matches!(opcode, OpCode::Text | OpCode::Binary) {
        return Err(WebSocketError::protocol("RSV1 on a frame that begins no message"));
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

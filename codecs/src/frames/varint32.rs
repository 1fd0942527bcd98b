//! Frames behind a varint length, as protocol buffers delimit them.

use bytes::Buf;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

use super::DEFAULT_MAX_FRAME_BYTES;
use super::append::{append, append_header};
use super::skip::Skip;

/// The longest varint of 32 bits.
const MAX_VARINT_BYTES: usize = 5;

/// Frames with a base-128 varint length (Netty: `ProtobufVarint32FrameDecoder`,
/// `ProtobufVarint32LengthFieldPrepender`).
///
/// The length takes one to five bytes, the least significant seven bits first; a length that
/// does not fit 32 bits is malformed. Longer spellings of a small number are accepted, as
/// protocol buffers do.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{Decoder, Encoder};
/// use fyke_codecs::frames::Varint32;
///
/// let mut frames = Varint32::new();
/// let mut wire = ByteBuf::new();
/// frames.encode([7; 300], &mut wire)?;
/// assert_eq!(wire.as_slice()[..2], [0xAC, 0x02]);
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), [7; 300]);
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Varint32 {
    max_frame: usize,
    fail_fast: bool,
    skip: Skip,
}

impl Varint32 {
    /// Frames of at most [`DEFAULT_MAX_FRAME_BYTES`].
    pub const fn new() -> Self {
        Self { max_frame: DEFAULT_MAX_FRAME_BYTES, fail_fast: true, skip: Skip::NONE }
    }

    /// The largest frame that is accepted, its length not counted.
    pub const fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Whether a frame over the limit is an error at once (default) or after it was skipped.
    pub const fn fail_fast(mut self, yes: bool) -> Self {
        self.fail_fast = yes;
        self
    }
}

impl Default for Varint32 {
    fn default() -> Self {
        Self::new()
    }
}

/// The number at the front and how many bytes it takes; `None` when it is not all there.
#[inline]
fn read_varint(bytes: &[u8]) -> Result<Option<(u32, usize)>, CodecError> {
    let mut value = 0u32;
    for (index, &byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        if index == MAX_VARINT_BYTES - 1 && byte > 0x0F {
            return Err(CodecError::malformed("the varint length of a frame is over 32 bits"));
        }
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Ok(Some((value, index + 1)));
        }
    }
    Ok(None)
}

/// `value` as a varint, and how many bytes it takes.
#[inline]
fn write_varint(mut value: u32) -> ([u8; MAX_VARINT_BYTES], usize) {
    let mut bytes = [0; MAX_VARINT_BYTES];
    let mut last = 0;
    while value >= 0x80 {
        bytes[last] = (value & 0x7F) as u8 | 0x80;
        value >>= 7;
        last += 1;
    }
    bytes[last] = value as u8;
    (bytes, last + 1)
}

impl Decoder for Varint32 {
    type Item = ByteBuf;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if self.skip.is_active() && !self.skip.run(src)? {
            return Ok(None);
        }
        let Some((length, header)) = read_varint(src.as_slice())? else { return Ok(None) };
        if u64::from(length) > self.max_frame as u64 {
            src.advance(header);
            self.skip.start(u64::from(length), self.max_frame, self.fail_fast, src)?;
            return Ok(None);
        }
        // No truncation: it is not above `max_frame`.
        let length = length as usize;
        if src.readable() - header < length {
            return Ok(None);
        }
        src.advance(header);
        Ok(Some(src.split_to(length)))
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        match self.decode(src)? {
            Some(frame) => Ok(Some(frame)),
            None if self.skip.is_active() => self.skip.end().map(|()| None),
            None if src.is_empty() => Ok(None),
            None => Err(CodecError::Truncated { left: src.readable() }),
        }
    }
}

impl<M: AsRef<[u8]> + 'static> Encoder<M> for Varint32 {
    #[inline]
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let msg = msg.as_ref();
        let Ok(length) = u32::try_from(msg.len()) else {
            return Err(CodecError::Unencodable { what: "the length of a frame is over 32 bits" });
        };
        if length < 0x80 {
            return append_header([length as u8], msg, dst);
        }
        let (header, width) = write_varint(length);
        append(&header[..width], msg, dst)
    }
}

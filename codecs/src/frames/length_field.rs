//! Frames that carry their length in a field of their header.
//!
//! ```text
//!   0        offset     end = offset + width                     size
//!   +----------+----------+-----------------------------------------+
//!   |  header  |  length  |  length + adjustment bytes              |
//!   +----------+----------+-----------------------------------------+
//!   |<------- strip ---------->|<------------ the item ------------>|
//! ```

use bytes::Buf;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

use super::DEFAULT_MAX_FRAME_BYTES;
use super::append::{append, append_header};
use super::skip::Skip;
use super::width::Width;

/// Frames with a length field (Netty: `LengthFieldBasedFrameDecoder`).
///
/// [`u32()`](Self::u32) and its siblings are the plain case: the length of what follows, then
/// that many bytes, and the item is those bytes. [`new`](Self::new) and the options describe any
/// other header.
///
/// As an [`Encoder`] it is the inverse of the decoder:
/// - the length field is at the front and is all that is stripped: it is written before the
///   message, with the number that makes the decoder give the message back;
/// - nothing is stripped: a message holds its own header. It is checked, not changed, and
///   refused if the decoder would not give back exactly that message;
/// - anything else: what was stripped cannot be made again, encoding is refused. Put a
///   [`LengthFieldPrepender`](super::LengthFieldPrepender) in its place.
///
/// The limit holds for what is received; a message is as long as its sender and the field's
/// width permit.
///
/// # Example
/// A header of one byte of type, two bytes of length that count the header too, little-endian:
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Decoder;
/// use fyke_codecs::frames::{LengthField, Width};
///
/// let mut frames = LengthField::new(Width::U16).offset(1).adjustment(-3).little_endian();
/// let mut wire = ByteBuf::from(b"\x07\x05\x00hi...");
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), b"\x07\x05\x00hi");
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LengthField {
    offset: usize,
    width: Width,
    little_endian: bool,
    adjustment: i64,
    strip: usize,
    max_frame: usize,
    fail_fast: bool,
    skip: Skip,
    /// It is the usual field, [`u32()`](Self::u32): worth a straight line of its own.
    plain: bool,
}

impl LengthField {
    /// A field of that width at offset 0 that counts what follows it; nothing is stripped.
    pub const fn new(width: Width) -> Self {
        Self {
            offset: 0,
            width,
            little_endian: false,
            adjustment: 0,
            strip: 0,
            max_frame: DEFAULT_MAX_FRAME_BYTES,
            fail_fast: true,
            skip: Skip::NONE,
            plain: false,
        }
    }

    const fn find_plain(mut self) -> Self {
        self.plain = matches!(self.width, Width::U32)
            && !self.little_endian
            && self.offset == 0
            && self.adjustment == 0
            && self.strip == 4;
        self
    }

    /// A length of one byte, stripped, then the message.
    pub const fn u8() -> Self {
        Self::new(Width::U8).strip(1)
    }

    /// A length of two bytes, stripped, then the message.
    pub const fn u16() -> Self {
        Self::new(Width::U16).strip(2)
    }

    /// A length of three bytes, stripped, then the message.
    pub const fn u24() -> Self {
        Self::new(Width::U24).strip(3)
    }

    /// A length of four bytes, stripped, then the message.
    pub const fn u32() -> Self {
        Self::new(Width::U32).strip(4)
    }

    /// A length of eight bytes, stripped, then the message.
    pub const fn u64() -> Self {
        Self::new(Width::U64).strip(8)
    }

    /// Where the length field starts (Netty: `lengthFieldOffset`; default 0).
    pub const fn offset(mut self, bytes: usize) -> Self {
        self.offset = bytes;
        self.find_plain()
    }

    /// What is added to the number in the field to get the bytes behind it (Netty:
    /// `lengthAdjustment`; default 0).
    ///
    /// Negative when the field counts its own width or the header before it; positive when it
    /// does not count a further header behind it.
    pub const fn adjustment(mut self, bytes: i64) -> Self {
        self.adjustment = bytes;
        self.find_plain()
    }

    /// How many bytes at the front of a frame are left out of the item (Netty:
    /// `initialBytesToStrip`).
    pub const fn strip(mut self, bytes: usize) -> Self {
        self.strip = bytes;
        self.find_plain()
    }

    /// The least significant byte of the length comes first; the default is network byte order.
    pub const fn little_endian(mut self) -> Self {
        self.little_endian = true;
        self.find_plain()
    }

    /// The largest frame that is accepted, its header counted (Netty: `maxFrameLength`; default
    /// [`DEFAULT_MAX_FRAME_BYTES`]).
    pub const fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Whether a frame over the limit is an error at once (default) or after it was skipped.
    pub const fn fail_fast(mut self, yes: bool) -> Self {
        self.fail_fast = yes;
        self
    }

    /// Where the length field ends: no frame is shorter.
    #[inline]
    const fn end(&self) -> usize {
        self.offset.saturating_add(self.width.bytes())
    }

    /// The number in the length field; `None` when it has not arrived.
    #[inline]
    fn length(&self, bytes: &[u8]) -> Option<u64> {
        self.width.read(self.little_endian, bytes.get(self.offset..)?)
    }

    /// The whole frame's size; `None` when its length is impossible.
    #[inline]
    fn frame_size(&self, length: u64) -> Option<u64> {
        length.checked_add_signed(self.adjustment)?.checked_add(self.end() as u64)
    }

    /// What to strip and how long the item behind that is, with any field; `None` when the frame is
    /// not all there.
    #[inline(never)]
    fn find_any(&mut self, src: &mut ByteBuf) -> Result<Option<(usize, usize)>, CodecError> {
        if self.skip.is_active() && !self.skip.run(src)? {
            return Ok(None);
        }
        let Some(length) = self.length(src.as_slice()) else { return Ok(None) };
        let size = match self.frame_size(length) {
            Some(size) if size <= self.max_frame as u64 && size >= self.strip as u64 => size,
            _ => {
                self.refuse(length, src)?;
                return Ok(None);
            }
        };
        // No truncation: it is not above `max_frame`.
        let size = size as usize;
        Ok((src.readable() >= size).then_some((self.strip, size - self.strip)))
    }

    /// The same, when it is the usual field and the frame is all there.
    #[inline(always)]
    fn find_plain_frame(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        let (field, rest) = bytes.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*field) as usize;
        let fits = length <= rest.len() && length + 4 <= self.max_frame;
        (fits && self.plain && !self.skip.is_active()).then_some((4, length))
    }

    /// A frame that is too large, or whose length makes no sense.
    #[cold]
    fn refuse(&mut self, length: u64, src: &mut ByteBuf) -> Result<(), CodecError> {
        if length > i64::MAX as u64 {
            return Err(CodecError::malformed("the length of a frame is negative"));
        }
        let Some(size) = self.frame_size(length) else {
            return Err(CodecError::malformed("the adjusted length of a frame is negative"));
        };
        if size > self.max_frame as u64 {
            return self.skip.start(size, self.max_frame, self.fail_fast, src);
        }
        Err(CodecError::malformed("a frame is shorter than the bytes to strip off it"))
    }

    /// Any field.
    #[inline(never)]
    fn encode_any(&mut self, msg: &[u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
        if self.offset != 0 || self.strip != self.width.bytes() {
            return self.encode_whole(msg, dst);
        }
        match (msg.len() as u64).checked_sub_signed(self.adjustment) {
            Some(length) => self.width.append(self.little_endian, length, msg, dst),
            None => Err(too_short()),
        }
    }

    /// A message that is not simply put behind its length.
    #[cold]
    fn encode_whole(&self, msg: &[u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
        if self.strip != 0 {
            let what = "the stripped header of a frame cannot be made again";
            return Err(CodecError::Unencodable { what });
        }
        let size = self.length(msg).and_then(|length| self.frame_size(length));
        if size != Some(msg.len() as u64) {
            let what = "the length field in the message does not fit the message";
            return Err(CodecError::Unencodable { what });
        }
        append(msg, &[], dst)
    }
}

impl Decoder for LengthField {
    type Item = ByteBuf;

    #[inline(always)]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        // The item is made in one place only, so that it is made where the caller wants it.
        let (strip, length) = match self.find_plain_frame(src.as_slice()) {
            Some(found) => found,
            None => match self.find_any(src)? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        src.advance(strip);
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

impl<M: AsRef<[u8]> + 'static> Encoder<M> for LengthField {
    #[inline(always)]
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let msg = msg.as_ref();
        match u32::try_from(msg.len()) {
            Ok(length) if self.plain => append_header(length.to_be_bytes(), msg, dst),
            _ => self.encode_any(msg, dst),
        }
    }
}

#[cold]
fn too_short() -> CodecError {
    CodecError::Unencodable { what: "the message is shorter than the length's adjustment" }
}

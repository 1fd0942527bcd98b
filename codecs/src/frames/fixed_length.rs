//! Frames that all have one length.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};

use super::append::append;

/// Frames of one fixed length (Netty: `FixedLengthFrameDecoder`).
///
/// As an [`Encoder`] it takes messages of exactly that length.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Decoder;
/// use fyke_codecs::frames::FixedLength;
///
/// let mut frames = FixedLength::new(3);
/// let mut wire = ByteBuf::from(b"ABCDEFG");
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), b"ABC");
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), b"DEF");
/// assert!(frames.decode(&mut wire)?.is_none());
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct FixedLength {
    frame_bytes: usize,
}

impl FixedLength {
    /// Frames of that many bytes.
    ///
    /// # Panics
    /// When it is zero: a stream holds no end of empty frames.
    pub const fn new(frame_bytes: usize) -> Self {
        assert!(frame_bytes > 0, "a frame of fixed length must hold at least one byte");
        Self { frame_bytes }
    }
}

impl Decoder for FixedLength {
    type Item = ByteBuf;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if src.readable() < self.frame_bytes {
            return Ok(None);
        }
        Ok(Some(src.split_to(self.frame_bytes)))
    }
}

impl<M: AsRef<[u8]> + 'static> Encoder<M> for FixedLength {
    #[inline]
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let msg = msg.as_ref();
        if msg.len() != self.frame_bytes {
            let what = "the message does not have the fixed length of the frames";
            return Err(CodecError::Unencodable { what });
        }
        append(msg, &[], dst)
    }
}

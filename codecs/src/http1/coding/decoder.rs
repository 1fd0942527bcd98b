//! Compressed content in, content out, as a stream with limits.

use core::fmt;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

use super::flate::Inflater;
use super::limits::{DecompressionLimits, RATIO_FROM_BYTES};
use super::name::ContentCoding;
use super::step::{Decompress, malformed};

/// Largest piece of output.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// Decompresses one message's content, in pieces of a bounded size.
///
/// Beyond a limit the error is [`CodecError::TooLarge`], behind exactly as much content as the limit
/// allows. Of content that turns out to be malformed it depends on how it arrived how much comes out
/// before the error. Content that is not there at all counts as an empty one.
pub struct ContentDecoder {
    inner: Box<dyn Decompress>,
    coding: ContentCoding,
    limits: DecompressionLimits,
    read: u64,
    written: u64,
    /// The last step filled its output: there may be more without any input.
    full: bool,
    /// The stream has ended; only another one may follow.
    ended: bool,
}

impl ContentDecoder {
    /// A decoder with these limits.
    ///
    /// # Errors
    /// When the coding is not supported.
    pub fn new(coding: ContentCoding, limits: DecompressionLimits) -> Result<Self, CodecError> {
        let inner: Box<dyn Decompress> = match coding {
            ContentCoding::Gzip => Box::new(Inflater::gzip()),
            ContentCoding::Deflate => Box::new(Inflater::zlib()),
            #[cfg(feature = "br")]
            ContentCoding::Br => Box::new(super::brotli::BrotliDecoder::new()),
            #[cfg(feature = "zstd")]
            ContentCoding::Zstd => Box::new(super::zstd::ZstdDecoder::new()?),
            #[cfg(not(all(feature = "br", feature = "zstd")))]
            _ => return Err(CodecError::Unencodable { what: "content coding not supported" }),
        };
        Ok(Self { inner, coding, limits, read: 0, written: 0, full: false, ended: false })
    }

    /// The coding.
    #[must_use]
    pub fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// Bytes of content so far.
    #[must_use]
    pub fn decoded_bytes(&self) -> u64 {
        self.written
    }

    /// How much output the next step may give: a single byte too many tells that the limit is passed.
    fn room(&self) -> usize {
        let left = self.limits.bytes_max.saturating_sub(self.written);
        left.clamp(1, OUTPUT_BYTES_MAX as u64) as usize
    }

    fn check(&self) -> Result<(), CodecError> {
        let too_large = |limit| {
            Err(CodecError::TooLarge { what: "decompressed content", size: self.written, limit })
        };
        let by_ratio = self.read.saturating_mul(u64::from(self.limits.ratio_max));
        if self.written > self.limits.bytes_max {
            return too_large(self.limits.bytes_max);
        }
        if self.written > RATIO_FROM_BYTES && self.written > by_ratio {
            return too_large(by_ratio.max(RATIO_FROM_BYTES));
        }
        Ok(())
    }
}

impl Decoder for ContentDecoder {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        while !src.is_empty() || self.full {
            if std::mem::take(&mut self.ended) && !self.inner.restart() {
                return Err(CodecError::malformed("bytes behind compressed content"));
            }
            let room = self.room();
            let mut piece = ByteBuf::with_capacity(room);
            let output = piece.spare_mut();
            let room = room.min(output.len());
            let step = self.inner.step(src, &mut output[..room])?;
            piece.advance_writer(step.written);
            src.skip(step.read).map_err(|_| malformed())?;
            self.read += step.read as u64;
            self.written += step.written as u64;
            self.full = step.written == room && !step.done;
            self.ended = step.done;
            self.check()?;
            if step.written > 0 {
                return Ok(Some(piece));
            }
            if step.read == 0 && !step.done {
                // Nothing goes on: it waits for the rest of something.
                return if src.is_empty() { Ok(None) } else { Err(malformed()) };
            }
        }
        Ok(None)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if let Some(piece) = self.decode(src)? {
            return Ok(Some(piece));
        }
        if self.ended || self.read == 0 {
            return Ok(None);
        }
        Err(CodecError::Truncated { left: src.readable() })
    }
}

impl fmt::Debug for ContentDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentDecoder")
            .field("coding", &self.coding)
            .field("read", &self.read)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

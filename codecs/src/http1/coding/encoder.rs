//! Content in, compressed content out, as a stream.

use core::fmt;

use fyke_buffer::ByteBuf;
use fyke_codec::CodecError;

use super::flate::Deflater;
use super::name::ContentCoding;
use super::step::{Compress, Op, failed};

/// Room made for output at a time.
const OUTPUT_BYTES: usize = 4 * 1024;

/// Compresses one message's content.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Decoder};
/// use fyke_codecs::http1::coding::{
///     ContentCoding, ContentDecoder, ContentEncoder, DecompressionLimits,
/// };
///
/// let mut packed = ByteBuf::new();
/// let mut encoder = ContentEncoder::new(ContentCoding::Gzip, None)?;
/// encoder.write(b"hello", &mut packed)?;
/// encoder.finish(&mut packed)?;
///
/// let mut decoder = ContentDecoder::new(ContentCoding::Gzip, DecompressionLimits::new())?;
/// assert_eq!(decoder.decode(&mut packed)?, Some(ByteBuf::from("hello")));
/// assert_eq!(decoder.decode_eof(&mut packed)?, None);
/// # Ok::<(), CodecError>(())
/// ```
pub struct ContentEncoder {
    inner: Box<dyn Compress>,
    coding: ContentCoding,
    /// Something was taken in since the last flush.
    unflushed: bool,
}

impl ContentEncoder {
    /// An encoder; `level` is the library's own, and `None` one that suits answers made on the fly
    /// (gzip and deflate 6, br 4, zstd 3).
    ///
    /// # Errors
    /// When the coding is not supported.
    pub fn new(coding: ContentCoding, level: Option<u32>) -> Result<Self, CodecError> {
        let inner: Box<dyn Compress> = match coding {
            ContentCoding::Gzip => Box::new(Deflater::gzip(level.unwrap_or(6))),
            ContentCoding::Deflate => Box::new(Deflater::zlib(level.unwrap_or(6))),
            #[cfg(feature = "br")]
            ContentCoding::Br => Box::new(super::brotli::BrotliEncoder::new(level.unwrap_or(4))),
            #[cfg(feature = "zstd")]
            ContentCoding::Zstd => Box::new(super::zstd::ZstdEncoder::new(level.unwrap_or(3))?),
            #[cfg(not(all(feature = "br", feature = "zstd")))]
            _ => return Err(CodecError::Unencodable { what: "content coding not supported" }),
        };
        Ok(Self { inner, coding, unflushed: false })
    }

    /// The coding.
    #[must_use]
    pub fn coding(&self) -> ContentCoding {
        self.coding
    }

    /// Whether what was written is not all in the output yet.
    #[must_use]
    pub fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Takes content in; what comes out, if anything, is appended to `dst`.
    ///
    /// # Errors
    /// When `dst` is full.
    pub fn write(&mut self, content: &[u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.unflushed |= !content.is_empty();
        self.run(content, dst, Op::Run)
    }

    /// Puts out all that has been taken in, so that the receiver can read it; costs some compression.
    ///
    /// # Errors
    /// When `dst` is full.
    pub fn flush(&mut self, dst: &mut ByteBuf) -> Result<(), CodecError> {
        if !std::mem::take(&mut self.unflushed) {
            return Ok(());
        }
        self.run(&[], dst, Op::Flush)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When `dst` is full.
    pub fn finish(mut self, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.run(&[], dst, Op::Finish)
    }

    fn run(&mut self, mut input: &[u8], dst: &mut ByteBuf, op: Op) -> Result<(), CodecError> {
        loop {
            dst.ensure_writable(OUTPUT_BYTES).map_err(|_| failed())?;
            let step = self.inner.step(input, dst.spare_mut(), op)?;
            dst.advance_writer(step.written);
            input = &input[step.read..];
            if step.done {
                return Ok(());
            }
            // With room for output and input to take, a compressor always does something.
            if step.read == 0 && step.written == 0 {
                return Err(failed());
            }
        }
    }
}

impl fmt::Debug for ContentEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentEncoder")
            .field("coding", &self.coding)
            .field("unflushed", &self.unflushed)
            .finish_non_exhaustive()
    }
}

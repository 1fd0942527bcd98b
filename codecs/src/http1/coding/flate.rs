//! gzip and deflate, by flate2.

use flate2::{Compression, FlushCompress, FlushDecompress, Status};
use fyke_codec::CodecError;

use super::step::{Compress, Decompress, Op, Step, failed, malformed};

/// The window of both formats at its largest: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// A compressor of gzip or of zlib's format.
pub(super) struct Deflater(flate2::Compress);

impl Deflater {
    pub(super) fn gzip(level: u32) -> Self {
        Self(flate2::Compress::new_gzip(Compression::new(level.min(9)), WINDOW_BITS))
    }

    pub(super) fn zlib(level: u32) -> Self {
        Self(flate2::Compress::new(Compression::new(level.min(9)), true))
    }
}

impl Compress for Deflater {
    fn step(&mut self, input: &[u8], output: &mut [u8], op: Op) -> Result<Step, CodecError> {
        let flush = match op {
            Op::Run => FlushCompress::None,
            Op::Flush => FlushCompress::Sync,
            Op::Finish => FlushCompress::Finish,
        };
        let (read, written) = (self.0.total_in(), self.0.total_out());
        let status = self.0.compress(input, output, flush).map_err(|_| failed())?;
        let read = (self.0.total_in() - read) as usize;
        let written = (self.0.total_out() - written) as usize;
        let done = match op {
            Op::Finish => status == Status::StreamEnd,
            // Room that was left says that there was nothing more.
            Op::Run | Op::Flush => read == input.len() && written < output.len(),
        };
        Ok(Step { read, written, done })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Gzip,
    /// Not known before the first byte.
    Undecided,
    Zlib,
    Raw,
}

/// A decompressor of gzip, of zlib's format, or of what some peers call deflate: the same without its
/// frame (RFC 9110 section 8.4.1.2 knows them).
pub(super) struct Inflater {
    inflate: flate2::Decompress,
    format: Format,
}

impl Inflater {
    pub(super) fn gzip() -> Self {
        Self { inflate: flate2::Decompress::new_gzip(WINDOW_BITS), format: Format::Gzip }
    }

    pub(super) fn zlib() -> Self {
        Self { inflate: flate2::Decompress::new(true), format: Format::Undecided }
    }
}

impl Decompress for Inflater {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, CodecError> {
        if self.format == Format::Undecided
            && let Some(first) = input.first()
        {
            // RFC 1950 section 2.2: method 8. As the start of a raw block that is a reserved or a
            // stored one of a kind that no compressor begins with.
            self.format = if first & 0x0f == 8 { Format::Zlib } else { Format::Raw };
            if self.format == Format::Raw {
                self.inflate = flate2::Decompress::new(false);
            }
        }
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, output, FlushDecompress::None);
        let status = status.map_err(|_| malformed())?;
        Ok(Step {
            read: (self.inflate.total_in() - read) as usize,
            written: (self.inflate.total_out() - written) as usize,
            done: status == Status::StreamEnd,
        })
    }

    /// RFC 1952 section 2.2: a gzip file is a series of members.
    fn restart(&mut self) -> bool {
        if self.format == Format::Gzip {
            *self = Self::gzip();
        }
        self.format == Format::Gzip
    }
}

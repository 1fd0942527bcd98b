//! Compressing that takes too long for the loop, as work for another thread.

use std::io;

use fyke_buffer::ByteBuf;
use fyke_core::{CodecError, Error, FileRegion, Result};

use crate::http1::coding::{ContentCoding, ContentEncoder};

/// How much of a file is read and compressed at a time.
const FILE_PIECE_BYTES: u64 = 256 * 1024;

/// Compresses the whole of some content.
pub(super) fn compress(
    coding: ContentCoding,
    level: Option<u32>,
    content: &[u8],
) -> Result<ByteBuf, CodecError> {
    let mut encoder = ContentEncoder::new(coding, level)?;
    let mut packed = ByteBuf::with_capacity(content.len() / 4);
    encoder.write(content, &mut packed)?;
    encoder.finish(&mut packed)?;
    Ok(packed)
}

/// A file on its way through an encoder, and what has come out so far.
pub(super) struct FilePiece {
    pub(super) encoder: ContentEncoder,
    pub(super) region: FileRegion,
    pub(super) packed: ByteBuf,
}

impl FilePiece {
    /// Reads and compresses the next piece.
    pub(super) fn next(mut self) -> Result<Self> {
        let len = self.region.len().min(FILE_PIECE_BYTES) as usize;
        let mut content = vec![0; len];
        let mut read = 0;
        while read < len {
            let offset = self.region.offset() + read as u64;
            match self.region.source().read_at(offset, &mut content[read..]) {
                Ok(0) => {
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the file was cut");
                    return Err(error.into());
                }
                Ok(n) => read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.region.advance(len as u64);
        self.encoder.write(&content, &mut self.packed).map_err(Error::from)?;
        Ok(self)
    }
}

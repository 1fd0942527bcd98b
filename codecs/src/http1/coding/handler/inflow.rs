//! The content of one message on its way through a decoder.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

use crate::http1::coding::{ContentCoding, ContentDecoder, DecompressionLimits};

/// A decoder, and what it has not taken yet.
#[derive(Debug)]
pub(super) struct Inflow {
    decoder: ContentDecoder,
    rest: ByteBuf,
}

impl Inflow {
    pub(super) fn new(
        coding: ContentCoding,
        limits: DecompressionLimits,
    ) -> Result<Self, CodecError> {
        Ok(Self { decoder: ContentDecoder::new(coding, limits)?, rest: ByteBuf::new() })
    }

    /// Decodes a piece. How much comes out of it is bounded by the limits.
    pub(super) fn feed(
        &mut self,
        piece: ByteBuf,
        mut out: impl FnMut(ByteBuf),
    ) -> Result<(), CodecError> {
        let mut src = piece;
        if !self.rest.is_empty() {
            self.rest.write_slice(&src);
            src = std::mem::take(&mut self.rest);
        }
        while let Some(piece) = self.decoder.decode(&mut src)? {
            out(piece);
        }
        if !src.is_empty() {
            self.rest = src;
        }
        Ok(())
    }

    /// The content is complete.
    pub(super) fn finish(&mut self, mut out: impl FnMut(ByteBuf)) -> Result<(), CodecError> {
        while let Some(piece) = self.decoder.decode_eof(&mut self.rest)? {
            out(piece);
        }
        Ok(())
    }
}

//! Content to compress, and whole messages through encoder and decoder.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::http1::coding::{
    ContentCoding, ContentDecoder, ContentEncoder, DecompressionLimits,
};

/// Text that compresses well, and never the same twice in a row.
pub(crate) fn text(bytes: usize) -> Vec<u8> {
    let lines = (0u64..).flat_map(|n| format!("line {n}: the quick brown fox\n").into_bytes());
    lines.take(bytes).collect()
}

/// Bytes that do not compress.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

pub(crate) fn pack(coding: ContentCoding, content: &[u8]) -> Vec<u8> {
    let mut encoder = ContentEncoder::new(coding, None).expect("it is supported");
    let mut packed = ByteBuf::new();
    encoder.write(content, &mut packed).expect("there is room");
    encoder.finish(&mut packed).expect("there is room");
    packed.to_vec()
}

pub(crate) fn unpack(coding: ContentCoding, packed: &[u8]) -> Result<Vec<u8>, CodecError> {
    unpack_with(DecompressionLimits::new(), coding, packed)
}

pub(crate) fn unpack_with(
    limits: DecompressionLimits,
    coding: ContentCoding,
    packed: &[u8],
) -> Result<Vec<u8>, CodecError> {
    let mut decoder = ContentDecoder::new(coding, limits)?;
    let (mut src, mut content) = (ByteBuf::from(packed), Vec::new());
    while let Some(piece) = decoder.decode(&mut src)? {
        assert!(piece.readable() <= 16 * 1024, "a piece is bounded");
        content.extend_from_slice(&piece);
    }
    while let Some(piece) = decoder.decode_eof(&mut src)? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}

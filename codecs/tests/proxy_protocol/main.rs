//! The PROXY protocol: what is accepted and refused, by section of its specification (2020/03/05),
//! every split, random bytes, and the stages.
#![allow(missing_docs, reason = "a test")]

mod properties;
mod stages;
mod table;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use fyke_codecs::proxy_protocol::{ProxyHeader, ProxyProtocolDecoder};

/// What a decoder makes of `bytes`, given in pieces: the header, and what is left.
pub(crate) fn decode_in(
    bytes: &[u8],
    pieces: &[usize],
) -> Result<Option<(ProxyHeader, Vec<u8>)>, CodecError> {
    let mut decoder = ProxyProtocolDecoder::new();
    let (mut src, mut at) = (ByteBuf::new(), 0);
    for end in pieces.iter().copied().chain([bytes.len()]) {
        src.write_slice(&bytes[at..end.max(at)]);
        at = end.max(at);
        if let Some(header) = decoder.decode(&mut src)? {
            src.write_slice(&bytes[at..]);
            return Ok(Some((header, src.to_vec())));
        }
    }
    Ok(None)
}

/// The same at once, which every way to cut the bytes has to agree with.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(ProxyHeader, Vec<u8>)>, String> {
    let text = |error: CodecError| error.to_string();
    let whole = decode_in(bytes, &[]).map_err(text);
    let every: Vec<usize> = (0..bytes.len()).collect();
    assert_eq!(decode_in(bytes, &every).map_err(text).is_ok(), whole.is_ok());
    if let Ok(whole) = &whole {
        assert_eq!(&decode_in(bytes, &every).map_err(text)?, whole, "byte by byte");
    }
    for cut in 0..bytes.len() {
        let outcome = decode_in(bytes, &[cut]).map_err(text);
        assert_eq!(outcome.is_ok(), whole.is_ok(), "cut at {cut}");
        if let (Ok(outcome), Ok(whole)) = (outcome, &whole) {
            assert_eq!(&outcome, whole, "cut at {cut}");
        }
    }
    whole
}

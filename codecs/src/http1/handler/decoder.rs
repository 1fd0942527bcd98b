//! The first stage of a server: bytes in, parts of requests out.

use std::fmt;

use fyke_buffer::ByteBuf;
use fyke_codec::Decoder;
use fyke_core::CodecError;

use super::server::Shared;
use crate::http1::RequestPart;

/// Bytes of further requests that may wait while no more requests are taken in. Reading is paused
/// then, so that there are more only when something else has switched it on again.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Decodes requests. Belongs in front of its [`HttpResponseEncoder`](super::HttpResponseEncoder), see [`server`](super::server()).
pub struct HttpRequestDecoder(Shared);

impl HttpRequestDecoder {
    pub(super) fn new(codec: Shared) -> Self {
        Self(codec)
    }
}

impl Decoder for HttpRequestDecoder {
    type Item = RequestPart;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        let mut codec = self.0.borrow_mut();
        let decoded = codec.decode(src);
        if matches!(decoded, Ok(None)) && src.readable() > WAITING_BYTES_MAX && codec.is_blocked() {
            return Err(too_much_ahead(src.readable()));
        }
        decoded
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        self.0.borrow_mut().decode_eof(src)
    }
}

#[cold]
fn too_much_ahead(size: usize) -> CodecError {
    CodecError::TooLarge {
        what: "requests ahead of their answers",
        size: size as u64,
        limit: WAITING_BYTES_MAX as u64,
    }
}

impl fmt::Debug for HttpRequestDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpRequestDecoder").field(&self.0).finish()
    }
}

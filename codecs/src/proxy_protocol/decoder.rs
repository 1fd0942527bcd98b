//! Which version a header has, and when there are enough bytes of it.

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

use super::header::ProxyHeader;
use super::{v1, v2};

/// Bytes that a header may have, if nothing else is said.
pub const HEADER_BYTES_MAX: usize = 4096;

/// Reads one header, of either version. What follows it stays where it is.
///
/// It is strict: a peer that sends none, or a broken one, is refused at the first byte that cannot
/// be one (section 2 forbids to guess).
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Decoder;
/// use fyke_codecs::proxy_protocol::ProxyProtocolDecoder;
///
/// let mut decoder = ProxyProtocolDecoder::new();
/// let mut wire = ByteBuf::from("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET /");
/// let header = decoder.decode(&mut wire)?.expect("it is complete");
/// assert_eq!(header.source(), Some("192.0.2.1:56324".parse().unwrap()));
/// assert_eq!(wire, b"GET /"[..]);
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProxyProtocolDecoder {
    header_bytes_max: usize,
}

impl ProxyProtocolDecoder {
    /// With the default limit, [`HEADER_BYTES_MAX`].
    pub const fn new() -> Self {
        Self { header_bytes_max: HEADER_BYTES_MAX }
    }

    /// Bytes that a header of version 2 may have; one of version 1 has 107 at most.
    pub const fn header_bytes_max(mut self, bytes: usize) -> Self {
        self.header_bytes_max = bytes;
        self
    }
}

impl Default for ProxyProtocolDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `bytes` begin with `signature`, or may, once there are more of them.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    let n = bytes.len().min(signature.len());
    bytes[..n] == signature[..n]
}

impl Decoder for ProxyProtocolDecoder {
    type Item = ProxyHeader;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ProxyHeader>, CodecError> {
        let bytes = src.as_slice();
        let found = if begins(bytes, v2::SIGNATURE) {
            v2::decode(bytes, self.header_bytes_max)?
        } else if begins(bytes, v1::SIGNATURE) {
            v1::decode(bytes)?
        } else {
            return Err(CodecError::malformed("PROXY: the stream does not begin with a header"));
        };
        let Some((header, length)) = found else { return Ok(None) };
        drop(src.split_to(length));
        Ok(Some(header))
    }
}

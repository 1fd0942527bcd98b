//! `application/x-www-form-urlencoded`: the body of a simple form, and most queries.

use std::borrow::Cow;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use memchr::memchr;

use super::percent::decode_text;

/// The pairs of a query or of a body, decoded as browsers do it: `+` is a space, what is no escape
/// stays as it is, and what is not UTF-8 is replaced.
///
/// ```
/// use fyke_codecs::http1::forms::urlencoded;
///
/// let pairs: Vec<_> = urlencoded(b"name=Ada+L.&say=%22hi%22&flag").collect();
/// assert_eq!(pairs[0], ("name".into(), "Ada L.".into()));
/// assert_eq!(pairs[1], ("say".into(), "\"hi\"".into()));
/// assert_eq!(pairs[2], ("flag".into(), "".into()));
/// ```
pub fn urlencoded(text: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split(|&b| b == b'&').filter(|pair| !pair.is_empty()).map(pair)
}

fn pair(text: &[u8]) -> (Cow<'_, str>, Cow<'_, str>) {
    let (name, value) = match memchr(b'=', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[][..]),
    };
    (decode_text(name, true), decode_text(value, true))
}

/// The limits of a [`UrlEncodedDecoder`], each with a safe default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct UrlEncodedLimits {
    pairs_max: u32,
    pair_bytes_max: u32,
}

impl UrlEncodedLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self { pairs_max: 1000, pair_bytes_max: 64 * 1024 }
    }

    /// Most pairs of a form. 1000.
    pub const fn pairs_max(mut self, pairs: u32) -> Self {
        self.pairs_max = pairs;
        self
    }

    /// Longest pair, as it was sent. 64 KiB.
    pub const fn pair_bytes_max(mut self, bytes: u32) -> Self {
        self.pair_bytes_max = bytes;
        self
    }
}

impl Default for UrlEncodedLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// Decodes the pairs of a body as it arrives; the end of the body is the end of the last pair.
#[derive(Debug, Default)]
pub struct UrlEncodedDecoder {
    limits: UrlEncodedLimits,
    pairs: u32,
    /// Bytes of the current pair that have been searched for its end.
    searched: usize,
}

impl UrlEncodedDecoder {
    /// A decoder with these limits.
    #[must_use]
    pub fn new(limits: UrlEncodedLimits) -> Self {
        Self { limits, pairs: 0, searched: 0 }
    }

    /// Takes the pair of this length off the front.
    fn take(&mut self, src: &mut ByteBuf, len: usize) -> Result<(String, String), CodecError> {
        self.searched = 0;
        self.check_length(len)?;
        self.pairs += 1;
        if self.pairs > self.limits.pairs_max {
            let limit = u64::from(self.limits.pairs_max);
            return Err(CodecError::TooLarge { what: "form", size: u64::from(self.pairs), limit });
        }
        let (name, value) = pair(&src[..len]);
        let decoded = (name.into_owned(), value.into_owned());
        drop(src.split_to(len));
        Ok(decoded)
    }

    fn check_length(&self, len: usize) -> Result<(), CodecError> {
        let limit = u64::from(self.limits.pair_bytes_max);
        if len as u64 > limit {
            // The same however it arrived: nothing is said about what comes behind.
            return Err(CodecError::TooLarge { what: "field of a form", size: limit + 1, limit });
        }
        Ok(())
    }
}

impl Decoder for UrlEncodedDecoder {
    type Item = (String, String);

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<(String, String)>, CodecError> {
        loop {
            let Some(at) = src.get(self.searched..).and_then(|rest| memchr(b'&', rest)) else {
                self.searched = src.readable();
                self.check_length(self.searched)?;
                return Ok(None);
            };
            let len = self.searched + at;
            let pair = if len == 0 { None } else { Some(self.take(src, len)?) };
            // The `&` itself has just been seen.
            drop(src.split_to(1));
            if pair.is_some() {
                return Ok(pair);
            }
        }
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<(String, String)>, CodecError> {
        if let Some(pair) = self.decode(src)? {
            return Ok(Some(pair));
        }
        if src.is_empty() { Ok(None) } else { self.take(src, src.readable()).map(Some) }
    }
}

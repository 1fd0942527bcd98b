//! The chunked transfer coding of a request's body (RFC 9112 section 7.1).
//!
//! Extensions are checked and dropped, trailer fields are kept. Every line ends in CRLF, exactly.

use super::chars::token_len;
use super::head::field_line;
use super::trailers::{Trailers, may_trail};
use super::{HttpError, Limits, Status};
use fyke_buffer::ByteBuf;
use memchr::memchr;

/// Bytes around the chunks that the sender gets for nothing before a body made of little else is
/// refused; each chunk brings its own allowance.
const OVERHEAD_BYTES_MAX: u32 = 16 * 1024;

/// Where in the coding the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the line before a chunk.
    Size,
    /// In a chunk, with this much to come, never 0.
    Data(u64),
    /// In the CRLF behind a chunk.
    DataEnd,
    /// In the trailer section.
    Trailer,
}

/// What the reader found.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A chunk, or as much of it as is there.
    Data(ByteBuf),
    /// The last chunk and the trailer section are through.
    End,
}

/// The reader of one chunked body.
#[derive(Debug)]
pub(crate) struct Chunked {
    at: At,
    /// Bytes of the current line that have been searched for its end.
    searched: u32,
    overhead: u32,
    trailer_bytes: u32,
    trailer_fields: u16,
    /// The lines of the trailer section that mean something.
    trailers: ByteBuf,
}

impl Chunked {
    pub(crate) const fn new() -> Self {
        Self {
            at: At::Size,
            searched: 0,
            overhead: 0,
            trailer_bytes: 0,
            trailer_fields: 0,
            trailers: ByteBuf::new(),
        }
    }

    /// The trailer fields, once the end has come, if there are any.
    pub(crate) fn take_trailers(&mut self) -> Option<Trailers> {
        let lines = core::mem::take(&mut self.trailers);
        (!lines.is_empty()).then(|| Trailers::new(lines))
    }

    /// Whether content is the next thing to come.
    pub(crate) const fn in_data(&self) -> bool {
        matches!(self.at, At::Data(_))
    }

    /// Takes the next piece off `src`, at most `room` bytes of it.
    pub(crate) fn next(
        &mut self,
        src: &mut ByteBuf,
        room: u64,
        limits: &Limits,
    ) -> Result<Option<Piece>, HttpError> {
        loop {
            match self.at {
                At::Size => {
                    let max = limits.chunk_line_bytes_max;
                    let Some(len) = self.line(src, max, too_long_chunk_line)? else {
                        return Ok(None);
                    };
                    let size = chunk_size(&src[..len])?;
                    if size > limits.declared_bytes_max {
                        return Err(HttpError::bad("absurd chunk size"));
                    }
                    self.count(len, size)?;
                    skip(src, len + 2);
                    self.at = if size == 0 { At::Trailer } else { At::Data(size) };
                }
                At::Data(left) => {
                    let take = left.min(room).min(src.readable() as u64);
                    if take == 0 {
                        return Ok(None);
                    }
                    self.at = if take == left { At::DataEnd } else { At::Data(left - take) };
                    return Ok(Some(Piece::Data(src.split_to(take as usize))));
                }
                At::DataEnd => match src[..] {
                    [b'\r', b'\n', ..] => {
                        skip(src, 2);
                        self.at = At::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(HttpError::bad("chunk longer than its size")),
                },
                At::Trailer => {
                    let left = limits.trailer_bytes_max.saturating_sub(self.trailer_bytes);
                    let Some(len) = self.line(src, left, too_long_trailers)? else {
                        return Ok(None);
                    };
                    if len > 0 {
                        self.trailer(&src[..len], limits)?;
                    }
                    skip(src, len + 2);
                    if len == 0 {
                        return Ok(Some(Piece::End));
                    }
                }
            }
        }
    }

    /// Length of the line at the start of `src` without its CRLF, once it is there whole.
    fn line(
        &mut self,
        src: &ByteBuf,
        max: u32,
        too_long: fn() -> HttpError,
    ) -> Result<Option<usize>, HttpError> {
        let max = max as usize + 2;
        let window = &src[..src.readable().min(max)];
        let searched = self.searched as usize;
        let Some(at) = window.get(searched..).and_then(|rest| memchr(b'\n', rest)) else {
            if src.readable() >= max {
                return Err(too_long());
            }
            self.searched = window.len() as u32;
            return Ok(None);
        };
        self.searched = 0;
        match window[..searched + at].split_last() {
            Some((b'\r', line)) => Ok(Some(line.len())),
            _ => Err(HttpError::bad("line feed without a carriage return in a chunked body")),
        }
    }

    /// Refuses a body that is all extensions: they cost work and count as no content.
    fn count(&mut self, line_len: usize, size: u64) -> Result<(), HttpError> {
        let earned = u32::try_from(size).unwrap_or(u32::MAX).saturating_add(16);
        self.overhead = self.overhead.saturating_add(line_len as u32).saturating_sub(earned);
        if self.overhead > OVERHEAD_BYTES_MAX {
            return Err(HttpError::bad("more chunk extensions than content"));
        }
        Ok(())
    }

    /// RFC 9110 section 6.5: a field like any other.
    fn trailer(&mut self, line: &[u8], limits: &Limits) -> Result<(), HttpError> {
        self.trailer_fields += 1;
        self.trailer_bytes = self.trailer_bytes.saturating_add(line.len() as u32 + 2);
        if self.trailer_fields > limits.trailer_fields_max {
            return Err(too_long_trailers());
        }
        let (name, _) = field_line(line)?;
        if may_trail(name) {
            self.trailers.write_slice(line);
            self.trailers.write_slice(b"\r\n");
        }
        Ok(())
    }
}

#[cold]
fn too_long_chunk_line() -> HttpError {
    HttpError::bad("chunk line over the limit")
}

#[cold]
fn too_long_trailers() -> HttpError {
    HttpError::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, "trailers over the limit")
}

/// Skips what has just been looked at.
fn skip(src: &mut ByteBuf, len: usize) {
    let skipped = src.skip(len);
    debug_assert!(skipped.is_ok(), "only bytes that were seen are skipped");
}

/// Reads `chunk-size [ chunk-ext ]`.
fn chunk_size(line: &[u8]) -> Result<u64, HttpError> {
    let digits = line.iter().position(|b| !b.is_ascii_hexdigit()).unwrap_or(line.len());
    // 16 digits are 64 bits; a sender has no reason for more, not even zeros.
    if digits == 0 || digits > 16 {
        return Err(HttpError::bad("malformed chunk size"));
    }
    let mut size: u64 = 0;
    for &b in &line[..digits] {
        let digit = if b.is_ascii_digit() { b - b'0' } else { (b | 0x20) - b'a' + 10 };
        size = size << 4 | u64::from(digit);
    }
    if size > i64::MAX as u64 {
        return Err(HttpError::bad("malformed chunk size"));
    }
    if !extensions(&line[digits..]) {
        return Err(HttpError::bad("malformed chunk extension"));
    }
    Ok(size)
}

/// Whether this is `chunk-ext` (RFC 9112 section 7.1.1), white space where it is tolerated.
fn extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let [b';', name @ ..] = trim_start(rest) else { return false };
        let name = trim_start(name);
        let len = token_len(name);
        if len == 0 {
            return false;
        }
        rest = &name[len..];
        if let [b'=', value @ ..] = trim_start(rest) {
            let value = trim_start(value);
            let len =
                if value.first() == Some(&b'"') { quoted_len(value) } else { token_len(value) };
            if len == 0 {
                return false;
            }
            rest = &value[len..];
        }
    }
    true
}

/// Length of the quoted string `text` begins with (RFC 9110 section 5.6.4); 0 when it has no end.
fn quoted_len(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, &b) in text.iter().enumerate().skip(1) {
        match b {
            _ if (b < 0x20 && b != b'\t') || b == 0x7f => return 0,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    0
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_extensions() {
        for (line, size) in [
            ("0", 0),
            ("00a", 10),
            ("FfF", 0xfff),
            ("7fffffffffffffff", i64::MAX as u64),
            ("5;a", 5),
            ("5;a=b;c=\"d;\\\"e\"", 5),
            ("5 ; a = b", 5),
        ] {
            assert_eq!(chunk_size(line.as_bytes()), Ok(size), "{line}");
        }
        for bad in [
            "",
            "g",
            "-1",
            "+5",
            "0x5",
            " 5",
            "5 ",
            "5;",
            "5;=b",
            "5;a=",
            "5;a=\"b",
            "5;a b",
            "5,5",
            "8000000000000000",
            "00000000000000005",
            "5;a=\"\u{1}\"",
            "5\r",
            "5_0",
            "5;a ",
        ] {
            assert!(chunk_size(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}

//! Lines that end in LF or CR LF.

use bytes::Buf;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use memchr::memchr;

use super::DEFAULT_MAX_LINE_BYTES;
use super::append::append;

/// Lines (Netty: `LineBasedFrameDecoder`).
///
/// A line ends with LF; one CR before it belongs to the ending. Any other CR is data. The
/// limit counts neither. A last line without an ending is truncated.
///
/// As an [`Encoder`] it appends LF, or CR LF if [asked to](Self::crlf). A message with an LF
/// inside is refused: its receiver would see two. A message that ends with CR gets CR LF, since
/// its own CR would be taken for a part of the ending. Where endings are
/// [kept](Self::strip_delimiter), a message that has one already gets no second one.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Decoder;
/// use fyke_codecs::frames::Line;
///
/// let mut lines = Line::new();
/// let mut wire = ByteBuf::from(b"one\r\ntwo\nthr");
/// assert_eq!(lines.decode(&mut wire)?.expect("whole").as_slice(), b"one");
/// assert_eq!(lines.decode(&mut wire)?.expect("whole").as_slice(), b"two");
/// assert!(lines.decode(&mut wire)?.is_none());
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Line {
    max_line: usize,
    strip_delimiter: bool,
    fail_fast: bool,
    crlf: bool,
    /// So many bytes at the front of the input hold no LF.
    scanned: usize,
    /// Inside a line over the limit: the bytes of it that were dropped.
    dropped: Option<u64>,
}

impl Line {
    /// Lines of at most [`DEFAULT_MAX_LINE_BYTES`], without their endings.
    pub const fn new() -> Self {
        Self {
            max_line: DEFAULT_MAX_LINE_BYTES,
            strip_delimiter: true,
            fail_fast: true,
            crlf: false,
            scanned: 0,
            dropped: None,
        }
    }

    /// The longest line that is accepted, its ending not counted.
    pub const fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    /// Whether the ending is left out of the item (default yes).
    pub const fn strip_delimiter(mut self, yes: bool) -> Self {
        self.strip_delimiter = yes;
        self
    }

    /// Whether a line over the limit is an error at once (default) or after it was skipped.
    pub const fn fail_fast(mut self, yes: bool) -> Self {
        self.fail_fast = yes;
        self
    }

    /// Whether encoded lines end with CR LF (default: LF).
    pub const fn crlf(mut self, yes: bool) -> Self {
        self.crlf = yes;
        self
    }

    /// Takes the line off `src` whose text ends at `text` and whose LF is at `lf`.
    #[inline]
    fn take(&self, text: usize, lf: usize, src: &mut ByteBuf) -> ByteBuf {
        if !self.strip_delimiter {
            return src.split_to(lf + 1);
        }
        let line = src.split_to(text);
        src.advance(lf + 1 - text);
        line
    }

    /// Appends `text` and its ending.
    pub(super) fn append_line(&self, text: &[u8], dst: &mut ByteBuf) -> Result<(), CodecError> {
        match memchr(b'\n', text) {
            None if self.crlf || text.last() == Some(&b'\r') => append(text, b"\r\n", dst),
            None => append(text, b"\n", dst),
            Some(at) if !self.strip_delimiter && at + 1 == text.len() => append(text, &[], dst),
            Some(_) => Err(CodecError::Unencodable { what: "a line holds a line feed" }),
        }
    }

    /// Begins to drop a line that is over the limit.
    #[cold]
    fn refuse(&mut self, src: &mut ByteBuf) -> Result<(), CodecError> {
        self.scanned = 0;
        self.dropped = Some(0);
        if self.fail_fast {
            // At least so long. What is known beyond that depends on how the bytes arrived.
            return Err(self.too_long((self.max_line as u64).saturating_add(1)));
        }
        self.drop_line(0, src).map(|_| ())
    }

    /// Drops what has arrived of a line over the limit; `true` when its end was found.
    #[cold]
    fn drop_line(&mut self, dropped: u64, src: &mut ByteBuf) -> Result<bool, CodecError> {
        let Some(lf) = memchr(b'\n', src.as_slice()) else {
            self.dropped = Some(dropped.saturating_add(src.readable() as u64));
            src.advance(src.readable());
            src.discard_read(); // nothing is left in it: the room is used again
            return Ok(false);
        };
        src.advance(lf + 1);
        self.dropped = None;
        if self.fail_fast {
            return Ok(true); // it was reported when it began
        }
        Err(self.too_long(dropped.saturating_add(lf as u64)))
    }

    fn too_long(&self, size: u64) -> CodecError {
        CodecError::TooLarge { what: "a line", size, limit: self.max_line as u64 }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for Line {
    type Item = ByteBuf;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if let Some(dropped) = self.dropped
            && !self.drop_line(dropped, src)?
        {
            return Ok(None);
        }
        // The longest line with its CR LF: what lies behind need not be looked at.
        let bytes = src.as_slice();
        let bytes = &bytes[..bytes.len().min(self.max_line.saturating_add(2))];
        let from = self.scanned.min(bytes.len());
        let found = memchr(b'\n', &bytes[from..]).map(|at| from + at);
        let end = found.unwrap_or(bytes.len());
        // A CR at the end of what is there may be half of the ending, so it does not count yet.
        let text = if end > 0 && bytes[end - 1] == b'\r' { end - 1 } else { end };
        if text > self.max_line {
            self.refuse(src)?;
            return Ok(None);
        }
        let Some(lf) = found else {
            self.scanned = end;
            return Ok(None);
        };
        self.scanned = 0;
        Ok(Some(self.take(text, lf, src)))
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if let Some(line) = self.decode(src)? {
            return Ok(Some(line));
        }
        match self.dropped.take() {
            Some(dropped) if !self.fail_fast => Err(self.too_long(dropped)),
            Some(_) => Ok(None),
            None if src.is_empty() => Ok(None),
            None => Err(CodecError::Truncated { left: src.readable() }),
        }
    }
}

impl<M: AsRef<[u8]> + 'static> Encoder<M> for Line {
    #[inline]
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        self.append_line(msg.as_ref(), dst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_goes_on_where_it_stopped() {
        let mut line = Line::new();
        let mut src = ByteBuf::new();
        for seen in 1..=100 {
            src.write_u8(b'a');
            assert!(line.decode(&mut src).expect("short enough").is_none());
            assert_eq!(line.scanned, seen);
        }
        src.write_slice(b"\nbc");
        assert_eq!(line.decode(&mut src).expect("a line").expect("whole").readable(), 100);
        assert_eq!(line.scanned, 0);
        assert!(line.decode(&mut src).expect("short enough").is_none());
        assert_eq!(line.scanned, 2);
    }
}

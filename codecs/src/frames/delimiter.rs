//! Frames that end with one of several delimiters.
//!
//! The scan of each delimiter goes on where it stopped, frame after frame: what a byte costs
//! does not depend on how the input is cut, nor on whether the other delimiters occur at all.

use bytes::Buf;
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder, Encoder};
use memchr::memmem::Finder;

use super::DEFAULT_MAX_FRAME_BYTES;
use super::append::append;

/// Frames between delimiters (Netty: `DelimiterBasedFrameDecoder`).
///
/// With several delimiters the one that is complete first ends the frame; of two that are
/// completed by the same byte, the one that makes the shorter frame. So CR LF wins over LF, and
/// where one delimiter lies inside another the result does not depend on how the bytes arrived.
/// A last frame without a delimiter is truncated.
///
/// As an [`Encoder`] it appends the first delimiter, and refuses a message that would not arrive
/// as one frame. Where delimiters are [kept](Self::strip_delimiter), a message that ends with
/// one already gets no second one.
///
/// # Example
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::Decoder;
/// use fyke_codecs::frames::Delimiter;
///
/// let mut frames = Delimiter::new(b";").or(b"\r\n");
/// let mut wire = ByteBuf::from(b"a;b\r\nc");
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), b"a");
/// assert_eq!(frames.decode(&mut wire)?.expect("whole").as_slice(), b"b");
/// assert!(frames.decode(&mut wire)?.is_none());
/// # Ok::<(), fyke_codec::CodecError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Delimiter {
    patterns: Vec<Pattern>,
    longest: usize,
    max_frame: usize,
    strip_delimiter: bool,
    fail_fast: bool,
    /// Inside a frame over the limit: the bytes of it that were dropped.
    dropped: Option<u64>,
}

/// One delimiter and how far the input was searched for it.
#[derive(Clone, Debug)]
struct Pattern {
    finder: Finder<'static>,
    /// It starts at none of so many bytes at the front of the input.
    clean: usize,
}

impl Pattern {
    fn bytes(&self) -> &[u8] {
        self.finder.needle()
    }
}

/// Where a frame ends, and its delimiter with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    start: usize,
    end: usize,
}

impl Delimiter {
    /// Frames of at most [`DEFAULT_MAX_FRAME_BYTES`] that end with `delimiter`.
    ///
    /// # Panics
    /// When it is empty.
    pub fn new(delimiter: impl AsRef<[u8]>) -> Self {
        Self {
            patterns: Vec::new(),
            longest: 0,
            max_frame: DEFAULT_MAX_FRAME_BYTES,
            strip_delimiter: true,
            fail_fast: true,
            dropped: None,
        }
        .or(delimiter)
    }

    /// Frames that end with a zero byte (Netty: `Delimiters.nulDelimiter`).
    pub fn nul() -> Self {
        Self::new(b"\0")
    }

    /// Frames that end with CR LF or LF (Netty: `Delimiters.lineDelimiter`).
    ///
    /// [`Line`](super::Line) does the same faster.
    pub fn line() -> Self {
        Self::new(b"\r\n").or(b"\n")
    }

    /// One more delimiter.
    ///
    /// # Panics
    /// When it is empty.
    pub fn or(mut self, delimiter: impl AsRef<[u8]>) -> Self {
        let delimiter = delimiter.as_ref();
        assert!(!delimiter.is_empty(), "a delimiter must hold at least one byte");
        self.longest = self.longest.max(delimiter.len());
        self.patterns.push(Pattern { finder: Finder::new(delimiter).into_owned(), clean: 0 });
        self
    }

    /// The largest frame that is accepted, its delimiter not counted (default
    /// [`DEFAULT_MAX_FRAME_BYTES`]).
    pub const fn max_frame(mut self, bytes: usize) -> Self {
        self.max_frame = bytes;
        self
    }

    /// Whether the delimiter is left out of the item (default yes).
    pub const fn strip_delimiter(mut self, yes: bool) -> Self {
        self.strip_delimiter = yes;
        self
    }

    /// Whether a frame over the limit is an error at once (default) or after it was skipped.
    pub const fn fail_fast(mut self, yes: bool) -> Self {
        self.fail_fast = yes;
        self
    }

    /// The delimiter that is complete first in `bytes`; notes how far each was searched for.
    fn find(&mut self, bytes: &[u8]) -> Option<Match> {
        let mut best: Option<Match> = None;
        let mut window = bytes;
        for pattern in &mut self.patterns {
            let length = pattern.bytes().len();
            let from = pattern.clean.min(window.len());
            let Some(at) = pattern.finder.find(&window[from..]) else {
                pattern.clean = pattern.clean.max((window.len() + 1).saturating_sub(length));
                continue;
            };
            let found = Match { start: from + at, end: from + at + length };
            pattern.clean = found.start;
            // The window makes sure that it does not end later than the best one.
            if best.is_none_or(|best| found.end < best.end || found.start < best.start) {
                window = &bytes[..found.end];
                best = Some(found);
            }
        }
        best
    }

    /// `count` bytes were taken off the front of the input.
    fn forget(&mut self, count: usize) {
        for pattern in &mut self.patterns {
            pattern.clean = pattern.clean.saturating_sub(count);
        }
    }

    /// Begins to drop a frame that is over the limit.
    #[cold]
    fn refuse(&mut self, src: &mut ByteBuf) -> Result<(), CodecError> {
        self.dropped = Some(0);
        if self.fail_fast {
            // At least so long. What is known beyond that depends on how the bytes arrived.
            return Err(self.too_long((self.max_frame as u64).saturating_add(1)));
        }
        self.drop_frame(0, src).map(|_| ())
    }

    /// Drops what has arrived of a frame over the limit; `true` when its end was found.
    #[cold]
    fn drop_frame(&mut self, dropped: u64, src: &mut ByteBuf) -> Result<bool, CodecError> {
        let Some(Match { start, end }) = self.find(src.as_slice()) else {
            // The last few bytes may be the beginning of a delimiter.
            let count = src.readable().saturating_sub(self.longest - 1);
            src.advance(count);
            src.discard_read(); // next to nothing is left in it: the room is used again
            self.forget(count);
            self.dropped = Some(dropped.saturating_add(count as u64));
            return Ok(false);
        };
        src.advance(end);
        self.forget(end);
        self.dropped = None;
        if self.fail_fast {
            return Ok(true); // it was reported when it began
        }
        Err(self.too_long(dropped.saturating_add(start as u64)))
    }

    fn too_long(&self, size: u64) -> CodecError {
        CodecError::TooLarge { what: "a frame", size, limit: self.max_frame as u64 }
    }

    /// The delimiter that is complete first in a message to be encoded.
    fn first_in(&self, bytes: &[u8]) -> Option<Match> {
        let ends = self.patterns.iter().filter_map(|pattern| {
            let start = pattern.finder.find(bytes)?;
            Some(Match { start, end: start + pattern.bytes().len() })
        });
        ends.min_by_key(|found| (found.end, found.start))
    }
}

impl Decoder for Delimiter {
    type Item = ByteBuf;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if let Some(dropped) = self.dropped
            && !self.drop_frame(dropped, src)?
        {
            return Ok(None);
        }
        // The longest frame with the longest delimiter: what lies behind need not be looked at.
        let window = src.readable().min(self.max_frame.saturating_add(self.longest));
        let found = self.find(&src.as_slice()[..window]);
        let too_long = match found {
            Some(found) => found.start > self.max_frame,
            None => self.patterns.iter().all(|pattern| pattern.clean > self.max_frame),
        };
        if too_long {
            self.refuse(src)?;
            return Ok(None);
        }
        let Some(Match { start, end }) = found else { return Ok(None) };
        self.forget(end);
        if !self.strip_delimiter {
            return Ok(Some(src.split_to(end)));
        }
        let frame = src.split_to(start);
        src.advance(end - start);
        Ok(Some(frame))
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ByteBuf>, CodecError> {
        if let Some(frame) = self.decode(src)? {
            return Ok(Some(frame));
        }
        let left = src.readable();
        match self.dropped.take() {
            Some(dropped) if !self.fail_fast => Err(self.too_long(dropped + left as u64)),
            Some(_) => Ok(None),
            None if left == 0 => Ok(None),
            None => Err(CodecError::Truncated { left }),
        }
    }
}

impl<M: AsRef<[u8]> + 'static> Encoder<M> for Delimiter {
    fn encode(&mut self, msg: M, dst: &mut ByteBuf) -> Result<(), CodecError> {
        let msg = msg.as_ref();
        if !self.strip_delimiter && self.first_in(msg).is_some_and(|found| found.end == msg.len()) {
            return append(msg, &[], dst);
        }
        let before = dst.readable();
        append(msg, self.patterns[0].bytes(), dst)?;
        // Looked for in the whole: a delimiter may lie across the seam.
        let wire = &dst.as_slice()[before..];
        let one_frame = self.first_in(wire) == Some(Match { start: msg.len(), end: wire.len() });
        if !one_frame {
            dst.truncate(before);
            return Err(CodecError::Unencodable { what: "a message holds a delimiter" });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far the input was searched for each delimiter.
    fn clean(codec: &Delimiter) -> Vec<usize> {
        codec.patterns.iter().map(|pattern| pattern.clean).collect()
    }

    #[test]
    fn each_scan_goes_on_where_it_stopped() {
        let mut codec = Delimiter::new("never").or(";");
        let mut src = ByteBuf::from(b"ab;cd;ef;gh");
        for left in [8, 5, 2] {
            assert!(codec.decode(&mut src).expect("short enough").is_some());
            assert_eq!(src.readable(), left);
            // The first search for the rare one went to the end; only its last four bytes may
            // still begin one.
            assert_eq!(clean(&codec)[0], left.saturating_sub(4));
        }
        for seen in 3..50 {
            src.write_u8(b'x');
            assert!(codec.decode(&mut src).expect("short enough").is_none());
            assert_eq!(clean(&codec), [seen - 4_usize.min(seen), seen]);
        }
    }

    #[test]
    fn a_delimiter_that_was_found_too_far_off_is_kept_for_later() {
        let mut codec = Delimiter::new("--").or(";");
        let mut src = ByteBuf::from(b"a;b;c--");
        assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"a");
        assert_eq!(clean(&codec), [3, 0]);
        assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"b");
        assert_eq!(clean(&codec), [1, 0]);
        assert_eq!(codec.decode(&mut src).expect("sound").expect("whole").as_slice(), b"c");
    }
}

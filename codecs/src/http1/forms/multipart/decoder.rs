//! Bytes in, parts of a form out.
//!
//! ```text
//!   Preamble --> (boundary) --> Head --> Body --> (boundary) --> Head ... --> (last) --> Epilogue
//! ```

use core::fmt;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};
use memchr::memchr;
use memchr::memmem::Finder;

use super::boundary::check;
use super::{FormError, MultipartLimits, PartHead};

/// A piece of a form. Each part is one `Head`, any number of `Body`, one `End`.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MultipartPart {
    /// What the part says of itself.
    Head(PartHead),
    /// A piece of its content as it arrived, never empty; its cuts mean nothing.
    Body(ByteBuf),
    /// The part is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In front of the first boundary, at the start of a line.
    Preamble,
    /// Behind a boundary: the rest of its line.
    Boundary,
    Head,
    /// In a part's content.
    Body,
    /// Behind the last boundary.
    Epilogue,
}

/// Decodes `multipart/form-data` as it arrives; nothing but a head and what may be the start of a
/// boundary is held.
///
/// ```
/// use fyke_buffer::ByteBuf;
/// use fyke_codec::{CodecError, Decoder};
/// use fyke_codecs::http1::forms::{
///     MultipartDecoder, MultipartLimits, MultipartPart, boundary_of,
/// };
///
/// let boundary = boundary_of(b"multipart/form-data; boundary=x")?.expect("it is a form");
/// let mut form = MultipartDecoder::new(&boundary, MultipartLimits::new())?;
/// let mut src = ByteBuf::from(
///     "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nhello\r\n--x--\r\n",
/// );
/// let Some(MultipartPart::Head(head)) = form.decode(&mut src)? else { panic!() };
/// assert_eq!(head.name(), "a");
/// let Some(MultipartPart::Body(body)) = form.decode(&mut src)? else { panic!() };
/// assert_eq!(body, b"hello"[..]);
/// # Ok::<(), CodecError>(())
/// ```
pub struct MultipartDecoder {
    limits: MultipartLimits,
    /// CRLF, two hyphens and the boundary.
    delimiter: Finder<'static>,
    state: State,
    /// Where in a head the line begins whose end has not come.
    searched: usize,
    parts: u32,
    part_bytes: u64,
    form_bytes: u64,
    outside_bytes: u32,
}

impl MultipartDecoder {
    /// A decoder for parts between this boundary.
    ///
    /// # Errors
    /// When it can be no boundary.
    pub fn new(boundary: &[u8], limits: MultipartLimits) -> Result<Self, FormError> {
        check(boundary)?;
        let delimiter = Finder::new(&[b"\r\n--", boundary].concat()).into_owned();
        Ok(Self {
            limits,
            delimiter,
            state: State::Preamble,
            searched: 0,
            parts: 0,
            part_bytes: 0,
            form_bytes: 0,
            outside_bytes: 0,
        })
    }

    /// The delimiter without its CRLF: what a line of its own begins with.
    fn dashes(&self) -> &[u8] {
        &self.delimiter.needle()[2..]
    }

    /// Skips lines until one is a boundary.
    fn preamble(&mut self, src: &mut ByteBuf) -> Result<bool, FormError> {
        loop {
            let dashes = self.dashes().len();
            let seen = src.readable().min(dashes);
            if src[..seen] == self.dashes()[..seen] {
                if seen < dashes {
                    return Ok(false);
                }
                skip(src, dashes);
                self.state = State::Boundary;
                return Ok(true);
            }
            let line = memchr(b'\n', src).map_or(src.readable(), |at| at + 1);
            let whole = src[line - 1] == b'\n';
            self.outside_bytes = self.outside_bytes.saturating_add(line as u32);
            if self.outside_bytes > self.limits.outside_bytes_max {
                return Err(FormError::TooLarge("bytes in front of the first part"));
            }
            if !whole {
                // Counted when the rest of it is there.
                self.outside_bytes -= line as u32;
                return Ok(false);
            }
            skip(src, line);
        }
    }

    /// What follows a boundary on its line: padding and CRLF, or two hyphens when it is the last.
    fn boundary(&mut self, src: &mut ByteBuf) -> Result<bool, FormError> {
        const PADDING_BYTES_MAX: usize = 64;
        if src.starts_with(b"--") {
            skip(src, 2);
            self.state = State::Epilogue;
            self.outside_bytes = 0;
            return Ok(true);
        }
        let padding = src.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        if padding > PADDING_BYTES_MAX {
            return Err(FormError::TooLarge("padding behind a boundary"));
        }
        match src[padding..] {
            [b'\r', b'\n', ..] => {
                skip(src, padding + 2);
                self.state = State::Head;
                self.parts += 1;
                if self.parts > self.limits.parts_max {
                    return Err(FormError::TooLarge("number of parts"));
                }
                Ok(true)
            }
            [] | [b'\r'] => Ok(false),
            [b'-'] if padding == 0 => Ok(false),
            _ => Err(FormError::Malformed("bytes behind a boundary")),
        }
    }

    /// A part's head, once it is there whole.
    fn head(&mut self, src: &mut ByteBuf) -> Result<Option<MultipartPart>, FormError> {
        let max = self.limits.part_head_bytes_max as usize;
        loop {
            let window = &src[..src.readable().min(max)];
            let Some(at) = window.get(self.searched..).and_then(|rest| memchr(b'\n', rest)) else {
                if src.readable() >= max {
                    return Err(FormError::TooLarge("head of a part"));
                }
                // `searched` stays at the start of the line, to see the empty one.
                return Ok(None);
            };
            let line = &window[self.searched..=self.searched + at];
            if line != b"\r\n" {
                self.searched += line.len();
                continue;
            }
            let lines = src.split_to(self.searched);
            skip(src, 2);
            self.searched = 0;
            let head = PartHead::parse(&lines, self.limits.part_fields_max)?;
            self.state = State::Body;
            self.part_bytes = 0;
            return Ok(Some(MultipartPart::Head(head)));
        }
    }

    /// Content up to the next delimiter, or to what may become one.
    fn body(&mut self, src: &mut ByteBuf) -> Result<Option<MultipartPart>, FormError> {
        let needle = self.delimiter.needle().len();
        let mut from = 0;
        loop {
            let found = src.get(from..).and_then(|rest| self.delimiter.find(rest));
            let Some(at) = found.map(|at| from + at) else {
                // The last bytes may be the start of a delimiter.
                let held = partial(src, self.delimiter.needle());
                return self.content(src, src.readable() - held);
            };
            match src.get(at + needle) {
                // Whether it is one, the next byte says.
                None => return self.content(src, at),
                Some(b'-' | b' ' | b'\t' | b'\r') if at > 0 => return self.content(src, at),
                Some(b'-' | b' ' | b'\t' | b'\r') => {
                    skip(src, needle);
                    self.state = State::Boundary;
                    return Ok(Some(MultipartPart::End));
                }
                // A longer word that begins like it.
                Some(_) => from = at + 2,
            }
        }
    }

    /// Hands over so much of the content.
    fn content(
        &mut self,
        src: &mut ByteBuf,
        len: usize,
    ) -> Result<Option<MultipartPart>, FormError> {
        if len == 0 {
            return Ok(None);
        }
        let part_room = self.limits.part_bytes_max - self.part_bytes;
        let form_room = self.limits.form_bytes_max - self.form_bytes;
        let take = (len as u64).min(part_room).min(form_room);
        if take == 0 {
            return Err(FormError::TooLarge(match part_room {
                0 => "content of a part",
                _ => "content of all parts",
            }));
        }
        self.part_bytes += take;
        self.form_bytes += take;
        Ok(Some(MultipartPart::Body(src.split_to(take as usize))))
    }

    fn epilogue(&mut self, src: &mut ByteBuf) -> Result<(), FormError> {
        self.outside_bytes = self.outside_bytes.saturating_add(src.readable() as u32);
        src.clear();
        if self.outside_bytes > self.limits.outside_bytes_max {
            return Err(FormError::TooLarge("bytes behind the last part"));
        }
        Ok(())
    }
}

/// How many bytes at the end of `text` are the start of `needle`.
fn partial(text: &[u8], needle: &[u8]) -> usize {
    let most = text.len().min(needle.len() - 1);
    (1..=most).rev().find(|&len| text.ends_with(&needle[..len])).unwrap_or(0)
}

fn skip(src: &mut ByteBuf, len: usize) {
    let skipped = src.skip(len);
    debug_assert!(skipped.is_ok(), "only bytes that were seen are skipped");
}

impl Decoder for MultipartDecoder {
    type Item = MultipartPart;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<MultipartPart>, CodecError> {
        while !src.is_empty() {
            let goes_on = match self.state {
                State::Preamble => self.preamble(src)?,
                State::Boundary => self.boundary(src)?,
                State::Head => return Ok(self.head(src)?),
                State::Body => return Ok(self.body(src)?),
                State::Epilogue => {
                    self.epilogue(src)?;
                    false
                }
            };
            if !goes_on {
                return Ok(None);
            }
        }
        Ok(None)
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<MultipartPart>, CodecError> {
        if let Some(part) = self.decode(src)? {
            return Ok(Some(part));
        }
        if self.state == State::Epilogue {
            return Ok(None);
        }
        Err(CodecError::Truncated { left: src.readable() })
    }
}

impl fmt::Debug for MultipartDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartDecoder")
            .field("state", &self.state)
            .field("parts", &self.parts)
            .field("part_bytes", &self.part_bytes)
            .finish_non_exhaustive()
    }
}

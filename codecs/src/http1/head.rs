//! Reads a request head line by line as it arrives (RFC 9112 sections 2 to 6).
//!
//! Each byte is searched for a line's end once and each line is checked once, when it is complete,
//! however the head is cut into reads. What framing needs is collected on the way; nothing else is
//! kept, because a [`RequestHead`](super::RequestHead) finds its fields in its own bytes. A head that
//! is there whole has been read by [`whole_head`](super::whole_head) already, unless it is faulty:
//! this is the reader that says what is wrong.

use super::chars::{TOKEN, is_field_value, is_token, token_len, trim};
use super::fields::Fields;
use super::marks::{Flags, Names};
use super::request_line::{RequestLine, RequestLineSplit};
use super::{BodyLength, HttpError, Limits, Method, Status};
use memchr::memchr;

pub(crate) const CRLF: &[u8] = b"\r\n";

/// A whole head that passed all checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parsed {
    pub(crate) line: RequestLine,
    pub(crate) flags: Flags,
    pub(crate) names: Names,
    pub(crate) body: BodyLength,
    /// Bytes of the head, its closing empty line included.
    pub(crate) len: usize,
}

/// The reader of one head; reset by its own success.
#[derive(Debug, Default)]
pub(crate) struct HeadParser {
    line: Option<RequestLine>,
    /// Where the line begins that is not complete yet.
    line_start: usize,
    /// Everything before this has been searched for a line's end.
    searched: usize,
    fields: Fields,
}

impl HeadParser {
    /// Whether no line of a head has been seen yet.
    #[inline]
    pub(crate) const fn is_fresh(&self) -> bool {
        self.searched == 0
    }

    /// Whether the request line has been read, and asks for no content in the answer.
    #[cold]
    pub(crate) fn is_of_head(&self) -> bool {
        self.line.is_some_and(|line| line.method == Method::Head)
    }

    /// Looks at what arrived; `bytes` begins with the head each time.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<Parsed>, HttpError> {
        loop {
            let max = self.bytes_max(limits);
            let window = &bytes[..bytes.len().min(max)];
            let Some(line_len) = self.any_line(window, limits)? else {
                return if bytes.len() >= max { Err(self.too_large(window)) } else { Ok(None) };
            };
            self.line_start += line_len;
            self.searched = self.line_start;
            if line_len == CRLF.len()
                && let Some(line) = self.line
            {
                let parsed = self.fields.finish(line, self.line_start, limits)?;
                *self = Self::default();
                return Ok(Some(parsed));
            }
        }
    }

    /// Where the line being read must have ended.
    #[inline]
    fn bytes_max(&self, limits: &Limits) -> usize {
        let head_max = limits.head_bytes_max as usize;
        match self.line {
            None => head_max.min(limits.request_line_bytes_max as usize + CRLF.len()),
            Some(_) => head_max,
        }
    }

    /// Reads the next line, whatever is in it; `None` until its end is there.
    fn any_line(&mut self, window: &[u8], limits: &Limits) -> Result<Option<usize>, HttpError> {
        // What can never become a request is refused before its line ends, if it ever does.
        if self.line.is_none() && window.first().is_some_and(|&b| !TOKEN[usize::from(b)]) {
            return Err(HttpError::bad("request line without a method"));
        }
        let Some(at) = window.get(self.searched..).and_then(|rest| memchr(b'\n', rest)) else {
            self.searched = self.searched.max(window.len());
            return Ok(None);
        };
        let newline = self.searched + at;
        let Some((b'\r', line)) = window[self.line_start..newline].split_last() else {
            return Err(HttpError::bad("line feed without a carriage return in the head"));
        };
        if self.line.is_none() {
            self.line = Some(RequestLineSplit::of(line)?.check_meaning(line)?);
        } else if !line.is_empty() {
            let (name, value) = field_line(line)?;
            self.fields.add(name, value, limits)?;
        }
        Ok(Some(line.len() + CRLF.len()))
    }

    #[cold]
    fn too_large(&self, window: &[u8]) -> HttpError {
        match self.line {
            // Nothing but a method, and longer than any: noise. It has no target to call too long.
            None if is_token(window) => HttpError::bad("request line without a target"),
            None => HttpError::new(Status::URI_TOO_LONG, "request line over the limit"),
            Some(_) => {
                HttpError::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, "head over the limit")
            }
        }
    }
}

/// Takes a field line apart and checks both sides (RFC 9112 section 5).
///
/// A folded line begins with white space and so has no name, like a line with no colon.
#[inline]
pub(crate) fn field_line(line: &[u8]) -> Result<(&[u8], &[u8]), HttpError> {
    let name_len = token_len(line);
    let (name, rest) = line.split_at(name_len);
    let [b':', value @ ..] = rest else {
        return Err(bad_name(line, name_len));
    };
    if name.is_empty() {
        return Err(HttpError::bad("header field without a name"));
    }
    let value = trim(value);
    if !is_field_value(value) {
        return Err(HttpError::bad("control character in a header field's value"));
    }
    Ok((name, value))
}

#[cold]
fn bad_name(line: &[u8], name_len: usize) -> HttpError {
    HttpError::bad(match line.get(name_len) {
        Some(b' ' | b'\t') if name_len == 0 => "folded header field",
        Some(b' ' | b'\t') => "white space in or behind a header field's name",
        Some(_) => "forbidden character in a header field's name",
        None => "header field without a colon",
    })
}

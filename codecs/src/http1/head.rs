//! Reads a request head line by line as it arrives (RFC 9112 sections 2 to 6).
//!
//! Each byte is searched for a line's end once and each line is checked once, when it is complete,
//! however the head is cut into reads. What framing needs is collected on the way; nothing else is
//! kept, because a [`RequestHead`](super::RequestHead) finds its fields in its own bytes.
//!
//! Stricter than the letter of the RFC wherever two parsers on one path could disagree: a repeated
//! Content-Length is refused even when both agree, and so is any Transfer-Encoding but `chunked`.

use super::chars::{
    TOKEN, decimal, field_value_len, is_field_value, is_token, list, token_len, trim,
};
use super::marks::{Flags, Names};
use super::request_line::{RequestLine, RequestLineSplit};
use super::target::check_authority;
use super::{BodyLength, HttpError, Limits, Method, Status, Version};
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
    length: Option<u64>,
    /// Where the line begins that is not complete yet.
    line_start: usize,
    /// Everything before this has been searched for a line's end.
    searched: usize,
    fields: u16,
    flags: Flags,
    names: Names,
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
            // A line that has been begun before is left to `any_line`: its start is not looked at
            // again and again.
            if self.searched == self.line_start
                && let Some(line) = self.clean_lines(bytes, limits)?
            {
                return self.finish(line, limits.declared_bytes_max).map(Some);
            }
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
                return self.finish(line, limits.declared_bytes_max).map(Some);
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

    /// Reads the lines that are there whole and with nothing wrong with their bytes, each in one
    /// pass. Answers the request line when the head has ended; the first other line is left to
    /// [`any_line`](Self::any_line).
    #[inline]
    fn clean_lines(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Option<RequestLine>, HttpError> {
        let line = match self.line {
            Some(line) => line,
            None => {
                let Some(line) = bytes.get(self.line_start..).and_then(RequestLineSplit::of_clean)
                else {
                    return Ok(None);
                };
                let rest = &bytes[self.line_start..];
                if self.line_start + line.line_len > self.bytes_max(limits) {
                    return Ok(None);
                }
                self.line_start += line.line_len;
                self.searched = self.line_start;
                *self.line.insert(line.check_meaning(rest)?)
            }
        };
        let window = &bytes[..bytes.len().min(limits.head_bytes_max as usize)];
        let mut rest = window.get(self.line_start..).unwrap_or_default();
        let mut ended = None;
        loop {
            let name_len = token_len(rest);
            let Some((name, [b':', behind @ ..])) = rest.split_at_checked(name_len) else {
                if rest.starts_with(CRLF) {
                    rest = &rest[CRLF.len()..];
                    ended = Some(line);
                }
                break;
            };
            let (value, behind) = behind.split_at(field_value_len(behind));
            let [b'\r', b'\n', behind @ ..] = behind else { break };
            if name.is_empty() {
                break;
            }
            self.count_field(limits)?;
            self.field(name, trim(value))?;
            rest = behind;
        }
        self.line_start = window.len() - rest.len();
        self.searched = self.line_start;
        Ok(ended)
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
            self.count_field(limits)?;
            let (name, value) = field_line(line)?;
            self.field(name, value)?;
        }
        Ok(Some(line.len() + CRLF.len()))
    }

    #[inline]
    fn count_field(&mut self, limits: &Limits) -> Result<(), HttpError> {
        self.fields += 1;
        if self.fields > limits.head_fields_max {
            let status = Status::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(HttpError::new(status, "more header fields than the limit"));
        }
        Ok(())
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

    /// Takes note of the fields that matter for framing and the connection.
    #[inline]
    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), HttpError> {
        self.names.add(name);
        // The first letter tells most names from the few that matter here.
        match (name.len(), name.first().map_or(0, |b| b | 0x20)) {
            (4, b'h') if name.eq_ignore_ascii_case(b"host") => self.host(value),
            (6, b'e') if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            (7, b'u') if name.eq_ignore_ascii_case(b"upgrade") => {
                self.flags.set(Flags::UPGRADE_FIELD);
                Ok(())
            }
            (10, b'c') if name.eq_ignore_ascii_case(b"connection") => {
                self.connection(value);
                Ok(())
            }
            (14, b'c') if name.eq_ignore_ascii_case(b"content-length") => {
                self.content_length(value)
            }
            (17, b't') if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(value)
            }
            _ => Ok(()),
        }
    }

    /// RFC 9112 section 3.2: exactly one.
    fn host(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if self.flags.has(Flags::HOST) {
            return Err(HttpError::bad("more than one Host field"));
        }
        self.flags.set(Flags::HOST);
        check_authority(value)
    }

    /// RFC 9110 section 10.1.1: there is one expectation only.
    fn expect(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(HttpError::new(Status::EXPECTATION_FAILED, "unknown expectation"));
        }
        self.flags.set(Flags::EXPECT);
        Ok(())
    }

    /// RFC 9110 section 7.6.1.
    fn connection(&mut self, value: &[u8]) {
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.flags.set(Flags::CLOSE);
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.flags.set(Flags::KEEP_ALIVE);
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.flags.set(Flags::UPGRADE_OPTION);
            }
        }
    }

    /// RFC 9112 section 6.2; a repetition may be refused (RFC 9110 section 8.6), and is.
    fn content_length(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if self.length.is_some() {
            return Err(HttpError::bad("more than one Content-Length field"));
        }
        self.length = decimal(value);
        if self.length.is_none() {
            return Err(HttpError::bad("malformed Content-Length"));
        }
        Ok(())
    }

    /// RFC 9112 section 6.1: `chunked` and nothing else.
    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), HttpError> {
        if self.flags.has(Flags::CHUNKED) {
            return Err(HttpError::bad("more than one Transfer-Encoding field"));
        }
        if value.eq_ignore_ascii_case(b"chunked") {
            self.flags.set(Flags::CHUNKED);
            return Ok(());
        }
        Err(refused_coding(value))
    }

    /// The checks that need the whole head (RFC 9112 sections 3.2, 6.1 and 6.3).
    #[inline]
    fn finish(&mut self, line: RequestLine, declared_bytes_max: u64) -> Result<Parsed, HttpError> {
        let mut flags = self.flags;
        let chunked = flags.has(Flags::CHUNKED);
        if line.version == Version::Http10 {
            if chunked {
                return Err(HttpError::bad("Transfer-Encoding in HTTP/1.0"));
            }
            // RFC 9110 sections 7.8 and 10.1.1: not for this version.
            flags.unset(Flags::UPGRADE_OPTION | Flags::UPGRADE_FIELD | Flags::EXPECT);
        } else if !flags.has(Flags::HOST) {
            return Err(HttpError::bad("no Host field"));
        }
        let body = match (chunked, self.length) {
            (true, Some(_)) => {
                return Err(HttpError::bad("both Content-Length and Transfer-Encoding"));
            }
            (true, None) => BodyLength::Chunked,
            (false, None | Some(0)) => {
                flags.unset(Flags::EXPECT);
                BodyLength::Empty
            }
            (false, Some(n)) if n > declared_bytes_max => {
                return Err(HttpError::bad("absurd Content-Length"));
            }
            (false, Some(n)) => BodyLength::Exact(n),
        };
        let (len, names) = (self.line_start, self.names);
        *self = Self::default();
        Ok(Parsed { line, flags, names, body, len })
    }
}

/// 501 for a list of codings that ends in the one `chunked`, 400 for anything else.
#[cold]
fn refused_coding(value: &[u8]) -> HttpError {
    let mut members = value.rsplit(|&b| b == b',').map(trim);
    let framed = members.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    let mut inner = 0;
    let known_shape = members.all(|member| {
        inner += 1;
        let coding = trim(member.split(|&b| b == b';').next().unwrap_or(member));
        is_token(coding) && !coding.eq_ignore_ascii_case(b"chunked")
    });
    if framed && inner > 0 && known_shape {
        return HttpError::new(Status::NOT_IMPLEMENTED, "transfer coding other than chunked");
    }
    HttpError::bad("Transfer-Encoding does not end in chunked")
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

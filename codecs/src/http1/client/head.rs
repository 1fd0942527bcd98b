//! Reads the head of a response line by line as it arrives (RFC 9112 sections 4 to 6).
//!
//! As strict as the reader of requests: a response that two readers could cut in two ways is how an
//! answer meant for one user reaches another.

use memchr::memchr;

use super::error::{ResponseError, ResponseErrorKind};
use super::limits::ClientLimits;
use super::response::ResponseLength;
use crate::http1::chars::{decimal, is_field_value, list};
use crate::http1::head::{CRLF, field_line};
use crate::http1::{Method, Status, Version};

/// What a response's head says about its connection, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const CLOSE: u8 = 1;
    pub(crate) const KEEP_ALIVE: u8 = 1 << 1;
    pub(crate) const UPGRADE_OPTION: u8 = 1 << 2;
    pub(crate) const UPGRADE_FIELD: u8 = 1 << 3;
    const CHUNKED: u8 = 1 << 4;

    pub(crate) const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }

    const fn set(&mut self, bits: u8) {
        self.0 |= bits;
    }
}

/// What the reader of a response has to know of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The request offered to go on in another protocol.
    pub(crate) upgrade: bool,
    /// The request said that it is the last one.
    pub(crate) close: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusLine {
    pub(crate) status: Status,
    pub(crate) version: Version,
    /// Where the reason phrase begins.
    pub(crate) reason_start: u16,
    /// Length of the line without its CRLF.
    pub(crate) len: u32,
}

/// A whole head that passed all checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parsed {
    pub(crate) line: StatusLine,
    pub(crate) flags: Flags,
    pub(crate) body: ResponseLength,
    /// Bytes of the head, its closing empty line included.
    pub(crate) len: usize,
}

/// The reader of one head; reset by its own success.
#[derive(Debug, Default)]
pub(crate) struct HeadParser {
    line: Option<StatusLine>,
    length: Option<u64>,
    line_start: usize,
    /// Everything before this has been searched for a line's end.
    searched: usize,
    fields: u16,
    flags: Flags,
    /// A Transfer-Encoding that is not understood, which some responses may have all the same.
    bad_coding: Option<ResponseError>,
}

impl HeadParser {
    pub(crate) const fn is_fresh(&self) -> bool {
        self.searched == 0
    }

    /// Looks at what arrived; `bytes` begins with the head each time.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        limits: &ClientLimits,
        asked: Asked,
    ) -> Result<Option<Parsed>, ResponseError> {
        loop {
            let max = match self.line {
                None => limits.status_line_bytes_max as usize + CRLF.len(),
                Some(_) => limits.message.head_bytes_max as usize,
            };
            let window = &bytes[..bytes.len().min(max)];
            let found = window.get(self.searched..).and_then(|rest| memchr(b'\n', rest));
            let Some(at) = found else {
                if bytes.len() >= max {
                    return Err(ResponseError::too_large("head of a response over the limit"));
                }
                self.searched = self.searched.max(window.len());
                return Ok(None);
            };
            let newline = self.searched + at;
            let Some((b'\r', line)) = window[self.line_start..newline].split_last() else {
                return Err(ResponseError::malformed("line feed without a carriage return"));
            };
            self.line_start = newline + 1;
            self.searched = newline + 1;
            match self.line {
                None => self.line = Some(status_line(line)?),
                Some(status) if line.is_empty() => return self.finish(status, asked).map(Some),
                Some(_) => self.field(line, limits)?,
            }
        }
    }

    fn field(&mut self, line: &[u8], limits: &ClientLimits) -> Result<(), ResponseError> {
        self.fields += 1;
        if self.fields > limits.message.head_fields_max {
            return Err(ResponseError::too_large("more header fields than the limit"));
        }
        let (name, value) = field_line(line)?;
        match name.len() {
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.flags.set(Flags::UPGRADE_FIELD),
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(ResponseError::malformed("more than one Content-Length field"));
                }
                let length = decimal(value);
                self.length =
                    Some(length.ok_or(ResponseError::malformed("malformed Content-Length"))?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.coding(value),
            _ => {}
        }
        Ok(())
    }

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

    /// RFC 9112 section 6.1: `chunked` and nothing else. An error is kept, as the answer to CONNECT
    /// may say what it likes here.
    fn coding(&mut self, value: &[u8]) {
        if self.flags.has(Flags::CHUNKED) {
            let error = ResponseError::malformed("more than one Transfer-Encoding field");
            self.bad_coding = Some(error);
        } else if value.eq_ignore_ascii_case(b"chunked") {
            self.flags.set(Flags::CHUNKED);
        } else {
            self.flags.set(Flags::CHUNKED);
            let what = "transfer coding other than chunked";
            self.bad_coding = Some(ResponseError::new(ResponseErrorKind::Unsupported, what));
        }
    }

    /// The length of the body, rule by rule (RFC 9112 section 6.3).
    fn finish(&mut self, line: StatusLine, asked: Asked) -> Result<Parsed, ResponseError> {
        let this = core::mem::take(self);
        let chunked = this.flags.has(Flags::CHUNKED);
        let code = line.status.as_u16();
        // Rule 2: a tunnel; its framing fields mean nothing.
        let body = if asked.method == Method::Connect && (200..300).contains(&code) {
            ResponseLength::Tunnel
        } else if let Some(error) = this.bad_coding {
            return Err(error);
        } else if chunked && line.version == Version::Http10 {
            return Err(ResponseError::malformed("Transfer-Encoding in HTTP/1.0"));
        } else if chunked && this.length.is_some() {
            return Err(ResponseError::malformed("both Content-Length and Transfer-Encoding"));
        } else if line.status.is_informational() || code == 204 {
            // RFC 9112 section 6.1 and RFC 9110 section 8.6: no server may send either here.
            if chunked || this.length.is_some_and(|length| length > 0) {
                return Err(ResponseError::malformed("a body where there can be none"));
            }
            self.switching(&this, code, asked)?
        } else if asked.method == Method::Head || code == 304 {
            ResponseLength::Empty
        } else {
            match this.length {
                _ if chunked => ResponseLength::Chunked,
                Some(0) => ResponseLength::Empty,
                Some(length) => ResponseLength::Exact(length),
                None => ResponseLength::UntilClose,
            }
        };
        Ok(Parsed { line, flags: this.flags, body, len: this.line_start })
    }

    /// RFC 9110 section 7.8: 101 answers an offer, and names the protocol.
    fn switching(
        &self,
        head: &Self,
        code: u16,
        asked: Asked,
    ) -> Result<ResponseLength, ResponseError> {
        if code != 101 {
            return Ok(ResponseLength::Empty);
        }
        if !asked.upgrade {
            return Err(ResponseError::malformed("101 to a request that offered no upgrade"));
        }
        if !head.flags.has(Flags::UPGRADE_FIELD | Flags::UPGRADE_OPTION) {
            return Err(ResponseError::malformed("101 that names no protocol"));
        }
        Ok(ResponseLength::Tunnel)
    }
}

/// RFC 9112 section 4. The space behind the code may be missing when there is no reason phrase, as it
/// is with some servers and changes nothing.
fn status_line(line: &[u8]) -> Result<StatusLine, ResponseError> {
    let (version, rest) = match line {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'0'..=b'9', b' ', rest @ ..] => {
            (if *minor == b'0' { Version::Http10 } else { Version::Http11 }, rest)
        }
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9', b' ', ..] => {
            let what = "version not supported";
            return Err(ResponseError::new(ResponseErrorKind::Unsupported, what));
        }
        _ => return Err(ResponseError::malformed("malformed status line")),
    };
    let (code, reason) = match rest {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] => {
            let digit = |digit: &u8| u16::from(*digit - b'0');
            (digit(a) * 100 + digit(b) * 10 + digit(c), reason)
        }
        _ => return Err(ResponseError::malformed("malformed status code")),
    };
    let status = Status::from_u16(code);
    let status = status.ok_or(ResponseError::malformed("status code out of range"))?;
    match reason {
        [] => {}
        [b' ', phrase @ ..] if is_field_value(phrase) => {}
        [b' ', ..] => return Err(ResponseError::malformed("control character in a reason phrase")),
        _ => return Err(ResponseError::malformed("malformed status code")),
    }
    const REASON_START: usize = 13;
    let len = line.len() as u32;
    let reason_start = line.len().min(REASON_START) as u16;
    Ok(StatusLine { status, version, reason_start, len })
}

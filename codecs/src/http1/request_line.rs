//! The request line (RFC 9112 section 3).

use super::chars::token_len;
use super::head::CRLF;
use super::target::{is_target, path_start, target_len};
use super::{HttpError, Method, Status, Version};
use memchr::memchr;

/// The request line, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine {
    pub(crate) method: Method,
    pub(crate) version: Version,
    /// Where the target ends, from the start of the line.
    pub(crate) target_end: u32,
    /// Where path and query begin, from the start of the line.
    pub(crate) path_start: u32,
}

/// Where the pieces of a request line are (RFC 9112 section 3): single spaces, nothing before or
/// behind.
pub(crate) struct RequestLineSplit {
    method_len: usize,
    target_end: usize,
    version: Version,
    /// With its CRLF.
    pub(crate) line_len: usize,
    /// The target's characters have been looked at.
    is_clean: bool,
}

impl RequestLineSplit {
    /// Splits what begins with a whole, faultless line of HTTP/1.1; `None` for anything else.
    #[inline]
    pub(crate) fn of_clean(bytes: &[u8]) -> Option<Self> {
        const END: &[u8] = b" HTTP/1.1\r\n";
        let method_len = token_len(bytes);
        let [b' ', rest @ ..] = &bytes[method_len..] else { return None };
        let target_end = method_len + 1 + target_len(rest);
        let clean = method_len > 0 && target_end > method_len + 1;
        (clean && bytes[target_end..].starts_with(END)).then_some(Self {
            method_len,
            target_end,
            version: Version::Http11,
            line_len: target_end + END.len(),
            is_clean: true,
        })
    }

    /// Splits a line without its CRLF.
    pub(crate) fn of(line: &[u8]) -> Result<Self, HttpError> {
        let method_len = token_len(line);
        let [b' ', rest @ ..] = &line[method_len..] else {
            return Err(HttpError::bad("malformed request line"));
        };
        if method_len == 0 {
            return Err(HttpError::bad("request line without a method"));
        }
        let len = memchr(b' ', rest).unwrap_or(rest.len());
        if len == 0 {
            return Err(HttpError::bad("request line without a target"));
        }
        if len == rest.len() {
            return Err(no_version(rest));
        }
        let version = version_of(&rest[len..])?;
        let target_end = method_len + 1 + len;
        let line_len = line.len() + CRLF.len();
        Ok(Self { method_len, target_end, version, line_len, is_clean: false })
    }

    /// The checks that come once the pieces are found.
    #[inline]
    pub(crate) fn check_meaning(&self, line: &[u8]) -> Result<RequestLine, HttpError> {
        let Some(method) = Method::parse(&line[..self.method_len]) else {
            return Err(unknown_method());
        };
        if matches!(method, Method::Connect | Method::Trace) {
            return Err(HttpError::new(Status::METHOD_NOT_ALLOWED, "method not allowed"));
        }
        let start = self.method_len + 1;
        let target = &line[start..self.target_end];
        if !self.is_clean && !is_target(target) {
            return Err(HttpError::bad("forbidden character in the request target"));
        }
        let path_start = path_start(method, target)?;
        // The limit of a request line has 32 bits.
        Ok(RequestLine {
            method,
            version: self.version,
            target_end: self.target_end as u32,
            path_start: (start + path_start) as u32,
        })
    }
}

/// The line ends where the version should begin: HTTP/0.9 perhaps, if what is there is a target.
#[cold]
fn no_version(target: &[u8]) -> HttpError {
    if target.starts_with(b"HTTP/") {
        return HttpError::bad("request line without a target");
    }
    if !is_target(target) {
        return HttpError::bad("forbidden character in the request target");
    }
    unknown_version()
}

#[cold]
const fn unknown_version() -> HttpError {
    HttpError::new(Status::HTTP_VERSION_NOT_SUPPORTED, "version not supported")
}

#[cold]
const fn unknown_method() -> HttpError {
    HttpError::new(Status::NOT_IMPLEMENTED, "unknown method")
}

/// Reads the version behind the target, its leading space included (RFC 9112 section 2.3).
#[inline]
fn version_of(text: &[u8]) -> Result<Version, HttpError> {
    match text {
        b" HTTP/1.1" => Ok(Version::Http11),
        b" HTTP/1.0" => Ok(Version::Http10),
        // RFC 9110 section 2.5: a higher minor version is served as the highest known.
        [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Ok(Version::Http11),
        [b' ', b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(unknown_version())
        }
        _ => Err(HttpError::bad("malformed version")),
    }
}

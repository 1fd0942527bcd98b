//! What a [`RequestDecoder`](super::RequestDecoder) produces: heads, pieces of bodies, ends.

use super::chars::{list, trim};
use super::head::Parsed;
use super::marks::{Flags, Names};
use super::request_line::RequestLine;
use super::target::authority_start;
use super::{Method, Trailers, Version};
use core::fmt;
use core::str;
use fyke_buffer::ByteBuf;
use memchr::{memchr, memchr_iter};

/// One part of a request.
///
/// Either one `Full`, or one `Head`, any number of `Body`, perhaps `Trailers`, and one `End`.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestPart {
    /// All of a request that has no body: no `End` follows.
    Full(RequestHead),
    /// The request line and the header fields; the body follows in parts.
    Head(RequestHead),
    /// A piece of the body as it arrived, never empty; its cuts mean nothing.
    Body(ByteBuf),
    /// The fields behind a chunked body, if there were any; the `End` follows.
    Trailers(Trailers),
    /// The request is complete.
    End,
}

impl RequestPart {
    /// The head of the request that begins with this part.
    #[inline]
    #[must_use]
    pub fn head(&self) -> Option<&RequestHead> {
        match self {
            Self::Full(head) | Self::Head(head) => Some(head),
            Self::Body(_) | Self::Trailers(_) | Self::End => None,
        }
    }
}

/// How the end of a request's body is found (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyLength {
    /// There is no body.
    Empty,
    /// This many bytes follow, never 0.
    Exact(u64),
    /// Chunks follow until the last one.
    Chunked,
}

/// A request's head, every byte of it checked.
///
/// It keeps the bytes it came as (shared with the read buffer, not copied) and where the pieces of
/// the request line are. Fields are looked up by a scan over those bytes: for the handful of fields a
/// request has and the one or two lookups a handler does, this is quicker than to build a map.
pub struct RequestHead {
    pub(crate) raw: ByteBuf,
    body: BodyLength,
    line: RequestLine,
    flags: Flags,
    names: Names,
}

/// Bytes between the end of the target and the first field line: ` HTTP/1.1` and CRLF.
const BEHIND_TARGET: usize = 11;

impl RequestHead {
    #[inline]
    pub(crate) fn new(raw: ByteBuf, parsed: &Parsed) -> Self {
        let Parsed { line, flags, names, body, .. } = *parsed;
        Self { raw, body, line, flags, names }
    }

    /// The method.
    #[inline]
    #[must_use]
    pub fn method(&self) -> Method {
        self.line.method
    }

    /// The version; a later 1.x counts as HTTP/1.1.
    #[inline]
    #[must_use]
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// The request target as it was sent.
    #[inline]
    #[must_use]
    pub fn target(&self) -> &str {
        let start = self.line.method.as_str().len() + 1;
        ascii(&self.raw[start..self.line.target_end as usize])
    }

    /// The path, still percent-encoded and without the query; `*` for `OPTIONS *`.
    #[inline]
    #[must_use]
    pub fn path(&self) -> &str {
        ascii(self.path_bytes())
    }

    /// The same as bytes, which is the quicker way to compare it with what is known.
    #[inline]
    #[must_use]
    pub fn path_bytes(&self) -> &[u8] {
        let path = self.path_and_query();
        // Most are too short for a search that is prepared for long ones.
        let path = path.iter().position(|&b| b == b'?').map_or(path, |at| &path[..at]);
        // RFC 9112 section 3.2.1: the empty path of `http://host` means the root.
        if path.is_empty() { b"/" } else { path }
    }

    /// What follows the first `?`, still percent-encoded.
    #[inline]
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        let path = self.path_and_query();
        memchr(b'?', path).map(|at| ascii(&path[at + 1..]))
    }

    #[inline]
    fn path_and_query(&self) -> &[u8] {
        &self.raw[self.line.path_start as usize..self.line.target_end as usize]
    }

    /// `host[:port]` of the target, or of the Host field (RFC 9112 section 3.3).
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        let target = self.target();
        match authority_start(target.as_bytes()) {
            Some(start) => {
                let end = target[start..].find(['/', '?']);
                Some(end.map_or(&target[start..], |at| &target[start..start + at]))
            }
            None => self.header_str("host"),
        }
    }

    /// All header fields in order of arrival.
    #[inline]
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers { rest: self.header_lines() }
    }

    /// The header lines as they came, each with its CRLF.
    #[inline]
    #[must_use]
    pub fn header_lines(&self) -> &[u8] {
        &self.raw[self.line.target_end as usize + BEHIND_TARGET..self.raw.len() - 2]
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        if !self.names.may_have(name.as_bytes()) {
            return None;
        }
        find(self.header_lines(), name.as_bytes()).map(|(value, _)| value)
    }

    /// The value of the first field of that name, when it is UTF-8.
    #[must_use]
    pub fn header_str(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The values of all fields of that name, whatever its case.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let there = self.names.may_have(name.as_bytes());
        let mut rest = if there { self.header_lines() } else { &[] };
        core::iter::from_fn(move || {
            let (value, behind) = find(rest, name.as_bytes())?;
            rest = behind;
            Some(value)
        })
    }

    /// Whether the comma-separated lists of all fields `name` hold `token`, whatever its case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.header_all(name)
            .any(|value| list(value).any(|member| member.eq_ignore_ascii_case(token.as_bytes())))
    }

    /// How the body is framed.
    #[inline]
    #[must_use]
    pub fn body_length(&self) -> BodyLength {
        self.body
    }

    /// Whether any `Body` part may follow.
    #[inline]
    #[must_use]
    pub fn has_body(&self) -> bool {
        self.body != BodyLength::Empty
    }

    /// Whether the client lets the connection live on (RFC 9112 section 9.3).
    #[inline]
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        !self.flags.has(Flags::CLOSE)
            && (self.line.version != Version::Http10 || self.flags.has(Flags::KEEP_ALIVE))
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    #[inline]
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.flags.has(Flags::EXPECT)
    }

    /// Whether the client offers to go on in another protocol (RFC 9110 section 7.8).
    #[inline]
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.flags.has(Flags::UPGRADE_FIELD | Flags::UPGRADE_OPTION)
    }

    /// The whole head as it came, with the closing empty line.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Moves the head out of the read buffer it shares, for a request that is kept waiting.
    pub fn compact(&mut self) {
        self.raw = ByteBuf::from(self.raw.as_slice());
    }

    /// A copy that shares nothing with the read buffer, for another thread, say.
    #[must_use]
    pub fn detached(&self) -> Self {
        let raw = ByteBuf::from(self.raw.as_slice());
        Self { raw, body: self.body, line: self.line, flags: self.flags, names: self.names }
    }

    /// Gives the bytes of the head away.
    #[must_use]
    pub fn into_bytes(self) -> ByteBuf {
        self.raw
    }
}

impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method())
            .field("target", &self.target())
            .field("version", &self.version())
            .field("body", &self.body)
            .field("headers", &self.headers())
            .finish()
    }
}

/// The header fields of a head, in order.
#[derive(Clone)]
pub struct Headers<'a> {
    pub(crate) rest: &'a [u8],
}

/// One header field: its name as it was sent, and its value without white space around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, a token in the case the client chose.
    pub name: &'a str,
    /// The value; visible ASCII, SP, HTAB, and bytes from 0x80 up.
    pub value: &'a [u8],
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        let line_len = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(line_len + 1);
        self.rest = rest;
        let colon = memchr(b':', line)?;
        Some(Header { name: ascii(&line[..colon]), value: trim(&line[colon + 1..line_len - 1]) })
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.escape_ascii())
    }
}

/// The first field of that name: its value, and the lines behind it.
#[inline]
pub(crate) fn find<'a>(lines: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut start = 0;
    for end in memchr_iter(b'\n', lines) {
        let line = &lines[start..end];
        start = end + 1;
        if line.get(name.len()) == Some(&b':') && line[..name.len()].eq_ignore_ascii_case(name) {
            let value = line[name.len() + 1..].strip_suffix(b"\r").unwrap_or_default();
            return Some((trim(value), &lines[start..]));
        }
    }
    None
}

/// Bytes the parser has checked to be ASCII, as text.
#[inline]
fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

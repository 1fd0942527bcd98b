//! What a [`ResponseDecoder`](super::ResponseDecoder) produces: heads, pieces of bodies, ends.

use core::fmt;
use core::str;

use fyke_buffer::ByteBuf;

use super::head::{Flags, Parsed, StatusLine};
use crate::http1::chars::list;
use crate::http1::request::find;
use crate::http1::{Headers, Status, Trailers, Version};

/// One part of a response. A response is any number of `Interim`, one `Head`, any number of `Body`,
/// perhaps `Trailers`, and one `End`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientResponsePart {
    /// An answer before the answer: 1xx without 101.
    Interim(ClientResponseHead),
    /// The status line and the header fields. Behind a 101, and behind a 2xx to CONNECT, comes the
    /// `End`, and what follows that belongs to the next protocol: it is left where it is.
    Head(ClientResponseHead),
    /// A piece of the body as it arrived, never empty; its cuts mean nothing.
    Body(ByteBuf),
    /// The fields behind a chunked body, if there were any; the `End` follows.
    Trailers(Trailers),
    /// The response is complete.
    End,
}

/// How the end of a response's body is found (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseLength {
    /// There is no body.
    Empty,
    /// This many bytes follow, never 0.
    Exact(u64),
    /// Chunks follow until the last one.
    Chunked,
    /// All that comes until the server closes the connection.
    UntilClose,
    /// What follows is no longer HTTP.
    Tunnel,
}

/// A response's head, every byte of it checked. It keeps the bytes it came as; fields are looked up
/// in them.
pub struct ClientResponseHead {
    pub(crate) raw: ByteBuf,
    line: StatusLine,
    flags: Flags,
    body: ResponseLength,
}

impl ClientResponseHead {
    pub(crate) fn new(raw: ByteBuf, parsed: &Parsed) -> Self {
        Self { raw, line: parsed.line, flags: parsed.flags, body: parsed.body }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.line.status
    }

    /// The version; a later 1.x counts as HTTP/1.1.
    #[must_use]
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// The reason phrase as it was sent; it means nothing (RFC 9112 section 4).
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.raw[usize::from(self.line.reason_start)..self.line.len as usize]
    }

    /// All header fields in order of arrival.
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers { rest: self.header_lines() }
    }

    /// The header lines as they came, each with its CRLF.
    #[must_use]
    pub fn header_lines(&self) -> &[u8] {
        &self.raw[self.line.len as usize + 2..self.raw.len() - 2]
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        find(self.header_lines(), name.as_bytes()).map(|(value, _)| value)
    }

    /// The value of the first field of that name, when it is UTF-8.
    #[must_use]
    pub fn header_str(&self, name: &str) -> Option<&str> {
        self.header(name).and_then(|value| str::from_utf8(value).ok())
    }

    /// The values of all fields of that name, whatever its case.
    pub fn header_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.header_lines();
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
    #[must_use]
    pub fn body_length(&self) -> ResponseLength {
        self.body
    }

    /// Whether any `Body` part may follow.
    #[must_use]
    pub fn has_body(&self) -> bool {
        !matches!(self.body, ResponseLength::Empty | ResponseLength::Tunnel)
    }

    /// Whether the server lets the connection live on (RFC 9112 section 9.3).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        !self.flags.has(Flags::CLOSE)
            && !matches!(self.body, ResponseLength::UntilClose | ResponseLength::Tunnel)
            && (self.line.version != Version::Http10 || self.flags.has(Flags::KEEP_ALIVE))
    }

    /// The whole head as it came, with the closing empty line.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.raw
    }

    /// Moves the head out of the read buffer it shares, for a response that is kept.
    pub fn compact(&mut self) {
        self.raw = ByteBuf::from(self.raw.as_ref());
    }
}

impl fmt::Debug for ClientResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponseHead")
            .field("status", &self.status())
            .field("version", &self.version())
            .field("body", &self.body)
            .field("headers", &self.headers())
            .finish()
    }
}

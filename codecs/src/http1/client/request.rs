//! Requests, as a client builds them.
//!
//! Every name, value and target is checked when it is set, so that nothing copied from elsewhere can
//! become a second request.

use core::fmt;

use fyke_buffer::ByteBuf;

use crate::http1::chars::{decimal, is_field_value, is_token, list};
use crate::http1::target::{check_authority, path_start, target_len};
use crate::http1::{HeaderBlock, HeaderError, Headers, Method, trailers};
use crate::payload::Payload;

/// One part of a request.
///
/// Either one `Full`, or one `Head`, any number of `Body`, perhaps `Trailers`, and one `End`.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientRequestPart {
    /// The request line and the header fields; the body follows in parts.
    Head(ClientRequestHead),
    /// A piece of the body.
    Body(Payload),
    /// Fields that go behind a body in chunks (RFC 9110 section 6.5); the `End` follows.
    Trailers(HeaderBlock),
    /// The request is complete.
    End,
    /// All of a request in one message.
    Full(ClientRequest),
}

impl From<ClientRequestHead> for ClientRequestPart {
    fn from(head: ClientRequestHead) -> Self {
        Self::Head(head)
    }
}

impl From<ClientRequest> for ClientRequestPart {
    fn from(request: ClientRequest) -> Self {
        Self::Full(request)
    }
}

/// A request that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The target holds what no target may hold, or does not go with the method.
    Target,
    /// The host is empty, or more than `host[:port]`.
    Host,
    /// The Content-Length is not the body's, or the method allows no body (RFC 9110 sections 9.3.6 and
    /// 9.3.8).
    Length,
    /// A header field cannot be sent.
    Header(HeaderError),
}

impl RequestError {
    /// The error in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Target => "the request target is malformed",
            Self::Host => "the host is malformed",
            Self::Length => "the length of the body is not what it must be",
            Self::Header(error) => error.what(),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl core::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Header(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HeaderError> for RequestError {
    fn from(error: HeaderError) -> Self {
        Self::Header(error)
    }
}

/// The request line and the header fields of a request.
///
/// The encoder adds `Host`, `Content-Length` or `Transfer-Encoding`, and `Connection` where it is
/// needed. What cannot be sent is remembered and makes the encoding fail; the `try_` functions say so
/// at once.
#[must_use]
pub struct ClientRequestHead {
    block: HeaderBlock,
    /// The request line and the Host field.
    line: ByteBuf,
    lines: ByteBuf,
    content_length: Option<u64>,
    error: Option<RequestError>,
    method: Method,
    close: bool,
    upgrade: bool,
    expect: bool,
}

impl ClientRequestHead {
    /// A request to `host[:port]` for `target`, a path with its query as a rule: absolute URIs, `*`
    /// and the authority of CONNECT are targets as well.
    pub fn new(method: Method, host: &str, target: &str) -> Self {
        match Self::try_new(method, host, target) {
            Ok(head) => head,
            Err(error) => Self { error: Some(error), ..Self::empty(method) },
        }
    }

    /// The same, or why such a request cannot be sent.
    ///
    /// # Errors
    /// When target or host are malformed.
    pub fn try_new(method: Method, host: &str, target: &str) -> Result<Self, RequestError> {
        let (host, target) = (host.as_bytes(), target.as_bytes());
        check_authority(host).map_err(|_| RequestError::Host)?;
        let well_formed = if method == Method::Connect {
            check_authority(target).is_ok()
        } else {
            target_len(target) == target.len() && path_start(method, target).is_ok()
        };
        if !well_formed {
            return Err(RequestError::Target);
        }
        let mut head = Self::empty(method);
        head.line = ByteBuf::with_capacity(host.len() + target.len() + 64);
        let method = method.as_str().as_bytes();
        for piece in [method, b" ", target, b" HTTP/1.1\r\nHost: ", host, b"\r\n"] {
            head.line.write_slice(piece);
        }
        Ok(head)
    }

    fn empty(method: Method) -> Self {
        Self {
            block: HeaderBlock::default(),
            line: ByteBuf::new(),
            lines: ByteBuf::new(),
            content_length: None,
            error: None,
            method,
            close: false,
            upgrade: false,
            expect: false,
        }
    }

    /// Uses prepared lines; they come before those of [`header`](Self::header).
    pub fn block(mut self, block: &HeaderBlock) -> Self {
        self.block = block.clone();
        self
    }

    /// Adds a field. `Connection: close`, `Content-Length` and `Expect: 100-continue` are understood
    /// like [`close`](Self::close), [`content_length`](Self::content_length) and
    /// [`expect_continue`](Self::expect_continue).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.try_header(name, value) {
            self.error.get_or_insert(error.into());
        }
        self
    }

    /// Adds a field, or says why it cannot be sent.
    ///
    /// # Errors
    /// When name or value are not what they must be, or the field is `Host` or `Transfer-Encoding`.
    pub fn try_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let (name, value) = (name.as_bytes(), value.as_ref());
        check(name, value)?;
        if is(name, b"host") || is(name, b"transfer-encoding") {
            return Err(HeaderError::Framing);
        } else if is(name, b"content-length") {
            self.content_length = Some(decimal(value).ok_or(HeaderError::Framing)?);
            return Ok(());
        } else if is(name, b"expect") {
            // RFC 9110 section 10.1.1: there is one expectation only.
            if !is(value, b"100-continue") {
                return Err(HeaderError::Value);
            }
            self.expect = true;
            return Ok(());
        } else if is(name, b"connection") && !self.connection(value) {
            return Ok(());
        }
        for piece in [name, b": ", value, b"\r\n"] {
            self.lines.write_slice(piece);
        }
        Ok(())
    }

    /// Takes note of what the options mean; says whether the field is to be written as it is.
    fn connection(&mut self, value: &[u8]) -> bool {
        let mut other = false;
        for option in list(value) {
            if is(option, b"close") {
                self.close = true;
            } else if !is(option, b"keep-alive") {
                self.upgrade |= is(option, b"upgrade");
                other = true;
            }
        }
        other
    }

    /// Ends the connection after the response to this.
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// States the length of the body that follows; without it the body is sent in chunks.
    pub fn content_length(mut self, bytes: u64) -> Self {
        self.content_length = Some(bytes);
        self
    }

    /// Has the body wait for the server's `100 Continue` (for a while).
    pub fn expect_continue(mut self) -> Self {
        self.expect = true;
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// Whether the connection is to end with the response to this.
    #[must_use]
    pub fn closes(&self) -> bool {
        self.close
    }

    pub(crate) fn error(&self) -> Option<RequestError> {
        self.error
    }

    pub(crate) fn upgrades(&self) -> bool {
        self.upgrade
    }

    pub(crate) fn expects_continue(&self) -> bool {
        self.expect
    }

    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Request line and fields, ready to be copied.
    pub(crate) fn lines(&self) -> [&[u8]; 3] {
        [&self.line, self.block.as_slice(), &self.lines]
    }
}

impl Clone for ClientRequestHead {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
            line: self.line.clone(),
            lines: self.lines.clone(),
            ..*self
        }
    }
}

impl fmt::Debug for ClientRequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [line, block, lines] = self.lines();
        f.debug_struct("ClientRequestHead")
            .field("line", &format_args!("{}", line.escape_ascii()))
            .field("block", &format_args!("{}", block.escape_ascii()))
            .field("lines", &format_args!("{}", lines.escape_ascii()))
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A whole request. Its length is known, so it is never sent in chunks.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientRequest {
    /// Request line and header fields.
    pub head: ClientRequestHead,
    /// The content.
    pub body: Payload,
}

impl ClientRequest {
    /// A request without content; see [`ClientRequestHead::new`].
    pub fn new(method: Method, host: &str, target: &str) -> Self {
        Self { head: ClientRequestHead::new(method, host, target), body: Payload::new() }
    }

    /// See [`ClientRequestHead::header`].
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head = self.head.header(name, value);
        self
    }

    /// See [`ClientRequestHead::close`].
    pub fn close(mut self) -> Self {
        self.head = self.head.close();
        self
    }

    /// See [`ClientRequestHead::expect_continue`].
    pub fn expect_continue(mut self) -> Self {
        self.head = self.head.expect_continue();
        self
    }

    /// Whether it can be sent.
    ///
    /// # Errors
    /// What makes its encoding fail.
    pub fn check(&self) -> Result<(), RequestError> {
        let len = self.body.len() as u64;
        let is_bodiless = matches!(self.head.method, Method::Connect | Method::Trace);
        match self.head.content_length {
            _ if self.head.error.is_some() => self.head.error.map_or(Ok(()), Err),
            _ if is_bodiless && len > 0 => Err(RequestError::Length),
            Some(declared) if declared != len => Err(RequestError::Length),
            _ => Ok(()),
        }
    }

    /// Sets the content.
    pub fn body(mut self, body: impl Into<Payload>) -> Self {
        self.body = body.into();
        self
    }
}

/// Whether all of these fields may come behind the body (RFC 9110 section 6.5.1).
pub(crate) fn may_trail(fields: &HeaderBlock) -> bool {
    let mut fields = Headers { rest: fields.as_slice() };
    fields.all(|field| trailers::may_trail(field.name.as_bytes()))
}

fn is(name: &[u8], other: &[u8]) -> bool {
    name.eq_ignore_ascii_case(other)
}

fn check(name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
    if !is_token(name) {
        return Err(HeaderError::Name);
    }
    if !is_field_value(value) {
        return Err(HeaderError::Value);
    }
    Ok(())
}

//! Responses, as a handler builds them.

use super::chars::{decimal, is_field_value, is_token, list};
use super::{HeaderBlock, Status};
use crate::payload::Payload;
use core::fmt;
use fyke_buffer::ByteBuf;

/// One part of a response.
///
/// Either one `Full`, or one `Head`, any number of `Body`, perhaps `Trailers`, and one `End`. An interim response (1xx)
/// and the answer to an upgrade (101) are a `Head` alone.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponsePart {
    /// The status line and the header fields; the body follows in parts.
    Head(ResponseHead),
    /// A piece of the body.
    Body(Payload),
    /// A piece of the body that lies in a file. Only [`server`](super::server)'s stages send it; the
    /// codec alone cannot.
    #[cfg(feature = "pipeline")]
    File(fyke_core::FileRegion),
    /// Fields that go behind the body, when it is sent in chunks; otherwise they are dropped, as
    /// there is no place for them (RFC 9110 section 6.5.1). The `End` follows.
    Trailers(HeaderBlock),
    /// The response is complete.
    End,
    /// All of a response in one message.
    Full(Response),
}

impl From<ResponseHead> for ResponsePart {
    fn from(head: ResponseHead) -> Self {
        Self::Head(head)
    }
}

impl From<Response> for ResponsePart {
    fn from(response: Response) -> Self {
        Self::Full(response)
    }
}

/// A header field that cannot be sent.
///
/// Values are checked against what would end a line early, so nothing a handler copies from
/// elsewhere can split a response (RFC 9112 section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The name is not a token.
    Name,
    /// The value holds a control character.
    Value,
    /// Framing is the encoder's: `Transfer-Encoding`, or a `Content-Length` that is no number.
    Framing,
}

impl HeaderError {
    /// The error in words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Name => "the name of a header field is not a token",
            Self::Value => "the value of a header field holds a control character",
            Self::Framing => "framing fields are written by the encoder",
        }
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

impl core::error::Error for HeaderError {}

pub(super) fn check(name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
    if !is_token(name) {
        return Err(HeaderError::Name);
    }
    if !is_field_value(value) {
        return Err(HeaderError::Value);
    }
    Ok(())
}

/// The fields that say something to the encoder.
pub(super) enum Own {
    Connection,
    ContentLength,
    TransferEncoding,
    Date,
}

#[inline]
pub(super) const fn own_field(name: &[u8]) -> Option<Own> {
    Some(match name.len() {
        4 if name.eq_ignore_ascii_case(b"date") => Own::Date,
        10 if name.eq_ignore_ascii_case(b"connection") => Own::Connection,
        14 if name.eq_ignore_ascii_case(b"content-length") => Own::ContentLength,
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => Own::TransferEncoding,
        _ => return None,
    })
}

/// The status and the header fields of a response.
///
/// The encoder adds what it knows better: `Content-Length` or `Transfer-Encoding`, `Connection` where
/// it is needed, and `Date` once it has been told the time. A field that cannot be sent is remembered
/// and makes the encoding fail; [`try_header`](Self::try_header) says so at once.
#[must_use]
pub struct ResponseHead {
    block: HeaderBlock,
    /// The fields of this response alone, as lines.
    lines: ByteBuf,
    content_length: Option<u64>,
    error: Option<HeaderError>,
    status: Status,
    close: bool,
    has_date: bool,
}

impl ResponseHead {
    /// A head without fields.
    #[inline(always)]
    pub fn new(status: Status) -> Self {
        Self {
            block: HeaderBlock::default(),
            lines: ByteBuf::new(),
            content_length: None,
            error: None,
            status,
            close: false,
            has_date: false,
        }
    }

    /// Uses prepared lines; they come before those of [`header`](Self::header).
    #[inline(always)]
    pub fn block(mut self, block: &HeaderBlock) -> Self {
        self.block = block.clone();
        self
    }

    /// Adds a field. `Connection: close` and `Content-Length` are understood like
    /// [`close`](Self::close) and [`content_length`](Self::content_length).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.try_header(name, value) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// Adds a field, or says why it cannot be sent.
    ///
    /// # Errors
    /// When name or value are not what they must be, or the field is `Transfer-Encoding`.
    pub fn try_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), HeaderError> {
        let (name, value) = (name.as_bytes(), value.as_ref());
        check(name, value)?;
        match own_field(name) {
            Some(Own::TransferEncoding) => return Err(HeaderError::Framing),
            Some(Own::ContentLength) => {
                self.content_length = Some(decimal(value).ok_or(HeaderError::Framing)?);
                return Ok(());
            }
            Some(Own::Connection) if !self.connection(value) => return Ok(()),
            Some(Own::Date) => self.has_date = true,
            _ => {}
        }
        if self.lines.capacity() == 0 {
            const LINES_BYTES: usize = 256;
            self.lines = ByteBuf::with_capacity(LINES_BYTES);
        }
        for piece in [name, b": ", value, b"\r\n"] {
            self.lines.write_slice(piece);
        }
        Ok(())
    }

    /// Takes note of `close`; says whether the field is to be written as it is.
    fn connection(&mut self, value: &[u8]) -> bool {
        let mut other = false;
        for option in list(value) {
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if !option.eq_ignore_ascii_case(b"keep-alive") {
                other = true;
            }
        }
        other
    }

    /// Ends the connection after this response.
    pub fn close(mut self) -> Self {
        self.close = true;
        self
    }

    /// States the length of the body that follows; without it the body is sent in chunks.
    ///
    /// In the answer to HEAD, and with 304, it is the length a GET would have had.
    pub fn content_length(mut self, bytes: u64) -> Self {
        self.content_length = Some(bytes);
        self
    }

    /// The status.
    #[inline]
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    #[inline]
    pub(crate) fn error(&self) -> Option<HeaderError> {
        self.error
    }

    /// Whether nothing has to be decided about it but its length, which is that of the body.
    #[inline]
    pub(crate) fn is_usual(&self, body_bytes: u64) -> bool {
        let status = self.status;
        self.error.is_none()
            && !self.close
            && self.content_length.is_none_or(|declared| declared == body_bytes)
            && !status.forbids_body()
            && status != Status::RESET_CONTENT
    }

    #[inline]
    pub(crate) fn closes(&self) -> bool {
        self.close
    }

    #[inline]
    pub(crate) fn has_date(&self) -> bool {
        self.has_date
    }

    #[inline]
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Both groups of lines, ready to be copied.
    #[inline]
    pub(crate) fn lines(&self) -> [&[u8]; 2] {
        [self.block.as_slice(), &self.lines]
    }
}

impl fmt::Debug for ResponseHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [block, lines] = self.lines();
        f.debug_struct("ResponseHead")
            .field("status", &self.status)
            .field("block", &format_args!("{}", block.escape_ascii()))
            .field("lines", &format_args!("{}", lines.escape_ascii()))
            .field("close", &self.close)
            .finish_non_exhaustive()
    }
}

/// A whole response. Its length is known, so it is never sent in chunks.
#[derive(Debug)]
#[must_use]
pub struct Response {
    /// Status and header fields.
    pub head: ResponseHead,
    /// The content.
    pub body: Payload,
}

impl Response {
    /// A response without content.
    #[inline(always)]
    pub fn new(status: Status) -> Self {
        Self { head: ResponseHead::new(status), body: Payload::new() }
    }

    /// See [`ResponseHead::block`].
    #[inline(always)]
    pub fn block(mut self, block: &HeaderBlock) -> Self {
        self.head = self.head.block(block);
        self
    }

    /// See [`ResponseHead::header`].
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head = self.head.header(name, value);
        self
    }

    /// See [`ResponseHead::close`].
    pub fn close(mut self) -> Self {
        self.head = self.head.close();
        self
    }

    /// Sets the content.
    #[inline(always)]
    pub fn body(mut self, body: impl Into<Payload>) -> Self {
        self.body = body.into();
        self
    }
}

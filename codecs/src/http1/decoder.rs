//! Bytes in, parts of requests out.
//!
//! ```text
//!         +--------------------+
//!         v                    |
//!       Head --> Body --> persistent? --> Hold (upgrade offered) --> Raw
//!                              |
//!                              +--> Closed: what follows is dropped
//! ```

use super::body::{Body, BodyPart};
use super::head::{HeadParser, Parsed};
use super::whole_head::whole_head;
use super::{BodyLength, HttpError, Limits, RequestHead, RequestPart};
use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

/// Empty lines a client may send before a request line (RFC 9112 section 2.2).
const EMPTY_LINES_MAX: u8 = 4;

/// What the decoder is in the middle of.
#[derive(Debug)]
enum State {
    Head,
    /// Behind a head: content, or the `End` that is due.
    Body(Body),
    /// An upgrade was offered: what follows belongs to the one protocol or the other.
    Hold,
    /// Another protocol took over.
    Raw,
    /// No further request will be served.
    Closed,
}

/// What follows the request that is being read.
#[derive(Clone, Copy, Debug)]
enum Next {
    Request,
    Hold,
    Closed,
}

/// Decodes requests (RFC 9112), one part a call.
///
/// Errors are [`HttpError`]s in [`CodecError::Protocol`]; the connection cannot go on after one.
/// After a request that offers an upgrade nothing is decoded until [`resume`](Self::resume) or
/// [`switch_to_raw`](Self::switch_to_raw) says how the offer was answered: the bytes stay in `src`.
#[derive(Debug)]
pub struct RequestDecoder {
    state: State,
    next: Next,
    empty_lines: u8,
    head: HeadParser,
    /// Body bytes of this request so far.
    received: u64,
    limits: Limits,
}

impl RequestDecoder {
    /// A decoder with these limits.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            state: State::Head,
            next: Next::Request,
            empty_lines: 0,
            head: HeadParser::default(),
            received: 0,
            limits,
        }
    }

    /// Whether the next thing to come is a head (or the rest of one).
    #[inline]
    #[must_use]
    pub fn in_head(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// Whether nothing of a next request has arrived.
    #[inline]
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Head) && self.head.is_fresh()
    }

    /// Whether a request's body has not arrived whole yet.
    #[inline]
    #[must_use]
    pub fn in_body(&self) -> bool {
        matches!(&self.state, State::Body(body) if !body.is_whole())
    }

    /// Whether the decoder waits for the answer to an offered upgrade.
    #[inline]
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Hold)
    }

    /// Whether another protocol took over.
    #[inline]
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Body bytes of the current request that have been handed over.
    #[inline]
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        self.received
    }

    /// Whether a request has begun to arrive that is known to be a HEAD.
    #[cold]
    pub(crate) fn in_head_of_head(&self) -> bool {
        self.in_head() && self.head.is_of_head()
    }

    /// The offered upgrade was refused: requests go on.
    #[inline]
    pub fn resume(&mut self) {
        match self.state {
            State::Hold => self.state = State::Head,
            _ if matches!(self.next, Next::Hold) => self.next = Next::Request,
            _ => {}
        }
    }

    /// The offered upgrade was accepted: from now on nothing is taken from `src`.
    pub fn switch_to_raw(&mut self) {
        self.state = State::Raw;
    }

    /// No further request will be served: the current one is read to its end, then all is dropped.
    #[inline]
    pub fn close(&mut self) {
        match self.state {
            State::Head | State::Hold => self.state = State::Closed,
            _ => self.next = Next::Closed,
        }
    }

    /// Whether no request is served behind the current one.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, State::Closed) || matches!(self.next, Next::Closed)
    }

    #[inline]
    fn decode_head(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        let whole = if self.head.is_fresh() { whole_head(src, &self.limits) } else { None };
        let parsed = match whole {
            Some(parsed) => parsed,
            None => match self.read_lines(src) {
                Ok(Some(parsed)) => parsed,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.fail(error)),
            },
        };
        let head = RequestHead::new(src.split_to(parsed.len), &parsed);
        self.empty_lines = 0;
        self.received = 0;
        self.next = if head.wants_upgrade() {
            Next::Hold
        } else if !head.keep_alive() {
            Next::Closed
        } else {
            Next::Request
        };
        let body = match parsed.body {
            BodyLength::Empty => {
                self.end();
                return Ok(Some(RequestPart::Full(head)));
            }
            BodyLength::Exact(n) => Body::sized(n),
            BodyLength::Chunked => Body::chunked(),
        };
        self.state = State::Body(body);
        Ok(Some(RequestPart::Head(head)))
    }

    /// Reads a head that is not there whole, or is not as it should be.
    #[inline(never)]
    fn read_lines(&mut self, src: &mut ByteBuf) -> Result<Option<Parsed>, HttpError> {
        while self.head.is_fresh() && src.starts_with(b"\r\n") {
            self.empty_lines += 1;
            if self.empty_lines > EMPTY_LINES_MAX {
                return Err(HttpError::bad("empty lines in place of a request"));
            }
            let skipped = src.skip(2);
            debug_assert!(skipped.is_ok(), "both bytes have been seen");
        }
        // A lone CR may become one more empty line; the parser must not start on it.
        if src[..] == *b"\r" {
            return Ok(None);
        }
        self.head.advance(src, &self.limits)
    }

    #[inline]
    fn decode_body(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let room = self.limits.body_bytes_max - self.received;
        Ok(match body.next(src, room, &self.limits) {
            Ok(Some(BodyPart::End)) => {
                self.end();
                Some(RequestPart::End)
            }
            Ok(Some(BodyPart::Data(piece))) => {
                self.received += piece.readable() as u64;
                Some(RequestPart::Body(piece))
            }
            Ok(Some(BodyPart::Trailers(trailers))) => Some(RequestPart::Trailers(trailers)),
            Ok(None) => None,
            Err(error) => return Err(self.fail(error)),
        })
    }

    #[cold]
    fn fail(&mut self, error: HttpError) -> CodecError {
        self.state = State::Closed;
        error.into()
    }

    /// A request has been read to its end.
    #[inline]
    fn end(&mut self) {
        self.state = match self.next {
            Next::Request => State::Head,
            Next::Hold => State::Hold,
            Next::Closed => State::Closed,
        };
    }
}

impl Default for RequestDecoder {
    fn default() -> Self {
        Self::new(Limits::new())
    }
}

impl Decoder for RequestDecoder {
    type Item = RequestPart;

    #[inline]
    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        match self.state {
            State::Head if src.is_empty() => Ok(None),
            State::Head => self.decode_head(src),
            State::Body(_) => self.decode_body(src),
            State::Hold | State::Raw => Ok(None),
            State::Closed => {
                src.clear();
                Ok(None)
            }
        }
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<RequestPart>, CodecError> {
        if let Some(part) = self.decode(src)? {
            return Ok(Some(part));
        }
        match self.state {
            State::Head if src.is_empty() => Ok(None),
            State::Head | State::Body(_) => {
                self.state = State::Closed;
                Err(CodecError::Truncated { left: src.readable() })
            }
            _ => Ok(None),
        }
    }
}

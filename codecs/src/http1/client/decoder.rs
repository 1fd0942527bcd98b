//! Bytes in, parts of responses out.
//!
//! ```text
//!   Head --> (1xx: Head again) --> Body --> End --> Head | Closed | Raw
//! ```

use std::collections::VecDeque;

use fyke_buffer::ByteBuf;
use fyke_codec::{CodecError, Decoder};

use super::error::{ResponseError, ResponseErrorKind};
use super::head::{Asked, HeadParser};
use super::limits::ClientLimits;
use super::response::{ClientResponseHead, ClientResponsePart, ResponseLength};
use crate::http1::Method;
use crate::http1::body::{Body, BodyPart};

/// What the decoder is in the middle of.
#[derive(Debug)]
enum State {
    Head,
    /// Behind a head: content, or the `End` that is due.
    Body(Body),
    /// Another protocol took over.
    Raw,
    /// No further response will be read.
    Closed,
}

/// What follows the response that is being read.
#[derive(Clone, Copy, Debug)]
enum Next {
    Response,
    Raw,
    Closed,
}

/// Decodes responses (RFC 9112), one part a call.
///
/// It has to be told of each request, by [`expect`](Self::expect), as the length of a response
/// depends on what was asked. Errors are [`ResponseError`]s in [`CodecError::Protocol`].
#[derive(Debug)]
pub struct ResponseDecoder {
    state: State,
    next: Next,
    head: HeadParser,
    asked: VecDeque<Asked>,
    /// Interim responses to the request that is being answered.
    interim: u16,
    /// Body bytes of this response so far.
    received: u64,
    limits: ClientLimits,
}

impl ResponseDecoder {
    /// A decoder with these limits.
    #[must_use]
    pub fn new(limits: ClientLimits) -> Self {
        Self {
            state: State::Head,
            next: Next::Response,
            head: HeadParser::default(),
            asked: VecDeque::new(),
            interim: 0,
            received: 0,
            limits,
        }
    }

    /// A request has been sent; its response comes behind those of the requests before.
    pub fn expect(&mut self, method: Method) {
        self.ask(Asked { method, upgrade: false, close: false });
    }

    pub(crate) fn ask(&mut self, asked: Asked) {
        self.asked.push_back(asked);
    }

    /// Requests whose responses are not complete.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.asked.len()
    }

    /// Whether nothing of a response has arrived that is not complete.
    #[must_use]
    pub fn is_between(&self) -> bool {
        matches!(self.state, State::Head) && self.head.is_fresh()
    }

    /// Whether another protocol took over.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self.state, State::Raw)
    }

    /// Whether no further response can come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    fn decode_head(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        let Some(&asked) = self.asked.front() else {
            let what = "a response to no request";
            return Err(self.fail(ResponseError::new(ResponseErrorKind::Unsolicited, what)));
        };
        let parsed = match self.head.advance(src, &self.limits, asked) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.fail(error)),
        };
        let head = ClientResponseHead::new(src.split_to(parsed.len), &parsed);
        if head.status().is_informational() && parsed.body != ResponseLength::Tunnel {
            self.interim += 1;
            if self.interim > self.limits.interim_responses_max {
                let error = ResponseError::too_large("more interim responses than the limit");
                return Err(self.fail(error));
            }
            return Ok(Some(ClientResponsePart::Interim(head)));
        }
        self.interim = 0;
        self.received = 0;
        self.next = match parsed.body {
            ResponseLength::Tunnel => Next::Raw,
            _ if asked.close || !head.keep_alive() => Next::Closed,
            _ => Next::Response,
        };
        self.state = State::Body(match parsed.body {
            ResponseLength::Empty | ResponseLength::Tunnel => Body::Whole,
            ResponseLength::Exact(n) => Body::sized(n),
            ResponseLength::Chunked => Body::chunked(),
            ResponseLength::UntilClose => Body::UntilClose,
        });
        Ok(Some(ClientResponsePart::Head(head)))
    }

    fn decode_body(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        let State::Body(body) = &mut self.state else { return Ok(None) };
        let room = self.limits.message.body_bytes_max - self.received;
        Ok(match body.next(src, room, &self.limits.message) {
            Ok(Some(BodyPart::End)) => Some(self.end()),
            Ok(Some(BodyPart::Data(piece))) => {
                self.received += piece.readable() as u64;
                Some(ClientResponsePart::Body(piece))
            }
            Ok(Some(BodyPart::Trailers(trailers))) => Some(ClientResponsePart::Trailers(trailers)),
            Ok(None) => None,
            Err(error) => return Err(self.fail(error.into())),
        })
    }

    fn end(&mut self) -> ClientResponsePart {
        self.asked.pop_front();
        self.state = match self.next {
            Next::Response => State::Head,
            Next::Raw => State::Raw,
            Next::Closed => State::Closed,
        };
        ClientResponsePart::End
    }

    #[cold]
    fn fail(&mut self, error: ResponseError) -> CodecError {
        self.state = State::Closed;
        error.into()
    }
}

impl Default for ResponseDecoder {
    fn default() -> Self {
        Self::new(ClientLimits::new())
    }
}

impl Decoder for ResponseDecoder {
    type Item = ClientResponsePart;

    fn decode(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        match self.state {
            State::Head if src.is_empty() => Ok(None),
            State::Head => self.decode_head(src),
            State::Body(_) => self.decode_body(src),
            State::Raw => Ok(None),
            State::Closed => {
                src.clear();
                Ok(None)
            }
        }
    }

    fn decode_eof(&mut self, src: &mut ByteBuf) -> Result<Option<ClientResponsePart>, CodecError> {
        if let Some(part) = self.decode(src)? {
            return Ok(Some(part));
        }
        match self.state {
            State::Body(Body::UntilClose) => Ok(Some(self.end())),
            State::Head if src.is_empty() && self.asked.is_empty() => Ok(None),
            State::Head | State::Body(_) => {
                self.state = State::Closed;
                Err(CodecError::Truncated { left: src.readable() })
            }
            _ => Ok(None),
        }
    }
}

//! Whole requests out of parts, up to a size.

use std::fmt;

use fyke_buffer::ByteBuf;
use fyke_core::{Context, Ctx, InboundHandler, Result};

use crate::http1::{
    BodyLength, HttpError, RequestHead, RequestPart, ResponseHead, ResponsePart, Status, Trailers,
};
use crate::payload::Payload;

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Request {
    /// The request line and the header fields.
    pub head: RequestHead,
    /// The content.
    pub body: Payload,
    /// The fields behind a chunked body.
    pub trailers: Option<Box<Trailers>>,
}

/// Collects a request's parts, and hands it on when it has arrived whole.
///
/// The limit is one on bytes that have arrived; nothing is allocated for a length that a client only
/// declares. A request that goes beyond it is answered with 413 and the connection closed. A client
/// that waits for `100 Continue` gets it, or the 413 at once.
pub struct HttpObjectAggregator {
    content_bytes_max: u64,
    state: State,
}

enum State {
    Idle,
    /// What is left of this request is dropped.
    Dropping,
    /// Its own allocation, as few connections are in the middle of a body.
    Collecting(Box<Partial>),
}

struct Partial {
    head: RequestHead,
    body: ByteBuf,
    trailers: Option<Box<Trailers>>,
}

type Cx<'a, O> = Ctx<'a, O, ResponsePart>;

impl HttpObjectAggregator {
    /// Requests of up to `content_bytes_max` bytes of content pass. The codec's
    /// [`Limits::body_bytes_max`](crate::http1::Limits::body_bytes_max) holds as well.
    #[must_use]
    pub fn new(content_bytes_max: u64) -> Self {
        Self { content_bytes_max, state: State::Idle }
    }

    /// Takes a part; answers the request that it completes.
    pub(super) fn take<O: 'static>(
        &mut self,
        cx: &mut Cx<'_, O>,
        part: RequestPart,
    ) -> Option<Request> {
        match part {
            RequestPart::Full(head) => return Some(self.whole(head)),
            RequestPart::Head(head) => self.begin(cx, head),
            RequestPart::Body(piece) => self.append(cx, piece),
            RequestPart::Trailers(trailers) => {
                if let State::Collecting(partial) = &mut self.state {
                    partial.trailers = Some(Box::new(trailers));
                }
            }
            RequestPart::End => {
                if let State::Collecting(partial) = std::mem::replace(&mut self.state, State::Idle)
                {
                    let Partial { head, body, trailers } = *partial;
                    return Some(Request { head, body: body.into(), trailers });
                }
            }
        }
        None
    }

    /// A request that has nothing but a head.
    #[inline]
    pub(super) fn whole(&mut self, head: RequestHead) -> Request {
        if !matches!(self.state, State::Idle) {
            self.state = State::Idle;
        }
        Request { head, body: Payload::new(), trailers: None }
    }

    fn begin<O: 'static>(&mut self, cx: &mut Cx<'_, O>, mut head: RequestHead) {
        if head.expects_continue() {
            let declared = match head.body_length() {
                BodyLength::Exact(bytes) => bytes,
                BodyLength::Empty | BodyLength::Chunked => 0,
            };
            if declared > self.content_bytes_max {
                self.refuse(cx);
                return;
            }
            cx.write(ResponseHead::new(Status::CONTINUE).into());
        }
        head.compact();
        self.state =
            State::Collecting(Box::new(Partial { head, body: ByteBuf::new(), trailers: None }));
    }

    fn append<O: 'static>(&mut self, cx: &mut Cx<'_, O>, piece: ByteBuf) {
        let State::Collecting(partial) = &mut self.state else { return };
        let len = partial.body.readable() as u64 + piece.readable() as u64;
        if len > self.content_bytes_max {
            self.refuse(cx);
        } else if partial.body.is_empty() && partial.head.body_length() == BodyLength::Exact(len) {
            partial.body = piece;
        } else {
            // Copied, as the read buffer must not be held for long.
            partial.body.write_slice(&piece);
        }
    }

    #[cold]
    fn refuse<O: 'static>(&mut self, cx: &mut Cx<'_, O>) {
        self.state = State::Dropping;
        let error = HttpError::new(Status::CONTENT_TOO_LARGE, "body over the limit");
        cx.write(error.response().into());
    }
}

impl InboundHandler for HttpObjectAggregator {
    type In = RequestPart;
    type Out = Request;
    type Write = ResponsePart;

    #[inline]
    fn read(&mut self, cx: &mut Context<'_, Self>, part: RequestPart) -> Result<()> {
        match part {
            RequestPart::Full(head) => {
                let request = self.whole(head);
                cx.fire_read(request);
            }
            other => {
                if let Some(request) = self.take(cx, other) {
                    cx.fire_read(request);
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for HttpObjectAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = match &self.state {
            State::Collecting(partial) => partial.body.readable(),
            State::Idle | State::Dropping => 0,
        };
        f.debug_struct("HttpObjectAggregator")
            .field("content_bytes_max", &self.content_bytes_max)
            .field("held", &held)
            .finish()
    }
}

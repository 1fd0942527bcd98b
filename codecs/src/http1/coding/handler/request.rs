//! The content of requests, decompressed.

use fyke_core::{CodecError, Context, InboundHandler, Result};

use super::fields::{Coded, without};
use super::inflow::Inflow;
use crate::http1::coding::{ContentCoding, DecompressionLimits};
use crate::http1::{HttpError, RequestHead, RequestPart, ResponsePart, Status};

/// Decompresses the content of requests, so that the stages behind it see none of it.
///
/// `Content-Encoding` and `Content-Length` are taken out of the heads it has decoded. A coding that is
/// not supported is answered with 415 and the list of those that are, content that is none with 400,
/// content over the limits with 413; the connection is closed then.
#[derive(Debug)]
pub struct HttpContentDecompressor {
    limits: DecompressionLimits,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain,
    /// Its own allocation, as most requests have no such content.
    Coded(Box<Inflow>),
    /// What is left of this request is dropped: it has been refused.
    Dropping,
}

type Cx<'a> = Context<'a, HttpContentDecompressor>;

impl HttpContentDecompressor {
    /// A handler with these limits.
    #[must_use]
    pub fn new(limits: DecompressionLimits) -> Self {
        Self { limits, state: State::Plain }
    }

    fn begin(&mut self, cx: &mut Cx<'_>, mut head: RequestHead) {
        self.state = State::Plain;
        match Coded::of(head.header_all("content-encoding")) {
            Coded::Plain => {}
            Coded::Unknown => return self.unsupported(cx),
            Coded::By(coding) => match Inflow::new(coding, self.limits) {
                Err(_) => return self.unsupported(cx),
                Ok(inflow) => {
                    self.state = State::Coded(Box::new(inflow));
                    let lines_len = head.header_lines().len();
                    let names = ["content-encoding", "content-length"];
                    head.raw = without(head.as_bytes(), lines_len, &names);
                }
            },
        }
        cx.fire_read(RequestPart::Head(head));
    }

    /// RFC 9110 section 15.5.16 and 12.5.3.
    #[cold]
    fn unsupported(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Dropping;
        let error = HttpError::new(Status::UNSUPPORTED_MEDIA_TYPE, "content coding not supported");
        cx.write(error.response().header("Accept-Encoding", ContentCoding::accepted()).into());
    }

    #[cold]
    fn refuse(&mut self, cx: &mut Cx<'_>, error: &CodecError) {
        self.state = State::Dropping;
        tracing::info!(%error, "the content of a request cannot be decompressed");
        let error = match error {
            CodecError::TooLarge { .. } => {
                HttpError::new(Status::CONTENT_TOO_LARGE, "decompressed content over the limit")
            }
            CodecError::Truncated { .. } => HttpError::bad("compressed content ends early"),
            _ => HttpError::bad("malformed compressed content"),
        };
        cx.write(error.response().into());
    }
}

impl InboundHandler for HttpContentDecompressor {
    type In = RequestPart;
    type Out = RequestPart;
    type Write = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        let inflow = match (&mut self.state, part) {
            (_, RequestPart::Head(head)) => {
                self.begin(cx, head);
                return Ok(());
            }
            (state, part @ RequestPart::Full(_)) => {
                *state = State::Plain;
                cx.fire_read(part);
                return Ok(());
            }
            (State::Plain, part) => {
                cx.fire_read(part);
                return Ok(());
            }
            (State::Dropping, _) => return Ok(()),
            (State::Coded(inflow), RequestPart::Body(piece)) => {
                inflow.feed(piece, |piece| cx.fire_read(RequestPart::Body(piece)))
            }
            (State::Coded(inflow), end) => {
                let finished = inflow.finish(|piece| cx.fire_read(RequestPart::Body(piece)));
                if finished.is_ok() {
                    self.state = State::Plain;
                    cx.fire_read(end);
                }
                finished
            }
        };
        if let Err(error) = inflow {
            self.refuse(cx, &error);
        }
        Ok(())
    }
}

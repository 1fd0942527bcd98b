//! The content of responses, decompressed; and requests that say so.

use std::fmt;

use fyke_core::{DuplexContext, DuplexHandler, Promise, Result};

use super::fields::{Coded, without};
use super::inflow::Inflow;
use crate::http1::Headers;
use crate::http1::client::{
    ClientRequestHead, ClientRequestPart, ClientResponseHead, ClientResponsePart,
};
use crate::http1::coding::{ContentCoding, DecompressionLimits};

/// Asks for compressed responses, and decompresses them.
///
/// A request without an `Accept-Encoding` of its own gets one. `Content-Encoding` and `Content-Length`
/// are taken out of the heads whose content is decoded; a coding that is not supported is left alone.
/// Content that is malformed or over the limits is an error, which closes the connection.
pub struct HttpResponseDecompressor {
    limits: DecompressionLimits,
    accepted: String,
    inflow: Option<Box<Inflow>>,
}

type Cx<'a> = DuplexContext<'a, HttpResponseDecompressor>;

impl HttpResponseDecompressor {
    /// A handler with these limits.
    #[must_use]
    pub fn new(limits: DecompressionLimits) -> Self {
        Self { limits, accepted: ContentCoding::accepted(), inflow: None }
    }

    fn begin(&mut self, mut head: ClientResponseHead) -> ClientResponseHead {
        self.inflow = None;
        if head.has_body()
            && let Coded::By(coding) = Coded::of(head.header_all("content-encoding"))
            && let Ok(inflow) = Inflow::new(coding, self.limits)
        {
            self.inflow = Some(Box::new(inflow));
            let lines_len = head.header_lines().len();
            head.raw = without(head.as_bytes(), lines_len, &["content-encoding", "content-length"]);
        }
        head
    }

    fn ask(&self, head: ClientRequestHead) -> ClientRequestHead {
        let named = head.lines().into_iter().skip(1).any(|rest| {
            Headers { rest }.any(|field| field.name.eq_ignore_ascii_case("accept-encoding"))
        });
        if named {
            return head;
        }
        head.header("Accept-Encoding", &self.accepted)
    }
}

impl DuplexHandler for HttpResponseDecompressor {
    type In = ClientResponsePart;
    type Out = ClientResponsePart;
    type WriteIn = ClientRequestPart;
    type WriteOut = ClientRequestPart;

    fn read(&mut self, cx: &mut Cx<'_>, part: ClientResponsePart) -> Result<()> {
        match (&mut self.inflow, part) {
            (_, ClientResponsePart::Head(head)) => {
                let head = self.begin(head);
                cx.fire_read(ClientResponsePart::Head(head));
            }
            (Some(inflow), ClientResponsePart::Body(piece)) => {
                inflow.feed(piece, |piece| cx.fire_read(ClientResponsePart::Body(piece)))?;
            }
            (Some(inflow), end) if !matches!(end, ClientResponsePart::Interim(_)) => {
                inflow.finish(|piece| cx.fire_read(ClientResponsePart::Body(piece)))?;
                self.inflow = None;
                cx.fire_read(end);
            }
            (_, part) => cx.fire_read(part),
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ClientRequestPart, promise: Promise) -> Result<()> {
        let part = match part {
            ClientRequestPart::Head(head) => ClientRequestPart::Head(self.ask(head)),
            ClientRequestPart::Full(mut request) => {
                request.head = self.ask(request.head);
                ClientRequestPart::Full(request)
            }
            other => other,
        };
        cx.write_with(part, promise);
        Ok(())
    }
}

impl fmt::Debug for HttpResponseDecompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponseDecompressor")
            .field("limits", &self.limits)
            .field("inflow", &self.inflow)
            .finish_non_exhaustive()
    }
}

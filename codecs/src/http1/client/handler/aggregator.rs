//! Whole responses out of parts, up to a size.

use std::fmt;

use fyke_buffer::ByteBuf;
use fyke_core::{CodecError, Context, InboundHandler, Result};

use crate::http1::Trailers;
use crate::http1::client::{
    ClientRequestPart, ClientResponseHead, ClientResponsePart, ResponseLength,
};
use crate::payload::Payload;

/// A response that has arrived whole.
#[derive(Debug)]
pub struct ClientResponse {
    /// The status line and the header fields.
    pub head: ClientResponseHead,
    /// The content.
    pub body: Payload,
    /// The fields behind a body that came in chunks, if there were any.
    pub trailers: Option<Trailers>,
}

/// Collects a response's parts, and hands it on when it has arrived whole. Interim responses are
/// dropped.
///
/// The limit is one on bytes that have arrived. A response beyond it is an error
/// ([`CodecError::TooLarge`]), which closes the connection.
pub struct HttpResponseAggregator {
    content_bytes_max: u64,
    partial: Option<Box<ClientResponse>>,
    body: ByteBuf,
}

type Cx<'a> = Context<'a, HttpResponseAggregator>;

impl HttpResponseAggregator {
    /// Responses of up to `content_bytes_max` bytes of content pass.
    #[must_use]
    pub fn new(content_bytes_max: u64) -> Self {
        Self { content_bytes_max, partial: None, body: ByteBuf::new() }
    }

    fn append(&mut self, piece: ByteBuf) -> Result<()> {
        let Some(partial) = &self.partial else { return Ok(()) };
        let len = self.body.readable() as u64 + piece.readable() as u64;
        if len > self.content_bytes_max {
            self.partial = None;
            self.body = ByteBuf::new();
            let (what, limit) = ("a response's body", self.content_bytes_max);
            return Err(CodecError::TooLarge { what, size: len, limit }.into());
        }
        if self.body.is_empty() && partial.head.body_length() == ResponseLength::Exact(len) {
            self.body = piece;
        } else {
            // Copied, as the read buffer must not be held for long.
            self.body.write_slice(&piece);
        }
        Ok(())
    }
}

impl InboundHandler for HttpResponseAggregator {
    type In = ClientResponsePart;
    type Out = ClientResponse;
    type Write = ClientRequestPart;

    fn read(&mut self, cx: &mut Cx<'_>, part: ClientResponsePart) -> Result<()> {
        match part {
            ClientResponsePart::Interim(_) => {}
            ClientResponsePart::Head(mut head) => {
                head.compact();
                let body = Payload::new();
                self.partial = Some(Box::new(ClientResponse { head, body, trailers: None }));
            }
            ClientResponsePart::Body(piece) => self.append(piece)?,
            ClientResponsePart::Trailers(trailers) => {
                if let Some(partial) = &mut self.partial {
                    partial.trailers = Some(trailers);
                }
            }
            ClientResponsePart::End => {
                if let Some(mut response) = self.partial.take() {
                    response.body = std::mem::take(&mut self.body).into();
                    cx.fire_read(*response);
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for HttpResponseAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponseAggregator")
            .field("content_bytes_max", &self.content_bytes_max)
            .field("held", &self.body.readable())
            .finish()
    }
}

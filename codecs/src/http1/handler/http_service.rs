//! The last stage of a server that collects its requests itself.

use std::fmt;

use fyke_core::{Context, InboundHandler, Never, Offloaded, Result, Stage};

use super::aggregator::{HttpObjectAggregator, Request};
use super::server::HTTP_STAGE;
use super::service::{HttpServerHandler, Reply, ServiceContext};
use crate::http1::coding::{Asked, CompressionConfig, HttpContentCompressor, passes_unasked};
use crate::http1::{RequestPart, ResponsePart};

/// An [`HttpObjectAggregator`] and an [`HttpServerHandler`] in one stage: for a pipeline that has
/// nothing between the two it saves a hop for each request, and a stage for each connection.
///
/// ```
/// use fyke_codecs::http1::{HttpService, Limits, Request, Response, Status, server};
/// use fyke_core::embedded::EmbeddedChannel;
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     server(ch.pipeline(), Limits::new()).inbound(
///         "app",
///         HttpService::new(1024, |_, request: Request| {
///             Response::new(Status::OK).body(request.body)
///         }),
///     )
/// });
/// channel.write_inbound("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
/// assert!(channel.read_outbound().ends_with(b"\r\n\r\nhi"));
/// ```
///
/// With [`compressed`](Self::compressed) it compresses, too, and a connection on which nobody asks for
/// that pays nothing for it.
pub struct HttpService<F> {
    aggregator: HttpObjectAggregator,
    handler: HttpServerHandler<F>,
    /// How to compress, until there is a stage for it.
    compression: Option<Box<CompressionConfig>>,
}

/// The name of the stage that is added when there is something to compress.
const COMPRESSOR_STAGE: &str = "compressor";

impl<F, R> HttpService<F>
where
    F: FnMut(&mut ServiceContext<'_>, Request) -> R + 'static,
    R: Into<Reply>,
{
    /// A service that takes requests of up to so many bytes of content, as
    /// [`HttpObjectAggregator::new`] says, and answers as [`HttpServerHandler`] does.
    #[must_use]
    pub fn new(content_bytes_max: u64, service: F) -> Self {
        Self {
            aggregator: HttpObjectAggregator::new(content_bytes_max),
            handler: HttpServerHandler::new(service),
            compression: None,
        }
    }

    /// Compresses the answers as an [`HttpContentCompressor`] behind the
    /// [`HttpServerCodec`](super::HttpServerCodec) does. It is put there, under the name `compressor`,
    /// when a connection has the first request that asks for a coding, or the first answer that others
    /// might get in one.
    #[must_use]
    pub fn compressed(mut self, config: CompressionConfig) -> Self {
        self.compression = Some(Box::new(config));
        self
    }

    #[inline]
    fn serve(&mut self, cx: &mut ServiceContext<'_>, request: Request) {
        let Some(config) = &self.compression else { return self.handler.serve(cx, request) };
        let asked = Asked::of(&request.head);
        let reply = self.handler.reply(cx, request);
        let passes = !asked.wants_any()
            && matches!(&reply, Reply::Full(response)
                if passes_unasked(config, &response.head, response.body.len() as u64));
        if !passes {
            self.begin_to_compress(cx, asked);
        }
        self.handler.send(cx, reply);
    }

    #[cold]
    fn begin_to_compress(&mut self, cx: &mut ServiceContext<'_>, asked: Asked) {
        let Some(config) = self.compression.take() else { return };
        let compressor = HttpContentCompressor::answering(*config, asked);
        let added = cx.edit(|edit| {
            edit.add_after(HTTP_STAGE, COMPRESSOR_STAGE, Stage::duplex(compressor));
        });
        if let Err(error) = added {
            tracing::error!(%error, "answers are sent as they are");
        }
    }
}

impl<F, R> InboundHandler for HttpService<F>
where
    F: FnMut(&mut ServiceContext<'_>, Request) -> R + 'static,
    R: Into<Reply> + 'static,
{
    type In = RequestPart;
    type Out = Never;
    type Write = ResponsePart;

    #[inline]
    fn read(&mut self, cx: &mut Context<'_, Self>, part: RequestPart) -> Result<()> {
        match part {
            RequestPart::Full(head) => {
                let request = self.aggregator.whole(head);
                self.serve(cx, request);
            }
            other => {
                if let Some(request) = self.aggregator.take(cx, other) {
                    self.serve(cx, request);
                }
            }
        }
        Ok(())
    }

    fn offloaded(&mut self, cx: &mut Context<'_, Self>, result: Offloaded) -> Result<()> {
        self.handler.worked(cx, result);
        Ok(())
    }
}

impl<F> fmt::Debug for HttpService<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("aggregator", &self.aggregator).finish_non_exhaustive()
    }
}

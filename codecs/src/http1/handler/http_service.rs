//! The last stage of a server that collects its requests itself.

use std::fmt;

use fyke_core::{Context, InboundHandler, Never, Offloaded, Result};

use super::aggregator::{HttpObjectAggregator, Request};
use super::service::{HttpServerHandler, Reply, ServiceContext};
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
pub struct HttpService<F> {
    aggregator: HttpObjectAggregator,
    handler: HttpServerHandler<F>,
}

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
                self.handler.serve(cx, request);
            }
            other => {
                if let Some(request) = self.aggregator.take(cx, other) {
                    self.handler.serve(cx, request);
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

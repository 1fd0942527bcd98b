//! The last stage of a server: a function from requests to replies.

use std::fmt;

use fyke_core::{Context, Ctx, FileRegion, InboundHandler, Never, Offloaded, Result};

use super::aggregator::Request;
use super::server::internal_error;
use crate::http1::{Method, Response, ResponseHead, ResponsePart};

/// What a service's function is given besides the request: time, randomness, the channel.
pub type ServiceContext<'a> = Ctx<'a, Never, ResponsePart>;

/// What a service answers.
#[non_exhaustive]
pub enum Reply {
    /// A response as it is.
    Full(Response),
    /// A head, and a piece of a file as the content.
    File(ResponseHead, FileRegion),
    /// A response in parts, its head and its end included: regions of files with bytes between them,
    /// say. Without an end it goes on with what else is written, and the connection's next requests
    /// wait for that end; the answer to HEAD has no content and ends with its head.
    Parts(Vec<ResponsePart>),
    /// Work that blocks, done on another thread. The connection's next requests wait for it.
    Offload(Box<dyn FnOnce() -> Self + Send>),
}

impl Reply {
    /// A reply that takes work which blocks.
    pub fn offload<R: Into<Self>>(work: impl FnOnce() -> R + Send + 'static) -> Self {
        Self::Offload(Box::new(move || work().into()))
    }
}

impl From<Response> for Reply {
    #[inline]
    fn from(response: Response) -> Self {
        Self::Full(response)
    }
}

/// Answers each request with what a function makes of it.
///
/// Behind an [`HttpObjectAggregator`](super::HttpObjectAggregator), which makes the requests;
/// [`HttpService`](super::HttpService) is both in one stage.
///
/// The function is called with one request at a time; answers leave in the order of the requests.
/// A panic in offloaded work is a 500 for that request, a panic of the function itself closes its
/// connection.
pub struct HttpServerHandler<F> {
    service: F,
    /// The request that is being answered is a HEAD.
    is_head: bool,
}

impl<F, R> HttpServerHandler<F>
where
    F: FnMut(&mut ServiceContext<'_>, Request) -> R + 'static,
    R: Into<Reply>,
{
    /// A server of this function.
    #[must_use]
    pub fn new(service: F) -> Self {
        Self { service, is_head: false }
    }

    /// Answers a request, or has that done on another thread.
    #[inline]
    pub(super) fn serve(&mut self, cx: &mut ServiceContext<'_>, request: Request) {
        let reply = self.reply(cx, request);
        self.send(cx, reply);
    }

    /// What the function makes of a request.
    #[inline]
    pub(super) fn reply(&mut self, cx: &mut ServiceContext<'_>, request: Request) -> Reply {
        self.is_head = request.head.method() == Method::Head;
        (self.service)(cx, request).into()
    }

    #[inline]
    pub(super) fn send(&self, cx: &mut ServiceContext<'_>, reply: Reply) {
        send(cx, reply, self.is_head);
    }

    /// The work on another thread is done.
    pub(super) fn worked(&mut self, cx: &mut ServiceContext<'_>, result: Offloaded) {
        let reply = result.take::<Reply>().unwrap_or_else(|error| {
            tracing::error!(%error, "offloaded work for a request failed");
            internal_error().into()
        });
        send(cx, reply, self.is_head);
    }
}

#[inline]
fn send(cx: &mut ServiceContext<'_>, reply: Reply, is_head: bool) {
    match reply {
        Reply::Full(response) => cx.write(response.into()),
        other => send_parts(cx, other, is_head),
    }
}

#[inline(never)]
fn send_parts(cx: &mut ServiceContext<'_>, reply: Reply, is_head: bool) {
    match reply {
        Reply::Full(response) => cx.write(response.into()),
        Reply::File(head, region) => {
            cx.write(head.content_length(region.len()).into());
            cx.write(ResponsePart::File(region));
            cx.write(ResponsePart::End);
        }
        Reply::Parts(parts) => {
            // RFC 9110 section 9.3.2: there is nothing to come that the end would have to wait for.
            let ends = is_head && !matches!(parts.last(), None | Some(ResponsePart::End));
            parts.into_iter().for_each(|part| cx.write(part));
            if ends {
                cx.write(ResponsePart::End);
            }
        }
        Reply::Offload(work) => cx.offload(work),
    }
}

impl<F, R> InboundHandler for HttpServerHandler<F>
where
    F: FnMut(&mut ServiceContext<'_>, Request) -> R + 'static,
    R: Into<Reply> + 'static,
{
    type In = Request;
    type Out = Never;
    type Write = ResponsePart;

    #[inline]
    fn read(&mut self, cx: &mut Context<'_, Self>, request: Request) -> Result<()> {
        self.serve(cx, request);
        Ok(())
    }

    fn offloaded(&mut self, cx: &mut Context<'_, Self>, result: Offloaded) -> Result<()> {
        self.worked(cx, result);
        Ok(())
    }
}

impl<F> fmt::Debug for HttpServerHandler<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpServerHandler").finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(response) => f.debug_tuple("Full").field(response).finish(),
            Self::File(head, region) => f.debug_tuple("File").field(head).field(region).finish(),
            Self::Parts(parts) => f.debug_tuple("Parts").field(parts).finish(),
            Self::Offload(_) => f.write_str("Offload"),
        }
    }
}

//! A router of functions as a server's service.

use std::fmt;

use super::{Found, Params, RouteError, Router};
use crate::http1::{Method, Reply, Request, Response, ServiceContext, Status};

type Target = Box<dyn Fn(&mut ServiceContext<'_>, &Request, &Params<'_>) -> Reply>;

/// Functions by method and path, for a [`HttpServerHandler`](crate::http1::HttpServerHandler).
///
/// What no route takes is answered with 404, with 405 and `Allow`, or for OPTIONS with 204 and `Allow`.
///
/// ```
/// use fyke_codecs::http1::router::{RouteError, RouteService};
/// use fyke_codecs::http1::{
///     HttpObjectAggregator, HttpServerHandler, Limits, Method, Response, Status, server,
/// };
/// use fyke_core::embedded::EmbeddedChannel;
///
/// fn routes() -> Result<RouteService, RouteError> {
///     RouteService::new().route(Method::Get, "/hello/:name", |_, _, params| {
///         let name = params.get("name").unwrap_or_default();
///         Response::new(Status::OK).body(format!("hello, {name}"))
///     })
/// }
///
/// let mut channel = EmbeddedChannel::new(|ch| {
///     let routes = routes().expect("they do not collide");
///     server(ch.pipeline(), Limits::new())
///         .inbound("aggregator", HttpObjectAggregator::new(1024))
///         .inbound("app", HttpServerHandler::new(move |cx, request| routes.answer(cx, &request)))
/// });
/// channel.write_inbound("GET /hello/Ada HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert!(channel.read_outbound().ends_with(b"\r\n\r\nhello, Ada"));
/// ```
#[derive(Default)]
pub struct RouteService {
    router: Router<Target>,
}

impl RouteService {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function.
    ///
    /// # Errors
    /// When the pattern is malformed, or another route takes the same requests.
    pub fn route<F, R>(
        mut self,
        method: Method,
        pattern: &str,
        target: F,
    ) -> Result<Self, RouteError>
    where
        F: Fn(&mut ServiceContext<'_>, &Request, &Params<'_>) -> R + 'static,
        R: Into<Reply>,
    {
        let target: Target =
            Box::new(move |cx, request, params| target(cx, request, params).into());
        self.router.add(method, pattern, target)?;
        Ok(self)
    }

    /// Answers a request.
    pub fn answer(&self, cx: &mut ServiceContext<'_>, request: &Request) -> Reply {
        match self.router.find(request.head.method(), request.head.path()) {
            Found::Route { target, params } => target(cx, request, &params),
            other => {
                let refusal = other.refusal();
                refusal.unwrap_or_else(|| Response::new(Status::NOT_FOUND)).into()
            }
        }
    }
}

impl fmt::Debug for RouteService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteService").field("router", &self.router).finish()
    }
}

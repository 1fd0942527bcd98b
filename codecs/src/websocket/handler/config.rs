//! What a server's WebSockets are to be like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::handlers::HeartbeatConfig;

use crate::http1::RequestHead;
use crate::websocket::{DeflateConfig, DeflateParams, Limits};

type OriginCheck = dyn Fn(&RequestHead) -> bool + Send + Sync;

/// Options of [`WebSocketServerProtocolHandler`](super::WebSocketServerProtocolHandler), made once
/// and shared by all channels: a clone copies nothing.
#[derive(Clone)]
#[must_use]
pub struct WebSocketServerProtocolConfig(Arc<Options>);

#[derive(Clone)]
pub(super) struct Options {
    /// All paths, when there is none.
    pub(super) path: Option<String>,
    pub(super) deflate: Option<DeflateConfig>,
    pub(super) streaming: bool,
    pub(super) protocols: Vec<&'static str>,
    pub(super) limits: Limits,
    pub(super) origin: Arc<OriginCheck>,
    pub(super) http_stage: &'static str,
    pub(super) control: ControlOptions,
    pub(super) heartbeat: Option<HeartbeatConfig>,
}

/// Options of [`WebSocketHandler`](super::WebSocketHandler).
#[derive(Clone, Copy, Debug)]
pub(super) struct ControlOptions {
    pub(super) close_timeout: Duration,
    pub(super) drop_pong_frames: bool,
    pub(super) copy_bytes_max: usize,
}

impl ControlOptions {
    pub(super) const DEFAULT: Self = Self {
        close_timeout: Duration::from_secs(10),
        drop_pong_frames: true,
        copy_bytes_max: 1024,
    };
}

impl WebSocketServerProtocolConfig {
    /// WebSockets at `path`, which is compared with the request's path as it was sent.
    pub fn new(path: impl Into<String>) -> Self {
        Self::at(Some(path.into()))
    }

    /// WebSockets at every path: all requests are for the handler then.
    pub fn any_path() -> Self {
        Self::at(None)
    }

    fn at(path: Option<String>) -> Self {
        Self(Arc::new(Options {
            path,
            deflate: None,
            streaming: false,
            protocols: Vec::new(),
            limits: Limits::new(),
            origin: Arc::new(same_origin),
            http_stage: "http",
            control: ControlOptions::DEFAULT,
            heartbeat: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The subprotocols that this server speaks: the first one of the client's list that is among
    /// them is agreed to. None by default.
    pub fn protocols(self, names: &[&'static str]) -> Self {
        self.with(|options| options.protocols = names.to_vec())
    }

    /// Compresses, with clients that offer it (permessage-deflate). Off by default.
    pub fn deflate(self, config: DeflateConfig) -> Self {
        self.with(|options| options.deflate = Some(config))
    }

    /// Passes text and binary messages on in parts, as they arrive ([`Message::Part`]), instead of
    /// whole. Off by default.
    ///
    /// [`Message::Part`]: crate::websocket::Message::Part
    pub fn streaming(self, on: bool) -> Self {
        self.with(|options| options.streaming = on)
    }

    /// How much a client may send.
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|options| options.limits = limits)
    }

    /// Who may connect, by the head of the request; others get 403. By default [`same_origin`].
    pub fn origin(self, check: impl Fn(&RequestHead) -> bool + Send + Sync + 'static) -> Self {
        self.with(|options| options.origin = Arc::new(check))
    }

    /// Pages of any site may connect: for services that are open to all, and that trust no cookie.
    pub fn any_origin(self) -> Self {
        self.origin(|_| true)
    }

    /// The name of the HTTP codec's stage, `http` by default. It and all stages behind it give way
    /// to those of WebSocket; what stands in front (TLS, say) stays.
    pub fn http_stage(self, name: &'static str) -> Self {
        self.with(|options| options.http_stage = name)
    }

    /// How long the peer may take to answer a close frame before the connection is closed without
    /// (10 s).
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.control.close_timeout = timeout)
    }

    /// Whether pongs are kept from the application (they are).
    pub fn drop_pong_frames(self, drop: bool) -> Self {
        self.with(|options| options.control.drop_pong_frames = drop)
    }

    /// Sends pings when nothing has passed for a while, and closes connections whose peer does not
    /// answer; see [`HeartbeatHandler`](fyke_core::handlers::HeartbeatHandler). Off by default. Pongs
    /// are kept from the application then, whatever [`drop_pong_frames`](Self::drop_pong_frames) says.
    pub fn heartbeat(self, config: HeartbeatConfig) -> Self {
        self.with(|options| options.heartbeat = Some(config))
    }

    /// A longer payload is sent from where it lies instead of being copied behind its header
    /// (1024 bytes).
    pub fn copy_bytes_max(self, bytes: usize) -> Self {
        self.with(|options| options.control.copy_bytes_max = bytes)
    }

    pub(super) fn options(&self) -> &Options {
        &self.0
    }

    pub(super) fn is_for(&self, path: &str) -> bool {
        self.0.path.as_deref().is_none_or(|ours| ours == path)
    }
}

impl fmt::Debug for WebSocketServerProtocolConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketServerProtocolConfig")
            .field("path", &self.0.path)
            .field("protocols", &self.0.protocols)
            .field("limits", &self.0.limits)
            .field("deflate", &self.0.deflate)
            .field("streaming", &self.0.streaming)
            .field("control", &self.0.control)
            .finish_non_exhaustive()
    }
}

/// Whether a request comes from a page of this very server, or from no page at all.
///
/// A browser lets any site open a WebSocket to any server, with the user's cookies, and says in
/// `Origin` which site it was (RFC 6455 section 10.2): what follows its scheme must be the host
/// that was asked. Clients that are no browsers send no `Origin`.
#[must_use]
pub fn same_origin(head: &RequestHead) -> bool {
    let mut origins = head.header_all("origin");
    let Some(origin) = origins.next() else { return true };
    if origins.next().is_some() {
        return false;
    }
    let site = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = origin.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    match (site, head.authority()) {
        (Some(site), Some(host)) => site.eq_ignore_ascii_case(host.as_bytes()),
        _ => false,
    }
}

/// A WebSocket that has just been opened, as the application's handler is made for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Opened<'a> {
    /// The request that opened it.
    pub head: &'a RequestHead,
    /// The subprotocol that was agreed to.
    pub protocol: Option<&'static str>,
    /// How messages are compressed, if they are.
    pub deflate: Option<DeflateParams>,
}

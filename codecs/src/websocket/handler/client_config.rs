//! What a client's WebSocket is to be like.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::handlers::HeartbeatConfig;

use super::config::ControlOptions;
use crate::websocket::{ClientHandshake, DeflateConfig, Limits, WebSocketUrl};

/// Options of [`WebSocketClientProtocolHandler`](super::WebSocketClientProtocolHandler), made once
/// and shared by all channels: a clone copies nothing.
#[derive(Clone)]
#[must_use]
pub struct WebSocketClientConfig(Arc<Options>);

#[derive(Clone)]
pub(super) struct Options {
    authority: String,
    target: String,
    protocols: Vec<String>,
    headers: Vec<(String, String)>,
    pub(super) deflate: Option<DeflateConfig>,
    pub(super) limits: Limits,
    pub(super) streaming: bool,
    pub(super) handshake_timeout: Duration,
    pub(super) held_bytes_max: u64,
    pub(super) control: ControlOptions,
    pub(super) heartbeat: Option<HeartbeatConfig>,
}

impl WebSocketClientConfig {
    /// For a WebSocket at this URL. Connecting, and TLS for `wss:`, are the bootstrap's.
    pub fn new(url: &WebSocketUrl) -> Self {
        Self(Arc::new(Options {
            authority: url.authority().to_owned(),
            target: url.target().to_owned(),
            protocols: Vec::new(),
            headers: Vec::new(),
            deflate: None,
            limits: Limits::new(),
            streaming: false,
            handshake_timeout: Duration::from_secs(10),
            held_bytes_max: 1024 * 1024,
            control: ControlOptions::DEFAULT,
            heartbeat: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The subprotocols that this client speaks, the one it likes best first. The server may choose
    /// one of them, or none.
    pub fn protocols(self, names: &[&str]) -> Self {
        self.with(|options| options.protocols = names.iter().map(|&name| name.into()).collect())
    }

    /// One more field of the request: `Origin`, `Cookie`, `Authorization`.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with(|options| options.headers.push((name.to_owned(), value.to_owned())))
    }

    /// Offers compression (permessage-deflate). Off by default.
    pub fn deflate(self, config: DeflateConfig) -> Self {
        self.with(|options| options.deflate = Some(config))
    }

    /// How much the server may send.
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|options| options.limits = limits)
    }

    /// Passes text and binary messages on in parts, as they arrive, instead of whole. Off by default.
    pub fn streaming(self, on: bool) -> Self {
        self.with(|options| options.streaming = on)
    }

    /// How long the server may take to answer the handshake (10 s).
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.handshake_timeout = timeout)
    }

    /// How many bytes of messages may wait for the handshake (1 MiB); what is beyond fails.
    pub fn held_bytes_max(self, bytes: u64) -> Self {
        self.with(|options| options.held_bytes_max = bytes)
    }

    /// How long the server may take to answer a close frame, and then to end the connection (10 s).
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.control.close_timeout = timeout)
    }

    /// Whether pongs are kept from the application (they are).
    pub fn drop_pong_frames(self, drop: bool) -> Self {
        self.with(|options| {
            options.control.drop_pong_frames = drop && options.heartbeat.is_none();
        })
    }

    /// Sends pings when nothing has passed for a while, and closes connections whose server does not
    /// answer; see [`HeartbeatHandler`](fyke_core::handlers::HeartbeatHandler). Off by default. Pongs
    /// are kept from the application then, whatever [`drop_pong_frames`](Self::drop_pong_frames) says.
    pub fn heartbeat(self, config: HeartbeatConfig) -> Self {
        self.with(|options| {
            options.heartbeat = Some(config);
            options.control.drop_pong_frames = false;
        })
    }

    /// A longer payload that nobody else has is masked and sent where it lies instead of being
    /// copied behind its header (1024 bytes).
    pub fn copy_bytes_max(self, bytes: usize) -> Self {
        self.with(|options| options.control.copy_bytes_max = bytes)
    }

    pub(super) fn options(&self) -> &Options {
        &self.0
    }
}

impl Options {
    pub(super) fn handshake(&self, nonce: [u8; 16]) -> ClientHandshake {
        let handshake = ClientHandshake::new(nonce).protocols(&self.protocols);
        let handshake = match &self.deflate {
            Some(config) => handshake.deflate(config),
            None => handshake,
        };
        self.headers
            .iter()
            .fold(handshake, |handshake, (name, value)| handshake.header(name, value))
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Debug for WebSocketClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketClientConfig")
            .field("authority", &self.0.authority)
            .field("target", &self.0.target)
            .field("protocols", &self.0.protocols)
            .field("deflate", &self.0.deflate)
            .field("limits", &self.0.limits)
            .field("control", &self.0.control)
            .finish_non_exhaustive()
    }
}

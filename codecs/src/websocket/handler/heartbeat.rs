//! Heartbeats of WebSocket: its own pings and pongs (RFC 6455 section 5.5.2).

use fyke_core::handlers::{Beat, HeartbeatCodec, HeartbeatConfig, HeartbeatHandler};

use crate::websocket::Message;

/// The stage that [`heartbeat`](super::WebSocketServerProtocolConfig::heartbeat) puts in.
pub(super) const HEARTBEAT_STAGE: &str = "ws-heartbeat";

/// Pings and pongs of a WebSocket, for a
/// [`HeartbeatHandler`] behind a [`WebSocketHandler`](super::WebSocketHandler) that passes pongs on.
/// Both are put in place by `heartbeat` of the server's and of the client's configuration.
///
/// Pings are numbered. Any pong is an answer, also one that comes unasked (section 5.5.3). Pings of
/// the peer are answered by the `WebSocketHandler`.
#[derive(Clone, Copy, Default, Debug)]
pub struct WebSocketHeartbeat;

impl WebSocketHeartbeat {
    /// The handler itself.
    pub fn handler(config: &HeartbeatConfig) -> HeartbeatHandler<Self> {
        HeartbeatHandler::new(Self, config)
    }
}

impl HeartbeatCodec for WebSocketHeartbeat {
    type Read = Message;
    type Write = Message;

    fn ping(&mut self, number: u64) -> Message {
        Message::Ping(number.to_be_bytes().to_vec().into())
    }

    #[inline]
    fn beat(&mut self, message: &Message) -> Beat {
        if matches!(message, Message::Pong(_)) { Beat::Pong } else { Beat::Data }
    }
}

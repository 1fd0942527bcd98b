//! The stage next to the application: pings, the closing handshake, encoding.
//!
//! ```text
//!   Open -- we close --> CloseSent -- the peer's close, or time --> Done
//!     +---- the peer closes, breaks the protocol, or we cannot wait --^
//!
//!   A client that has both closes goes through Ending, where it leaves the end to the server.
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use fyke_buffer::ByteBuf;
use fyke_clock::TimerKey;
use fyke_core::{
    CloseReason, CodecError, DuplexContext, DuplexHandler, Env, Error, ErrorKind, Outgoing,
    Promise, Result,
};

use super::config::ControlOptions;
use crate::payload::Payload;
use crate::websocket::encoder::Sink;
use crate::websocket::frame::Header;
use crate::websocket::{
    CloseCode, CloseFrame, DeflateConfig, DeflateParams, FrameEncoder, Message, WebSocketError,
};

type Cx<'a> = DuplexContext<'a, WebSocketHandler>;

/// Keeps a WebSocket in order, for the application behind it (RFC 6455 sections 5.5 and 7):
///
/// * a ping is answered with a pong of the same content; while the peer does not read, only the
///   last ping is remembered;
/// * a close of the peer is answered, handed to the application as its last message, and the
///   connection is closed;
/// * a close of the application, be it a [`Message::Close`] or `cx.close()`, begins the closing
///   handshake; the connection is closed when the peer has answered or the time is over;
/// * a breach of the protocol is answered with its close code, goes on to the application as an
///   error, and the connection is closed.
///
/// What the application writes behind a close is dropped, and its promise fails.
#[derive(Debug)]
pub struct WebSocketHandler {
    encoder: FrameEncoder,
    options: ControlOptions,
    state: State,
    /// The content of the last ping that could not be answered yet.
    ping: Option<Bytes>,
    timer: Option<TimerKey>,
    /// The client's end, and what was asked for while the WebSocket was being opened.
    client: Option<Early>,
}

/// What a client's application wanted before the WebSocket was open.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) held: VecDeque<(Message, Promise)>,
    /// And then the end.
    pub(super) closes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Open,
    /// Our close is out, the peer's is awaited.
    CloseSent,
    /// Both have closed, and the client waits for the server to end the connection (section 7.1.1).
    Ending(CloseReason),
    /// Nothing more is said; the connection closes.
    Done,
}

/// How a close of our own goes.
pub(super) enum Farewell {
    /// With a close frame, and then the peer's answer is awaited.
    Wait(CloseCode),
    /// With a close frame, if there is anybody to read it, and then the connection is closed.
    Leave(Option<CloseCode>),
}

impl WebSocketHandler {
    /// The server's end, with default options.
    #[must_use]
    pub fn server() -> Self {
        Self::new(FrameEncoder::server(), ControlOptions::DEFAULT)
    }

    /// Compresses messages as both sides have agreed to.
    #[must_use]
    pub fn deflate(mut self, config: &DeflateConfig, agreed: DeflateParams) -> Self {
        self.encoder = self.encoder.deflate(config, agreed);
        self
    }

    /// How long the peer may take to answer a close frame (10 s).
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.options.close_timeout = timeout;
        self
    }

    /// Whether pongs are kept from the application (they are).
    #[must_use]
    pub fn drop_pong_frames(mut self, drop: bool) -> Self {
        self.options.drop_pong_frames = drop;
        self
    }

    pub(super) fn new(encoder: FrameEncoder, options: ControlOptions) -> Self {
        Self { encoder, options, state: State::Open, ping: None, timer: None, client: None }
    }

    /// A client's end that has just been opened: says so to the application, and sends what it has
    /// written so far.
    pub(super) fn opening(encoder: FrameEncoder, options: ControlOptions, early: Early) -> Self {
        Self { client: Some(early), ..Self::new(encoder, options) }
    }

    /// The first byte and the content of a short message, while this end is open.
    #[inline(always)]
    fn short<'m>(&self, message: &'m Message) -> Option<(u8, &'m [u8])> {
        match self.state {
            State::Open => self.encoder.short(message, self.options.copy_bytes_max),
            _ => None,
        }
    }

    /// Encodes a message; a long payload follows its header without a copy.
    #[inline(never)]
    fn send(&mut self, cx: &mut Cx<'_>, message: Message, promise: Promise) -> Result<()> {
        let mut payload = None;
        let (encoder, copy_bytes_max) = (&mut self.encoder, self.options.copy_bytes_max);
        let encoded = cx.encode(|dst| -> Result<(), CodecError> {
            payload = encoder.message(message, Sink { dst, copy_bytes_max })?;
            Ok(())
        });
        match (encoded, payload) {
            (Ok(()), None) => cx.promise_behind(promise),
            (Ok(()), Some(payload)) => cx.write_with(payload.into(), promise),
            (Err(error), _) if promise.is_observed() => promise.fail(error.into()),
            (Err(error), _) => return Err(error.into()),
        }
        Ok(())
    }

    #[inline(never)]
    fn write_any(&mut self, cx: &mut Cx<'_>, message: Message, promise: Promise) -> Result<()> {
        if self.state != State::Open {
            promise.fail(ErrorKind::Closed.into());
            return Ok(());
        }
        let closes = matches!(message, Message::Close(_));
        self.send(cx, message, promise)?;
        // A close that could not be encoded is none.
        if closes && self.encoder.is_closed() {
            self.begin_close(cx);
        }
        Ok(())
    }

    fn send_close(&mut self, cx: &mut Cx<'_>, close: Option<CloseFrame>) -> Result<()> {
        self.ping = None;
        self.send(cx, Message::Close(close), Promise::NONE)
    }

    fn begin_close(&mut self, cx: &mut Cx<'_>) {
        self.state = State::CloseSent;
        self.timer = Some(cx.schedule(self.options.close_timeout, 0));
    }

    /// Nothing more is said or awaited.
    fn done(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Done;
        self.ping = None;
        if let Some(timer) = self.timer.take() {
            cx.cancel(timer);
        }
    }

    fn on_ping(&mut self, cx: &mut Cx<'_>, content: Payload) -> Result<()> {
        match self.state {
            State::Open if cx.is_writable() => self.send(cx, Message::Pong(content), Promise::NONE),
            // A copy of at most 125 bytes, as the payload may hold on to a whole read buffer.
            State::Open => {
                self.ping = Some(Bytes::copy_from_slice(&content));
                Ok(())
            }
            State::CloseSent | State::Ending(_) | State::Done => Ok(()),
        }
    }

    /// The peer's close: answered with its code, unless it is the answer to ours (section 5.5.1).
    fn on_close(&mut self, cx: &mut Cx<'_>, close: Option<CloseFrame>) -> Result<()> {
        let ours = self.state == State::CloseSent;
        if self.state == State::Open {
            let answer = close.as_ref().map(|close| CloseFrame::new(close.code, ""));
            self.send_close(cx, answer)?;
        }
        self.done(cx);
        cx.fire_read(Message::Close(close));
        let reason = if ours { CloseReason::Local } else { CloseReason::PeerEnd };
        if self.client.is_some() {
            self.state = State::Ending(reason);
            self.timer = Some(cx.schedule(self.options.close_timeout, 0));
        } else {
            cx.close_with(reason);
        }
        Ok(())
    }

    /// The peer broke the protocol (section 7.1.7).
    fn fail(&mut self, cx: &mut Cx<'_>, failure: WebSocketError, error: Error) -> Result<()> {
        if self.state == State::Open {
            self.send_close(cx, Some(failure.close_frame()))?;
        }
        self.done(cx);
        cx.fire_error(error);
        let too_big = failure.code() == CloseCode::TOO_BIG;
        cx.close_with(if too_big { CloseReason::Limit } else { CloseReason::Protocol });
        Ok(())
    }
}

/// What is said when the channel is to be closed for `reason`.
pub(super) fn farewell(reason: Option<CloseReason>) -> Farewell {
    match reason {
        Some(CloseReason::Shutdown) => Farewell::Leave(Some(CloseCode::GOING_AWAY)),
        Some(CloseReason::Handler | CloseReason::Panic) => {
            Farewell::Leave(Some(CloseCode::INTERNAL_ERROR))
        }
        Some(CloseReason::Limit | CloseReason::Protocol) => {
            Farewell::Leave(Some(CloseCode::POLICY_VIOLATION))
        }
        Some(CloseReason::PeerEnd | CloseReason::PeerReset | CloseReason::Transport) => {
            Farewell::Leave(None)
        }
        _ => Farewell::Wait(CloseCode::NORMAL),
    }
}

impl DuplexHandler for WebSocketHandler {
    type In = Message;
    type Out = Message;
    type WriteIn = Message;
    type WriteOut = Outgoing;

    const PASSES: bool = true;
    const ENCODES: bool = true;

    #[inline(always)]
    fn passes(&self, message: &Message) -> bool {
        !matches!(message, Message::Ping(_) | Message::Pong(_) | Message::Close(_))
    }

    #[inline(always)]
    fn encode(&mut self, _: &Env, message: &Message, dst: &mut ByteBuf) -> bool {
        let Some((first, payload)) = self.short(message) else { return false };
        Header::write_short(first, payload, dst).is_ok()
    }

    #[inline]
    fn read(&mut self, cx: &mut Cx<'_>, message: Message) -> Result<()> {
        match message {
            Message::Ping(content) => return self.on_ping(cx, content),
            Message::Pong(_) if self.options.drop_pong_frames => {}
            pong @ Message::Pong(_) => cx.fire_read(pong),
            Message::Close(close) => return self.on_close(cx, close),
            data => cx.fire_read(data),
        }
        Ok(())
    }

    #[inline]
    fn write(&mut self, cx: &mut Cx<'_>, message: Message, promise: Promise) -> Result<()> {
        // Behind TLS, or with a promise: `encode` was not asked.
        if let Some((first, payload)) = self.short(&message)
            && cx.encode(|dst| Header::write_short(first, payload, dst)).is_ok()
        {
            cx.promise_behind(promise);
            return Ok(());
        }
        self.write_any(cx, message, promise)
    }

    fn writability_changed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if cx.is_writable()
            && let Some(content) = self.ping.take()
        {
            self.send(cx, Message::Pong(content.into()), Promise::NONE)?;
        }
        cx.fire_writability_changed();
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        match (self.state, farewell(cx.close_reason())) {
            (State::Open, Farewell::Wait(code)) => {
                self.send_close(cx, Some(CloseFrame::new(code, "")))?;
                self.begin_close(cx);
            }
            (State::Open, Farewell::Leave(code)) => {
                if let Some(code) = code {
                    self.send_close(cx, Some(CloseFrame::new(code, "")))?;
                }
                self.done(cx);
                cx.close();
            }
            (State::CloseSent | State::Ending(_), Farewell::Wait(_)) => {}
            (State::CloseSent | State::Ending(_), Farewell::Leave(_)) | (State::Done, _) => {
                self.done(cx);
                cx.close();
            }
        }
        Ok(())
    }

    /// WebSocket knows no half of a connection: ending our direction begins the close.
    fn shutdown(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.close(cx)
    }

    fn shutting_down(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if matches!(self.state, State::CloseSent | State::Ending(_)) {
            self.done(cx);
            cx.close();
        }
        cx.fire_shutting_down();
        Ok(())
    }

    /// The client's end is told last (see [`client`](super::client)).
    fn added(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        let Some(early) = &mut self.client else { return Ok(()) };
        let Early { held, closes } = std::mem::take(early);
        cx.fire_active();
        for (message, promise) in held {
            self.write(cx, message, promise)?;
        }
        if closes { self.close(cx) } else { Ok(()) }
    }

    fn read_closed(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        if let State::Ending(reason) = self.state {
            self.done(cx);
            cx.close_with(reason);
        }
        cx.fire_read_closed();
        Ok(())
    }

    /// The peer did not answer our close, or does not end the connection.
    fn timer(&mut self, cx: &mut Cx<'_>, _: u64) -> Result<()> {
        self.timer = None;
        match self.state {
            State::CloseSent => {}
            State::Ending(reason) => {
                self.done(cx);
                cx.close_with(reason);
                return Ok(());
            }
            State::Open | State::Done => return Ok(()),
        }
        self.done(cx);
        tracing::debug!("the peer did not answer the close frame in time");
        if cx.pending_bytes() > 0 {
            // It does not even take what is there for it.
            cx.abort();
        }
        cx.close_with(CloseReason::TimedOut);
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        let ErrorKind::Codec(codec) = error.kind() else {
            if matches!(self.state, State::Ending(_)) {
                // All has been said; some servers end the connection with a reset.
                tracing::debug!(%error, "the server did not end the connection in order");
                return Ok(());
            }
            cx.fire_error(error);
            return Ok(());
        };
        if let Some(&failure) = WebSocketError::of(codec) {
            return self.fail(cx, failure, error);
        }
        if matches!(codec, CodecError::Truncated { .. }) {
            // The peer's end in the middle of a message: there is nobody left to talk to.
            self.done(cx);
        }
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.done(cx);
        cx.fire_inactive();
        Ok(())
    }
}

//! The client's side: asks for the upgrade, checks the answer, makes room for the stages of
//! WebSocket.

use std::collections::VecDeque;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use fyke_clock::TimerKey;
use fyke_core::{
    CloseReason, CodecError, DuplexContext, DuplexHandler, Error, ErrorKind, PipelineBuilder,
    Promise, Result, Stage,
};

use super::client_config::WebSocketClientConfig;
use super::control::{Early, Farewell, WebSocketHandler, farewell};
use super::heartbeat::{HEARTBEAT_STAGE, WebSocketHeartbeat};
use crate::http1::client::{
    ClientCodec, ClientRequestPart, ClientResponseHead, ClientResponsePart,
};
use crate::websocket::{
    Agreed, ClientHandshake, ClientHandshakeError, FrameEncoder, Message, MessageDecoder, Role,
};

type Cx<'a> = DuplexContext<'a, WebSocketClientProtocolHandler>;

const HTTP_STAGE: &str = "ws-http";
const UPGRADE_STAGE: &str = "ws-upgrade";

/// Puts the stages of a client's WebSocket into a pipeline; the application follows. It reads and
/// writes [`Message`]s. Its `active` comes when the WebSocket is open, and what was agreed to is
/// then an attribute of the channel: `cx.attribute::<Agreed>()`. A handshake that fails is an error
/// of the pipeline, and ends the channel.
///
/// ```
/// use fyke_codecs::websocket::{self, Message, WebSocketClientConfig};
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{Context, InboundHandler, Never, Result};
///
/// /// Says hello.
/// struct Hello;
///
/// impl InboundHandler for Hello {
///     type In = Message;
///     type Out = Never;
///     type Write = Message;
///     fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
///         cx.write(Message::text("hello"));
///         Ok(())
///     }
///     fn read(&mut self, _: &mut Context<'_, Self>, _: Message) -> Result<()> {
///         Ok(())
///     }
/// }
///
/// let config = WebSocketClientConfig::new(&"ws://localhost:9001/".parse()?);
/// let mut channel = EmbeddedChannel::new(move |ch| {
///     websocket::client(ch.pipeline(), &config).inbound("app", Hello)
/// });
/// let request = channel.read_outbound();
/// assert!(request.starts_with(b"GET / HTTP/1.1\r\nHost: localhost:9001\r\nUpgrade: websocket\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn client(
    pipeline: PipelineBuilder,
    config: &WebSocketClientConfig,
) -> PipelineBuilder<Message, Message> {
    let upgrade = WebSocketClientProtocolHandler::new(config);
    let pipeline =
        pipeline.codec(HTTP_STAGE, ClientCodec::default()).duplex(UPGRADE_STAGE, upgrade);
    match &config.options().heartbeat {
        Some(heartbeat) => {
            pipeline.inbound(HEARTBEAT_STAGE, WebSocketHeartbeat::handler(heartbeat))
        }
        None => pipeline,
    }
}

/// The stage that opens a client's WebSocket, behind a codec of HTTP; [`client`] puts both in place.
///
/// What the application writes before the WebSocket is open waits here, up to a limit.
#[derive(Debug)]
pub struct WebSocketClientProtocolHandler {
    config: WebSocketClientConfig,
    state: State,
    held: VecDeque<(Message, Promise)>,
    held_bytes: u64,
    /// The application has asked for the end: it comes once the WebSocket is open and what waits
    /// has been sent.
    closes: bool,
    timer: Option<TimerKey>,
}

#[derive(Debug)]
enum State {
    /// Not connected.
    New,
    /// The request is out.
    Asked(Box<(ClientHandshake, ChaCha12Rng)>),
    /// It is open, or it will never be.
    Done,
}

impl WebSocketClientProtocolHandler {
    fn new(config: &WebSocketClientConfig) -> Self {
        let (config, held) = (config.clone(), VecDeque::new());
        Self { config, state: State::New, held, held_bytes: 0, closes: false, timer: None }
    }

    fn ask(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        // Keys and nonces that nobody can predict (section 10.3).
        let mut random = ChaCha12Rng::from_seed(cx.env().secret_seed()?);
        let mut nonce = [0; 16];
        random.fill_bytes(&mut nonce);
        let options = self.config.options();
        let handshake = options.handshake(nonce);
        cx.write(handshake.request(options.authority(), options.target()).into());
        self.timer = Some(cx.schedule(options.handshake_timeout, 0));
        // What is held counts as written, and must not keep the answer from being read.
        cx.read_while_unwritable(true);
        self.state = State::Asked(Box::new((handshake, random)));
        Ok(())
    }

    fn done(&mut self, cx: &mut Cx<'_>) {
        self.state = State::Done;
        cx.read_while_unwritable(false);
        cx.account(-i64::try_from(self.held_bytes).unwrap_or(i64::MAX));
        self.held_bytes = 0;
        if let Some(timer) = self.timer.take() {
            cx.cancel(timer);
        }
    }

    fn on_head(&mut self, cx: &mut Cx<'_>, head: &ClientResponseHead) -> Result<()> {
        let State::Asked(asked) = std::mem::replace(&mut self.state, State::Done) else {
            return Ok(());
        };
        let (handshake, random) = *asked;
        self.done(cx);
        match handshake.check(head) {
            Ok(agreed) => self.open(cx, agreed, random),
            Err(error) => {
                self.fail(cx, error, CloseReason::Protocol);
                Ok(())
            }
        }
    }

    fn fail(&mut self, cx: &mut Cx<'_>, error: ClientHandshakeError, reason: CloseReason) {
        for (_, promise) in self.held.drain(..) {
            promise.fail(ErrorKind::Closed.into());
        }
        cx.fire_error(CodecError::from(error).into());
        cx.close_with(reason);
    }

    /// Puts the stages of WebSocket in the place of those that were here to open it.
    fn open(&mut self, cx: &mut Cx<'_>, agreed: Agreed, mut random: ChaCha12Rng) -> Result<()> {
        let options = self.config.options();
        let mut decoder = MessageDecoder::new(Role::Client, options.limits);
        let mut encoder = FrameEncoder::client(move || random.next_u32().to_ne_bytes());
        if let (Some(config), Some(agreed)) = (&options.deflate, agreed.deflate) {
            decoder = decoder.deflate(config, agreed);
            encoder = encoder.deflate(config, agreed);
        }
        if options.streaming {
            decoder = decoder.streaming();
        }
        let early = Early { held: std::mem::take(&mut self.held), closes: self.closes };
        let control = WebSocketHandler::opening(encoder, options.control, early);
        cx.set_attribute(agreed);
        cx.edit(|edit| {
            edit.replace(HTTP_STAGE, "ws-decoder", Stage::decoder(decoder));
            edit.replace(UPGRADE_STAGE, "ws", Stage::duplex(control));
        })?;
        Ok(())
    }
}

/// How much a message counts while it waits.
fn len(message: &Message) -> u64 {
    let len = match message {
        Message::Text(text) => text.len(),
        Message::Binary(payload) | Message::Ping(payload) | Message::Pong(payload) => payload.len(),
        Message::Part(part) => part.payload.len(),
        Message::Prepared(prepared) => prepared.len(),
        Message::Close(_) => 0,
    };
    (len + size_of::<(Message, Promise)>()) as u64
}

impl DuplexHandler for WebSocketClientProtocolHandler {
    type In = ClientResponsePart;
    type Out = Message;
    type WriteIn = Message;
    type WriteOut = ClientRequestPart;

    /// The application hears of it when the WebSocket is open.
    fn active(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.ask(cx)
    }

    fn read(&mut self, cx: &mut Cx<'_>, part: ClientResponsePart) -> Result<()> {
        match part {
            ClientResponsePart::Head(head) => self.on_head(cx, &head),
            // Interim responses, and the content of a refusal.
            _ => Ok(()),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, message: Message, promise: Promise) -> Result<()> {
        let bytes = len(&message);
        if matches!(self.state, State::Done)
            || self.closes
            || self.held_bytes + bytes > self.config.options().held_bytes_max
        {
            promise.fail(ErrorKind::Closed.into());
            return Ok(());
        }
        self.held_bytes += bytes;
        cx.account(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.held.push_back((message, promise));
        Ok(())
    }

    fn close(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        match (&self.state, farewell(cx.close_reason())) {
            (State::Asked(_), Farewell::Wait(_)) => self.closes = true,
            _ => cx.close(),
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Cx<'_>, _: u64) -> Result<()> {
        self.timer = None;
        if !matches!(self.state, State::Done) {
            self.done(cx);
            self.fail(cx, ClientHandshakeError::TimedOut, CloseReason::TimedOut);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Cx<'_>, error: Error) -> Result<()> {
        // An answer that cannot be read: nothing will be opened.
        self.done(cx);
        self.held.clear();
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        self.done(cx);
        self.held.clear();
        cx.fire_inactive();
        Ok(())
    }
}

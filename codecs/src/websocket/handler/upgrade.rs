//! From HTTP to WebSocket.

use std::fmt;
use std::sync::Arc;

use fyke_core::{DuplexContext, DuplexHandler, InboundHandler, Promise, Result, Stage};

use super::config::{Opened, WebSocketServerProtocolConfig};
use super::control::WebSocketHandler;
use super::heartbeat::{HEARTBEAT_STAGE, WebSocketHeartbeat};
use super::order::{Order, ends_answer};
use crate::http1::{RequestHead, RequestPart, Response, ResponsePart, Status};
use crate::websocket::{
    DeflateParams, FrameEncoder, Handshake, Message, MessageDecoder, Role, choose_protocol,
};

/// Makes the application's stage for a connection.
type MakeApp = Arc<dyn Fn(&Opened<'_>) -> Stage + Send + Sync>;
type Cx<'a> = DuplexContext<'a, WebSocketServerProtocolHandler>;

/// Opens WebSockets: recognises the handshake for one path behind an HTTP codec, answers it, and
/// puts the stages of WebSocket in the place of those of HTTP. All other requests pass.
///
/// The application's handler reads and writes [`Message`]s. Its `added` is the first it hears of
/// the connection, its last message is the peer's [`Message::Close`], if there is one. It closes
/// the connection by writing a [`Message::Close`] or by `cx.close()`.
///
/// ```
/// use fyke_codecs::http1::{
///     HttpObjectAggregator, HttpServerHandler, Limits, Request, Response, Status, server,
/// };
/// use fyke_codecs::websocket::{
///     Message, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler,
/// };
/// use fyke_core::embedded::EmbeddedChannel;
/// use fyke_core::{Context, InboundHandler, Never, Result};
///
/// /// Sends messages back.
/// struct Echo;
///
/// impl InboundHandler for Echo {
///     type In = Message;
///     type Out = Never;
///     type Write = Message;
///     fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
///         cx.write(message);
///         Ok(())
///     }
/// }
///
/// let config = WebSocketServerProtocolConfig::new("/echo");
/// let mut channel = EmbeddedChannel::new(move |ch| {
///     server(ch.pipeline(), Limits::new())
///         .duplex("ws-upgrade", WebSocketServerProtocolHandler::inbound(&config, |_| Echo))
///         .inbound("aggregator", HttpObjectAggregator::new(1024))
///         .inbound("pages", HttpServerHandler::new(|_, _: Request| {
///             Response::new(Status::NOT_FOUND)
///         }))
/// });
/// channel.write_inbound(
///     "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
///      Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
/// );
/// assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// assert_eq!(channel.stages(), ["ws-decoder", "ws", "ws-app"]);
/// channel.write_inbound(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
/// assert_eq!(channel.read_outbound(), b"\x81\x05Hello"[..]);
/// ```
pub struct WebSocketServerProtocolHandler {
    config: WebSocketServerProtocolConfig,
    make_app: MakeApp,
    order: Order<Answer>,
    /// The request that is being read is ours.
    ours: bool,
}

/// What becomes of a request for our path.
enum Answer {
    Refuse(Response),
    Open(Box<Accepted>),
}

/// A handshake that is in order.
struct Accepted {
    handshake: Handshake,
    head: RequestHead,
    protocol: Option<&'static str>,
    deflate: Option<DeflateParams>,
}

impl WebSocketServerProtocolHandler {
    /// With an inbound handler as the application.
    #[must_use]
    pub fn inbound<H>(
        config: &WebSocketServerProtocolConfig,
        make: impl Fn(&Opened<'_>) -> H + Send + Sync + 'static,
    ) -> Self
    where
        H: InboundHandler<In = Message, Write = Message>,
    {
        Self::new(config, move |opened| Stage::inbound(make(opened)))
    }

    /// With a handler of both directions as the application.
    #[must_use]
    pub fn duplex<H>(
        config: &WebSocketServerProtocolConfig,
        make: impl Fn(&Opened<'_>) -> H + Send + Sync + 'static,
    ) -> Self
    where
        H: DuplexHandler<In = Message, WriteOut = Message>,
    {
        Self::new(config, move |opened| Stage::duplex(make(opened)))
    }

    fn new(
        config: &WebSocketServerProtocolConfig,
        make: impl Fn(&Opened<'_>) -> Stage + Send + Sync + 'static,
    ) -> Self {
        let (config, make_app) = (config.clone(), Arc::new(make));
        Self { config, make_app, order: Order::new(), ours: false }
    }

    /// Decides about a request for our path (RFC 6455 section 4.2).
    fn judge(&self, head: RequestHead) -> Answer {
        let options = self.config.options();
        let handshake = match Handshake::check(&head) {
            Ok(handshake) => handshake,
            Err(error) => return Answer::Refuse(error.response()),
        };
        if !(options.origin)(&head) {
            let response = Response::new(Status::FORBIDDEN)
                .header("Content-Type", "text/plain; charset=utf-8")
                .body("this origin may not open a WebSocket here");
            return Answer::Refuse(response);
        }
        let protocol = choose_protocol(&head, &options.protocols);
        let offers = head.header_all("sec-websocket-extensions");
        let deflate = options.deflate.as_ref().map(|config| config.answer(offers));
        // What is no list has been refused above.
        let deflate = deflate.and_then(Result::ok).flatten();
        Answer::Open(Box::new(Accepted { handshake, head, protocol, deflate }))
    }

    /// Answers what is ours, as far as its turn has come.
    fn answer(&mut self, cx: &mut Cx<'_>) -> Result<()> {
        while let Some(answer) = self.order.next() {
            match answer {
                Answer::Refuse(response) => cx.write(response.into()),
                Answer::Open(accepted) => return self.open(cx, &accepted),
            }
        }
        Ok(())
    }

    /// Sends 101 while the HTTP codec is still there, and changes the pipeline behind that.
    fn open(&self, cx: &mut Cx<'_>, accepted: &Accepted) -> Result<()> {
        let Accepted { handshake, head, protocol, deflate } = accepted;
        let (protocol, deflate) = (*protocol, *deflate);
        let options = self.config.options();
        let mut response = handshake.response(protocol);
        let mut decoder = MessageDecoder::new(Role::Server, options.limits);
        let mut encoder = FrameEncoder::server();
        if let (Some(config), Some(agreed)) = (&options.deflate, deflate) {
            response = response.header("Sec-WebSocket-Extensions", agreed.to_string());
            decoder = decoder.deflate(config, agreed);
            encoder = encoder.deflate(config, agreed);
        }
        if options.streaming {
            decoder = decoder.streaming();
        }
        cx.write(response.into());
        let decoder = Stage::decoder(decoder);
        let mut control = WebSocketHandler::new(encoder, options.control);
        let heartbeat = options.heartbeat.as_ref().map(WebSocketHeartbeat::handler);
        if heartbeat.is_some() {
            control = control.drop_pong_frames(false);
        }
        let control = Stage::duplex(control);
        let app = (self.make_app)(&Opened { head, protocol, deflate });
        cx.edit(|edit| {
            let http: Vec<_> =
                edit.names().skip_while(|name| *name != options.http_stage).collect();
            if http.is_empty() {
                // Names the stage that is missing.
                edit.remove(options.http_stage);
            }
            for name in http {
                edit.remove(name);
            }
            edit.add_last("ws-decoder", decoder).add_last("ws", control);
            if let Some(heartbeat) = heartbeat {
                edit.add_last(HEARTBEAT_STAGE, Stage::inbound(heartbeat));
            }
            edit.add_last("ws-app", app);
        })?;
        Ok(())
    }
}

impl DuplexHandler for WebSocketServerProtocolHandler {
    type In = RequestPart;
    type Out = RequestPart;
    type WriteIn = ResponsePart;
    type WriteOut = ResponsePart;

    fn read(&mut self, cx: &mut Cx<'_>, part: RequestPart) -> Result<()> {
        match part {
            RequestPart::Full(head) | RequestPart::Head(head)
                if self.config.is_for(head.path()) =>
            {
                self.ours = true;
                let answer = self.judge(head);
                self.order.hold(answer);
                return self.answer(cx);
            }
            RequestPart::Full(_) | RequestPart::Head(_) => {
                self.ours = false;
                self.order.passed();
            }
            // The content of a request that was refused.
            _ if self.ours => return Ok(()),
            _ => {}
        }
        cx.fire_read(part);
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx<'_>, part: ResponsePart, promise: Promise) -> Result<()> {
        let ends = ends_answer(&part);
        cx.write_with(part, promise);
        if !ends {
            return Ok(());
        }
        self.order.answered();
        self.answer(cx)
    }
}

impl fmt::Debug for WebSocketServerProtocolHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketServerProtocolHandler")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

//! A server with an HTTP service and a WebSocket application that write down what they see.

use std::sync::{Arc, Mutex, MutexGuard};

use fyke_codecs::http1::{self, RequestPart, Response, ResponsePart, ServerCodec, Status};
use fyke_codecs::websocket::{
    CloseFrame, Message, Opened, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler,
};
use fyke_core::embedded::EmbeddedChannel;
use fyke_core::{
    ChannelOptions, Context, Error, Event, EventFilter, InboundHandler, Never, Result, Sender,
};

pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// What the application saw.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("no test panics with it")
    }

    pub(crate) fn note(&self, line: impl Into<String>) {
        self.lock().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lock())
    }
}

/// Sends text and binary messages back, and does what some texts ask for.
pub(crate) struct App {
    pub(crate) log: Log,
    pub(crate) sender: Option<Sender<Message>>,
}

impl App {
    pub(crate) fn new(log: &Log, opened: &Opened<'_>) -> Self {
        log.note(format!("opened {} {:?}", opened.head.target(), opened.protocol));
        Self { log: log.clone(), sender: None }
    }
}

impl InboundHandler for App {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn added(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.sender = Some(cx.sender()?);
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        let text = match &message {
            Message::Text(text) => text.as_str().to_owned(),
            Message::Part(_) => {
                self.log.note(format!("{message:?}"));
                cx.write(message);
                return Ok(());
            }
            other => format!("{other:?}"),
        };
        self.log.note(text.clone());
        match text.as_str() {
            "close" => cx.close(),
            "leave" => cx.write(Message::Close(None)),
            "leave twice" => {
                cx.write(Message::Close(None));
                cx.write(Message::text("too late"));
                cx.write(Message::Close(None));
                cx.close();
            }
            "fail" => return Err(Error::handler("as asked")),
            _ if matches!(message, Message::Text(_) | Message::Binary(_)) => cx.write(message),
            _ => {}
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        self.log.note(format!("error: {error}"));
        cx.fire_error(error);
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.log.note("inactive");
        cx.fire_inactive();
        Ok(())
    }
}

/// Answers each request with its path, at once or, for paths that begin with `/later`, when told.
#[derive(Default)]
pub(crate) struct Service {
    waiting: Vec<String>,
    path: String,
}

/// Lets the service give the answers it owes.
pub(crate) struct AnswerNow;

impl Service {
    fn answer(cx: &mut Context<'_, Self>, path: String) {
        cx.write(Response::new(Status::OK).body(path).into());
        cx.flush();
    }
}

impl InboundHandler for Service {
    type In = RequestPart;
    type Out = Never;
    type Write = ResponsePart;

    fn read(&mut self, cx: &mut Context<'_, Self>, part: RequestPart) -> Result<()> {
        match part {
            RequestPart::Full(head) if head.path().starts_with("/later") => {
                self.waiting.push(head.path().to_owned());
            }
            RequestPart::Full(head) => Self::answer(cx, head.path().to_owned()),
            RequestPart::Head(head) => self.path = head.path().to_owned(),
            RequestPart::End if self.path.starts_with("/later") => {
                self.waiting.push(self.path.clone());
            }
            RequestPart::End => Self::answer(cx, self.path.clone()),
            _ => {}
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<AnswerNow>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, _: Event) -> Result<()> {
        for path in self.waiting.drain(..) {
            Self::answer(cx, path);
        }
        Ok(())
    }
}

pub(crate) fn config() -> WebSocketServerProtocolConfig {
    WebSocketServerProtocolConfig::new("/ws")
}

/// A server with this configuration.
pub(crate) fn server(config: WebSocketServerProtocolConfig, log: &Log) -> EmbeddedChannel {
    server_with(ChannelOptions::default(), config, log)
}

pub(crate) fn server_with(
    options: ChannelOptions,
    config: WebSocketServerProtocolConfig,
    log: &Log,
) -> EmbeddedChannel {
    let log = log.clone();
    EmbeddedChannel::with_options(options, move |ch| {
        let log = log.clone();
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, move |o| App::new(&log, o));
        ch.pipeline()
            .codec("http", ServerCodec::default())
            .duplex("ws-upgrade", upgrade)
            .inbound("service", Service::default())
    })
}

/// The same behind the stages of an HTTP server, which send the date, pause and close.
pub(crate) fn full_server(config: WebSocketServerProtocolConfig, log: &Log) -> EmbeddedChannel {
    let log = log.clone();
    EmbeddedChannel::new(move |ch| {
        let log = log.clone();
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, move |o| App::new(&log, o));
        http1::server(ch.pipeline(), http1::Limits::new())
            .duplex("ws-upgrade", upgrade)
            .inbound("service", Service::default())
    })
}

/// A server whose WebSocket is open.
pub(crate) fn opened(config: WebSocketServerProtocolConfig, log: &Log) -> EmbeddedChannel {
    opened_with(ChannelOptions::default(), config, log)
}

pub(crate) fn opened_with(
    options: ChannelOptions,
    config: WebSocketServerProtocolConfig,
    log: &Log,
) -> EmbeddedChannel {
    let mut channel = server_with(options, config, log);
    channel.write_inbound(handshake(""));
    assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 "));
    log.take();
    channel
}

/// RFC 6455's own example of a handshake, with more header lines.
pub(crate) fn handshake(more: &str) -> Vec<u8> {
    request(&[
        "GET /ws?room=1 HTTP/1.1",
        "Host: server.example.com",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        more,
    ])
}

/// A request of these lines; empty ones are left out.
pub(crate) fn request(lines: &[&str]) -> Vec<u8> {
    let lines = lines.iter().filter(|line| !line.is_empty());
    let mut text: String = lines.flat_map(|line| [*line, "\r\n"]).collect();
    text.push_str("\r\n");
    text.into_bytes()
}

pub(crate) const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A frame as a client sends it, at most 125 bytes long.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).expect("a short frame")];
    bytes.extend(KEY);
    bytes.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// The same as a server sends it.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, u8::try_from(payload.len()).expect("a short frame")];
    bytes.extend(payload);
    bytes
}

/// A close frame's content.
pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason.as_bytes()].concat()
}

/// How a [`Log`] shows a close of the peer.
pub(crate) fn seen_close(close: Option<CloseFrame>) -> String {
    format!("{:?}", Message::Close(close))
}

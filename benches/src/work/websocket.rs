//! A WebSocket server that sends messages back, without a socket, and what its clients send.

use fyke::ByteBuf;
use fyke::Encoder;
use fyke::embedded::EmbeddedChannel;
use fyke::prelude::*;
use fyke_codecs::http1::{
    self, HttpObjectAggregator, HttpServerHandler, Request, Response, Status,
};
use fyke_codecs::websocket::{
    DeflateConfig, Limits, Message, MessageCodec, WebSocketServerProtocolConfig,
    WebSocketServerProtocolHandler,
};

/// Messages of one read.
pub const BATCH: usize = 16;

/// The masking key of all frames.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Content of a message that no code can guess.
#[must_use]
pub fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at as u32).wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect()
}

/// So many binary messages as a client sends them.
#[must_use]
pub fn frames(size: usize, count: usize) -> ByteBuf {
    let mut codec = MessageCodec::client(Limits::new(), || KEY);
    let mut wire = ByteBuf::new();
    for _ in 0..count {
        codec.encode(Message::binary(content(size)), &mut wire).expect("good");
    }
    wire
}

/// Sends back text and binary messages, as `examples/ws-echo.rs` does.
struct Echo;

impl InboundHandler for Echo {
    type In = Message;
    type Out = Never;
    type Write = Message;

    fn read(&mut self, cx: &mut Context<'_, Self>, message: Message) -> Result<()> {
        if let Message::Text(_) | Message::Binary(_) = message {
            cx.write(message);
        }
        Ok(())
    }
}

/// The pipeline of `examples/ws-echo.rs` behind the handshake of a client without compression, on
/// the real loop over a wire of memory.
#[must_use]
pub fn echoing() -> EmbeddedChannel {
    let config =
        WebSocketServerProtocolConfig::any_path().any_origin().deflate(DeflateConfig::new());
    let mut channel = EmbeddedChannel::new(move |ch| {
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, |_| Echo);
        http1::server(ch.pipeline(), http1::Limits::new())
            .duplex("ws-upgrade", upgrade)
            .inbound("aggregator", HttpObjectAggregator::new(0))
            .inbound(
                "nothing",
                HttpServerHandler::new(|_, _: Request| Response::new(Status::NOT_FOUND)),
            )
    });
    channel.write_inbound(HANDSHAKE);
    assert!(channel.read_outbound().starts_with(b"HTTP/1.1 101 "), "the handshake is in order");
    channel
}

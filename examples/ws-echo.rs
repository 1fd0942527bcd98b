//! Sends back WebSocket messages as they came.
//!
//! `cargo run --release --example ws-echo -- --listen 127.0.0.1:9001`
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::ChannelOptions;
use fyke::prelude::*;
use fyke_codecs::http1::{
    self, HttpObjectAggregator, HttpServerHandler, Request, Response, Status,
};
use fyke_codecs::tls::TlsOptions;
use fyke_codecs::websocket::{
    DeflateConfig, Limits, Message, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler,
};
use fyke_examples::ServerFlags;
use fyke_examples::tls::TlsFlags;

/// A WebSocket server that sends back what comes, at every path.
#[derive(Parser, Debug)]
#[command(name = "ws-echo", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    tls: TlsFlags,

    /// Do not agree to compression (permessage-deflate)
    #[arg(long)]
    no_deflate: bool,

    /// Largest message, all fragments together, counted after inflating
    #[arg(long, value_name = "BYTES", default_value_t = 64 * 1024 * 1024,
          value_parser = clap::value_parser!(u32).range(..=1_073_741_824))]
    limit: u32,
}

/// Most fragments of a message: the largest message in pieces of sixteen bytes.
const FRAGMENTS_MAX: u32 = 4 * 1024 * 1024;
/// What may wait for a client beside one message: pongs, and messages read before it.
const OUTBOUND_SPARE_BYTES: usize = 16 * 1024 * 1024;

/// Sends back text and binary messages.
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

    fn error(&mut self, _: &mut Context<'_, Self>, error: Error) -> Result<()> {
        // The peer has been told, and the connection closes.
        tracing::debug!(%error, "a client broke the rules");
        Ok(())
    }
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    fyke_examples::exit(serve(&flags))
}

fn serve(flags: &Flags) -> std::result::Result<(), String> {
    let limits = Limits::new()
        .message_bytes_max(u64::from(flags.limit))
        .fragments_max(FRAGMENTS_MAX)
        .inflate_ratio_max(u32::MAX);
    // Anybody may try it, from any page.
    let mut config = WebSocketServerProtocolConfig::any_path().any_origin().limits(limits);
    if !flags.no_deflate {
        config = config.deflate(DeflateConfig::new());
    }
    let message_bytes_max = flags.limit as usize;
    let options = ChannelOptions::default()
        // Compressing what does not compress adds to it.
        .outbound_bytes_max(message_bytes_max + message_bytes_max / 4 + OUTBOUND_SPARE_BYTES)
        // Who sends too much is to read why, however much is under way.
        .close_linger_bytes_max(2 * message_bytes_max + OUTBOUND_SPARE_BYTES);
    let tls = flags.tls.server(&["http/1.1"], TlsOptions::new().ignore_truncation(true))?;
    flags.server.serve("ws-echo", "127.0.0.1:9001", options, move |ch| {
        let upgrade = WebSocketServerProtocolHandler::inbound(&config, |_| Echo);
        http1::server(tls.pipeline(ch), http1::Limits::new())
            .duplex("ws-upgrade", upgrade)
            .inbound("aggregator", HttpObjectAggregator::new(0))
            .inbound(
                "nothing",
                HttpServerHandler::new(|_, _: Request| Response::new(Status::NOT_FOUND)),
            )
    })
}

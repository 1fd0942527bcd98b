//! A chat in the browser: rooms, names, history. `PROTOCOL.md` says what travels.
//!
//! `cargo run --release --example chat`, then open the address it prints.
//!
//! ```text
//!   http -- http-responses -- ws-upgrade -- aggregator -- page      until a page asks for /ws
//!   ws-decoder -- ws -- session                                     from then on
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `page` | the files of the page, which are part of the program |
//! | `protocol` | the messages, and the rules for what may stand in them |
//! | `rooms` | who is where, and who gets what: no connection, no clock |
//! | `outlet` | how a room reaches a member, and how much may wait for one |
//! | `session` | one connection: from messages to rooms and back |
#![forbid(unsafe_code)]

mod outlet;
mod page;
mod protocol;
mod rooms;
mod session;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::{ChannelInit, ChannelOptions, IntoStages};
use fyke_codecs::http1::{self, HttpObjectAggregator, HttpServerHandler, Request};
use fyke_codecs::tls::TlsOptions;
use fyke_codecs::websocket::{self, WebSocketServerProtocolConfig, WebSocketServerProtocolHandler};
use fyke_examples::ServerFlags;
use fyke_examples::tls::{ServerTls, TlsFlags};

use crate::page::Page;
use crate::session::{Session, SharedRooms};

/// A chat in the browser.
#[derive(Parser, Debug)]
#[command(name = "chat", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    tls: TlsFlags,
}

/// The page asks for its files without any content.
const REQUEST_BYTES_MAX: u64 = 4096;

/// What all connections share.
struct Chat {
    page: Page,
    rooms: SharedRooms,
    websocket: WebSocketServerProtocolConfig,
    tls: ServerTls,
}

impl Chat {
    fn new(tls: ServerTls) -> Self {
        let limits = websocket::Limits::new().message_bytes_max(protocol::MESSAGE_BYTES_MAX);
        Self {
            page: Page::new(),
            rooms: SharedRooms::default(),
            websocket: WebSocketServerProtocolConfig::new("/ws").limits(limits),
            tls,
        }
    }

    /// The pipeline of a connection.
    fn serve(&self, ch: &mut ChannelInit<'_>) -> impl IntoStages + use<> {
        let (page, rooms) = (self.page.clone(), SharedRooms::clone(&self.rooms));
        let upgrade = WebSocketServerProtocolHandler::duplex(&self.websocket, move |_| {
            Session::new(SharedRooms::clone(&rooms))
        });
        http1::server(self.tls.pipeline(ch), http1::Limits::new())
            .duplex("ws-upgrade", upgrade)
            .inbound("aggregator", HttpObjectAggregator::new(REQUEST_BYTES_MAX))
            .inbound("page", HttpServerHandler::new(move |_, asked: Request| page.answer(&asked)))
    }
}

/// A session gives up a slow client long before this; it holds for clients that only ask for files.
const OUTBOUND_BYTES_MAX: usize = 4 * outlet::QUEUE_BYTES_MAX;

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    fyke_examples::exit(serve(&flags))
}

fn serve(flags: &Flags) -> Result<(), String> {
    // WebSocket says itself where a message ends, and browsers seldom say goodbye.
    let tls = flags.tls.server(&["http/1.1"], TlsOptions::new().ignore_truncation(true))?;
    let chat = Chat::new(tls);
    let options = ChannelOptions::default().outbound_bytes_max(OUTBOUND_BYTES_MAX);
    flags.server.serve("chat", "127.0.0.1:8080", options, move |ch| chat.serve(ch))
}

//! A chat in the browser: rooms, names, history. `PROTOCOL.md` says what travels.
//!
//! `cargo run --release --example chat`, then open the address it prints.
//!
//! ```text
//!   http -- ws-upgrade -- aggregator -- page      until a page asks for /ws
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
//! | `pipeline` | what serves a connection, as drawn above |
#![forbid(unsafe_code)]

mod outlet;
mod page;
mod pipeline;
mod protocol;
mod rooms;
mod session;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::ChannelOptions;
use fyke_codecs::tls::TlsOptions;
use fyke_examples::ServerFlags;
use fyke_examples::tls::TlsFlags;

use crate::pipeline::{Chat, OUTBOUND_BYTES_MAX};

/// A chat in the browser.
#[derive(Parser, Debug)]
#[command(name = "chat", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    #[command(flatten)]
    tls: TlsFlags,
}

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

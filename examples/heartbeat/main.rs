//! A connection that is silent for a long time, and what keeps it alive: a server that says nothing
//! but, after a while, one message, and a client that waits for it.
//!
//! `cargo run --release --example heartbeat -- server --listen 127.0.0.1:7500 --push-after 16s`
//! `cargo run --release --example heartbeat -- client --connect 127.0.0.1:7500 --interval 3s`
//!
//! The client ends with exit code 0 when the message has come, and with 1 and one line that says
//! why when the connection was lost or the time has passed. Put a NAT box between the two, or stop
//! the server (`kill -STOP`), and compare with `--no-heartbeat`.
#![forbid(unsafe_code)]

mod client;
mod protocol;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A server that pushes one message after a long silence, and a client that waits for it.
#[derive(Parser, Debug)]
#[command(name = "heartbeat", version)]
struct Flags {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand, Debug)]
enum Role {
    /// Says nothing, and after a while pushes one message to each client
    Server(server::Flags),
    /// Waits for the message
    Client(client::Flags),
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::exit(match &flags.role {
        Role::Server(flags) => server::run(flags),
        Role::Client(flags) => client::run(flags),
    })
}

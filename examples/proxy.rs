//! A TCP relay: what comes to one address goes on to another, both ways.
//!
//! `cargo run --release --example proxy -- --listen 127.0.0.1:7000 --connect 127.0.0.1:8080`
#![forbid(unsafe_code)]

#[path = "proxy/front.rs"]
mod front;
#[cfg(test)]
#[path = "proxy/tests.rs"]
mod tests;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::{Address, Bootstrap, EventLoopGroup, Kernel, ServerBootstrap};
use fyke_examples::relay::{self, Relay};
use fyke_examples::{ServerFlags, TransportName};

use front::{Front, Limits};

/// Carries connections on to another address, without looking at what they say.
#[derive(Parser, Debug)]
#[command(name = "proxy", version)]
struct Flags {
    #[command(flatten)]
    server: ServerFlags,

    /// Where to carry connections to: IP:PORT, or unix:PATH
    #[arg(long, value_name = "ADDR")]
    connect: Address,

    /// Carry the bytes through the program instead of leaving them in the kernel (splice)
    #[arg(long)]
    copy: bool,

    /// So many connections at once; further ones are closed
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections_max: usize,

    /// So many pipes for each event loop, of two descriptors each; what finds none is copied
    #[arg(long, value_name = "N", default_value_t = 256)]
    pipes_max: usize,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    flags.server.prepare(Flags::command);
    fyke_examples::exit(serve(&flags))
}

fn serve(flags: &Flags) -> Result<(), String> {
    if flags.server.transport != TransportName::Kernel {
        let text = "the relay is between sockets of the kernel; `gateway` takes connections from a TAP device";
        fyke_examples::wrong_flags(Flags::command(), text);
    }
    let address = flags.server.address("127.0.0.1:7000");
    let group =
        flags.server.group("proxy").map_err(|e| format!("cannot start event loops: {e}"))?;
    let limits = Limits { connections_max: flags.connections_max, pipes_max: flags.pipes_max };
    let proxy = start(&group, &address, &flags.connect, !flags.copy, limits);
    let proxy = proxy.map_err(|error| fyke_examples::cannot_listen(&address, &error))?;
    fyke_examples::announce(proxy.local_address());
    fyke_examples::run(proxy)
}

/// Listens at `address` and carries to `target`.
fn start(
    group: &EventLoopGroup,
    address: &Address,
    target: &Address,
    splice: bool,
    limits: Limits,
) -> std::io::Result<fyke::Server> {
    let transport = Kernel::tcp.pipes_max(limits.pipes_max);
    let upstream = Bootstrap::new(group.clone())
        .transport(transport)
        .options(relay::options())
        .handler(move |ch| ch.pipeline().inbound("relay", Relay::new(splice)));
    let front = Front::new(upstream, target.clone(), splice, limits.connections_max);
    ServerBootstrap::new(group.clone())
        .transport(transport)
        .options(relay::options())
        .child(move |ch| ch.pipeline().inbound("relay", front.relay()))
        .bind(address)
}

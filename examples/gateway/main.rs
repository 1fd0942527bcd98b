//! A gateway: connections and datagrams to any address that come over a TAP device go on through the
//! kernel's sockets.
//!
//! `cargo run --release --example gateway`; then, in the same network namespace,
//! `ip route add 203.0.113.0/24 via 10.7.0.2`
#![forbid(unsafe_code)]

mod datagrams;
mod streams;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use fyke::transport::userspace::Offer;
use fyke::{Backend, Bootstrap, EventLoopGroup, ServerBootstrap};
use fyke_examples::relay;
use fyke_examples::tap::TapFlags;

use datagrams::Flows;
use streams::Streams;

/// Carries connections and datagrams to any address from a TAP device on through the kernel's
/// sockets.
///
/// The device's other side needs a route over the stack's address. A connection is accepted when the
/// kernel has connected to where it goes, and refused when it cannot. Exit code 0: it ended in order;
/// 1: the device cannot be used; 2: wrong flags.
#[derive(Parser, Debug)]
#[command(name = "gateway", version)]
struct Flags {
    #[command(flatten)]
    tap: TapFlags,

    /// So many connections at once; further ones are refused
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections_max: usize,

    /// So many flows of datagrams at once on each loop; what belongs to further ones is dropped
    #[arg(long, value_name = "N", default_value_t = 4096)]
    flows_max: usize,

    /// Event loops, each on its own thread; 0 is one for each processor
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,

    /// What the event loops wait with: epoll, epoll-et, poll, select or mio
    #[arg(long, value_name = "NAME", default_value = "epoll")]
    poller: Backend,

    /// How much to log: error, warn, info, debug, trace, or a filter like fyke=debug
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    if let Err(error) = fyke::raise_descriptor_limit() {
        tracing::warn!(%error, "the descriptor limit stays as it is");
    }
    fyke_examples::exit(serve(&flags))
}

fn serve(flags: &Flags) -> Result<(), String> {
    let threads = match flags.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let streams = Streams::new(flags.connections_max);
    let offered = streams.clone();
    let forward = |options: fyke::StackOptions| {
        options.forward(move |offer| offered.offer(offer)).forward_datagrams()
    };
    let host = flags.tap.open_with(threads, forward)?;
    let group = EventLoopGroup::builder().threads(host.loops).backend(flags.poller).name("gateway");
    let group = group.build().map_err(|e| format!("cannot start event loops: {e}"))?;
    streams.start(group.clone());
    let cannot = |error| format!("cannot take traffic from {}: {error}", flags.tap.tap_name);
    let server = ServerBootstrap::new(group.clone())
        .transport(host.userspace.clone())
        .options(relay::options())
        .child(move |ch| ch.pipeline().inbound("relay", streams.front()))
        .bind(Offer::address())
        .map_err(cannot)?;
    let flows_max = flags.flows_max;
    let datagrams = Bootstrap::new(group.clone())
        .transport(host.userspace)
        .options(datagrams::options())
        .handler(move |ch| ch.datagrams().inbound("flows", Flows::new(flows_max)));
    for event_loop in group.loops() {
        datagrams.clone().on(event_loop).bind_datagram(Offer::address()).map_err(cannot)?;
    }
    fyke_examples::catch_signals();
    let (name, address) = (&flags.tap.tap_name, flags.tap.stack_address.address());
    println!("carrying on what comes over {name}; to use it: ip route add NETWORK via {address}");
    eprintln!("{}", flags.tap.hint());
    fyke_examples::run(server)
}

//! The connections of a server that runs on fyke's own stack.
//!
//! `cargo run --release --example netstat -- --control /tmp/echo.sock`, where the server was started
//! with `--transport tap --control /tmp/echo.sock`
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use clap::Parser;
use fyke_examples::{control, icmp};

/// The connections of a server that runs on fyke's own stack: state, queues, congestion window,
/// round trip.
///
/// The server was started with `--transport tap --control PATH`. Windows are in bytes.
#[derive(Parser, Debug)]
#[command(name = "netstat", version)]
struct Flags {
    /// The Unix socket that was given to the server
    #[arg(long, value_name = "PATH")]
    control: PathBuf,

    /// Show what the stack has counted instead: packets, drops by reason
    #[arg(long)]
    counters: bool,

    /// Show it again every so many seconds, until Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    watch: Option<u64>,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::exit(show(&flags))
}

fn show(flags: &Flags) -> Result<(), String> {
    let question = if flags.counters { "counters" } else { "netstat" };
    print!("{}", control::ask(&flags.control, question)?);
    let Some(seconds) = flags.watch else { return Ok(()) };
    let interrupted = icmp::watch_signals()?;
    while interrupted.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
        print!("\n{}", control::ask(&flags.control, question)?);
    }
    Ok(())
}

//! Who has which link address: the neighbours of fyke's own stack.
//!
//! `unshare -Urn cargo run --release --example arp -- 10.7.0.1 10.7.0.9`, or of a running server
//! `cargo run --release --example arp -- --control /tmp/echo.sock`
#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use fyke::stack::{EchoRequest, IcmpOptions, NeighborState, Stack};
use fyke_examples::control;
use fyke_examples::icmp::{Heard, Icmp};
use fyke_examples::tap::TapFlags;

/// Who has which link address: the neighbours of fyke's own stack (ARP and NDP).
///
/// Either of a server that was started with `--transport tap --control PATH`, or of a stack of its
/// own, which looks for the hosts it is given. Exit code 0: each of them is there; 1: one is not, or
/// the device cannot be used; 2: wrong flags.
#[derive(Parser, Debug)]
#[command(name = "arp", version)]
struct Flags {
    /// Whom to look for
    #[arg(value_name = "ADDRESS", required_unless_present = "control", conflicts_with = "control")]
    hosts: Vec<IpAddr>,

    /// The Unix socket that was given to a server
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,

    /// Milliseconds to wait for answers
    #[arg(short, long, value_name = "MS", default_value_t = 3000)]
    wait: u64,

    #[command(flatten)]
    tap: TapFlags,

    /// How much to log
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    log: String,
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::start_log(Flags::command(), &flags.log);
    let shown = match &flags.control {
        Some(path) => control::ask(path, "arp").map(|table| {
            print!("{table}");
            true
        }),
        None => look_for(&flags),
    };
    match shown {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(text) => fyke_examples::exit(Err(text)),
    }
}

/// Whether a host's link address is known, or it is known that it does not answer.
fn is_settled(stack: &Stack, host: IpAddr) -> bool {
    let entry = stack.neighbors().find(|neighbor| neighbor.address == host);
    entry.is_some_and(|entry| entry.mac.is_some() || entry.state == NeighborState::Failed)
}

/// Sends something to each host, so that the stack asks for their link addresses; `true` when all
/// answered.
fn look_for(flags: &Flags) -> Result<bool, String> {
    let icmp = Icmp::open(&flags.tap, IcmpOptions::default())?;
    for host in &flags.hosts {
        icmp.send(EchoRequest::new(*host, 1, fyke::Bytes::new()))?;
    }
    let deadline = Instant::now() + Duration::from_millis(flags.wait);
    loop {
        let hosts = flags.hosts.clone();
        let settled =
            icmp.run(move |stack, _| Ok(hosts.iter().all(|host| is_settled(stack, *host))))?;
        let now = Instant::now();
        if settled || now >= deadline {
            break;
        }
        let step = (now + Duration::from_millis(20)).min(deadline);
        if let Heard::Interrupted = icmp.hear_until(step) {
            break;
        }
    }
    let neighbors = icmp.run(|stack, _| Ok(stack.neighbors().collect::<Vec<_>>()))?;
    let known = |host: &IpAddr| neighbors.iter().any(|n| n.address == *host && n.mac.is_some());
    let all = flags.hosts.iter().all(known);
    print!("{}", control::arp(neighbors));
    Ok(all)
}

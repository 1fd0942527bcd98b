//! Hours of use in minutes: servers and clients of all kinds, honest and hostile, chosen at random,
//! and whether the servers give back what they took.
//!
//! `cargo run --release --example soak -- --minutes 30 --seed 7`
//!
//! The servers (echo, HTTP, chat; each in the clear and over TLS) run in a process of their own; the
//! clients, which share no code with fyke, in this one. Work comes in rounds. Between them everybody
//! hangs up, and then the servers must hold
//!
//! * no channel, and no descriptor more than after the first round;
//! * memory that does not grow from the warm-up to the last third (`fyke_examples::watch` has the
//!   rule).
//!
//! Each honest question must get its answer, byte for byte, within 20 seconds. Ctrl-C ends with the
//! verdict so far. Exit code 1 and one line when something is wrong.
//!
//! | file | idea |
//! |---|---|
//! | `server`, `pattern` | the process that serves; what it does wrong when it is asked to |
//! | `child` | that process from this side |
//! | `clients` | what clients do |
//! | `run` | rounds, progress, verdict |
//! | `attack` | `soak attack`: what 5000 slow connections cost an honest client |
#![forbid(unsafe_code)]

mod attack;
mod child;
mod clients;
mod pattern;
mod run;
mod server;

// The chat is the one of the example.
#[path = "../chat/outlet.rs"]
mod outlet;
#[path = "../chat/page.rs"]
mod page;
#[path = "../chat/pipeline.rs"]
mod pipeline;
#[path = "../chat/protocol.rs"]
mod protocol;
#[path = "../chat/rooms.rs"]
mod rooms;
#[path = "../chat/session.rs"]
mod session;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Soaks fyke's servers: a random mix of honest and hostile clients, and whether the servers give
/// back what they took.
#[derive(Parser, Debug)]
#[command(name = "soak", version, args_conflicts_with_subcommands = true)]
struct Flags {
    #[command(flatten)]
    run: run::RunFlags,

    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Thousands of slow connections, and what an honest client feels of them
    Attack(attack::AttackFlags),

    /// The process that serves: started by this program itself.
    #[command(hide = true)]
    Server(server::ServerFlags),
}

fn main() -> ExitCode {
    let flags: Flags = fyke_examples::parse();
    fyke_examples::exit(match &flags.what {
        Some(What::Server(flags)) => server::serve(flags),
        Some(What::Attack(flags)) => attack::run(flags),
        None => run::run(&flags.run),
    })
}

//! Every channel scenario on every transport: kernel TCP over each poller, Unix streams, blocking
//! threads, memory, memory that answers late and in parts, fyke's own stack on a cable, in a
//! simulated network in virtual time, and on a TAP device with the kernel at its far end.
//!
//! A scenario is a script on a thread of its own. What it returns must be equal on all transports.
//! Where it cannot hold it says so, and why; that counts as `n/a`.
//!
//! | file | idea |
//! |---|---|
//! | `harness` | runs them, compares, counts |
//! | `rows` | the transports |
//! | `hosts` | what is under loops of servers and of clients on each of them |
//! | `world` | what a script runs in |
//! | `support` | what scripts are made of |
//! | `waiting` | how they wait |
//!
//! ```text
//! cargo test -p fyke --test scenarios                                all of it
//! SCENARIO_TRANSPORT=sim,tap* cargo test -p fyke --test scenarios    some transports
//! SCENARIO_SEEDS=200 cargo test -p fyke --test scenarios closing     a file, with many seeds
//! ```
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod closing;
mod connecting;
mod echo;
mod failures;
mod files;
mod handles;
mod harness;
mod hosts;
mod layouts;
mod options;
mod pipeline;
mod reading;
mod relay;
mod rows;
mod shutdown;
mod support;
mod udp;
mod waiting;
mod world;
mod writing;

fn main() -> std::process::ExitCode {
    harness::run(&[
        ("closing", closing::SCENARIOS),
        ("connecting", connecting::SCENARIOS),
        ("echo", echo::SCENARIOS),
        ("failures", failures::SCENARIOS),
        ("files", files::SCENARIOS),
        ("handles", handles::SCENARIOS),
        ("layouts", layouts::SCENARIOS),
        ("options", options::SCENARIOS),
        ("pipeline", pipeline::SCENARIOS),
        ("reading", reading::SCENARIOS),
        ("relay", relay::SCENARIOS),
        ("shutdown", shutdown::SCENARIOS),
        ("udp", udp::SCENARIOS),
        ("writing", writing::SCENARIOS),
    ])
}

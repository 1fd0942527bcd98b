//! Running scripts.
//!
//! ```text
//! script --runner--> kernel (calls), inbound (packets in), expect + compare (packets out),
//!                    shell + settings (commands), info + python (assertions), cookies (fast open)
//!          all over one host: the stack and its virtual clock
//! ```

mod calls;
mod commands;
mod compare;
mod config;
mod cookies;
mod expect;
mod flow;
mod host;
mod icmp;
mod inbound;
mod info;
mod kernel;
mod machine;
mod mtu;
mod outcome;
mod runner;
mod settings;
mod shell;
mod system;

use std::collections::BTreeMap;
use std::time::Duration;

pub use machine::{Call, Machine, OptionValue, Returned, Waiting};
pub use outcome::{Cause, Failure, Outcome, Relaxation, SkipReason};
pub use runner::{Report, run};
pub use system::System;

/// How scripts are run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The system to run as; found out for each script when `None`.
    pub system: Option<System>,
    /// Names with a meaning, as `-D` gives them.
    pub defines: BTreeMap<String, String>,
    /// By how much times may be off, when the script does not allow more.
    pub tolerance: Duration,
    /// Scripts that do not say run over IPv6, with the MTU that leaves the segments of IPv4.
    pub v6: bool,
    /// Where the stack's secrets come from.
    pub seed: u64,
}

impl Default for Options {
    /// Upstream's tolerance of 4 ms.
    fn default() -> Self {
        Self {
            system: None,
            defines: BTreeMap::new(),
            tolerance: Duration::from_millis(4),
            v6: false,
            seed: 1,
        }
    }
}

//! What happens, a file each.

mod beats;
mod bottleneck;
mod bufferbloat;
mod burst_loss;
mod chat;
mod crowd;
mod nat;
mod nat_learning;
mod partition;
mod path;
mod restart;
mod silent_peer;
mod stop_and_wait;
#[cfg(test)]
mod tests;

use fyke::sim::World;

use crate::{Failure, Flags, Outcome};

/// A scenario.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Flags, &World) -> Result<Outcome, Failure>,
}

/// All of them.
pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "bottleneck",
        about: "flows through one narrow link: slow start, recovery, avoidance",
        run: bottleneck::run,
    },
    Scenario {
        name: "bufferbloat",
        about: "a queue that is far too long, and what a ping through it feels",
        run: bufferbloat::run,
    },
    Scenario {
        name: "burst-loss",
        about: "the same share of losses one by one and in bursts",
        run: burst_loss::run,
    },
    Scenario {
        name: "stop-and-wait",
        about: "one, two, four, eight segments at a time over a long path",
        run: stop_and_wait::run,
    },
    Scenario {
        name: "partition",
        about: "a flow through a partition that heals",
        run: partition::run,
    },
    Scenario {
        name: "restart",
        about: "a server is switched off and on; its client is reset and comes back",
        run: restart::run,
    },
    Scenario {
        name: "nat",
        about: "idle connections behind a NAT box, with and without heartbeats",
        run: nat::run,
    },
    Scenario {
        name: "nat-learning",
        about: "heartbeats learn how long NAT boxes remember a silent connection",
        run: nat_learning::run,
    },
    Scenario {
        name: "silent-peer",
        about: "a server stands still; how soon heartbeats of --many clients (100) find out",
        run: silent_peer::run,
    },
    Scenario {
        name: "chat",
        about: "a hundred hosts chat for --time (an hour), --many hosts",
        run: chat::run,
    },
    Scenario {
        name: "crowd",
        about: "--many idle echo connections (10 000) with their pipelines: bytes of each",
        run: crowd::run,
    },
    Scenario {
        name: "crowd-bare",
        about: "the same with the server's stack alone, to tell the parts apart",
        run: crowd::run_bare,
    },
];

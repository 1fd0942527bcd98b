//! The path of most scenarios: senders, a switch, a narrow link, a server.

use std::time::Duration;

use fyke::sim::stack::StackConfig;
use fyke::sim::{Host, Link, LinkConfig, World};

use crate::{Failure, Flags};

/// What the flags and the scenario's defaults make of a path.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) rtt: Duration,
    pub(super) rate: u64,
    pub(super) queue: usize,
    pub(super) loss: f64,
}

impl Conditions {
    pub(super) fn new(flags: &Flags, rtt: Duration, rate: u64) -> Self {
        let rtt = flags.rtt.unwrap_or(rtt);
        let rate = flags.rate.unwrap_or(rate);
        // As many packets as fit into the path, and a few.
        let fits = rate as f64 * rtt.as_secs_f64() / 8.0 / 1500.0;
        let queue = flags.queue.unwrap_or((fits as usize).max(20));
        Self { rtt, rate, queue, loss: flags.loss.unwrap_or(0.0) }
    }

    pub(super) fn link(&self) -> LinkConfig {
        LinkConfig::new()
            .delay(self.rtt / 2)
            .rate(Some(self.rate))
            .queue_packets(self.queue)
            .loss(self.loss)
    }

    pub(super) fn text(&self) -> String {
        format!(
            "{:.0} ms round trip, {:.1} Mbit/s, queue of {} packets, {:.2} % loss",
            self.rtt.as_secs_f64() * 1e3,
            self.rate as f64 / 1e6,
            self.queue,
            self.loss * 100.0
        )
    }
}

/// Senders on one side of a narrow link, a server on the other.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) server: Host,
    pub(super) senders: Vec<Host>,
    /// Its first direction is towards the server.
    pub(super) narrow: Link,
}

/// The server's address.
pub(super) const SERVER: &str = "10.0.0.1";

pub(super) fn habits(flags: &Flags) -> impl Fn(&mut StackConfig) + use<> {
    let algorithm = flags.congestion.algorithm();
    move |config| config.tcp.congestion.algorithm = algorithm
}

/// The way back from the server carries acknowledgements, and is as long but wide.
pub(super) fn build(
    world: &World,
    flags: &Flags,
    conditions: &Conditions,
    flows: usize,
) -> Result<Path, Failure> {
    let habits = habits(flags);
    let server = world.host("server").address("10.0.0.1/16").configure(&habits).start()?;
    let switch = world.switch("switch")?;
    let mut senders = Vec::new();
    for n in 0..flows {
        let address = format!("10.0.1.{}/16", n + 1);
        let sender = world.host(&format!("sender{}", n + 1)).address(&address);
        let sender = sender.configure(&habits).start()?;
        world.link(&sender, &switch, LinkConfig::new())?;
        senders.push(sender);
    }
    let back = conditions.link().queue_packets(10_000);
    let narrow = world.link_with(&switch, &server, conditions.link(), back)?;
    Ok(Path { server, senders, narrow })
}

//! A queue that is far too long. A flow fills it, and everything behind waits in it.

use std::time::Duration;

use fyke::sim::World;

use super::bottleneck::transfer;
use super::path::Conditions;
use crate::{Failure, Flags, Outcome};

pub(super) fn run(flags: &Flags, world: &World) -> Result<Outcome, Failure> {
    let mut conditions = Conditions::new(flags, Duration::from_millis(40), 5_000_000);
    conditions.queue = flags.queue.unwrap_or(1000);
    let size = flags.size.unwrap_or(15_000_000);
    let flows = flags.flows.unwrap_or(1).clamp(1, 250);
    let by = flags.congestion.name();
    let title = format!("Bufferbloat: a queue of {} packets ({by})", conditions.queue);
    let mut outcome = transfer(flags, world, &conditions, flows, size, title)?;
    let wait = conditions.queue as f64 * 1514.0 * 8.0 / conditions.rate as f64;
    outcome.facts.push(("a full queue takes".to_owned(), format!("{:.0} ms", wait * 1e3)));
    Ok(outcome)
}

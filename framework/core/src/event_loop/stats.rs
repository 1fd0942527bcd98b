//! What a loop tells about itself.

use std::time::Duration;

/// Counters of one loop since it began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LoopStats {
    /// Turns.
    pub turns: u64,
    /// Things the driver or a transport reported.
    pub events: u64,
    /// Tasks, futures and mailboxes that were run.
    pub tasks: u64,
    /// Timers that expired.
    pub timers: u64,
    /// Bytes read from transports.
    pub bytes_in: u64,
    /// Bytes taken by transports.
    pub bytes_out: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Accepts that failed (no descriptor left, say).
    pub accept_errors: u64,
    /// Channels that live now.
    pub channels: u64,
    /// Time spent working, as opposed to waiting.
    pub busy: Duration,
    /// The longest turn.
    pub turn_max: Duration,
    /// How long the oldest work from other threads had waited, at most, before its turn.
    pub queue_age_max: Duration,
    /// How often a handler blocked the loop.
    pub stalls: u64,
    /// The last handler that did.
    pub stalled_by: Option<&'static str>,
}

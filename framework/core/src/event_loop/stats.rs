//! What a loop tells about itself.

use std::time::Duration;

/// Counters of one loop since it began.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LoopStats {
    /// Turns.
    pub turns: u64,
    /// Turns before which the loop had slept.
    pub wakeups: u64,
    /// Things the driver or a transport reported.
    pub events: u64,
    /// Tasks, futures and mailboxes that were run.
    pub tasks: u64,
    /// Timers that expired.
    pub timers: u64,
    /// Messages handed to the handlers behind the last decoder; without decoders reads, and
    /// datagrams.
    pub messages: u64,
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
    /// How long turns took, which is how long anything that became ready meanwhile had to wait.
    pub turn_times: TurnTimes,
    /// The longest turn.
    pub turn_max: Duration,
    /// How long the oldest work from other threads had waited, at most, before its turn.
    pub queue_age_max: Duration,
    /// How often a handler blocked the loop.
    pub stalls: u64,
    /// The last handler that did.
    pub stalled_by: Option<&'static str>,
}

/// How many turns took how long.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TurnTimes {
    counts: [u64; TurnTimes::BOUNDS.len() + 1],
}

impl TurnTimes {
    /// The longest times of all classes but the last one.
    pub const BOUNDS: [Duration; 9] = [
        Duration::from_micros(10),
        Duration::from_micros(100),
        Duration::from_millis(1),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(500),
        Duration::from_secs(1),
    ];

    pub(crate) fn record(&mut self, time: Duration) {
        let class = Self::BOUNDS.iter().position(|bound| time <= *bound);
        self.counts[class.unwrap_or(Self::BOUNDS.len())] += 1;
    }

    /// The longest time of each class (`None`: any time), and how many turns are of it and of none
    /// before.
    pub fn classes(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EmbeddedChannel;

    #[test]
    fn turns_are_classed_by_their_time() {
        let mut times = TurnTimes::default();
        for micros in [0, 10, 11, 100, 1000, 999_999, 1_000_000, 1_000_001] {
            times.record(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = times.classes().map(|(_, turns)| turns).collect();
        assert_eq!(counts, [2, 2, 1, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(times.classes().last().map(|(bound, _)| bound), Some(None));
    }

    #[test]
    fn messages_and_turns_are_counted() {
        let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
        let before = channel.event_loop().stats();
        channel.write_inbound("one");
        channel.write_inbound("another");
        let stats = channel.event_loop().stats();
        assert_eq!((stats.messages - before.messages, stats.bytes_in), (2, 10));
        assert_eq!(stats.turn_times.classes().map(|(_, turns)| turns).sum::<u64>(), stats.turns);
        assert_eq!(stats.wakeups, 0, "it never waits");
    }
}

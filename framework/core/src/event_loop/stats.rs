//! What a loop tells about itself.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::error::CloseReason;

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
    /// Why channels have ended: what limits and time-outs have cut, among others.
    pub closed: CloseCounts,
    /// Times that a channel went above its high water mark: its peer takes less than it is sent.
    pub unwritable: u64,
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

/// The counters as the loop keeps them: times in nanoseconds, since a [`Duration`] is added and
/// compared in two parts, and each turn would pay for that.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    counted: LoopStats,
    busy_nanos: u64,
    turn_nanos_max: u64,
}

impl Counters {
    /// A turn has ended.
    #[inline]
    pub(super) fn turn_took(&mut self, nanos: u64) {
        self.busy_nanos += nanos;
        self.turn_nanos_max = self.turn_nanos_max.max(nanos);
        self.counted.turn_times.record(nanos);
    }

    pub(super) fn get(&self) -> LoopStats {
        LoopStats {
            busy: Duration::from_nanos(self.busy_nanos),
            turn_max: Duration::from_nanos(self.turn_nanos_max),
            ..self.counted
        }
    }
}

impl Deref for Counters {
    type Target = LoopStats;

    #[inline]
    fn deref(&self) -> &LoopStats {
        &self.counted
    }
}

impl DerefMut for Counters {
    #[inline]
    fn deref_mut(&mut self) -> &mut LoopStats {
        &mut self.counted
    }
}

/// How many channels have ended for each reason, those included that could not be connected.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CloseCounts([u64; CloseReason::ALL.len()]);

impl CloseCounts {
    pub(crate) fn count(&mut self, reason: CloseReason) {
        self.0[reason as usize] += 1;
    }

    /// How many have ended for this reason.
    #[must_use]
    pub fn of(&self, reason: CloseReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many have ended.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// All reasons, each with how many have ended for it.
    pub fn iter(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().zip(self.0)
    }
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

    const BOUNDS_NANOS: [u64; Self::BOUNDS.len()] = {
        let mut nanos = [0; Self::BOUNDS.len()];
        let mut at = 0;
        while at < nanos.len() {
            nanos[at] = Self::BOUNDS[at].as_nanos() as u64;
            at += 1;
        }
        nanos
    };

    fn record(&mut self, nanos: u64) {
        let class = Self::BOUNDS_NANOS.iter().position(|bound| nanos <= *bound);
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
    use bytes::Bytes;

    use super::*;
    use crate::embedded::EmbeddedChannel;
    use crate::{ChannelOptions, Outgoing};

    #[test]
    fn turns_are_classed_by_their_time() {
        let mut times = TurnTimes::default();
        for micros in [0, 10, 11, 100, 1000, 999_999, 1_000_000, 1_000_001] {
            times.record(micros * 1000);
        }
        let counts: Vec<u64> = times.classes().map(|(_, turns)| turns).collect();
        assert_eq!(counts, [2, 2, 1, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!(times.classes().last().map(|(bound, _)| bound), Some(None));
    }

    #[test]
    fn ends_are_counted_by_their_reason() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index, "{reason:?}");
        }
        let mut channel = EmbeddedChannel::new(|ch| ch.pipeline());
        assert_eq!(channel.event_loop().stats().closed.total(), 0);
        channel.run(|cx| cx.close_with(CloseReason::TimedOut));
        channel.finish_inbound();
        let closed = channel.event_loop().stats().closed;
        assert_eq!((closed.of(CloseReason::TimedOut), closed.total()), (1, 1));
        let counted: Vec<_> = closed.iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [(CloseReason::TimedOut, 1)]);
    }

    #[test]
    fn peers_that_do_not_read_are_counted() {
        let options = ChannelOptions::new().water_marks(2, 4);
        let mut channel = EmbeddedChannel::with_options(options, |ch| ch.pipeline());
        channel.set_room(Some(0));
        for (message, times) in [(&b"four"[..], 0), (b"more", 1), (b"still", 1)] {
            drop(channel.write_outbound(Outgoing::from(Bytes::from_static(message))));
            assert_eq!(channel.event_loop().stats().unwritable, times);
        }
        channel.set_room(None);
        assert!(channel.is_writable());
        channel.set_room(Some(0));
        drop(channel.write_outbound(Outgoing::from(Bytes::from_static(b"again"))));
        assert_eq!(channel.event_loop().stats().unwritable, 2);
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

//! Options of heartbeats, made once and shared by all channels, and what they count together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{AdaptiveConfig, IntervalMemory};

/// A shorter time is taken for this one.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// With a learned interval an answer is awaited this long at most: detection must not grow with it.
const ADAPTIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which silence makes a heartbeat ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeartbeatIdle {
    /// Nothing was read or nothing was sent for an interval: whichever comes first. The default: it
    /// keeps a NAT's mapping alive, which not all of them do for what comes in (RFC 4787 REQ-6),
    /// and finds out a silent peer also while we send.
    Either,
    /// Nothing was sent for an interval. Who sends all the time never asks, and does not find out
    /// that nobody hears it.
    Writer,
    /// Nothing was read for an interval: finds out silent peers and nothing more.
    Reader,
}

/// Options of a [`HeartbeatHandler`](super::HeartbeatHandler). A clone copies nothing.
#[derive(Clone, Debug)]
#[must_use]
pub struct HeartbeatConfig(Arc<Options>);

#[derive(Clone, Debug)]
pub(super) struct Options {
    /// None: pings are answered and never sent.
    pub(super) interval: Option<Duration>,
    timeout: Option<Duration>,
    pub(super) misses: u32,
    pub(super) idle: HeartbeatIdle,
    jitter_percent: u32,
    pub(super) late_answers_max: usize,
    pub(super) adaptive: Option<Adaptive>,
    pub(super) counters: Option<Arc<HeartbeatCounters>>,
}

#[derive(Clone, Debug)]
pub(super) struct Adaptive {
    pub(super) config: AdaptiveConfig,
    pub(super) memory: IntervalMemory,
    pub(super) network: Arc<str>,
}

impl HeartbeatConfig {
    /// Asks after `interval` of silence.
    pub fn new(interval: Duration) -> Self {
        Self::with_interval(Some(interval.max(INTERVAL_MIN)))
    }

    /// Never asks and gives nobody up; only answers.
    pub fn answer_only() -> Self {
        Self::with_interval(None)
    }

    /// Asks after an interval that is learned: the longest one that the NAT boxes on the way put up
    /// with; see [`AdaptiveInterval`](super::AdaptiveInterval). What is learned is kept in `memory`
    /// under the name of the `network`, for the next connection.
    pub fn adaptive(
        config: AdaptiveConfig,
        memory: IntervalMemory,
        network: impl Into<Arc<str>>,
    ) -> Self {
        let adaptive = Adaptive { config, memory, network: network.into() };
        Self::with_interval(Some(config.initial)).with(|o| o.adaptive = Some(adaptive))
    }

    fn with_interval(interval: Option<Duration>) -> Self {
        Self(Arc::new(Options {
            interval,
            timeout: None,
            misses: 2,
            idle: HeartbeatIdle::Either,
            jitter_percent: 10,
            late_answers_max: 1 << 16,
            adaptive: None,
            counters: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// So many answers may be missed (2); then the channel closes. At least one.
    pub fn misses(self, misses: u32) -> Self {
        self.with(|options| options.misses = misses.max(1))
    }

    /// How long an answer may take before it counts as missed and is asked for again: the interval
    /// by default, and never more; with a learned interval 10 s.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|options| options.timeout = Some(timeout.max(INTERVAL_MIN)))
    }

    /// Which silence makes it ask ([`HeartbeatIdle::Either`]).
    pub fn idle(self, idle: HeartbeatIdle) -> Self {
        self.with(|options| options.idle = idle)
    }

    /// By up to so many percent each interval is shorter than it could be (10), so that many
    /// clients do not beat together. At most 90, and with a learned interval at most 20.
    pub fn jitter_percent(self, percent: u32) -> Self {
        self.with(|options| options.jitter_percent = percent)
    }

    /// So many answers that peers want later ([`Beat::PingLater`](super::Beat::PingLater)) wait at
    /// once (65 536); further ones are given at once, and those peers learn nothing.
    pub fn late_answers_max(self, answers: usize) -> Self {
        self.with(|options| options.late_answers_max = answers)
    }

    /// Counts what happens on all channels that are given these counters.
    pub fn counters(self, counters: &Arc<HeartbeatCounters>) -> Self {
        self.with(|options| options.counters = Some(Arc::clone(counters)))
    }

    pub(super) fn options(&self) -> &Options {
        &self.0
    }
}

impl Options {
    /// The time that an answer may take when the interval is this one.
    pub(super) fn answer_timeout(&self, interval: Duration) -> Duration {
        let default = if self.adaptive.is_some() { ADAPTIVE_TIMEOUT } else { interval };
        self.timeout.unwrap_or(default).min(interval)
    }

    /// An interval made shorter by chance; `random` is in [0, 1).
    pub(super) fn jittered(&self, interval: Duration, random: f64) -> Duration {
        // What is learned of a silence is of one about as long as the interval.
        let most = if self.adaptive.is_some() { 20 } else { 90 };
        let shorter = interval.mul_f64(random * f64::from(self.jitter_percent.min(most)) / 100.0);
        interval.saturating_sub(shorter).max(INTERVAL_MIN)
    }

    pub(super) fn count(&self, which: impl FnOnce(&HeartbeatCounters) -> &AtomicU64) {
        if let Some(counters) = &self.counters {
            which(counters).fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What heartbeats count, over all channels that share it.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct HeartbeatCounters {
    /// Pings sent.
    pub pings: AtomicU64,
    /// Pings that the peer has answered, be it with another message.
    pub answered: AtomicU64,
    /// Pings of the peer that were answered.
    pub pongs: AtomicU64,
    /// Answers that did not come in time.
    pub missed: AtomicU64,
    /// Channels closed because their peer was silent.
    pub silent_peers: AtomicU64,
    /// Mappings that a NAT box seems to have lost (learned intervals only).
    pub lost_mappings: AtomicU64,
    /// The last time between a ping and its pong, in microseconds.
    pub last_rtt_micros: AtomicU64,
}

//! What a server can be told: how much a client may send, and how long it may take.

use std::time::Duration;

use crate::http1::Limits;

/// The options of a [`server`](super::server), each with a safe default.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_codecs::http1::{Limits, ServerOptions, Timeouts};
///
/// let options = ServerOptions::new()
///     .limits(Limits::new().body_bytes_max(1024))
///     .timeouts(Timeouts::new().idle(Duration::from_secs(5)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ServerOptions {
    pub(super) limits: Limits,
    pub(super) timeouts: Timeouts,
}

impl ServerOptions {
    /// The defaults.
    pub const fn new() -> Self {
        Self { limits: Limits::new(), timeouts: Timeouts::new() }
    }

    /// How much a client may send.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a client may take.
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

/// These limits, and the default time-outs.
impl From<Limits> for ServerOptions {
    fn from(limits: Limits) -> Self {
        Self::new().limits(limits)
    }
}

/// How long a client may take for each thing, so that slow ones do not hold connections for ever.
///
/// None of them runs while it is our turn: while an answer is made, or reading is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Timeouts {
    pub(super) head: Option<Duration>,
    pub(super) body: Option<Duration>,
    pub(super) body_bytes_per_second_min: u32,
    pub(super) idle: Option<Duration>,
}

impl Timeouts {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            head: Some(Duration::from_secs(20)),
            body: Some(Duration::from_secs(30)),
            body_bytes_per_second_min: 240,
            idle: Some(Duration::from_secs(60)),
        }
    }

    /// No time-outs at all: somebody else looks after that.
    pub const fn none() -> Self {
        Self { head: None, body: None, body_bytes_per_second_min: 0, idle: None }
    }

    /// From the first byte of a head to its last one; 408 and the end of the connection beyond.
    /// 20 seconds.
    pub fn head(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.head = time.into();
        self
    }

    /// From a head to the end of its body, beside what
    /// [`body_bytes_per_second_min`](Self::body_bytes_per_second_min) grants; 408 and the end of the
    /// connection beyond. 30 seconds.
    pub fn body(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.body = time.into();
        self
    }

    /// Each so many bytes of a body that arrive buy it another second, so that a large body may take
    /// long, but not a trickle. With 0 nothing does. 240 bytes.
    pub const fn body_bytes_per_second_min(mut self, bytes: u32) -> Self {
        self.body_bytes_per_second_min = bytes;
        self
    }

    /// How long a connection may be open without a request, and how long a client may take none of
    /// what is sent to it; it is closed without a word beyond. 60 seconds.
    pub fn idle(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.idle = time.into();
        self
    }

    /// What a body may take of which so much has arrived.
    pub(super) fn for_body(&self, received: u64) -> Option<Duration> {
        let bought = received.checked_div(u64::from(self.body_bytes_per_second_min)).unwrap_or(0);
        self.body.map(|time| time.saturating_add(Duration::from_secs(bought)))
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::new()
    }
}

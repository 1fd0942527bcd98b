//! Options of a client that reconnects, and what it tells.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::channel::MAILBOX_ENTRIES_MAX;
use fyke_core::{Channel, CloseReason, Error};

use super::Backoff;

type Observer = dyn Fn(&ReconnectEvent<'_>) + Send + Sync;
type RetryOn = dyn Fn(CloseReason) -> bool + Send + Sync;

/// Options of a [`ReconnectingClient`](super::ReconnectingClient).
#[derive(Clone)]
#[must_use]
pub struct ReconnectConfig {
    pub(super) backoff: Backoff,
    pub(super) attempts_max: Option<u32>,
    pub(super) give_up_after: Option<Duration>,
    pub(super) stable_after: Duration,
    pub(super) keep_messages_max: usize,
    pub(super) retry_on: Arc<RetryOn>,
    pub(super) observer: Option<Arc<Observer>>,
}

/// What a [`ReconnectingClient`](super::ReconnectingClient) tells, on its loop and in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReconnectEvent<'a> {
    /// An attempt begins: the first one since a connection was there, the second one, ..
    Connecting {
        /// From 1.
        attempt: u32,
    },
    /// It is connected. What was kept is on its way.
    Connected {
        /// The new channel.
        channel: &'a Channel,
    },
    /// An attempt has failed.
    Failed {
        /// Which one, from 1.
        attempt: u32,
        /// Why.
        error: &'a Error,
    },
    /// The connection is gone.
    Lost {
        /// Why.
        reason: CloseReason,
    },
    /// The next attempt follows after this time.
    Waiting {
        /// How long it waits.
        delay: Duration,
    },
    /// It has tried often or long enough: nothing follows any more.
    GaveUp {
        /// How often it has tried.
        attempts: u32,
    },
    /// It was closed: nothing follows any more.
    Closed,
}

impl Default for ReconnectConfig {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            attempts_max: None,
            give_up_after: None,
            stable_after: Duration::from_secs(10),
            keep_messages_max: 1024,
            retry_on: Arc::new(|reason| {
                !matches!(
                    reason,
                    CloseReason::Local | CloseReason::Shutdown | CloseReason::ShutdownDeadline
                )
            }),
            observer: None,
        }
    }
}

impl ReconnectConfig {
    /// Tries for ever, with the default back-off, and keeps up to 1024 messages meanwhile.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Gives up after so many attempts in a row that failed. Never by default.
    pub fn attempts_max(mut self, attempts: Option<u32>) -> Self {
        self.attempts_max = attempts;
        self
    }

    /// Gives up when it was not connected for so long. Never by default.
    pub fn give_up_after(mut self, time: Option<Duration>) -> Self {
        self.give_up_after = time;
        self
    }

    /// A connection that ends sooner than this (10 s) counts as a failed attempt, so that a server
    /// that accepts and hangs up is not asked without a pause.
    pub fn stable_after(mut self, time: Duration) -> Self {
        self.stable_after = time;
        self
    }

    /// So many messages are kept while there is no connection (1024); further ones are refused.
    /// With 0 all of them are. Half of a channel's mailbox at most.
    pub fn keep_messages_max(mut self, messages: usize) -> Self {
        self.keep_messages_max = messages.min(MAILBOX_ENTRIES_MAX / 2);
        self
    }

    /// After which ends it connects again: by default all but those that this side has asked for
    /// ([`CloseReason::Local`], [`CloseReason::Shutdown`]).
    pub fn retry_on(mut self, retry: impl Fn(CloseReason) -> bool + Send + Sync + 'static) -> Self {
        self.retry_on = Arc::new(retry);
        self
    }

    /// Who is told what happens. It runs on the client's loop and must not block it.
    pub fn observer(
        mut self,
        observer: impl Fn(&ReconnectEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    pub(super) fn tell(&self, event: &ReconnectEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer(event);
        }
    }
}

impl fmt::Debug for ReconnectConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectConfig")
            .field("backoff", &self.backoff)
            .field("attempts_max", &self.attempts_max)
            .field("give_up_after", &self.give_up_after)
            .field("stable_after", &self.stable_after)
            .field("keep_messages_max", &self.keep_messages_max)
            .finish_non_exhaustive()
    }
}

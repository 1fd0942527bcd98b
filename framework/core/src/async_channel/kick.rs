//! How a stage that is written as a future is woken.
//!
//! The stage polls its future itself, so a wake that happens while the stage runs needs nothing
//! but a bit. Any other wake sends one event through the channel's mailbox, which gives the channel
//! a turn; until that has come no second one is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Wake;

use crate::channel::Channel;

/// The stage runs: it looks at the other bits before it returns.
const INSIDE: u8 = 1;
/// The future is to be polled.
const WOKEN: u8 = 2;
/// An event is under way to the stage.
const SENT: u8 = 4;

/// The user event that gives the stage its turn. It has no size, so boxing it allocates nothing.
#[derive(Debug)]
pub(crate) struct Kicked;

#[derive(Debug)]
pub(super) struct Kick {
    bits: AtomicU8,
    channel: Channel,
}

impl Kick {
    /// In the state in which the future waits for its first poll.
    pub(super) fn new(channel: Channel) -> Self {
        Self { bits: AtomicU8::new(WOKEN), channel }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// The stage begins to run.
    pub(super) fn enter(&self) {
        self.bits.fetch_or(INSIDE, Ordering::AcqRel);
        // An event that is still under way finds nothing to do.
        self.bits.fetch_and(!SENT, Ordering::AcqRel);
    }

    /// Whether the future is to be polled; wakes from here on ask for another poll.
    pub(super) fn take_woken(&self) -> bool {
        self.bits.fetch_and(!WOKEN, Ordering::AcqRel) & WOKEN != 0
    }

    /// The stage returns, and has another turn if it asks for one. A future that was woken
    /// meanwhile has its next poll in the next turn, so one that always wakes itself does not hold
    /// the loop.
    pub(super) fn leave(&self, again: bool) {
        let before = self.bits.fetch_and(!(INSIDE | SENT), Ordering::AcqRel);
        if again || before & WOKEN != 0 {
            self.nudge();
        }
    }

    /// Gives the stage a turn, to see to what lies in its queues.
    pub(super) fn nudge(&self) {
        self.send(0);
    }

    fn send(&self, more: u8) {
        let before = self.bits.fetch_or(more | SENT, Ordering::AcqRel);
        if before & (INSIDE | SENT) == 0 {
            // A channel that is closed has no stage that could run.
            let _ = self.channel.fire_event(Kicked);
        }
    }
}

impl Wake for Kick {
    fn wake(self: Arc<Self>) {
        self.send(WOKEN);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.send(WOKEN);
    }
}

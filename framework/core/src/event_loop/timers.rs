//! What the loop's timers are for.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fyke_clock::Instant;

use crate::channel::ChannelKey;
use crate::event_loop::LoopCore;

pub(crate) enum Timer {
    /// A handler's `timer` is called.
    Stage { channel: ChannelKey, slot: u16, stage: u32, tag: u64 },
    /// A connect, close or lingering has taken long enough.
    Close(ChannelKey),
    /// A channel reads on after a pause.
    ReadOn(ChannelKey),
    /// A listener tries to accept again.
    Accept(ChannelKey),
    /// A task of the loop.
    Task(Box<dyn FnOnce(&mut LoopCore)>),
    /// A task of the loop that repeats.
    Repeat(Box<Repeat>),
    /// The loop's shutdown ends.
    ShutdownDeadline,
}

/// A task that repeats at fixed times.
pub(crate) struct Repeat {
    pub(crate) at: Instant,
    pub(crate) period: Duration,
    /// Answers whether it goes on.
    pub(crate) task: Box<dyn FnMut(&mut LoopCore) -> bool>,
    pub(crate) cancelled: Rc<Cell<bool>>,
}

impl Repeat {
    /// Runs once and re-arms itself.
    pub(super) fn run(mut self: Box<Self>, core: &mut LoopCore) {
        if !self.cancelled.get() && (self.task)(core) {
            self.at += self.period;
            core.state.timers.schedule(self.at, Timer::Repeat(self));
        }
    }
}

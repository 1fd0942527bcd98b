//! Finding the handler that blocks its loop.
//!
//! Reading a clock around every method would cost more than the methods. So a ticker (a thread of
//! the group, or a test) advances a counter now and then, and the pipeline compares it after every
//! method with what it was: a plain load. When it has moved by two ticks or more, the method in
//! between has held the loop for at least one whole tick, and its name is known.

use std::sync::atomic::Ordering;

use crate::event_loop::shared::LoopHandle;

/// Ticks in one method from which on it is reported. One tick can pass between two neighbours.
const TICKS_MIN: u64 = 2;

#[derive(Debug)]
pub(crate) struct Stall {
    handle: LoopHandle,
    last: u64,
    /// How often a handler was found to block.
    pub(crate) count: u64,
    /// The last one that did.
    pub(crate) stage: Option<&'static str>,
}

impl Stall {
    pub(crate) fn new(handle: LoopHandle) -> Self {
        Self { handle, last: 0, count: 0, stage: None }
    }

    /// The loop begins to work: what has passed until now was waiting.
    #[inline]
    pub(crate) fn start(&mut self) {
        self.last = self.handle.0.ticks.load(Ordering::Relaxed);
    }

    /// `stage` has just run. Its name is only looked at when it is needed.
    #[inline(always)]
    pub(crate) fn check(&mut self, stage: &&'static str) {
        if self.handle.0.ticks.load(Ordering::Relaxed) != self.last {
            self.moved(stage);
        }
    }

    #[cold]
    #[inline(never)]
    fn moved(&mut self, &stage: &&'static str) {
        let ticks = self.handle.0.ticks.load(Ordering::Relaxed);
        let passed = ticks.wrapping_sub(self.last);
        self.last = ticks;
        if passed >= TICKS_MIN {
            self.count += 1;
            self.stage = Some(stage);
            let event_loop = self.handle.id();
            tracing::warn!(stage, ticks = passed, event_loop, "a handler blocked its event loop");
        }
    }
}

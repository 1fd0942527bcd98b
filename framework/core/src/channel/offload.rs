//! Work that blocks, away from the loop, and its way back.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::Span;

use crate::channel::core::{ChannelCore, State, panic_text};
use crate::channel::{ChannelKey, LocalChannel};
use crate::event::{Notice, Offloaded};
use crate::event_loop::state::LoopState;
use crate::pipeline::slot::OFFLOADED;

impl ChannelCore {
    pub(crate) fn offload(
        &mut self,
        state: &mut LoopState,
        slot: u16,
        stage: u32,
        work: impl FnOnce() -> Box<dyn Any + Send> + Send + 'static,
    ) {
        self.offloads += 1;
        let (home, key) = (state.handle.clone(), self.key);
        let mut answer = Answer { home, key, slot, stage, done: false };
        let span = self.span.get().map_or_else(Span::none, Span::clone);
        state.env.offload().clone().run(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(|| span.in_scope(work)));
            answer.give(result.map_err(|panic| panic_text(&*panic)));
        }));
    }

    pub(crate) fn offload_done(&mut self) {
        self.offloads = self.offloads.saturating_sub(1);
    }
}

impl LocalChannel {
    /// Work of a stage is done: the result comes first, then what waited for it, in order.
    pub(crate) fn on_offloaded(
        &mut self,
        state: &mut LoopState,
        slot: u16,
        stage: u32,
        result: Offloaded,
    ) {
        self.core.offload_done();
        let Some(s) = self.pipeline.slots.get_mut(slot as usize) else { return };
        if s.id != stage || self.core.state == State::Closed {
            return;
        }
        s.offloads = s.offloads.saturating_sub(1);
        if s.offloads == 0 {
            s.flags &= !OFFLOADED;
        }
        (s.vtable.notice)(self, state, slot, Notice::Offloaded(result));
    }
}

/// Brings a result back; also when the work is dropped unrun.
struct Answer {
    home: crate::event_loop::LoopHandle,
    key: ChannelKey,
    slot: u16,
    stage: u32,
    done: bool,
}

impl Answer {
    fn give(&mut self, result: Result<Box<dyn Any + Send>, String>) {
        self.done = true;
        let (key, slot, stage) = (self.key, self.slot, self.stage);
        // An ended loop has no channel that could wait for it.
        let _ = self.home.execute(move |core| {
            core.offloaded(key, slot, stage, Offloaded::new(result));
        });
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if !self.done {
            self.give(Err("the work was refused: no thread is left for it".to_owned()));
        }
    }
}

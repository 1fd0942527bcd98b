//! A channel's turn: what its handles did, then what happened to it, then what follows from that.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::channel::LocalChannel;
use crate::channel::core::{PeerEnd, State, panic_text};
use crate::channel::mailbox::Entry;
use crate::error::CloseReason;
use crate::event::{Notice, Offloaded, Signal};
use crate::event_loop::state::LoopState;
use crate::handler::Never;
use crate::pipeline::cell::{Fired, Op, Place};
use crate::pipeline::context::Ctx;
use crate::pipeline::link::END;
use crate::pipeline::slot::{INBOX, REST};
use crate::transport::TransportEvent;

/// Something to do with a channel on its own loop.
type LocalTask = Box<dyn FnOnce(&mut LocalChannel, &mut LoopState)>;

/// Why a channel has its turn.
pub(crate) enum Work {
    Event(TransportEvent),
    /// It was in the ready list.
    Continue,
    /// Its mailbox has something.
    Mailbox,
    Registered,
    Timer {
        slot: u16,
        stage: u32,
        tag: u64,
    },
    CloseTimer,
    /// A pause of reading is over.
    ReadOn,
    Offloaded {
        slot: u16,
        stage: u32,
        result: Offloaded,
    },
    ShuttingDown,
    Abort(CloseReason),
    Run(LocalTask),
}

/// How often a turn looks for consequences of consequences before others have their turn.
const ROUNDS_MAX: usize = 8;

impl LocalChannel {
    /// One turn, in the channel's span. A panic of a handler ends this channel and nothing else.
    pub(crate) fn turn(&mut self, state: &mut LoopState, work: Work) {
        if self.core.state == State::Closed {
            // It has said `unregistered`, and leaves at the end of the loop's turn.
            return;
        }
        let _entered = self.core.span.enter();
        let result = catch_unwind(AssertUnwindSafe(|| self.guarded(state, work)));
        if let Err(panic) = result {
            let text = panic_text(&*panic);
            // Handlers hear of the panic; one that panics at that ends the telling, not the loop.
            let told = catch_unwind(AssertUnwindSafe(|| self.panicked(state, text)));
            if told.is_err() {
                tracing::error!("a handler panicked while it was told");
                self.ended_hard(state);
            }
        }
    }

    #[inline]
    fn guarded(&mut self, state: &mut LoopState, work: Work) {
        if let Some(issued) = self.core.mailbox_issued() {
            self.drain_mailbox(state, issued);
        }
        // An abort means now: what happened meanwhile is told to nobody.
        if !self.core.abort_requested {
            // Nearly every turn is this one: looked for first, it needs no table of jumps, and has
            // nothing to drop.
            if let Work::Event(TransportEvent::Readable(_)) = work {
                std::mem::forget(work);
                self.readable(state);
            } else {
                self.work(state, work);
            }
        }
        self.settle(state);
    }

    fn ended_hard(&mut self, state: &mut LoopState) {
        if self.core.state != State::Closed {
            self.finish(state, crate::transport::CloseMode::Abort);
        }
    }

    #[inline(never)]
    fn work(&mut self, state: &mut LoopState, work: Work) {
        match work {
            Work::Event(event) => self.on_event(state, event),
            Work::Continue => {
                self.core.queued = false;
                self.read_some(state);
            }
            Work::Mailbox => {
                if let Some(shared) = self.core.shared.clone() {
                    shared.seen();
                    self.drain_mailbox(state, shared.issued());
                }
            }
            Work::Registered => self.registered(state),
            Work::Timer { slot, stage, tag } => {
                self.notice_to(state, slot, stage, Notice::Timer(tag));
            }
            Work::CloseTimer => self.close_timer_expired(state),
            Work::ReadOn => self.core.pauses -= 1,
            Work::Offloaded { slot, stage, result } => {
                self.on_offloaded(state, slot, stage, result)
            }
            Work::ShuttingDown => self.fire(state, Signal::ShuttingDown),
            Work::Abort(reason) => {
                if reason == CloseReason::ShutdownDeadline && self.core.state != State::Lingering {
                    // Something was cut, whatever the close had begun with.
                    self.core.reason = Some(reason);
                }
                self.core.abort_with(reason);
            }
            Work::Run(task) => task(self, state),
        }
    }

    fn registered(&mut self, state: &mut LoopState) {
        // Stages were numbered in their order; edits meanwhile greet their new ones themselves.
        for id in 1..self.pipeline.next_id {
            let slot = self.pipeline.slots.iter().position(|s| s.id == id);
            if let Some(slot) = slot {
                let vtable = self.pipeline.slots[slot].vtable;
                (vtable.notice)(self, state, slot as u16, Notice::Signal(Signal::Added));
            }
        }
        self.fire(state, Signal::Registered);
        if self.core.state == State::Open {
            self.fire(state, Signal::Active);
        }
    }

    /// A notice for one stage, if it is still there.
    pub(super) fn notice_to(
        &mut self,
        state: &mut LoopState,
        slot: u16,
        stage: u32,
        notice: Notice,
    ) {
        if let Some(s) = self.pipeline.get(slot)
            && s.id == stage
        {
            (s.vtable.notice)(self, state, slot, notice);
        }
    }

    /// What follows from what happened: put-off messages, edges, bytes not yet decoded, sending,
    /// closing, and whether to read on.
    #[inline]
    fn settle(&mut self, state: &mut LoopState) {
        for _ in 0..ROUNDS_MAX {
            if self.core.backlog || !self.core.plans.is_empty() {
                self.catch_up(state);
            }
            if self.has_output() && self.may_flush() {
                self.flush(state);
            }
            if self.is_settled() {
                return self.end_of_turn(state);
            }
            if self.core.edge || self.core.told_to_wait.get() {
                state.stats.unwritable += u64::from(self.core.edge && self.core.unwritable);
                self.core.edge = false;
                self.core.told_to_wait.set(false);
                if self.core.state != State::Closed {
                    self.fire(state, Signal::WritabilityChanged);
                }
            } else if self.core.has_rests && self.core.may_pull() {
                self.pump(state);
            } else if self.core.read_ready && !self.core.queued && self.core.wants_reading() {
                // Reading was paused when the transport reported, and is not any more.
                self.read_some(state);
            } else if self.must_tell_peer_end() {
                self.tell_peer_end(state);
            } else if !self.core.backlog && self.core.plans.is_empty() {
                self.end_of_turn(state);
                return;
            }
        }
        // Others are waiting: go on in the next turn.
        state.queue(&mut self.core);
        self.end_of_turn(state);
    }

    #[inline]
    fn end_of_turn(&mut self, state: &mut LoopState) {
        if self.core.state != State::Open
            || self.core.shutdown_requested
            || self.core.abort_requested
        {
            self.progress_close(state);
        }
        let wants = self.core.wants_reading();
        if wants != self.core.reading
            && let Some(handle) = self.core.handle
        {
            self.core.reading = wants;
            if wants {
                self.core.progress.reading_since = state.env.now();
            }
            if let Some(transport) = state.transport_mut(self.core.transport) {
                transport.set_reading(handle, wants);
            }
        }
    }

    /// Whether nothing follows any more: all that the long way looks for, in one test.
    #[inline]
    fn is_settled(&self) -> bool {
        let core = &self.core;
        let something = core.edge
            | core.told_to_wait.get()
            | core.has_rests
            | core.backlog
            | core.read_ready
            | (core.peer_end == PeerEnd::Reported);
        !something && core.plans.is_empty()
    }

    /// Edits, and what was put off.
    #[cold]
    #[inline(never)]
    fn catch_up(&mut self, state: &mut LoopState) {
        if !self.core.plans.is_empty() {
            self.apply_all_edits(state);
        }
        if self.core.backlog {
            self.drain_backlog(state);
        }
    }

    /// Lets stages go on with what was put off.
    pub(crate) fn drain_backlog(&mut self, state: &mut LoopState) {
        self.core.backlog = false;
        for slot in 0..self.pipeline.slots.len() {
            let s = &self.pipeline.slots[slot];
            if s.flags & INBOX != 0 && s.stage.is_some() {
                (s.vtable.resume)(self, state, slot as u16);
            }
        }
    }

    /// Lets decoders go on with the bytes they hold, the last one first.
    #[inline(never)]
    fn pump(&mut self, state: &mut LoopState) {
        self.core.has_rests = false;
        let mut at = self.pipeline.last;
        while let Some(s) = self.pipeline.get(at) {
            let (vtable, flags, prev) = (s.vtable, s.flags, s.prev);
            if flags & REST != 0 {
                self.pipeline.slots[at as usize].flags &= !REST;
                (vtable.resume)(self, state, at);
                if self.core.has_rests {
                    return;
                }
            }
            at = prev;
        }
    }

    // ---- handles ----

    /// Does what handles asked for before ticket `up_to`, in order.
    pub(crate) fn drain_mailbox(&mut self, state: &mut LoopState, up_to: u64) {
        let Some(shared) = self.core.shared.clone() else { return };
        while self.core.drained < up_to {
            let Some(entry) = shared.pop() else { return };
            self.core.drained += 1;
            match entry {
                Entry::Message(queue) => shared.deliver(queue, self, state),
                Entry::Flush => self.fire_outwards(state, Signal::Flush),
                Entry::Close(reason) => {
                    self.ask_to_close(state, reason);
                }
                Entry::Abort => self.core.abort_requested = true,
                Entry::Shutdown => self.fire_outwards(state, Signal::Shutdown),
                Entry::Event(event) => self.fire_event(state, event),
                Entry::AutoRead(on) => self.core.set_auto_read(on),
                Entry::Run(task) => self.run_at_tail(state, task),
            }
        }
    }

    /// Runs a task with a context behind the last stage.
    pub(crate) fn run_at_tail(
        &mut self,
        state: &mut LoopState,
        task: impl FnOnce(&mut Ctx<'_, Never, Never>),
    ) {
        let (mut fired, mut spill) = (Fired::nothing(), None);
        task(&mut Ctx::new(&mut fired, &mut spill, &mut self.core, state, Place::TAIL));
        for op in spill.into_iter().flat_map(|s| *s).chain(fired.take()) {
            self.perform_at_tail(state, op);
        }
    }

    /// Lets an operation of a context at the tail leave.
    fn perform_at_tail(&mut self, state: &mut LoopState, op: Op<Never, Never>) {
        match op {
            Op::Read(never) | Op::Write(never, _) => match never {},
            Op::Notice(Notice::Signal(signal), true) => self.fire_outwards(state, signal),
            Op::Notice(notice, true) => {
                let last = self.last_writer();
                self.notify(state, last, notice, true);
            }
            Op::Notice(notice, false) => self.notify(state, END, notice, false),
            Op::Drain(up_to) => self.drain_mailbox(state, up_to),
            Op::Edit(ticket) => _ = self.edit_is_due(state, ticket, None),
            // There is no handler at the tail that could wait.
            Op::Wait => {}
        }
    }
}

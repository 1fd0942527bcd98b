//! How a channel ends.
//!
//! ```text
//!   Open -- close --> Closing -- all sent --> Lingering -- peer's end, or time --> Closed
//!     |                  |   (peer's end already seen) ------------------------->  Closed
//!     +-- reset, abort --+----------------------------------------------------->  Closed
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::channel::LocalChannel;
use crate::channel::core::State;
use crate::error::{CloseReason, Error, ErrorKind};
use crate::event::{Notice, Signal};
use crate::event_loop::state::LoopState;
use crate::event_loop::timers::Timer;
use crate::pipeline::link::Head;
use crate::pipeline::slot::{DEAD, OFFLOADED};
use crate::transport::CloseMode;

impl LocalChannel {
    /// The transport has connected us (or the peer).
    pub(crate) fn connected(&mut self, state: &mut LoopState) {
        if self.core.state != State::Connecting {
            return;
        }
        self.stop_close_timer(state);
        self.core.set_active();
        self.core.record_local(state);
        if let Some(told) = self.core.on_connect.take() {
            told(Ok(self.core.handle(state)));
        }
        self.fire(state, Signal::Active);
    }

    pub(crate) fn connect_failed(&mut self, state: &mut LoopState, error: Error) {
        if self.core.state != State::Connecting {
            return;
        }
        let reason =
            if error.is_timeout() { CloseReason::TimedOut } else { CloseReason::ConnectFailed };
        self.core.reason.get_or_insert(reason);
        tracing::info!(%error, "the connection could not be made");
        if let Some(told) = self.core.on_connect.take() {
            told(Err(error));
        }
        self.finish(state, CloseMode::Abort);
    }

    /// The connection is broken: told to the handlers, then closed without sending anything more.
    pub(crate) fn broken(&mut self, state: &mut LoopState, error: Error) {
        match self.core.state {
            State::Connecting => return self.connect_failed(state, error),
            State::Closed => return,
            _ => {}
        }
        let lingering = self.core.state == State::Lingering;
        self.core.reason.get_or_insert(CloseReason::of(&error));
        self.core.input_ended = true;
        self.core.outbound.fail(Error::closed);
        if !lingering {
            self.fire_error(state, error);
        }
        self.finish(state, CloseMode::Abort);
    }

    /// An error that no handler took: a line in the log, and the channel closes.
    pub(crate) fn unhandled_error(&mut self, state: &mut LoopState, error: Error) {
        let reason = CloseReason::of(&error);
        if self.core.is_open() {
            if reason == CloseReason::PeerReset {
                tracing::info!(%error, "the peer reset the connection");
            } else {
                let fault = error.fault();
                tracing::warn!(%error, ?fault, "unhandled error: closing");
            }
        }
        if let Some(captured) = &self.core.captured {
            captured.borrow_mut().errors.push_back(error);
        }
        // A datagram endpoint serves many peers; one of them cannot end it.
        if self.core.head == Head::Datagram && reason == CloseReason::Transport {
            return;
        }
        if !self.core.is_open() {
            return;
        }
        if self.core.close_asked {
            // A handler may have failed at its `close`; asked again it would fail again.
            self.begin_close(state, reason);
        } else {
            self.ask_to_close(state, reason);
        }
    }

    /// Asks the handlers, from the last one outwards, to close: once. One of them may have
    /// something to say before it lets the close go on.
    pub(crate) fn ask_to_close(&mut self, state: &mut LoopState, reason: CloseReason) {
        self.core.reason.get_or_insert(reason);
        if !std::mem::replace(&mut self.core.close_asked, true) {
            self.fire_outwards(state, Signal::Close);
        }
    }

    /// Closes once everything that was written has been sent.
    pub(crate) fn begin_close(&mut self, state: &mut LoopState, reason: CloseReason) {
        match self.core.state {
            State::Connecting => {
                self.core.reason.get_or_insert(reason);
                self.finish(state, CloseMode::Abort);
            }
            State::Open => {
                self.core.reason.get_or_insert(reason);
                self.core.state = State::Closing;
                self.core.tell_writable();
            }
            State::Closing | State::Lingering | State::Closed => {}
        }
    }

    /// One step further on the way to the end, if that is where the channel goes.
    pub(crate) fn progress_close(&mut self, state: &mut LoopState) {
        if self.core.abort_requested && self.core.state != State::Closed {
            self.core.reason.get_or_insert(CloseReason::Local);
            self.finish(state, CloseMode::Abort);
            return;
        }
        let sent =
            self.core.outbound.is_empty() && self.core.datagrams.is_empty() && !self.core.in_flight;
        if self.core.shutdown_requested && sent {
            self.end_output(state);
        }
        match self.core.state {
            State::Closing if sent => self.linger_or_finish(state),
            State::Closing if self.core.close_timer.is_none() => {
                let limit = self.core.options.close_timeout;
                self.start_close_timer(state, limit);
            }
            State::Lingering if self.core.input_ended => self.finish(state, CloseMode::Orderly),
            // Both directions have ended by themselves.
            State::Open
                if self.core.output_ended
                    && self.core.input_ended
                    // Stages may still hold messages.
                    && !self.core.has_rests
                    && self.core.offloads == 0 =>
            {
                self.core.reason.get_or_insert(CloseReason::PeerEnd);
                self.finish(state, CloseMode::Orderly);
            }
            _ => {}
        }
    }

    fn linger_or_finish(&mut self, state: &mut LoopState) {
        let mut linger = self.core.options.close_linger;
        if state.shutting_down {
            linger = linger.min(SHUTDOWN_LINGER_MAX);
        }
        if self.core.head == Head::Datagram || self.core.input_ended || linger.is_zero() {
            self.finish(state, CloseMode::Orderly);
            return;
        }
        self.end_output(state);
        if self.core.state == State::Closed {
            return;
        }
        self.core.state = State::Lingering;
        self.start_close_timer(state, linger);
        self.core.read_ready = true;
        self.read_some(state);
        if self.core.state == State::Lingering && self.core.input_ended {
            self.finish(state, CloseMode::Orderly);
        }
    }

    /// Sends our end.
    fn end_output(&mut self, state: &mut LoopState) {
        if std::mem::replace(&mut self.core.output_ended, true) {
            return;
        }
        let Some(handle) = self.core.handle else { return };
        let result = match state.transport_mut(self.core.transport) {
            Some(transport) => transport.shutdown(handle),
            None => Ok(()),
        };
        if let Err(error) = result {
            // The peer is gone already; that is known from reading, too.
            tracing::debug!(%error, "the end could not be sent");
            self.core.input_ended = true;
        }
    }

    /// Bytes that came after our end.
    pub(crate) fn drop_lingering(&mut self, state: &mut LoopState, n: usize) {
        self.core.lingered += n;
        if self.core.lingered > self.core.options.close_linger_bytes_max {
            self.finish(state, CloseMode::Orderly);
        }
    }

    fn start_close_timer(&mut self, state: &mut LoopState, delay: Duration) {
        self.stop_close_timer(state);
        self.core.close_pending = self.core.pending_bytes();
        let deadline = state.env.now() + delay;
        let timer = state.timers.schedule(deadline, Timer::Close(self.core.key));
        self.core.close_timer = Some(timer);
    }

    fn stop_close_timer(&mut self, state: &mut LoopState) {
        if let Some(timer) = self.core.close_timer.take() {
            state.timers.cancel(timer);
        }
    }

    /// Starts the time that a connect may take.
    pub(crate) fn start_connect_timer(&mut self, state: &mut LoopState) {
        let limit = self.core.options.connect_timeout;
        self.start_close_timer(state, limit);
    }

    /// The time for connecting, sending the rest, or lingering is over.
    pub(crate) fn close_timer_expired(&mut self, state: &mut LoopState) {
        self.core.close_timer = None;
        match self.core.state {
            State::Connecting => {
                let error = ErrorKind::TimedOut("the connect").into();
                self.connect_failed(state, error);
            }
            State::Closing if self.core.pending_bytes() < self.core.close_pending => {
                let limit = self.core.options.close_timeout;
                self.start_close_timer(state, limit);
            }
            State::Closing => {
                tracing::info!("the peer did not take the rest in time");
                self.finish(state, CloseMode::Abort);
            }
            State::Lingering => self.finish(state, CloseMode::Orderly),
            State::Open | State::Closed => {}
        }
    }

    /// The end.
    pub(crate) fn finish(&mut self, state: &mut LoopState, mode: CloseMode) {
        if self.core.state == State::Closed {
            return;
        }
        self.core.state = State::Closed;
        self.stop_close_timer(state);
        if let Some(told) = self.core.on_connect.take() {
            told(Err(Error::closed()));
        }
        self.core.outbound.fail(Error::closed);
        self.core.fail_datagrams();
        if let (Some(handle), Some(transport)) =
            (self.core.handle.take(), state.transport_mut(self.core.transport))
        {
            transport.close(handle, mode);
        }
        let reason = *self.core.reason.get_or_insert(CloseReason::Local);
        state.stats.closed.count(reason);
        self.core.record_end();
        tracing::debug!(?reason, "closed");
        state.dead.push(self.core.key);
        // Stages that wait for offloaded work wait no longer: what lies in their inboxes, and
        // then the end, still reaches them.
        for slot in 0..self.pipeline.slots.len() {
            self.pipeline.slots[slot].flags &= !OFFLOADED;
        }
        self.drain_backlog(state);
        if self.core.was_active() {
            self.fire(state, Signal::Inactive);
        }
        self.fire(state, Signal::Unregistered);
        for timer in std::mem::take(&mut self.core.timers) {
            state.timers.cancel(timer);
        }
    }

    /// A handler panicked: its stage is dead, the others hear of the error and of the end.
    pub(crate) fn panicked(&mut self, state: &mut LoopState, message: String) {
        let slot = self.core.running;
        self.core.depth = 0;
        let stage = match self.pipeline.slots.get_mut(slot as usize) {
            Some(s) => {
                s.flags |= DEAD;
                s.name
            }
            None => "head",
        };
        for s in &mut self.pipeline.slots {
            // Whatever was under way above the panic is gone.
            s.flags &= !(crate::pipeline::slot::BUSY | crate::pipeline::slot::PULLING);
        }
        tracing::error!(stage, panic = message, "a handler panicked");
        self.core.reason.get_or_insert(CloseReason::Panic);
        if self.core.state != State::Closed {
            // An encoder may have been in the middle of a message.
            self.core.outbound.fail(Error::closed);
            self.core.abort_requested = true;
            let error: Error = ErrorKind::Panic { stage, message }.into();
            let next = self.pipeline.slots.get(slot as usize).map_or(self.first_in, |s| s.next_in);
            self.notify(state, next, Notice::Error(error), false);
            self.finish(state, CloseMode::Abort);
        }
    }

    /// The channel leaves the loop: handlers are let go, handles learn that it is over.
    pub(crate) fn retire(&mut self) {
        let _entered = self.core.span.enter();
        if self.core.state != State::Closed {
            self.core.record_end();
        }
        for s in &mut self.pipeline.slots {
            let Some(mut cell) = s.stage.take() else { continue };
            let vtable = s.vtable;
            let gone = catch_unwind(AssertUnwindSafe(move || {
                (vtable.removed)(&mut *cell);
                drop(cell);
            }));
            if gone.is_err() {
                tracing::error!(stage = s.name, "a handler panicked while it was removed");
            }
        }
        if let Some(shared) = &self.core.shared {
            shared.close(self.core.reason.unwrap_or(CloseReason::Local));
        }
    }
}

/// While the loop shuts down nobody waits longer for a peer's end.
const SHUTDOWN_LINGER_MAX: Duration = Duration::from_millis(200);

//! The stage that runs a future: it polls it in the channel's own turns, lets what it sent leave
//! through its context, and pauses reading when the future falls behind.
//!
//! ```text
//!   read ──> input queue ──> next().await ─┐
//!                                          │ the future, polled in the stage's methods
//!   cx.write <── output queue <── send() <─┘
//! ```
//!
//! So a message is answered in the turn in which it arrived, a panic of the future ends this
//! channel only, and a future that blocks the loop is reported by the name of its stage. When the
//! channel ends before the future does, the future goes on as a task of the loop.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use fyke_clock::TimerKey;
use tracing::Span;

use super::kick::{Kick, Kicked};
use super::state::{Shared, State, Waiters};
use super::{AsyncChannel, Limits};
use crate::channel::core::panic_text;
use crate::error::{CloseReason, Error, Result};
use crate::event::{Event, EventFilter};
use crate::handler::{Context, InboundHandler, Never};
use crate::pipeline::Ctx;

/// Timer: the stage was added to a pipeline that already runs.
const START: u64 = 0;
/// Timer: messages wait, and nobody has said that reading is complete.
const POLL: u64 = 1;
/// Timer: look again whether the channel is writable.
const RECHECK: u64 = 2;

/// A stage that was added while the channel was above its water mark looks so often whether it
/// still is, until it is told.
const RECHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The last stage of a pipeline, written as a future. Made by [`AsyncChannel::serve`].
pub struct AsyncStage<In, Out, F, Fut> {
    limits: Limits,
    serve: Option<F>,
    live: Option<Live<In, Out, Fut>>,
    start_timer: Option<TimerKey>,
    poll_timer: Option<TimerKey>,
    /// The channel reads by itself; otherwise only when the future waits for a message.
    auto_read: bool,
    /// A message has been asked for (with auto-read off).
    requested: bool,
    /// Nobody has told the stage whether the channel is writable; it has looked itself.
    writable_unsure: bool,
}

struct Live<In, Out, Fut> {
    shared: Rc<Shared<In, Out>>,
    waker: Waker,
    future: Option<Pin<Box<Fut>>>,
}

impl<In, Out, F, Fut> AsyncStage<In, Out, F, Fut> {
    pub(super) fn new(serve: F) -> Self {
        Self {
            limits: Limits::default(),
            serve: Some(serve),
            live: None,
            start_timer: None,
            poll_timer: None,
            auto_read: true,
            requested: false,
            writable_unsure: false,
        }
    }

    /// Reading is paused when `high` messages wait for the future, and goes on when `low` are left
    /// (32 and 8).
    ///
    /// A handler in front that turns one message into many may go beyond that by what it makes of
    /// one message.
    ///
    /// # Panics
    /// When `low >= high`.
    #[must_use]
    pub fn inbound_messages(mut self, low: usize, high: usize) -> Self {
        assert!(low < high, "the low mark {low} is not below the high one {high}");
        self.limits.inbound_low = low;
        self.limits.inbound_high = high;
        self
    }

    /// So many messages may be sent in one turn of the channel before its water marks are looked
    /// at again (32).
    ///
    /// # Panics
    /// When it is zero.
    #[must_use]
    pub fn outbound_messages_max(mut self, max: usize) -> Self {
        assert!(max > 0, "at least one message must have room");
        self.limits.outbound_max = max;
        self
    }
}

impl<In, Out, F, Fut> AsyncStage<In, Out, F, Fut>
where
    In: 'static,
    Out: 'static,
    F: FnOnce(AsyncChannel<In, Out>) -> Fut + 'static,
    Fut: Future<Output = Result<()>> + 'static,
{
    /// Makes the future, if there is none yet.
    fn start(&mut self, cx: &mut Context<'_, Self>) {
        let Some(serve) = self.serve.take() else { return };
        let kick = Arc::new(Kick::new(cx.channel()));
        let waker = Waker::from(Arc::clone(&kick));
        // From here on `writability_changed` tells. What it would have said before is unknown.
        let writable = cx.is_writable();
        if !writable {
            self.writable_unsure = true;
            cx.schedule(RECHECK_INTERVAL, RECHECK);
        }
        let state = RefCell::new(State::new(self.limits, writable));
        let shared = Rc::new(Shared { kick, state });
        let future = Box::pin(serve(AsyncChannel::new(Rc::clone(&shared))));
        self.live = Some(Live { shared, waker, future: Some(future) });
    }

    /// One turn of the stage: `change` is what has happened; then the future runs, if it was
    /// woken, and what it asked for is done.
    fn turn(&mut self, cx: &mut Context<'_, Self>, change: impl FnOnce(&mut State<In, Out>)) {
        self.start(cx);
        let Some(live) = &mut self.live else { return };
        let shared = Rc::clone(&live.shared);
        shared.kick.enter();
        let (receivers, senders, flushers) = {
            let mut state = shared.state.borrow_mut();
            change(&mut state);
            let receive = !state.input.is_empty() || state.input_ended;
            let receivers = if receive { state.receivers.take() } else { Default::default() };
            let send = state.has_room() || state.refuses();
            let senders = if send { state.senders.take() } else { Default::default() };
            (receivers, senders, state.watch_last_write(&live.waker))
        };
        receivers.wake();
        senders.wake();
        flushers.wake();
        let result = live.poll();
        let again = live.let_leave(cx);
        if let Some(result) = result {
            ended(cx, &shared, result);
        }
        self.see_to_reading(cx, &shared);
        shared.kick.leave(again);
    }

    fn see_to_reading(&mut self, cx: &mut Context<'_, Self>, shared: &Shared<In, Out>) {
        let mut state = shared.state.borrow_mut();
        if self.auto_read {
            let pause = state.wants_pause();
            if pause != state.paused {
                state.paused = pause;
                cx.set_auto_read(!pause);
            }
        } else if !self.requested && !state.input_ended && !state.receivers.is_empty() {
            self.requested = true;
            cx.request_read();
        }
    }

    /// Nothing more comes in, and what is there is handled now.
    fn end_input(&mut self, cx: &mut Context<'_, Self>) {
        self.turn(cx, |state| state.input_ended = true);
    }

    fn is_running(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.future.is_some())
    }

    /// The channel is gone, or the stage is.
    fn close(&mut self) {
        if let Some(live) = &self.live {
            let (lost, waiters) = live.shared.state.borrow_mut().close();
            drop(lost);
            waiters.into_iter().for_each(Waiters::wake);
        }
    }
}

impl<In, Out, Fut: Future<Output = Result<()>>> Live<In, Out, Fut> {
    fn poll(&mut self) -> Option<Result<()>> {
        let future = self.future.as_mut()?;
        if !self.shared.kick.take_woken() {
            return None;
        }
        match future.as_mut().poll(&mut task::Context::from_waker(&self.waker)) {
            Poll::Pending => None,
            Poll::Ready(result) => {
                self.future = None;
                Some(result)
            }
        }
    }

    /// Writes what the future has sent, and closes if it has asked for that. `true` when it waits
    /// to send more and there is room again; whether the channel is still writable shows in the
    /// next turn.
    fn let_leave(&self, cx: &mut Ctx<'_, Never, Out>) -> bool {
        loop {
            let next = self.shared.state.borrow_mut().pop_output();
            let Some((msg, promise)) = next else { break };
            cx.write_with(msg, promise);
        }
        let mut state = self.shared.state.borrow_mut();
        if std::mem::take(&mut state.shutdown_wanted) {
            cx.shutdown();
        }
        if std::mem::take(&mut state.close_wanted) {
            cx.close();
        }
        // The promise of what has just been written wakes the stage for those who wait for it.
        let flushers = state.watch_last_write(&self.waker);
        let again = !state.senders.is_empty() && (state.has_room() || state.refuses());
        drop(state);
        flushers.wake();
        again
    }
}

/// The future has ended, and so does the channel.
fn ended<In, Out>(cx: &mut Ctx<'_, Never, Out>, shared: &Shared<In, Out>, result: Result<()>) {
    let mut state = shared.state.borrow_mut();
    let waiters = state.end();
    let unread = std::mem::take(&mut state.input);
    let (closed, shutting_down) = (state.closed, state.shutting_down);
    // An error that the future did not look at is an error that nobody handled.
    let error = match result {
        Err(error) if !error.is_closed() => Some(error),
        _ => state.error.take(),
    };
    drop(state);
    drop(unread);
    waiters.into_iter().for_each(Waiters::wake);
    match error {
        Some(error) if closed => tracing::info!(%error, "a channel's future failed after the end"),
        Some(error) => cx.fire_error(error),
        None if closed => {}
        None if shutting_down => cx.close_with(CloseReason::Shutdown),
        None => cx.close(),
    }
}

/// A future that outlives its channel, as a task of the loop.
struct Orphan<Fut> {
    future: Pin<Box<Fut>>,
    span: Span,
}

impl<Fut: Future<Output = Result<()>>> Future for Orphan<Fut> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let _entered = this.span.enter();
        match catch_unwind(AssertUnwindSafe(|| this.future.as_mut().poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Err(error))) if !error.is_closed() => {
                tracing::info!(%error, "a channel's future failed after the end");
            }
            Ok(Poll::Ready(_)) => {}
            Err(panic) => {
                let message = panic_text(&*panic);
                tracing::error!(message, "a channel's future panicked after the end");
            }
        }
        Poll::Ready(())
    }
}

impl<In, Out, F, Fut> InboundHandler for AsyncStage<In, Out, F, Fut>
where
    In: 'static,
    Out: 'static,
    F: FnOnce(AsyncChannel<In, Out>) -> Fut + 'static,
    Fut: Future<Output = Result<()>> + 'static,
{
    type In = In;
    type Out = Never;
    type Write = Out;

    fn added(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.auto_read = cx.options().auto_read;
        // `registered` cancels it. In a pipeline that already runs, nothing else comes.
        self.start_timer = Some(cx.schedule(Duration::ZERO, START));
        Ok(())
    }

    fn removed(&mut self) {
        self.close();
        if let Some(live) = &mut self.live {
            live.future = None;
        }
    }

    fn registered(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if let Some(timer) = self.start_timer.take() {
            cx.cancel(timer);
        }
        cx.fire_registered();
        Ok(())
    }

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        cx.fire_active();
        self.turn(cx, |_| {});
        Ok(())
    }

    fn read(&mut self, cx: &mut Context<'_, Self>, msg: In) -> Result<()> {
        self.requested = false;
        self.start(cx);
        let Some(live) = &self.live else { return Ok(()) };
        let mut state = live.shared.state.borrow_mut();
        if state.input_ended {
            drop(state);
            drop(msg);
            return Ok(());
        }
        state.input.push_back(msg);
        let full = state.is_full();
        drop(state);
        if full {
            self.turn(cx, |_| {});
        } else if self.poll_timer.is_none() {
            // A batch is handed over at once: at the end of reading, or, when these messages were
            // not read from the transport just now, as soon as the loop comes to its timers.
            self.poll_timer = Some(cx.schedule(Duration::ZERO, POLL));
        }
        Ok(())
    }

    fn read_complete(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if let Some(timer) = self.poll_timer.take() {
            cx.cancel(timer);
            self.turn(cx, |_| {});
        }
        cx.fire_read_complete();
        Ok(())
    }

    fn read_closed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if self.is_running() {
            // The channel stays half open until the future ends: it may have answers to send.
            self.end_input(cx);
        } else {
            cx.fire_read_closed();
        }
        Ok(())
    }

    fn shutting_down(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if self.is_running() {
            self.turn(cx, |state| {
                state.shutting_down = true;
                state.input_ended = true;
            });
        } else {
            cx.fire_shutting_down();
        }
        Ok(())
    }

    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.writable_unsure = false;
        let writable = cx.is_writable();
        if self.live.is_some() {
            self.turn(cx, |state| state.writable = writable);
        }
        cx.fire_writability_changed();
        Ok(())
    }

    fn inactive(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.close();
        if self.is_running() {
            self.end_input(cx);
        }
        cx.fire_inactive();
        Ok(())
    }

    fn unregistered(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.close();
        if self.is_running() {
            self.end_input(cx);
        }
        if let Some(future) = self.live.as_mut().and_then(|live| live.future.take()) {
            cx.spawn(Orphan { future, span: Span::current() });
        }
        cx.fire_unregistered();
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Kicked>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        if event.is::<Kicked>() {
            self.turn(cx, |_| {});
        } else {
            cx.pass_event(event);
        }
        Ok(())
    }

    fn error(&mut self, cx: &mut Context<'_, Self>, error: Error) -> Result<()> {
        let mut error = Some(error);
        if self.is_running() {
            self.turn(cx, |state| {
                if !std::mem::replace(&mut state.failed, true) {
                    state.error = error.take();
                    state.input_ended = true;
                }
            });
        }
        if let Some(error) = error {
            cx.fire_error(error);
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_, Self>, tag: u64) -> Result<()> {
        match tag {
            RECHECK if self.writable_unsure => {
                let writable = cx.is_writable();
                self.writable_unsure = !writable;
                if !writable {
                    cx.schedule(RECHECK_INTERVAL, RECHECK);
                }
                self.turn(cx, |state| state.writable = writable);
            }
            RECHECK => {}
            _ => {
                if tag == POLL {
                    self.poll_timer = None;
                }
                self.turn(cx, |_| {});
            }
        }
        Ok(())
    }
}

impl<In, Out, F, Fut> fmt::Debug for AsyncStage<In, Out, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncStage")
            .field("limits", &self.limits)
            .field("running", &self.live.as_ref().is_some_and(|live| live.future.is_some()))
            .finish_non_exhaustive()
    }
}

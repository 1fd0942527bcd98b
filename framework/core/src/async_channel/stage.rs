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
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use fyke_clock::{Instant, TimerKey};
use tracing::Span;

use super::kick::{Kick, Kicked};
use super::live::{Live, Orphan};
use super::state::{Shared, State, Waiters};
use super::{AsyncChannel, Limits};
use crate::error::{Error, Result};
use crate::event::{Event, EventFilter};
use crate::handler::{Context, InboundHandler, Never};

/// Timer: the stage was added to a pipeline that already runs.
const START: u64 = 0;
/// Timer: look again whether the channel is writable.
const RECHECK: u64 = 1;
/// Timer: look again whether everything has been sent.
const FLUSHED: u64 = 2;

/// When somebody waits for messages that have left without a promise, and the peer is slow, the
/// stage looks so often whether they have been sent.
const FLUSHED_INTERVAL: Duration = Duration::from_millis(5);

/// A stage that was added while the channel was above its water mark looks so often whether it
/// still is, until it is told.
const RECHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The last stage of a pipeline, written as a future. Made by [`AsyncChannel::serve`].
pub struct AsyncStage<In, Out, F, Fut> {
    limits: Limits,
    serve: Option<F>,
    live: Option<Live<In, Out, Fut>>,
    start_timer: Option<TimerKey>,
    flushed_timer: Option<TimerKey>,
    /// How long to wait before looking whether everything has been sent.
    flushed_delay: Duration,
    /// When the channel closes, whether what is waited for has been sent or not.
    close_at: Option<Instant>,
    /// The channel reads by itself; otherwise only when the future waits for a message.
    auto_read: bool,
    /// A message has been asked for (with auto-read off).
    requested: bool,
    /// Nobody has told the stage whether the channel is writable; it has looked itself.
    writable_unsure: bool,
}

impl<In, Out, F, Fut> AsyncStage<In, Out, F, Fut> {
    pub(super) fn new(serve: F) -> Self {
        Self {
            limits: Limits::default(),
            serve: Some(serve),
            live: None,
            start_timer: None,
            flushed_timer: None,
            flushed_delay: Duration::ZERO,
            close_at: None,
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

    /// So many messages may be sent at once before the channel's water marks are looked at again
    /// (32). A turn looks twice, so twice as many may go above the high mark.
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
            live.ended(cx, result);
        }
        self.see_to_closing(cx, &shared);
        self.see_to_reading(cx, &shared);
        shared.kick.leave(again);
    }

    /// Closes when the future has asked for it. When it is unknown whether what left has been sent,
    /// that is found out first: of a closed channel it could not be told any more.
    fn see_to_closing(&mut self, cx: &mut Context<'_, Self>, shared: &Shared<In, Out>) {
        let mut state = shared.state.borrow_mut();
        let waits = state.waits_untracked() && !state.closed;
        if state.close_wanted {
            let (now, limit) = (cx.env().now(), cx.options().close_timeout);
            if !waits || now >= *self.close_at.get_or_insert(now + limit) {
                state.close_wanted = false;
                cx.close();
            }
        }
        if !waits {
            self.flushed_delay = Duration::ZERO;
        } else if self.flushed_timer.is_none() {
            // The first look comes in a turn of its own: what this one wrote has left by then.
            self.flushed_timer = Some(cx.schedule(self.flushed_delay, FLUSHED));
            self.flushed_delay = FLUSHED_INTERVAL;
        }
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
        let mut msg = Some(msg);
        self.turn(cx, |state| {
            if !state.input_ended {
                state.input.extend(msg.take());
            }
        });
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
            FLUSHED => {
                self.flushed_timer = None;
                let all_sent = cx.pending_bytes() == 0;
                self.turn(cx, |state| state.untracked &= !all_sent);
            }
            _ => {
                self.start_timer = None;
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

//! The future of a stage: polled by it while the channel lives, and by the loop afterwards.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, Waker};

use tracing::Span;

use super::state::{Shared, Waiters};
use crate::channel::core::panic_text;
use crate::error::{CloseReason, Result};
use crate::handler::Never;
use crate::pipeline::Ctx;

pub(super) struct Live<In, Out, Fut> {
    pub(super) shared: Rc<Shared<In, Out>>,
    pub(super) waker: Waker,
    pub(super) future: Option<Pin<Box<Fut>>>,
}

impl<In, Out, Fut: Future<Output = Result<()>>> Live<In, Out, Fut> {
    /// Runs the future, if it was woken. Its result when it has ended.
    pub(super) fn poll(&mut self) -> Option<Result<()>> {
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

    /// Writes what the future has sent, and ends our direction if it has asked for that.
    /// `true` when it waits to send more and there is room again; whether the channel is still
    /// writable shows in the next turn.
    pub(super) fn let_leave(&self, cx: &mut Ctx<'_, Never, Out>) -> bool {
        loop {
            let next = self.shared.state.borrow_mut().pop_output();
            let Some((msg, promise)) = next else { break };
            cx.write_with(msg, promise);
        }
        let mut state = self.shared.state.borrow_mut();
        if std::mem::take(&mut state.shutdown_wanted) {
            cx.shutdown();
        }
        // The promise of what has just been written wakes the stage for those who wait for it.
        let flushers = state.watch_last_write(&self.waker);
        let again = !state.senders.is_empty() && (state.has_room() || state.refuses());
        drop(state);
        flushers.wake();
        again
    }

    /// The future has ended, and so does the channel.
    pub(super) fn ended(&self, cx: &mut Ctx<'_, Never, Out>, result: Result<()>) {
        let mut state = self.shared.state.borrow_mut();
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
            Some(error) if closed => {
                tracing::info!(%error, "a channel's future failed after the end")
            }
            Some(error) => cx.fire_error(error),
            None if closed => {}
            None if shutting_down => cx.close_with(CloseReason::Shutdown),
            None => cx.close(),
        }
    }
}

/// A future that outlives its channel, as a task of the loop.
pub(super) struct Orphan<Fut> {
    pub(super) future: Pin<Box<Fut>>,
    pub(super) span: Span,
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
                let panic = panic_text(&*panic);
                tracing::error!(panic, "a channel's future panicked after the end");
            }
        }
        Poll::Ready(())
    }
}

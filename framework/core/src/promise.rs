//! Promises of writes: optional, one allocation when observed, none otherwise.
//!
//! A [`Promise`] travels with a message through the pipeline and is kept when the transport has
//! taken the message's last byte. Dropped on the way it fails, so nothing waits for ever.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Result};
use crate::turner;

/// The producer's end. Most are [`Promise::NONE`] and cost nothing.
#[must_use = "a dropped promise fails"]
#[derive(Default)]
pub struct Promise(Option<Observed>);

/// A promise that somebody observes; a separate type so that dropping one that nobody observes is
/// one comparison.
struct Observed(Arc<Cell>);

impl Drop for Observed {
    fn drop(&mut self) {
        self.0.finish_if_pending(|| Err(ErrorKind::Dropped.into()));
    }
}

#[derive(Default)]
struct Cell {
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Pending,
    Waiting(Waker),
    Done(Result<()>),
    Taken,
}

impl Promise {
    /// A promise that nobody observes.
    pub const NONE: Self = Self(None);

    /// A promise and the future that observes it.
    pub fn new() -> (Self, WriteFuture) {
        let cell = Arc::new(Cell::default());
        (Self(Some(Observed(Arc::clone(&cell)))), WriteFuture(cell))
    }

    /// Whether anybody observes it.
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.0.is_some()
    }

    /// Keeps it.
    #[inline]
    pub fn succeed(self) {
        if let Some(observed) = self.0 {
            observed.0.finish_if_pending(|| Ok(()));
        }
    }

    /// Fails it.
    pub fn fail(self, error: Error) {
        if let Some(observed) = self.0 {
            observed.0.finish_if_pending(|| Err(error));
        }
    }
}

impl Cell {
    /// The first result is the one that counts.
    #[cold]
    fn finish_if_pending(&self, result: impl FnOnce() -> Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Done(_) | State::Taken) {
            return;
        }
        let before = std::mem::replace(&mut *state, State::Done(result()));
        drop(state);
        self.done.notify_all();
        if let State::Waiting(waker) = before {
            waker.wake();
        }
    }
}

impl fmt::Debug for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise").field("observed", &self.is_observed()).finish()
    }
}

/// Becomes ready when the transport has taken the message, or when that has become impossible.
///
/// Await it on any executor (also with the loop's own `spawn`), or block a thread that is not a
/// loop's with [`wait`](Self::wait).
#[must_use = "a future does nothing until it is awaited; drop it if you do not care"]
pub struct WriteFuture(Arc<Cell>);

impl WriteFuture {
    /// Blocks this thread until the promise is kept or broken. Never call it on a loop.
    ///
    /// # Errors
    /// Why the message was not sent.
    pub fn wait(mut self) -> Result<()> {
        if let Some(result) = turner::wait_for(|| self.try_result()) {
            return result?;
        }
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::replace(&mut *state, State::Taken) {
                State::Done(result) => return result,
                State::Taken => return Err(ErrorKind::Dropped.into()),
                before => *state = before,
            }
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The result, if there is one already.
    pub fn try_result(&mut self) -> Option<Result<()>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Done(result) => Some(result),
            before => {
                *state = before;
                None
            }
        }
    }
}

impl Future for WriteFuture {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Taken) {
            State::Done(result) => Poll::Ready(result),
            State::Taken => Poll::Ready(Err(ErrorKind::Dropped.into())),
            State::Pending | State::Waiting(_) => {
                *state = State::Waiting(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for WriteFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteFuture")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_broken_and_dropped() {
        let (promise, future) = Promise::new();
        promise.succeed();
        assert!(future.wait().is_ok());
        let (promise, mut future) = Promise::new();
        assert!(future.try_result().is_none());
        promise.fail(Error::closed());
        assert!(future.try_result().is_some_and(|r| r.is_err_and(|e| e.is_closed())));
        let (promise, future) = Promise::new();
        drop(promise);
        assert!(matches!(future.wait().unwrap_err().kind(), ErrorKind::Dropped));
    }

    #[test]
    fn wakes_another_thread() {
        let (promise, future) = Promise::new();
        let waiter = std::thread::spawn(move || future.wait());
        promise.succeed();
        assert!(waiter.join().unwrap().is_ok());
    }
}

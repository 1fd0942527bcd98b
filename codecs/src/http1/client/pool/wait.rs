//! Waiting for a connection that another call uses.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What is granted, once it is.
#[derive(Debug)]
pub(super) struct Waiting<C>(Mutex<(Option<Option<C>>, Option<Waker>)>);

impl<C> Waiting<C> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((None, None))))
    }

    /// Hands over a connection, or the right to make one.
    pub(super) fn grant(&self, connection: Option<C>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(connection);
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<C>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(granted) => Poll::Ready(granted),
            None => {
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// What was granted and nobody has taken.
    pub(super) fn take(&self) -> Option<Option<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

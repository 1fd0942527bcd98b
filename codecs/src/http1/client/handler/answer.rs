//! A request with a promise of its answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use fyke_core::{CodecError, Error, ErrorKind};

use super::aggregator::ClientResponse;
use crate::http1::client::ClientRequest;

/// Why a call came to nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// Nothing of the request has been sent, and the connection takes no more: it may be sent on
    /// another one.
    Unsent(Box<ClientRequest>),
    /// The connection ended before the response was complete. Whether the server has acted on the
    /// request is not known.
    Closed,
    /// The response did not come in time.
    TimedOut,
    /// Too many calls wait already.
    QueueFull,
    /// The request cannot be sent, the response cannot be read, or there is no connection.
    Failed(Error),
}

impl CallError {
    /// Whether the connection ended before the response was complete.
    #[must_use]
    pub fn is_disconnect(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Failed(error) => {
                let truncated =
                    matches!(error.kind(), ErrorKind::Codec(CodecError::Truncated { .. }));
                truncated || error.is_reset() || error.is_closed()
            }
            _ => false,
        }
    }

    /// Whether something took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut) || matches!(self, Self::Failed(error) if error.is_timeout())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsent(_) => f.write_str("the connection takes no more requests"),
            Self::Closed => f.write_str("the connection ended before the response was complete"),
            Self::TimedOut => f.write_str("the response did not come in time"),
            Self::QueueFull => f.write_str("too many requests wait already"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

type Outcome = Result<ClientResponse, CallError>;

#[derive(Default)]
struct Cell {
    state: Mutex<(Option<Outcome>, Option<Waker>)>,
    done: Condvar,
}

/// The producer's end; dropped, the call has failed with [`CallError::Closed`].
pub(super) struct Answer(Option<Arc<Cell>>);

impl Answer {
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.put(outcome);
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.0.as_ref().is_none_or(|cell| Arc::strong_count(cell) == 1)
    }

    fn put(&mut self, outcome: Outcome) {
        let Some(cell) = self.0.take() else { return };
        let mut state = cell.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(outcome);
        let waker = state.1.take();
        drop(state);
        cell.done.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.put(Err(CallError::Closed));
    }
}

/// A request whose answer somebody waits for: what an [`HttpClientHandler`](super::HttpClientHandler)
/// takes. Dropped on its way there, it has not been sent, and the call's future says so.
pub struct HttpCall(Option<(ClientRequest, Answer)>);

impl HttpCall {
    /// A call, and the future of its answer.
    pub fn new(request: ClientRequest) -> (Self, ResponseFuture) {
        let cell = Arc::new(Cell::default());
        let answer = Answer(Some(Arc::clone(&cell)));
        (Self(Some((request, answer))), ResponseFuture(cell))
    }

    pub(super) fn take(mut self) -> Option<(ClientRequest, Answer)> {
        self.0.take()
    }
}

impl Drop for HttpCall {
    fn drop(&mut self) {
        if let Some((request, answer)) = self.0.take() {
            answer.finish(Err(CallError::Unsent(Box::new(request))));
        }
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.0.as_ref().map(|(request, _)| request);
        f.debug_struct("HttpCall").field("request", &request).finish_non_exhaustive()
    }
}

/// Becomes ready when the response has arrived whole, or cannot. Await it on any executor, or
/// [`wait`](Self::wait).
#[must_use = "a future does nothing until it is awaited; a call nobody waits for is not sent"]
pub struct ResponseFuture(Arc<Cell>);

impl ResponseFuture {
    /// Blocks this thread until the response is there. Never call it on a loop.
    ///
    /// # Errors
    /// Why there is none.
    pub fn wait(self) -> Outcome {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = state.0.take() {
                return outcome;
            }
            state = self.0.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The outcome, if there is one already.
    pub fn try_outcome(&mut self) -> Option<Outcome> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).0.take()
    }
}

impl Future for ResponseFuture {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}

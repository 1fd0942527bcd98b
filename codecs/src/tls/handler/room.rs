//! How a file waits until the transport has taken a piece of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use fyke_core::{Channel, Promise, WriteFuture};

/// A user event for the stage: the transport has taken what it waited for.
#[derive(Debug)]
pub(super) struct Room;

struct Knock(Channel);

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        // A channel that is closed has no stage that waits.
        let _ = self.0.fire_event(Room);
    }
}

/// A piece on its way to the transport.
pub(super) struct Waiting {
    taken: WriteFuture,
    waker: Waker,
}

impl Waiting {
    /// The promise to send with the piece.
    pub(super) fn new(channel: Channel) -> (Promise, Self) {
        let (promise, taken) = Promise::new();
        (promise, Self { taken, waker: Waker::from(Arc::new(Knock(channel))) })
    }

    /// Whether it has arrived there, or never will. When not, a [`Room`] follows.
    pub(super) fn is_over(&mut self) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        matches!(Pin::new(&mut self.taken).poll(&mut cx), Poll::Ready(_))
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

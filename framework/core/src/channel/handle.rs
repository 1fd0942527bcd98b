//! A channel, seen from anywhere.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};

use crate::address::Address;
use crate::channel::ChannelKey;
use crate::channel::mailbox::{ChannelShared, Entry};
use crate::channel::sender::Sender;
use crate::error::{CloseReason, LinkError, Result};
use crate::event_loop::LoopHandle;
use crate::handler::Never;
use crate::pipeline::Ctx;
use crate::turner;

/// A handle of a channel: `Clone + Send + Sync`. What it is asked for happens on the channel's
/// loop, in the order of asking.
#[derive(Clone)]
pub struct Channel(Arc<ChannelShared>);

/// Which channel: unique among the living channels of a process's loops.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChannelId {
    event_loop: u32,
    index: u32,
    generation: u32,
}

impl ChannelId {
    pub(crate) fn new(event_loop: u32, ChannelKey { index, generation }: ChannelKey) -> Self {
        Self { event_loop, index, generation }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.event_loop, self.index, self.generation)
    }
}

impl Channel {
    pub(crate) fn of(shared: Arc<ChannelShared>) -> Self {
        Self(shared)
    }

    /// Which channel this is.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        ChannelId::new(self.0.home.id(), self.0.key)
    }

    /// The loop it lives on.
    #[must_use]
    pub fn event_loop(&self) -> &LoopHandle {
        &self.0.home
    }

    /// The address of the other side.
    #[must_use]
    pub fn peer_address(&self) -> Option<&Address> {
        self.0.peer.as_ref()
    }

    /// The address of our side.
    #[must_use]
    pub fn local_address(&self) -> Option<&Address> {
        self.0.local.as_ref()
    }

    /// Whether it is below its water marks.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.0.is_writable()
    }

    /// Why it is closed; `None` while it is open.
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.0.closed()
    }

    /// A sender of messages of type `M`, which is what the last stage that writes must take
    /// ([`Outgoing`](crate::Outgoing) when there is none). While it is in use, edits that would
    /// change that type fail.
    ///
    /// # Errors
    /// [`LinkError::Mismatch`] naming both types.
    pub fn sender<M: Send + 'static>(&self) -> Result<Sender<M>, LinkError> {
        self.0.sender()
    }

    /// Sends what was written.
    ///
    /// # Errors
    /// When the channel is closed.
    pub fn flush(&self) -> Result<()> {
        self.0.put(Entry::Flush)
    }

    /// Closes it after what was written has been sent; [`closed`](Self::closed) says when that is
    /// done. Closing a closed channel does nothing.
    pub fn close(&self) {
        self.close_with(CloseReason::Local);
    }

    /// The same, with a reason.
    pub fn close_with(&self, reason: CloseReason) {
        // A closed channel is what was asked for.
        let _ = self.0.put(Entry::Close(reason));
    }

    /// Closes it at once, with a reset where the protocol has one.
    pub fn abort(&self) {
        let _ = self.0.put(Entry::Abort);
    }

    /// Ends our direction after what was written has been sent.
    ///
    /// # Errors
    /// When the channel is closed.
    pub fn shutdown(&self) -> Result<()> {
        self.0.put(Entry::Shutdown)
    }

    /// Sends a user event through the pipeline, from the head to the tail, to the handlers that
    /// asked for its type. Nothing limits how many wait.
    ///
    /// # Errors
    /// When the channel is closed.
    pub fn fire_event<E: Any + Send>(&self, event: E) -> Result<()> {
        self.0.put(Entry::Event(Box::new(event)))
    }

    /// Reads without being asked, or not.
    ///
    /// # Errors
    /// When the channel is closed.
    pub fn set_auto_read(&self, on: bool) -> Result<()> {
        self.0.put(Entry::AutoRead(on))
    }

    /// Runs `task` on the channel's loop with a context at the tail of its pipeline. It costs an
    /// allocation, and nothing limits how many wait.
    ///
    /// # Errors
    /// When the channel is closed. A task that waits when it closes is dropped.
    pub fn execute(
        &self,
        task: impl FnOnce(&mut Ctx<'_, Never, Never>) + Send + 'static,
    ) -> Result<()> {
        self.0.put(Entry::Run(Box::new(task)))
    }

    /// Becomes ready when the channel is closed, with the reason.
    pub fn closed(&self) -> impl Future<Output = CloseReason> + Send + 'static {
        let shared = Arc::clone(&self.0);
        poll_fn(move |cx| shared.poll_closed(cx.waker()))
    }

    /// Blocks this thread until the channel is closed. Never call it on a loop.
    ///
    /// # Panics
    /// In a simulation, when the channel will never be closed: nothing is left to do there.
    #[must_use]
    pub fn wait_closed(&self) -> CloseReason {
        let parker = Arc::new(Parker::default());
        let waker = Waker::from(Arc::clone(&parker));
        let turned = turner::wait_for(|| match self.0.poll_closed(&waker) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => None,
        });
        match turned {
            Some(Ok(reason)) => return reason,
            Some(Err(error)) => panic!("the channel is not closed: {error}"),
            None => {}
        }
        loop {
            if let Poll::Ready(reason) = self.0.poll_closed(&waker) {
                return reason;
            }
            parker.park();
        }
    }

    /// A copy of the shared attribute of type `T`.
    #[must_use]
    pub fn attribute<T: Clone + Send + 'static>(&self) -> Option<T> {
        self.0.attributes.lock().unwrap_or_else(PoisonError::into_inner).get().cloned()
    }

    /// Sets the shared attribute of its type; answers the one before. Shared attributes are for
    /// handles; handlers have their own, [`Ctx::attribute`].
    pub fn set_attribute<T: Send + 'static>(&self, value: T) -> Option<T> {
        self.0.attributes.lock().unwrap_or_else(PoisonError::into_inner).set(value)
    }
}

impl PartialEq for Channel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Channel {}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("id", &format_args!("{}", self.id()))
            .field("peer", &self.0.peer)
            .finish_non_exhaustive()
    }
}

/// Blocks a thread until a waker is used.
#[derive(Default)]
struct Parker {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Parker {
    fn park(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = self.condition.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_one();
    }
}

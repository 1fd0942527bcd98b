//! The one ticketed queue of a channel: everything that its handles do, in the order in which they
//! did it, from whatever thread. Messages keep their type, so nothing is boxed.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::address::Address;
use crate::channel::attributes::SharedAttributes;
use crate::channel::sender::Sender;
use crate::channel::{ChannelKey, LocalChannel};
use crate::error::{CloseReason, Error, LinkError, Result};
use crate::event_loop::LoopHandle;
use crate::event_loop::state::LoopState;
use crate::handler::Never;
use crate::pipeline::Ctx;
use crate::pipeline::link::TypeRow;
use crate::promise::Promise;

/// So many things may wait in one mailbox; a sender gets its message back beyond that.
pub const MAILBOX_ENTRIES_MAX: usize = 65_536;

/// Work on a channel, on its loop.
pub(crate) type ChannelTask = Box<dyn FnOnce(&mut Ctx<'_, Never, Never>) + Send>;

pub(crate) enum Entry {
    /// The next message of the typed queue of that number.
    Message(u32),
    Flush,
    Close(CloseReason),
    Abort,
    Shutdown,
    Event(Box<dyn Any + Send>),
    Run(ChannelTask),
    AutoRead(bool),
}

#[derive(Default)]
pub(super) struct Mailbox {
    pub(super) entries: VecDeque<Entry>,
    queues: Vec<Arc<dyn AnyQueue>>,
    /// The loop knows that something waits.
    scheduled: bool,
    pub(super) closed: Option<CloseReason>,
    close_waiters: Vec<Waker>,
    write_waiters: Vec<Waker>,
    tail: Option<TypeRow>,
}

/// What handles and the loop share of a channel. Made when the first handle is asked for.
pub(crate) struct ChannelShared {
    pub(crate) key: ChannelKey,
    pub(crate) home: LoopHandle,
    pub(crate) peer: Option<Address>,
    pub(crate) local: Option<Address>,
    mailbox: Mutex<Mailbox>,
    /// Entries ever put in: the ticket of the next one.
    issued: AtomicU64,
    writable: AtomicBool,
    pub(crate) attributes: Mutex<SharedAttributes>,
}

trait AnyQueue: Send + Sync {
    fn writes(&self) -> TypeRow;
    /// Sends the first message into the pipeline's tail.
    fn deliver(self: Arc<Self>, channel: &mut LocalChannel, state: &mut LoopState);
    fn is_empty(&self) -> bool;
    /// Drops everything; the promises fail.
    fn clear(&self);
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

pub(super) struct TypedQueue<M>(pub(super) Mutex<VecDeque<(M, Promise)>>);

impl<M: Send + 'static> AnyQueue for TypedQueue<M> {
    fn writes(&self) -> TypeRow {
        TypeRow::of::<M>()
    }

    fn deliver(self: Arc<Self>, channel: &mut LocalChannel, state: &mut LoopState) {
        let first = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        // Nobody must take this for a sender in use while the message travels.
        drop(self);
        if let Some((msg, promise)) = first {
            channel.write_from_tail(state, msg, promise);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn clear(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (_, promise) in all {
            promise.fail(Error::closed());
        }
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl ChannelShared {
    pub(crate) fn new(
        key: ChannelKey,
        home: LoopHandle,
        peer: Option<Address>,
        local: Option<Address>,
        writable: bool,
    ) -> Self {
        Self {
            key,
            home,
            peer,
            local,
            mailbox: Mutex::default(),
            issued: AtomicU64::new(0),
            writable: AtomicBool::new(writable),
            attributes: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Mailbox> {
        self.mailbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ticket of the next entry.
    #[inline]
    pub(crate) fn issued(&self) -> u64 {
        self.issued.load(Ordering::Acquire)
    }

    /// Puts an entry in and tells the loop, once a batch.
    pub(crate) fn put(&self, entry: Entry) -> Result<()> {
        self.put_locked(self.lock(), entry)
    }

    pub(super) fn put_locked(
        &self,
        mut mailbox: MutexGuard<'_, Mailbox>,
        entry: Entry,
    ) -> Result<()> {
        if mailbox.closed.is_some() {
            return Err(Error::closed());
        }
        mailbox.entries.push_back(entry);
        self.issued.fetch_add(1, Ordering::Release);
        let tell = !std::mem::replace(&mut mailbox.scheduled, true);
        drop(mailbox);
        if tell && self.home.channel_ready(self.key).is_err() {
            self.close(CloseReason::Shutdown);
            return Err(Error::closed());
        }
        Ok(())
    }

    /// The loop has seen that something waits; later entries tell it again.
    pub(crate) fn seen(&self) {
        self.lock().scheduled = false;
    }

    pub(crate) fn pop(&self) -> Option<Entry> {
        self.lock().entries.pop_front()
    }

    pub(crate) fn deliver(&self, queue: u32, channel: &mut LocalChannel, state: &mut LoopState) {
        let queue = self.lock().queues.get(queue as usize).cloned();
        if let Some(queue) = queue {
            queue.deliver(channel, state);
        }
    }

    /// Refuses a tail that senders in use do not write, or that does not take what they have sent
    /// and was not delivered yet. Remembers the new one.
    pub(crate) fn set_tail(&self, tail: TypeRow) -> Result<(), LinkError> {
        let mut mailbox = self.lock();
        let broken = mailbox
            .queues
            .iter()
            .filter(|queue| Arc::strong_count(queue) > 1 || !queue.is_empty())
            .find(|queue| !queue.writes().is(&tail));
        if let Some(queue) = broken {
            let writes = queue.writes().name;
            return Err(LinkError::SenderInUse { writes, takes: tail.name });
        }
        mailbox.tail = Some(tail);
        Ok(())
    }

    pub(crate) fn set_writable(&self, writable: bool) {
        self.writable.store(writable, Ordering::Release);
        if writable {
            self.wake_writers();
        }
    }

    fn wake_writers(&self) {
        let waiters = std::mem::take(&mut self.lock().write_waiters);
        waiters.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Acquire)
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.lock().closed
    }

    pub(crate) fn close(&self, reason: CloseReason) {
        let mut mailbox = self.lock();
        if mailbox.closed.is_some() {
            return;
        }
        mailbox.closed = Some(reason);
        let waiters = std::mem::take(&mut mailbox.close_waiters);
        let queues = std::mem::take(&mut mailbox.queues);
        let entries = std::mem::take(&mut mailbox.entries);
        drop(mailbox);
        drop(entries);
        queues.iter().for_each(|queue| queue.clear());
        waiters.into_iter().for_each(Waker::wake);
        self.wake_writers();
    }

    pub(crate) fn poll_closed(&self, waker: &Waker) -> Poll<CloseReason> {
        let mut mailbox = self.lock();
        if let Some(reason) = mailbox.closed {
            return Poll::Ready(reason);
        }
        add_waiter(&mut mailbox.close_waiters, waker);
        Poll::Pending
    }

    /// Ready with `true` when writable, with `false` when closed.
    pub(super) fn poll_writable(&self, waker: &Waker) -> Poll<bool> {
        let mut mailbox = self.lock();
        if mailbox.closed.is_some() {
            return Poll::Ready(false);
        }
        if self.is_writable() {
            return Poll::Ready(true);
        }
        add_waiter(&mut mailbox.write_waiters, waker);
        Poll::Pending
    }

    pub(crate) fn sender<M: Send + 'static>(self: &Arc<Self>) -> Result<Sender<M>, LinkError> {
        let mut mailbox = self.lock();
        let writes = TypeRow::of::<M>();
        if let Some(tail) = mailbox.tail
            && !tail.is(&writes)
        {
            return Err(LinkError::Mismatch {
                direction: "outbound",
                from: "sender",
                produces: writes.name,
                to: "tail",
                takes: tail.name,
            });
        }
        let known = mailbox.queues.iter().position(|queue| queue.writes().is(&writes));
        let index = known.unwrap_or_else(|| {
            mailbox.queues.push(Arc::new(TypedQueue::<M>(Mutex::default())));
            mailbox.queues.len() - 1
        });
        let queue = Arc::clone(&mailbox.queues[index]).as_any();
        drop(mailbox);
        let Ok(queue) = queue.downcast::<TypedQueue<M>>() else {
            unreachable!("the queue was found by its type")
        };
        Ok(Sender::new(Arc::clone(self), queue, index as u32))
    }
}

fn add_waiter(waiters: &mut Vec<Waker>, waker: &Waker) {
    if !waiters.iter().any(|other| other.will_wake(waker)) {
        waiters.push(waker.clone());
    }
}

//! What other threads see of a loop: a place to put work, and one wake a batch.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_task::Runnable;

use crate::channel::ChannelKey;
use crate::driver::{TransportId, Wakeup};
use crate::event_loop::{Adopt, LoopCore};

/// Work for a loop, from any thread.
pub(crate) type Task = Box<dyn FnOnce(&mut LoopCore) + Send>;

/// What waits for a loop. Swapped out whole, so that a batch costs one lock.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) tasks: Vec<Task>,
    /// Channels whose mailboxes have something.
    pub(crate) channels: Vec<ChannelKey>,
    pub(crate) runnables: Vec<Runnable>,
    /// Keys of things in a transport that another thread has changed.
    pub(crate) notices: Vec<(TransportId, u64)>,
}

impl Inbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
            && self.channels.is_empty()
            && self.runnables.is_empty()
            && self.notices.is_empty()
    }
}

pub(crate) struct LoopShared {
    pub(crate) id: u32,
    inbox: Mutex<Inbox>,
    /// Whether the inbox holds anything. Written under its lock only; read without, so that a turn
    /// that nobody gave anything to takes no lock.
    filled: AtomicBool,
    /// The loop waits, or is about to: whoever clears this wakes it.
    sleeping: AtomicBool,
    /// No work is taken any more.
    ended: AtomicBool,
    waker: Arc<dyn Wakeup>,
    /// Nanoseconds of work in the last measured window, per second: the measured load.
    pub(crate) load: AtomicU64,
    /// How often the loop went to sleep, now and at the last tick.
    sleeps: AtomicU64,
    sleeps_at_tick: AtomicU64,
    /// Channels (listeners not counted).
    pub(crate) channels: AtomicU32,
    /// Connections that are on their way here.
    incoming: AtomicU32,
    /// Advanced by a ticker now and then; see `event_loop::stall`.
    pub(crate) ticks: AtomicU64,
}

/// A loop, seen from anywhere: `Clone + Send + Sync`.
#[derive(Clone)]
pub struct LoopHandle(pub(crate) Arc<LoopShared>);

/// The loop has ended and takes no work any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoopEnded;

impl fmt::Display for LoopEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop has ended")
    }
}

impl std::error::Error for LoopEnded {}

impl LoopHandle {
    pub(crate) fn new(id: u32, waker: Arc<dyn Wakeup>) -> Self {
        Self(Arc::new(LoopShared {
            id,
            inbox: Mutex::default(),
            filled: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            waker,
            load: AtomicU64::new(0),
            sleeps: AtomicU64::new(0),
            sleeps_at_tick: AtomicU64::new(0),
            channels: AtomicU32::new(0),
            incoming: AtomicU32::new(0),
            ticks: AtomicU64::new(0),
        }))
    }

    /// The loop's number in its group.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Whether both are the same loop.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The measured load: nanoseconds of work per second of the last window.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load.load(Ordering::Relaxed)
    }

    /// How many channels live on it.
    #[must_use]
    pub fn channels(&self) -> u32 {
        self.0.channels.load(Ordering::Relaxed)
    }

    /// Channels, and connections that are on their way to become channels.
    #[must_use]
    pub fn population(&self) -> u32 {
        self.channels() + self.0.incoming.load(Ordering::Relaxed)
    }

    /// Sends an accepted connection to this loop.
    ///
    /// # Errors
    /// [`LoopEnded`]; the connection is closed.
    pub fn adopt(&self, adopt: Adopt) -> Result<(), LoopEnded> {
        self.0.incoming.fetch_add(1, Ordering::Relaxed);
        let sent = self.execute(move |core| {
            core.handle().0.incoming.fetch_sub(1, Ordering::Relaxed);
            core.adopt_or_log(adopt);
        });
        if sent.is_err() {
            self.0.incoming.fetch_sub(1, Ordering::Relaxed);
        }
        sent
    }

    /// Whether the loop has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// Advances the coarse tick by which the loop notices a handler that blocks it.
    pub fn tick(&self) {
        self.0.ticks.fetch_add(1, Ordering::Relaxed);
        let sleeps = self.0.sleeps.load(Ordering::Relaxed);
        let same = self.0.sleeps_at_tick.swap(sleeps, Ordering::Relaxed) == sleeps;
        if same && self.0.sleeping.load(Ordering::Relaxed) {
            // It measures its load when it works. One that has slept since the last tick would
            // keep that of its last busy moment, and be given nothing for ever.
            let load = self.0.load.load(Ordering::Relaxed);
            self.0.load.store(load / 2, Ordering::Relaxed);
        }
    }

    /// Runs `task` on the loop, after what was given to it before.
    ///
    /// # Errors
    /// [`LoopEnded`]; the task is dropped.
    pub fn execute(
        &self,
        task: impl FnOnce(&mut LoopCore) + Send + 'static,
    ) -> Result<(), LoopEnded> {
        self.post(|inbox| inbox.tasks.push(Box::new(task)))
    }

    /// Tells a transport of this loop that `key` has changed; its `ready` is called with it.
    ///
    /// # Errors
    /// [`LoopEnded`].
    pub fn notify(&self, transport: TransportId, key: u64) -> Result<(), LoopEnded> {
        self.post(|inbox| inbox.notices.push((transport, key)))
    }

    pub(crate) fn channel_ready(&self, key: ChannelKey) -> Result<(), LoopEnded> {
        self.post(|inbox| inbox.channels.push(key))
    }

    pub(crate) fn run(&self, runnable: Runnable) {
        let mut runnable = Some(runnable);
        if self.post(|inbox| inbox.runnables.extend(runnable.take())).is_err() {
            // The loop has ended. A future that is not `Send` must not be dropped on this thread.
            std::mem::forget(runnable);
        }
    }

    fn post(&self, put: impl FnOnce(&mut Inbox)) -> Result<(), LoopEnded> {
        let mut inbox = self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_ended() {
            return Err(LoopEnded);
        }
        put(&mut inbox);
        // Before `sleeping` is looked at, as the loop says that it sleeps before it looks at this: one
        // of the two sees the other.
        self.0.filled.store(true, Ordering::SeqCst);
        drop(inbox);
        if self.0.sleeping.swap(false, Ordering::SeqCst) {
            self.0.waker.wake();
        }
        Ok(())
    }

    /// Whether something waits.
    pub(crate) fn has_work(&self) -> bool {
        self.0.filled.load(Ordering::SeqCst)
    }

    /// Swaps what waits into `batch` (which must be empty).
    pub(crate) fn take(&self, batch: &mut Inbox) {
        debug_assert!(batch.is_empty());
        if self.has_work() {
            let mut inbox = self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.filled.store(false, Ordering::SeqCst);
            std::mem::swap(&mut *inbox, batch);
        }
    }

    /// Announces that the loop is about to wait; `false` when there is work after all.
    pub(crate) fn prepare_to_sleep(&self) -> bool {
        // Nobody else writes this, so it needs no locked instruction.
        let sleeps = self.0.sleeps.load(Ordering::Relaxed);
        self.0.sleeps.store(sleeps.wrapping_add(1), Ordering::Relaxed);
        self.0.sleeping.store(true, Ordering::SeqCst);
        let idle = !self.has_work();
        if !idle {
            self.awake();
        }
        idle
    }

    pub(crate) fn awake(&self) {
        self.0.sleeping.store(false, Ordering::Relaxed);
    }

    /// No more work is taken; answers what was still waiting.
    pub(crate) fn end(&self) -> Inbox {
        let mut inbox = self.0.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.ended.store(true, Ordering::Release);
        self.0.filled.store(false, Ordering::SeqCst);
        std::mem::take(&mut *inbox)
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopHandle")
            .field("id", &self.0.id)
            .field("channels", &self.channels())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;

    impl Wakeup for Nobody {
        fn wake(&self) {}
    }

    #[test]
    fn the_load_of_a_loop_that_sleeps_fades() {
        let handle = LoopHandle::new(0, Arc::new(Nobody));
        handle.0.load.store(1_000_000_000, Ordering::Relaxed);
        handle.tick();
        handle.tick();
        assert_eq!(handle.load(), 1_000_000_000, "it works all the time");
        for _ in 0..3 {
            assert!(handle.prepare_to_sleep());
            handle.tick();
            handle.awake();
        }
        assert_eq!(handle.load(), 1_000_000_000, "it works now and then");
        assert!(handle.prepare_to_sleep());
        (0..5).for_each(|_| handle.tick());
        assert!(handle.load() < 100_000_000, "{}", handle.load());
    }
}

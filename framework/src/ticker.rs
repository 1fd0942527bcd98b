//! A thread that does something every now and then, until it is told to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Ends a periodic thread without waiting for its period.
#[derive(Default)]
pub(crate) struct Ticker {
    ended: AtomicBool,
    lock: Mutex<()>,
    condition: Condvar,
}

impl Ticker {
    /// Waits for one period; `true` when it is over.
    pub(crate) fn wait(&self, period: Duration) -> bool {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ended.load(Ordering::Acquire) {
            drop(self.condition.wait_timeout(lock, period));
        }
        self.ended.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.store(true, Ordering::Release);
        drop(lock);
        self.condition.notify_all();
    }
}

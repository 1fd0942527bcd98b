//! A lock that is tried, never waited for (this crate is `no_std`, and a pool that waits for
//! another thread would be slower than the allocator it shall spare).

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

/// A value for one thread at a time.
pub(crate) struct TryLock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `taken` lets only one guard exist at a time, so the value is only ever used by one
// thread, and moves between threads only in this sense: `T: Send` is enough.
unsafe impl<T: Send> Sync for TryLock<T> {}

impl<T> TryLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// The value, unless somebody has it now.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        if self.taken.swap(true, Ordering::Acquire) { None } else { Some(Guard { lock: self }) }
    }
}

/// Gives the value back when dropped.
pub(crate) struct Guard<'a, T> {
    lock: &'a TryLock<T>,
}

// SAFETY: sharing a guard shares `&T`. (Without this the automatic rule would ask only for
// `TryLock<T>: Sync`, that is `T: Send`, which is not enough.)
unsafe impl<T: Sync> Sync for Guard<'_, T> {}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one (see `try_lock`).
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, and it is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.taken.store(false, Ordering::Release);
    }
}

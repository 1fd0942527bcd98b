//! The lock-free stack on which idle blocks wait (a Treiber stack, popped all at once).
//!
//! Why there is no ABA problem and no use after free:
//! - `push` writes `block.next = h` and then swings the head from `h` to the block, if the head
//!   still *is* `h`. It never looks inside `h`. If other threads emptied the stack in between
//!   and `h` came back, then `h` is the head again and the link is right, whatever the history.
//! - `take_all` swaps the head for null. It needs no expected value, so no ABA either, and
//!   whoever gets the chain is its only owner: no other thread can still reach these blocks,
//!   because the head was the only pointer to them and pushers never follow it.
//! - Release (push) and Acquire (take_all) order everything done to a block before its push,
//!   its `next` included, before everything done to it after. The chain below the head is
//!   covered too: each push is a read-modify-write and so continues the release sequence of
//!   the ones before it.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

use super::block::{Header, Idle};

/// A stack many threads push on and one takes whole.
pub(crate) struct FreeList {
    head: AtomicPtr<Header>,
}

impl FreeList {
    pub(crate) const fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Pushes a block; lock-free.
    pub(crate) fn push(&self, idle: Idle) {
        let block = idle.into_raw();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: we own the block until the exchange below succeeds.
            unsafe { (*block.as_ptr()).next.store(head, Ordering::Relaxed) };
            match self.head.compare_exchange_weak(
                head,
                block.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes everything there is.
    pub(crate) fn take_all(&self) -> Chain {
        // Not worth a locked instruction when there is nothing.
        if self.head.load(Ordering::Relaxed).is_null() {
            return Chain::new();
        }
        Chain { head: self.head.swap(ptr::null_mut(), Ordering::Acquire) }
    }
}

impl Drop for FreeList {
    fn drop(&mut self) {
        drop(self.take_all());
    }
}

/// Idle blocks in one owner's hands, linked through their headers.
pub(crate) struct Chain {
    head: *mut Header,
}

// SAFETY: a chain exclusively owns its blocks, and an `Idle` is `Send`.
unsafe impl Send for Chain {}

impl Chain {
    pub(crate) const fn new() -> Self {
        Self { head: ptr::null_mut() }
    }

    /// Takes the first block off.
    pub(crate) fn pop(&mut self) -> Option<Idle> {
        let block = NonNull::new(self.head)?;
        // SAFETY: the chain owns its blocks, so the header is alive and nobody writes it.
        self.head = unsafe { (*block.as_ptr()).next.load(Ordering::Relaxed) };
        // SAFETY: every block of a chain came from `FreeList::push`, thus from
        // `Idle::into_raw`, and has just been unlinked from its only owner.
        Some(unsafe { Idle::from_raw(block) })
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        while let Some(idle) = self.pop() {
            drop(idle);
        }
    }
}

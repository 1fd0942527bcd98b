//! Ends a wait from another thread.
//!
//! Wakes are coalesced: only the first one after a wait has returned makes a system call. The flag is
//! taken back by a read-modify-write of the waiting thread, after the wait and before the loop looks at
//! its queues; so what a thread published before `wake()` is seen either by the turn that follows, or
//! the thread found the flag down and wrote to the eventfd, which ends the next wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Makes the current or else the next wait of its [`Poller`](crate::Poller) return.
///
/// It never shows as an event. It stays valid, and does nothing, once the poller is gone.
#[derive(Debug, Clone)]
pub struct Waker {
    state: Arc<WakeState>,
}

impl Waker {
    pub(crate) fn new(state: Arc<WakeState>) -> Waker {
        Waker { state }
    }

    /// Ends the current wait, or the next one. Any number of calls before that count as one.
    pub fn wake(&self) {
        self.state.wake();
    }
}

/// The part shared by a poller and its wakers.
#[derive(Debug)]
pub(crate) struct WakeState {
    /// A wake has been signalled that no wait has taken yet.
    pending: AtomicBool,
    signal: WakeSignal,
}

/// What the poller's system call can see of a wake.
#[derive(Debug)]
pub(crate) enum WakeSignal {
    #[cfg(target_os = "linux")]
    EventFd(std::os::fd::OwnedFd),
    #[cfg(feature = "mio")]
    Mio(mio::Waker),
}

impl WakeState {
    pub(crate) fn new(signal: WakeSignal) -> Arc<WakeState> {
        Arc::new(WakeState { pending: AtomicBool::new(false), signal })
    }

    /// A waker on an eventfd, and the descriptor to watch for reading.
    #[cfg(target_os = "linux")]
    pub(crate) fn with_eventfd() -> std::io::Result<(Arc<WakeState>, std::os::fd::RawFd)> {
        use rustix::event::{EventfdFlags, eventfd};
        use std::os::fd::AsRawFd;

        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let raw = fd.as_raw_fd();
        Ok((WakeState::new(WakeSignal::EventFd(fd)), raw))
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn eventfd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;

        match &self.signal {
            WakeSignal::EventFd(fd) => Some(fd.as_fd()),
            #[cfg(feature = "mio")]
            WakeSignal::Mio(_) => None,
        }
    }

    fn wake(&self) {
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let result = match &self.signal {
            // The flag admits one write between two reads, so the counter cannot fill up.
            #[cfg(target_os = "linux")]
            WakeSignal::EventFd(fd) => {
                rustix::io::retry_on_intr(|| rustix::io::write(fd, &1u64.to_ne_bytes()))
                    .map(drop)
                    .map_err(std::io::Error::from)
            }
            #[cfg(feature = "mio")]
            WakeSignal::Mio(waker) => waker.wake(),
        };
        if result.is_err() {
            // Not known to happen on a live eventfd; let the next caller try again.
            self.pending.store(false, Ordering::Release);
        }
        debug_assert!(result.is_ok(), "a wake was lost: {result:?}");
    }

    /// Takes the wake that the system call has just reported. Drains first: in the other order a wake
    /// between the two steps would have its signal drained while its flag stays up, for ever.
    pub(crate) fn take(&self) {
        match &self.signal {
            #[cfg(target_os = "linux")]
            WakeSignal::EventFd(fd) => {
                let mut count = [0u8; 8];
                // Nothing to read means that it is drained already.
                let _ = rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut count));
            }
            // Edge-triggered: the report itself was the drain.
            #[cfg(feature = "mio")]
            WakeSignal::Mio(_) => {}
        }
        self.pending.swap(false, Ordering::AcqRel);
    }
}

//! The driver that does not wait itself: it says what the one connection is to try next, and for
//! how long it may block.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use fyke_core::driver::{Driver, Readiness, Token, Wakeup};

use super::BLOCK_MAX;

/// What the driver and the transport of one thread share.
#[derive(Clone, Default)]
pub(super) struct Shared(Rc<Plan>);

#[derive(Default)]
pub(super) struct Plan {
    /// The connection, when there is one.
    pub(super) token: Cell<Option<Token>>,
    /// The channel wants to read.
    pub(super) reading: Cell<bool>,
    /// A write was cut short and is to be tried again.
    pub(super) full: Cell<bool>,
    /// The transport has something to report without anything happening.
    pub(super) pending: Cell<bool>,
    /// How long the next read may block; zero once it has.
    pub(super) patience: Cell<Duration>,
}

impl std::ops::Deref for Shared {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// The [`Driver`] of one blocking connection's thread.
pub struct BlockingDriver {
    shared: Shared,
    parking: Arc<Parking>,
}

/// Where a thread waits that has nothing to read.
#[derive(Default)]
struct Parking {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Wakeup for Parking {
    fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condition.notify_one();
    }
}

impl Parking {
    /// Waits until woken or for `timeout`; forgets the wake.
    fn park(&self, timeout: Option<Duration>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !*woken {
            woken = match timeout {
                Some(timeout) => {
                    let waited = self.condition.wait_timeout(woken, timeout);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.condition.wait(woken).unwrap_or_else(PoisonError::into_inner),
            };
        }
        *woken = false;
    }

    fn take_wake(&self) -> bool {
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BlockingDriver {
    /// A driver without a connection.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Shared::default(), parking: Arc::default() }
    }
}

impl Default for BlockingDriver {
    fn default() -> Self {
        Self::new()
    }
}

impl Driver for BlockingDriver {
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        let plan = &self.shared;
        let (reading, full) = (plan.reading.get(), plan.full.get());
        let Some(token) = plan.token.get().filter(|_| reading || full) else {
            if !plan.pending.get() {
                self.parking.park(timeout);
            }
            return Ok(());
        };
        // A thread that was woken has work and must not block; one whose write was cut short
        // blocks in the write.
        let woken = self.parking.take_wake();
        let patience = if woken || full || plan.pending.get() {
            Duration::ZERO
        } else {
            timeout.map_or(BLOCK_MAX, |timeout| timeout.min(BLOCK_MAX))
        };
        plan.patience.set(patience);
        ready.push(Readiness {
            token,
            readable: reading,
            writable: full,
            peer_closed: false,
            hangup: false,
        });
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        Arc::clone(&self.parking) as Arc<dyn Wakeup>
    }

    fn registry(&self) -> &dyn Any {
        &self.shared
    }
}

impl fmt::Debug for BlockingDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingDriver")
            .field("reading", &self.shared.reading.get())
            .field("full", &self.shared.full.get())
            .finish_non_exhaustive()
    }
}

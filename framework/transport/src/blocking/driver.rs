//! The driver that does not wait itself: it says what the one connection is to try next, and for
//! how long it may block.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use fyke_core::driver::{Driver, Readiness, Token, Wakeup};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::BLOCK_MAX;

/// What the driver and the transport of one thread share.
#[derive(Clone, Default)]
pub(super) struct Shared(Rc<Plan>);

#[derive(Default)]
pub(super) struct Plan {
    /// The connection, when there is one.
    pub(super) token: Cell<Option<Token>>,
    /// Its socket.
    pub(super) fd: RefCell<Option<Rc<OwnedFd>>>,
    /// The channel wants to read.
    pub(super) reading: Cell<bool>,
    /// A write was cut short and is to be tried again.
    pub(super) full: Cell<bool>,
    /// The peer's end was reported.
    pub(super) peer_closed: Cell<bool>,
    /// The connection is broken or ended in both directions, which was reported.
    pub(super) over: Cell<bool>,
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

impl BlockingDriver {
    /// Waits until there is room to write, or something to read if that is wanted; if not, until
    /// the peer has closed.
    fn poll(&self, token: Token, patience: Duration) -> io::Result<Option<Readiness>> {
        let plan = &self.shared;
        let Some(fd) = plan.fd.borrow().clone() else { return Ok(None) };
        let (reading, full) = (plan.reading.get(), plan.full.get());
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::OUT, full);
        wanted.set(PollFlags::IN, reading);
        wanted.set(PollFlags::RDHUP, !reading && !plan.peer_closed.get());
        let mut fds = [PollFd::new(&*fd, wanted)];
        let patience = Timespec { tv_sec: 0, tv_nsec: i64::from(patience.subsec_nanos()) };
        match rustix::event::poll(&mut fds, Some(&patience)) {
            Ok(0) | Err(Errno::INTR) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let found = fds[0].revents();
        let hangup = found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        let peer_closed = !reading && (hangup || found.contains(PollFlags::RDHUP));
        // Told once: both last.
        plan.over.set(plan.over.get() || hangup);
        Ok(Some(Readiness {
            token,
            readable: reading && (hangup || found.contains(PollFlags::IN)),
            writable: full && (hangup || found.contains(PollFlags::OUT)),
            peer_closed: peer_closed && !plan.peer_closed.replace(peer_closed),
            hangup,
        }))
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
        let watched = reading || full || !plan.over.get();
        let Some(token) = plan.token.get().filter(|_| watched) else {
            if !plan.pending.get() {
                self.parking.park(timeout);
            }
            return Ok(());
        };
        // A thread that was woken has work and must not block.
        let patience = if self.parking.take_wake() || plan.pending.get() {
            Duration::ZERO
        } else {
            timeout.map_or(BLOCK_MAX, |timeout| timeout.min(BLOCK_MAX))
        };
        if reading && !full {
            plan.patience.set(patience);
            let (writable, peer_closed, hangup) = (false, false, false);
            ready.push(Readiness { token, readable: true, writable, peer_closed, hangup });
            return Ok(());
        }
        // A write was cut short, or nothing is read for now: this waits for whichever comes
        // first, as a thread that blocked in one call would leave the others to themselves.
        plan.patience.set(Duration::ZERO);
        ready.extend(self.poll(token, patience)?);
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

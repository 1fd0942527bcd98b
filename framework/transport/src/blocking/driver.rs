//! The driver that does not wait itself: it says what the one connection is to try next, and for
//! how long it may block.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use fyke_core::driver::{Driver, Readiness, Token, Wakeup};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
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
    /// A read has blocked as long as it may, and nothing came.
    pub(super) idle: Cell<bool>,
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

/// Where a thread waits that does not block in a read.
#[derive(Default)]
struct Parking {
    state: Mutex<Parked>,
    condition: Condvar,
    /// Rung to wake a thread out of `poll(2)`; there from the first time that it waits so.
    bell: OnceLock<OwnedFd>,
}

#[derive(Default)]
struct Parked {
    woken: bool,
    /// The thread waits for the bell.
    listening: bool,
}

impl Wakeup for Parking {
    fn wake(&self) {
        let mut state = self.lock();
        state.woken = true;
        if state.listening
            && let Some(bell) = self.bell.get()
        {
            // Full means rung already.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
        self.condition.notify_one();
    }
}

impl Parking {
    fn lock(&self) -> MutexGuard<'_, Parked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until woken or for `timeout`; forgets the wake.
    fn park(&self, timeout: Option<Duration>) {
        let mut state = self.lock();
        if !state.woken {
            state = match timeout {
                Some(timeout) => {
                    let waited = self.condition.wait_timeout(state, timeout);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.condition.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.woken = false;
    }

    fn take_wake(&self) -> bool {
        std::mem::take(&mut self.lock().woken)
    }

    /// Whether the thread may wait, and what rings when it is woken from now on, unless no descriptor
    /// is left.
    fn listen(&self) -> (bool, Option<&OwnedFd>) {
        if self.bell.get().is_none()
            && let Ok(made) =
                rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        {
            // Only this thread makes one.
            let _ = self.bell.set(made);
        }
        let mut state = self.lock();
        state.listening = true;
        (!state.woken, self.bell.get())
    }

    /// The thread waits no more; forgets a wake that rang.
    fn stop_listening(&self, rung: bool) {
        let mut state = self.lock();
        state.listening = false;
        if rung && let Some(bell) = self.bell.get() {
            state.woken = false;
            // Nobody else reads it, and it has rung.
            let _ = rustix::io::read(bell, &mut [0; 8]);
        }
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
    /// the peer has closed; or until it is woken. Without a descriptor for that it looks every
    /// [`BLOCK_MAX`].
    fn poll(&self, token: Token, patience: Option<Duration>) -> io::Result<Option<Readiness>> {
        let Some(fd) = self.shared.fd.borrow().clone() else { return Ok(None) };
        let (may_wait, bell) = self.parking.listen();
        let patience = match bell {
            _ if !may_wait => Some(Duration::ZERO),
            Some(_) => patience,
            None => Some(patience.map_or(BLOCK_MAX, |patience| patience.min(BLOCK_MAX))),
        };
        let found = self.poll_both(&fd, bell, patience);
        self.parking.stop_listening(matches!(found, Ok((_, true))));
        let (found, _) = found?;
        Ok((!found.is_empty()).then(|| self.readiness(token, found)))
    }

    /// What there is at the connection, and whether the bell has rung.
    fn poll_both(
        &self,
        fd: &OwnedFd,
        bell: Option<&OwnedFd>,
        patience: Option<Duration>,
    ) -> io::Result<(PollFlags, bool)> {
        let plan = &self.shared;
        let (reading, full) = (plan.reading.get(), plan.full.get());
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::OUT, full);
        wanted.set(PollFlags::IN, reading);
        wanted.set(PollFlags::RDHUP, !reading && !plan.peer_closed.get());
        let connection = PollFd::new(fd, wanted);
        let mut fds =
            [connection.clone(), bell.map_or(connection, |b| PollFd::new(b, PollFlags::IN))];
        let waits = if bell.is_some() { 2 } else { 1 };
        let patience = patience.map(|patience| Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        });
        match rustix::event::poll(&mut fds[..waits], patience.as_ref()) {
            Ok(0) | Err(Errno::INTR) => Ok((PollFlags::empty(), false)),
            Ok(_) => Ok((fds[0].revents(), bell.is_some() && !fds[1].revents().is_empty())),
            Err(error) => Err(error.into()),
        }
    }

    fn readiness(&self, token: Token, found: PollFlags) -> Readiness {
        let plan = &self.shared;
        let (reading, full) = (plan.reading.get(), plan.full.get());
        let hangup = found.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
        let peer_closed = !reading && (hangup || found.contains(PollFlags::RDHUP));
        // Told once: both last.
        plan.over.set(plan.over.get() || hangup);
        Readiness {
            token,
            readable: reading && (hangup || found.contains(PollFlags::IN)),
            writable: full && (hangup || found.contains(PollFlags::OUT)),
            peer_closed: peer_closed && !plan.peer_closed.replace(peer_closed),
            hangup,
        }
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
        let has_work = self.parking.take_wake() || plan.pending.get();
        let timeout = if has_work { Some(Duration::ZERO) } else { timeout };
        if reading && !full && !(plan.idle.get() && timeout != Some(Duration::ZERO)) {
            plan.patience.set(timeout.map_or(BLOCK_MAX, |timeout| timeout.min(BLOCK_MAX)));
            let (writable, peer_closed, hangup) = (false, false, false);
            ready.push(Readiness { token, readable: true, writable, peer_closed, hangup });
            return Ok(());
        }
        // A write was cut short, or nothing is read for now, or nothing has come for a while: this
        // waits for whichever comes first, as a thread that blocked in one call would leave the
        // others to themselves, or look for work of other threads over and over.
        plan.patience.set(Duration::ZERO);
        ready.extend(self.poll(token, timeout)?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    /// A driver whose connection has said nothing for a while, and the connection's far end.
    fn idle() -> (BlockingDriver, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (near, far) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let driver = BlockingDriver::new();
        let plan = &driver.shared;
        *plan.fd.borrow_mut() = Some(Rc::new(near));
        plan.token.set(Some(Token(1)));
        plan.reading.set(true);
        plan.idle.set(true);
        (driver, far)
    }

    /// Runs `then` on another thread once this one sleeps in `wait`, which has no end by itself.
    fn wait_until(driver: &mut BlockingDriver, then: impl FnOnce() + Send) -> Vec<Readiness> {
        let (parking, mut ready) = (Arc::clone(&driver.parking), Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while !parking.lock().listening {
                    std::thread::yield_now();
                }
                then();
            });
            driver.wait(None, &mut ready).unwrap();
        });
        ready
    }

    #[test]
    fn an_idle_thread_sleeps_until_it_is_woken() {
        let (mut driver, _far) = idle();
        let waker = driver.waker();
        for _ in 0..3 {
            let waker = Arc::clone(&waker);
            assert_eq!(wait_until(&mut driver, move || waker.wake()).len(), 0);
        }
    }

    #[test]
    fn an_idle_thread_sleeps_until_bytes_come() {
        let (mut driver, far) = idle();
        let ready = wait_until(&mut driver, || {
            rustix::io::write(&far, b"x").unwrap();
        });
        assert!(ready.len() == 1 && ready[0].readable && !ready[0].hangup);
    }

    #[test]
    fn a_thread_that_was_woken_before_does_not_sleep() {
        let (mut driver, _far) = idle();
        driver.waker().wake();
        let mut ready = Vec::new();
        driver.wait(None, &mut ready).unwrap();
        assert_eq!(ready.len(), 1, "it tries a read that does not block");
        assert!(ready[0].readable && driver.shared.patience.get().is_zero());
    }
}

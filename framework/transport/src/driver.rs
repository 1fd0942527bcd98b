//! The driver of real sockets: core's [`Driver`] over a [`Poller`].
//!
//! The loop owns the driver and waits with it; transports of the same loop hold a
//! [`PollerRegistry`], register their descriptors with it and get the tokens back from the wait.
//! Both are on one thread and never at work at the same time, so a `RefCell` is all it takes.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fyke_core::driver::{Driver, Readiness, Token, Wakeup};
use fyke_poller::{Backend, Events, Interest, Poller, Trigger, Waker};

/// A [`Driver`] that waits in one of the system calls of [`Backend`].
#[derive(Debug)]
pub struct PollerDriver {
    registry: PollerRegistry,
    events: Events,
    waker: Arc<PollerWaker>,
}

impl PollerDriver {
    /// A driver with nothing registered.
    ///
    /// # Errors
    /// `Unsupported` when this build lacks the backend; otherwise what the system says, mostly
    /// that there are too many open descriptors.
    pub fn new(backend: Backend) -> io::Result<Self> {
        let poller = Poller::new(backend)?;
        let waker = Arc::new(PollerWaker(poller.waker()));
        let registry =
            PollerRegistry { backend, trigger: poller.trigger(), poller: Rc::new(poller.into()) };
        Ok(Self { registry, events: Events::new(), waker })
    }

    /// What transports register with; also behind [`Driver::registry`].
    #[must_use]
    pub fn poller(&self) -> &PollerRegistry {
        &self.registry
    }
}

impl Driver for PollerDriver {
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<()> {
        self.registry.poller.borrow_mut().wait(&mut self.events, timeout)?;
        ready.extend(self.events.iter().map(|event| Readiness {
            token: Token(event.token),
            readable: event.readable,
            writable: event.writable,
            peer_closed: event.read_closed,
            hangup: event.hangup || event.error,
        }));
        Ok(())
    }

    fn waker(&self) -> Arc<dyn Wakeup> {
        self.waker.clone()
    }

    fn registry(&self) -> &dyn Any {
        &self.registry
    }
}

/// The transports' side of a [`PollerDriver`]: a handle to its poller.
#[derive(Clone)]
pub struct PollerRegistry {
    poller: Rc<RefCell<Poller>>,
    backend: Backend,
    trigger: Trigger,
}

impl PollerRegistry {
    /// Which system call the driver waits in.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether readiness is reported while it lasts or when it begins.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Starts watching `fd`; see [`Poller::register`].
    ///
    /// # Errors
    /// Those of [`Poller::register`].
    pub fn register(&self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.poller.borrow_mut().register(fd, token.0, interest)
    }

    /// Replaces the interest in `fd`; see [`Poller::reregister`].
    ///
    /// # Errors
    /// Those of [`Poller::reregister`].
    pub fn reregister(
        &self,
        fd: BorrowedFd<'_>,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.poller.borrow_mut().reregister(fd, token.0, interest)
    }

    /// Stops watching `fd`; see [`Poller::deregister`].
    ///
    /// # Errors
    /// Those of [`Poller::deregister`].
    pub fn deregister(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.poller.borrow_mut().deregister(fd)
    }
}

impl fmt::Debug for PollerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollerRegistry").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// The poller's waker as core knows it.
#[derive(Debug)]
struct PollerWaker(Waker);

impl Wakeup for PollerWaker {
    fn wake(&self) {
        self.0.wake();
    }
}

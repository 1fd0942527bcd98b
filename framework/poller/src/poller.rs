//! The one type above the backends: an enum, so that a wait is a jump and not a virtual call.

use crate::backend::{Backend, Trigger};
#[cfg(target_os = "linux")]
use crate::backend::{epoll::Epoll, poll::PollTable, select::SelectTable};
use crate::event::Events;
use crate::interest::Interest;
use crate::waker::{WakeState, Waker};
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Waits until a registered descriptor is ready, a time has passed or a [`Waker`] calls.
///
/// A descriptor must be deregistered before it is closed. One that is not is dropped in silence by the
/// next wait, but if its number is in use again by then, the new owner may be refused or see the events
/// that were asked for the old one.
#[derive(Debug)]
pub struct Poller {
    kind: Kind,
    backend: Backend,
    wake: Arc<WakeState>,
}

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Epoll(Epoll),
    #[cfg(target_os = "linux")]
    Poll(PollTable),
    #[cfg(target_os = "linux")]
    // Boxed: three bit sets inside, the others are small.
    Select(Box<SelectTable>),
    #[cfg(feature = "mio")]
    Mio(crate::backend::mio::Mio),
}

/// Does the same to whichever backend there is.
macro_rules! each {
    ($kind:expr, $inner:ident => $call:expr) => {
        match $kind {
            #[cfg(target_os = "linux")]
            Kind::Epoll($inner) => $call,
            #[cfg(target_os = "linux")]
            Kind::Poll($inner) => $call,
            #[cfg(target_os = "linux")]
            Kind::Select($inner) => $call,
            #[cfg(feature = "mio")]
            Kind::Mio($inner) => $call,
        }
    };
}

impl Poller {
    /// The one token that callers may not use.
    const RESERVED_TOKEN: u64 = u64::MAX;

    /// A poller with nothing registered.
    ///
    /// # Errors
    /// `Unsupported` when this build lacks the backend; otherwise what the system says, mostly that
    /// there are too many open descriptors.
    pub fn new(backend: Backend) -> io::Result<Poller> {
        #[cfg(target_os = "linux")]
        let edge = backend.trigger() == Trigger::Edge;
        let (kind, wake) = match backend {
            #[cfg(target_os = "linux")]
            Backend::EpollLevel | Backend::EpollEdge => {
                Epoll::new(edge).map(|(epoll, wake)| (Kind::Epoll(epoll), wake))?
            }
            #[cfg(target_os = "linux")]
            Backend::Poll => PollTable::new().map(|(table, wake)| (Kind::Poll(table), wake))?,
            #[cfg(target_os = "linux")]
            Backend::Select => {
                SelectTable::new().map(|(table, wake)| (Kind::Select(Box::new(table)), wake))?
            }
            #[cfg(feature = "mio")]
            Backend::Mio => {
                crate::backend::mio::Mio::new().map(|(mio, wake)| (Kind::Mio(mio), wake))?
            }
            #[allow(unreachable_patterns, reason = "which are left depends on target and features")]
            other => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    format!("the poller {other} is not in this build"),
                ));
            }
        };
        Ok(Poller { kind, backend, wake })
    }

    /// Which system call this poller waits in.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Whether readiness is reported while it lasts or when it begins.
    pub fn trigger(&self) -> Trigger {
        self.backend.trigger()
    }

    /// Starts watching `fd`. Its present state counts as a change, so an edge-triggered poller reports
    /// it too.
    ///
    /// # Errors
    /// `AlreadyExists` when it is registered; `InvalidInput` for the token `u64::MAX` and, with
    /// `select`, for a descriptor of 1024 or more; what the system says otherwise.
    pub fn register(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        check_token(token)?;
        each!(&mut self.kind, backend => backend.register(fd, token, interest))
    }

    /// Replaces token and interest of `fd`. An edge-triggered poller reports its present state anew.
    ///
    /// # Errors
    /// `NotFound` when it is not registered; `InvalidInput` for the token `u64::MAX`.
    pub fn reregister(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        check_token(token)?;
        each!(&mut self.kind, backend => backend.reregister(fd, token, interest))
    }

    /// Stops watching `fd`. No later wait reports it; events already handed out may still name it.
    ///
    /// # Errors
    /// `NotFound` when it is not registered.
    pub fn deregister(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        each!(&mut self.kind, backend => backend.deregister(fd))
    }

    /// Waits, and replaces the contents of `events` by what it found.
    ///
    /// Without a time-out it waits as long as it takes; a time-out of zero only looks. It returns with no
    /// events when the time is over (never before; with mio rounded up to milliseconds), after a wake
    /// and when a signal interrupted it.
    ///
    /// # Errors
    /// What the system says; in practice only that memory is short.
    pub fn wait(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.clear();
        match each!(&mut self.kind, backend => backend.wait(events, timeout)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// A handle that ends this poller's wait from any thread.
    pub fn waker(&self) -> Waker {
        Waker::new(Arc::clone(&self.wake))
    }
}

fn check_token(token: u64) -> io::Result<()> {
    if token == Poller::RESERVED_TOKEN {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the token u64::MAX is reserved"));
    }
    Ok(())
}

//! epoll, level- or edge-triggered: the same calls with one flag more.

use crate::event::{Event, Events};
use crate::interest::Interest;
use crate::sys::readiness;
use crate::waker::WakeState;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// The token of the waker, which no caller may use.
const WAKER: u64 = u64::MAX;

pub(crate) struct Epoll {
    fd: OwnedFd,
    /// ET or nothing, added to every registration.
    trigger: EventFlags,
    /// What the kernel fills in.
    buffer: Box<[libc::epoll_event]>,
    /// Whether the kernel takes time-outs in nanoseconds.
    precise: bool,
    wake: Arc<WakeState>,
}

impl Epoll {
    pub(crate) fn new(edge: bool) -> io::Result<(Epoll, Arc<WakeState>)> {
        let fd = epoll::create(CreateFlags::CLOEXEC)?;
        let (wake, _) = WakeState::with_eventfd()?;
        if let Some(eventfd) = wake.eventfd() {
            epoll::add(&fd, eventfd, EventData::new_u64(WAKER), EventFlags::IN)?;
        }
        let trigger = if edge { EventFlags::ET } else { EventFlags::empty() };
        let buffer = vec![libc::epoll_event { events: 0, u64: 0 }; Events::CAPACITY];
        let wake_of_poller = Arc::clone(&wake);
        let buffer = buffer.into_boxed_slice();
        Ok((Epoll { fd, trigger, buffer, precise: true, wake }, wake_of_poller))
    }

    pub(crate) fn register(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(epoll::add(&self.fd, fd, EventData::new_u64(token), self.flags(interest))?)
    }

    pub(crate) fn reregister(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        Ok(epoll::modify(&self.fd, fd, EventData::new_u64(token), self.flags(interest))?)
    }

    pub(crate) fn deregister(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.fd, fd)?)
    }

    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let count =
            readiness::epoll_wait(self.fd.as_fd(), &mut self.buffer, timeout, &mut self.precise)?;
        for found in &self.buffer[..count] {
            if found.u64 == WAKER {
                self.wake.take();
            } else {
                events.push(Event::from_mask(found.u64, found.events));
            }
        }
        Ok(())
    }

    fn flags(&self, interest: Interest) -> EventFlags {
        let mut flags = self.trigger;
        flags.set(EventFlags::IN, interest.is_read());
        flags.set(EventFlags::OUT, interest.is_write());
        flags.set(EventFlags::RDHUP, interest.is_peer_close());
        flags
    }
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoll")
            .field("fd", &self.fd)
            .field("trigger", &self.trigger)
            .field("precise", &self.precise)
            .finish_non_exhaustive()
    }
}

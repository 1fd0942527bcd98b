//! poll: a dense table of descriptors that goes to the kernel with every wait.

use super::index::FdIndex;
use crate::event::{Event, Events};
use crate::interest::Interest;
use crate::sys::readiness;
use crate::waker::WakeState;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct PollTable {
    /// Row 0 is the waker's, in `tokens` too.
    fds: Vec<libc::pollfd>,
    tokens: Vec<u64>,
    index: FdIndex,
    /// Where the next scan starts, so that a full batch does not always favour the same rows.
    next: usize,
    wake: Arc<WakeState>,
}

impl PollTable {
    pub(crate) fn new() -> io::Result<(PollTable, Arc<WakeState>)> {
        let (wake, eventfd) = WakeState::with_eventfd()?;
        let table = PollTable {
            fds: vec![libc::pollfd { fd: eventfd, events: libc::POLLIN, revents: 0 }],
            tokens: vec![u64::MAX],
            index: FdIndex::default(),
            next: 1,
            wake: Arc::clone(&wake),
        };
        Ok((table, wake))
    }

    pub(crate) fn register(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.index.insert(fd, self.fds.len())?;
        self.fds.push(libc::pollfd { fd, events: mask(interest), revents: 0 });
        self.tokens.push(token);
        Ok(())
    }

    pub(crate) fn reregister(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let row = self.index.get(fd.as_raw_fd())?;
        self.fds[row].events = mask(interest);
        self.tokens[row] = token;
        Ok(())
    }

    pub(crate) fn deregister(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.remove(fd.as_raw_fd())
    }

    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let mut found = readiness::poll(&mut self.fds, timeout)?;
        if self.fds[0].revents != 0 {
            self.wake.take();
            found -= 1;
        }
        let mut closed = Vec::new();
        let rows = self.fds.len();
        let first = if self.next < rows { self.next } else { 1 };
        for row in (first..rows).chain(1..first) {
            if found == 0 {
                break;
            }
            let entry = self.fds[row];
            if entry.revents == 0 {
                continue;
            }
            if events.is_full() {
                self.next = row;
                break;
            }
            found -= 1;
            if entry.revents & libc::POLLNVAL != 0 {
                closed.push(entry.fd);
            } else {
                events.push(Event::from_mask(self.tokens[row], entry.revents as u32));
            }
        }
        // After the scan, because removing moves rows.
        for fd in closed {
            self.remove(fd)?;
        }
        Ok(())
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        let row = self.index.remove(fd)?;
        self.fds.swap_remove(row);
        self.tokens.swap_remove(row);
        if let Some(moved) = self.fds.get(row) {
            self.index.moved(moved.fd, row);
        }
        Ok(())
    }
}

/// The `events` of one descriptor.
pub(super) fn mask(interest: Interest) -> libc::c_short {
    let mut mask = 0;
    if interest.is_read() {
        mask |= libc::POLLIN;
    }
    if interest.is_write() {
        mask |= libc::POLLOUT;
    }
    if interest.is_peer_close() {
        mask |= libc::POLLRDHUP;
    }
    mask
}

impl fmt::Debug for PollTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollTable").field("rows", &self.fds.len()).finish_non_exhaustive()
    }
}

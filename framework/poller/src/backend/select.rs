//! select: three bit sets of descriptors below 1024, of which two are used.
//!
//! select says less than the other calls: of a readable descriptor, not whether the peer has closed or
//! an error is pending; and of one that nobody wants to read, nothing at all. So
//!
//! - those that select finds are asked about with one `poll` that does not wait;
//! - those that it cannot be asked about ("quiet": interest in the peer's close without reading, or in
//!   nothing) are asked about by the same `poll` before every wait, and while there are any a wait is
//!   cut in slices of [`QUIET_SLICE`]. Their news come that much later, at most.

use super::index::FdIndex;
use super::poll::mask;
use crate::event::{Event, Events};
use crate::interest::Interest;
use crate::sys::readiness::{self, FdSet};
use crate::waker::WakeState;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often quiet descriptors are looked at during one wait.
const QUIET_SLICE: Duration = Duration::from_millis(50);

pub(crate) struct SelectTable {
    rows: Vec<Row>,
    index: FdIndex,
    read: FdSet,
    write: FdSet,
    quiet: FdSet,
    /// Scratch space for the `poll` of a wait.
    asked: Vec<libc::pollfd>,
    waker: RawFd,
    wake: Arc<WakeState>,
}

#[derive(Clone, Copy)]
struct Row {
    fd: RawFd,
    token: u64,
    interest: Interest,
}

impl SelectTable {
    pub(crate) fn new() -> io::Result<(SelectTable, Arc<WakeState>)> {
        let (wake, waker) = WakeState::with_eventfd()?;
        check_limit(waker)?;
        let mut read = FdSet::default();
        read.set(waker, true);
        let table = SelectTable {
            rows: Vec::new(),
            index: FdIndex::default(),
            read,
            write: FdSet::default(),
            quiet: FdSet::default(),
            asked: Vec::new(),
            waker,
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
        check_limit(fd)?;
        self.index.insert(fd, self.rows.len())?;
        self.rows.push(Row { fd, token, interest });
        self.watch(fd, interest);
        Ok(())
    }

    pub(crate) fn reregister(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let row = self.index.get(fd)?;
        self.rows[row] = Row { fd, token, interest };
        self.watch(fd, interest);
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
        let start = Instant::now();
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
            let quiet = self.quiet_with_news()?;
            let limit = match left {
                _ if !quiet.is_empty() => Some(Duration::ZERO),
                left if self.quiet.is_empty() => left,
                left => Some(left.map_or(QUIET_SLICE, |left| left.min(QUIET_SLICE))),
            };
            let (mut read, mut write) = (self.read, self.write);
            match readiness::select(&mut read, &mut write, limit) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
                    self.drop_closed()?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let woken = read.contains(self.waker);
            if woken {
                self.wake.take();
                read.set(self.waker, false);
            }
            self.report(&read.union(&write).union(&quiet), events)?;
            if woken || !events.is_empty() || left.is_some_and(|left| limit >= Some(left)) {
                return Ok(());
            }
        }
    }

    /// The quiet descriptors that have something to say right now.
    fn quiet_with_news(&mut self) -> io::Result<FdSet> {
        let mut news = FdSet::default();
        if self.quiet.is_empty() {
            return Ok(news);
        }
        let quiet = self.quiet;
        self.ask(&quiet)?;
        for answer in &self.asked {
            news.set(answer.fd, answer.revents != 0);
        }
        Ok(news)
    }

    /// Turns descriptors that are ready in some way into events that say in which.
    fn report(&mut self, ready: &FdSet, events: &mut Events) -> io::Result<()> {
        if ready.is_empty() {
            return Ok(());
        }
        self.ask(ready)?;
        let mut closed = Vec::new();
        for answer in &self.asked {
            if answer.revents & libc::POLLNVAL != 0 {
                closed.push(answer.fd);
            } else if answer.revents != 0 {
                let row = self.rows[self.index.get(answer.fd)?];
                events.push(Event::from_mask(row.token, answer.revents as u32));
            }
        }
        closed.into_iter().try_for_each(|fd| self.remove(fd))
    }

    /// Removes descriptors that are open no more, for each of which select refuses to work at all.
    fn drop_closed(&mut self) -> io::Result<()> {
        let all = self.read.union(&self.write).union(&self.quiet);
        self.ask(&all)?;
        let closed = self.asked.iter().filter(|answer| answer.revents & libc::POLLNVAL != 0);
        let closed: Vec<RawFd> = closed.map(|answer| answer.fd).collect();
        if closed.is_empty() {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        closed.into_iter().try_for_each(|fd| self.remove(fd))
    }

    /// Fills `asked` with the present state of the registered among `fds`.
    fn ask(&mut self, fds: &FdSet) -> io::Result<()> {
        self.asked.clear();
        for fd in fds.iter() {
            if let Ok(row) = self.index.get(fd) {
                let events = mask(self.rows[row].interest);
                self.asked.push(libc::pollfd { fd, events, revents: 0 });
            }
        }
        readiness::poll(&mut self.asked, Some(Duration::ZERO)).map(drop)
    }

    fn watch(&mut self, fd: RawFd, interest: Interest) {
        self.read.set(fd, interest.is_read());
        self.write.set(fd, interest.is_write());
        let quiet = !interest.is_read() && (interest.is_peer_close() || interest.is_none());
        self.quiet.set(fd, quiet);
    }

    fn remove(&mut self, fd: RawFd) -> io::Result<()> {
        let row = self.index.remove(fd)?;
        self.rows.swap_remove(row);
        if let Some(moved) = self.rows.get(row) {
            self.index.moved(moved.fd, row);
        }
        for set in [&mut self.read, &mut self.write, &mut self.quiet] {
            set.set(fd, false);
        }
        Ok(())
    }
}

/// A bit beyond the end of the set would be written into somebody else's memory.
fn check_limit(fd: RawFd) -> io::Result<()> {
    if usize::try_from(fd).is_ok_and(|fd| fd < FdSet::LIMIT) {
        return Ok(());
    }
    let limit = FdSet::LIMIT;
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("select cannot watch descriptor {fd}: FD_SETSIZE is {limit}; use another poller"),
    ))
}

impl fmt::Debug for SelectTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectTable").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

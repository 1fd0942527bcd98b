//! The mio crate as a backend, through `SourceFd`; edge-triggered.
//!
//! mio has no word for the peer's close alone, nor for nothing. A descriptor with such an interest is
//! registered for more and what was not asked for is dropped here, which costs a wake-up for each
//! segment that arrives meanwhile. To know the interest of an event, mio's token is the descriptor and
//! ours is in a table.

use crate::event::{Event, Events};
use crate::interest::Interest;
use crate::waker::{WakeSignal, WakeState};
use mio::Token;
use mio::unix::SourceFd;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

const WAKER: Token = Token(usize::MAX);

pub(crate) struct Mio {
    poll: mio::Poll,
    buffer: mio::Events,
    /// By descriptor.
    rows: Vec<Option<Row>>,
    wake: Arc<WakeState>,
}

#[derive(Clone, Copy)]
struct Row {
    token: u64,
    interest: Interest,
}

impl Mio {
    pub(crate) fn new() -> io::Result<(Mio, Arc<WakeState>)> {
        let poll = mio::Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKER)?;
        let wake = WakeState::new(WakeSignal::Mio(waker));
        let buffer = mio::Events::with_capacity(Events::CAPACITY);
        Ok((Mio { poll, buffer, rows: Vec::new(), wake: Arc::clone(&wake) }, wake))
    }

    pub(crate) fn register(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let raw = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&raw), mio_token(raw)?, to_mio(interest))?;
        self.note(raw, Row { token, interest });
        Ok(())
    }

    pub(crate) fn reregister(
        &mut self,
        fd: BorrowedFd<'_>,
        token: u64,
        interest: Interest,
    ) -> io::Result<()> {
        let raw = fd.as_raw_fd();
        self.poll.registry().reregister(&mut SourceFd(&raw), mio_token(raw)?, to_mio(interest))?;
        self.note(raw, Row { token, interest });
        Ok(())
    }

    pub(crate) fn deregister(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.poll.registry().deregister(&mut SourceFd(&fd))?;
        if let Some(row) = usize::try_from(fd).ok().and_then(|fd| self.rows.get_mut(fd)) {
            *row = None;
        }
        Ok(())
    }

    pub(crate) fn wait(
        &mut self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        self.poll.poll(&mut self.buffer, timeout)?;
        for found in &self.buffer {
            if found.token() == WAKER {
                self.wake.take();
                continue;
            }
            let Some(Some(row)) = self.rows.get(found.token().0) else { continue };
            let event = translate(found, *row);
            if !event.is_empty() {
                events.push(event);
            }
        }
        Ok(())
    }

    fn note(&mut self, fd: RawFd, row: Row) {
        let slot = fd as usize;
        if slot >= self.rows.len() {
            self.rows.resize(slot + 1, None);
        }
        self.rows[slot] = Some(row);
    }
}

fn mio_token(fd: RawFd) -> io::Result<Token> {
    usize::try_from(fd).map(Token).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn to_mio(interest: Interest) -> mio::Interest {
    match (interest.is_peer_close(), interest.is_write()) {
        (true, true) => mio::Interest::READABLE | mio::Interest::WRITABLE,
        (true, false) => mio::Interest::READABLE,
        (false, true) => mio::Interest::WRITABLE,
        (false, false) => QUIET,
    }
}

/// The least that mio can be asked for: out-of-band data, where it knows of that.
#[cfg(any(target_os = "linux", target_os = "android"))]
const QUIET: mio::Interest = mio::Interest::PRIORITY;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const QUIET: mio::Interest = mio::Interest::READABLE;

fn translate(found: &mio::event::Event, Row { token, interest }: Row) -> Event {
    // mio does not pass the hang-up on as such; on Linux it makes both directions "closed".
    let hangup = found.is_read_closed() && found.is_write_closed();
    Event {
        token,
        readable: found.is_readable() && interest.is_read(),
        writable: found.is_writable() && interest.is_write(),
        read_closed: hangup || (found.is_read_closed() && interest.is_peer_close()),
        hangup,
        error: found.is_error(),
    }
}

impl fmt::Debug for Mio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mio").field("poll", &self.poll).finish_non_exhaustive()
    }
}

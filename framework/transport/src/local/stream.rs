//! A connection: two pipes, and what each end has still to be told.
//!
//! | what one end does | what the other sees |
//! |---|---|
//! | `shutdown` | `PeerClosed` at once (paused or not), `End` after the last byte |
//! | orderly close | the same; what it writes from then on is a broken pipe |
//! | abort, or an end dropped unclosed | `Failed` with `ConnectionReset` at once; unread bytes are gone |

use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_buffer::{ByteBuf, Pool};
use fyke_core::SocketOptions;
use fyke_core::transport::{CloseMode, Read};

use super::pipe::Pipe;
use super::signal::{Flags, Seat, Signal, Wake};

/// What one end has besides the pipe it writes.
#[derive(Debug)]
struct Half {
    /// What this end writes and the other reads.
    out: Pipe,
    signal: Signal,
    /// Whether this end wants to hear of bytes.
    reading: bool,
}

#[derive(Debug)]
struct State {
    halves: [Half; 2],
    reset: bool,
}

/// One end of a connection. Dropped without [`close`](Self::close) it resets the connection, so
/// that the other end never waits for one that has gone.
#[derive(Debug)]
pub(super) struct End {
    state: Arc<Mutex<State>>,
    me: usize,
    name: Arc<str>,
    closed: bool,
}

/// The two ends of a new connection: the one that connects, and the one that is accepted.
pub(super) fn pair(client: Arc<str>, server: Arc<str>, pipe_bytes: usize) -> (End, End) {
    let half = || Half { out: Pipe::new(pipe_bytes), signal: Signal::default(), reading: true };
    let state = Arc::new(Mutex::new(State { halves: [half(), half()], reset: false }));
    let end = |me, name| End { state: Arc::clone(&state), me, name, closed: false };
    (end(0, client), end(1, server))
}

impl State {
    /// This half and the other one.
    fn split(&mut self, me: usize) -> (&mut Half, &mut Half) {
        let [a, b] = &mut self.halves;
        if me == 0 { (a, b) } else { (b, a) }
    }

    fn check_reset(&self) -> io::Result<()> {
        if self.reset { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }

    /// Whether `me` can still write.
    fn check_writable(&self, me: usize) -> io::Result<()> {
        self.check_reset()?;
        let out = &self.halves[me].out;
        if out.ended || out.deserted { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl Half {
    /// `self` reads from `from`, where something has arrived: a notice, if one is owed.
    fn arrived(&mut self, from: &mut Pipe, also: Flags) -> Wake {
        let tell = self.reading && from.reader_waits;
        if tell {
            from.reader_waits = false;
        }
        self.signal.raise(also.with(Flags::READABLE.when(tell)))
    }
}

impl End {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of this end.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What this end wishes for the two pipes.
    pub(super) fn configure(&self, options: &SocketOptions) {
        let mut state = self.lock();
        let (mine, other) = state.split(self.me);
        mine.out.ask_limit(options.send_buffer_bytes);
        other.out.ask_limit(options.recv_buffer_bytes);
    }

    /// Gives the end its place in a loop.
    pub(super) fn seat(&self, seat: Seat) {
        let wake = self.lock().halves[self.me].signal.seat(seat);
        wake.send();
    }

    /// Notes something about this end itself.
    pub(super) fn raise(&self, flags: Flags) {
        let wake = self.lock().halves[self.me].signal.raise(flags);
        wake.send();
    }

    /// The changes since the last call.
    pub(super) fn take_flags(&self) -> Flags {
        self.lock().halves[self.me].signal.take()
    }

    /// Writes what there is room for.
    pub(super) fn write(
        &self,
        slices: &[IoSlice<'_>],
        offered: usize,
        pool: &Pool,
    ) -> io::Result<usize> {
        let mut state = self.lock();
        state.check_writable(self.me)?;
        let (mine, other) = state.split(self.me);
        let taken = mine.out.write(slices, offered, pool);
        let wake = if taken > 0 { other.arrived(&mut mine.out, Flags::NONE) } else { Wake::NONE };
        drop(state);
        wake.send();
        Ok(taken)
    }

    /// How many bytes can be written. Only this end's own writes make it less.
    pub(super) fn room(&self) -> io::Result<usize> {
        let state = self.lock();
        state.check_writable(self.me)?;
        Ok(state.halves[self.me].out.room())
    }

    /// Writes a chunk for which there was [`room`](Self::room). `all` says whether it is all that
    /// was offered; otherwise a notice is owed, at once when there is room for more.
    pub(super) fn push(&self, chunk: ByteBuf, all: bool) -> io::Result<()> {
        let mut state = self.lock();
        state.check_writable(self.me)?;
        let (mine, other) = state.split(self.me);
        let arrived = !chunk.is_empty();
        mine.out.push(chunk);
        let wake = if arrived { other.arrived(&mut mine.out, Flags::NONE) } else { Wake::NONE };
        let room = mine.out.room() > 0;
        mine.out.writer_waits = !all && !room;
        let again = mine.signal.raise(Flags::WRITABLE.when(!all && room));
        drop(state);
        wake.send();
        again.send();
        Ok(())
    }

    /// Reads up to `want` bytes.
    pub(super) fn read(&self, want: usize) -> io::Result<Read> {
        let mut state = self.lock();
        state.check_reset()?;
        let (_, other) = state.split(self.me);
        let pipe = &mut other.out;
        let Some(bytes) = pipe.read(want) else {
            pipe.reader_waits = !pipe.ended;
            return Ok(if pipe.ended { Read::End } else { Read::WouldBlock });
        };
        let more = pipe.has_something();
        pipe.reader_waits = !more;
        // A writer is woken when half of the pipe is free, not for every byte.
        let tell = pipe.writer_waits && pipe.room() >= pipe.bytes();
        if tell {
            pipe.writer_waits = false;
        }
        let wake = other.signal.raise(Flags::WRITABLE.when(tell));
        drop(state);
        wake.send();
        Ok(Read::Data { bytes, more })
    }

    /// Stops or starts the notices of bytes.
    pub(super) fn set_reading(&self, on: bool) {
        let mut state = self.lock();
        let (mine, other) = state.split(self.me);
        mine.reading = on;
        other.out.reader_waits = true;
        let wake = if !on {
            mine.signal.lower(Flags::READABLE);
            Wake::NONE
        } else if other.out.has_something() {
            mine.arrived(&mut other.out, Flags::NONE)
        } else {
            Wake::NONE
        };
        drop(state);
        wake.send();
    }

    /// Ends the direction that this end writes.
    pub(super) fn shutdown(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.check_reset()?;
        let (mine, other) = state.split(self.me);
        if mine.out.ended {
            return Ok(());
        }
        mine.out.ended = true;
        let wake = other.arrived(&mut mine.out, Flags::PEER_CLOSED);
        drop(state);
        wake.send();
        Ok(())
    }

    /// Ends the connection for this end.
    pub(super) fn close(mut self, mode: CloseMode) {
        match mode {
            CloseMode::Orderly => self.close_orderly(),
            CloseMode::Abort => self.abort(),
        }
    }

    /// What was written stays readable; what has not been read by us is dropped.
    fn close_orderly(&mut self) {
        self.closed = true;
        let mut state = self.lock();
        if state.reset {
            return;
        }
        let (mine, other) = state.split(self.me);
        mine.signal = Signal::default();
        other.out.discard();
        other.out.deserted = true;
        let stuck = Flags::WRITABLE.when(other.out.writer_waits);
        let first = !mine.out.ended;
        mine.out.ended = true;
        let wake = if first {
            other.arrived(&mut mine.out, stuck.with(Flags::PEER_CLOSED))
        } else {
            other.signal.raise(stuck)
        };
        drop(state);
        wake.send();
    }

    fn abort(&mut self) {
        self.closed = true;
        let mut state = self.lock();
        if state.reset {
            return;
        }
        state.reset = true;
        let (mine, other) = state.split(self.me);
        mine.signal = Signal::default();
        mine.out.discard();
        other.out.discard();
        other.signal.lower(Flags::READABLE.with(Flags::WRITABLE).with(Flags::PEER_CLOSED));
        let wake = other.signal.raise(Flags::RESET);
        drop(state);
        wake.send();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.closed {
            self.abort();
        }
    }
}

#[cfg(test)]
mod tests;

//! A datagram endpoint: what waits to be received, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_buffer::{ByteBuf, Pool};
use fyke_core::{Address, Datagram};

use super::signal::{Flags, Seat, Signal, Wake};

/// Most datagrams that one receive hands over.
pub(super) const RECEIVE_DATAGRAMS_MAX: usize = 32;

#[derive(Debug)]
struct Letter {
    from: Arc<str>,
    payload: ByteBuf,
    truncated: bool,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Letter>,
    bytes: usize,
    signal: Signal,
    reading: bool,
    /// The owner was told that there is nothing more, and is owed a notice.
    reader_waits: bool,
    closed: bool,
}

/// How much a mailbox takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct MailboxLimits {
    pub(super) datagrams: usize,
    pub(super) bytes: usize,
    /// Longer datagrams are cut.
    pub(super) datagram_bytes: usize,
}

#[derive(Debug)]
pub(super) struct Mailbox {
    name: Arc<str>,
    /// Only this one may write to a connected endpoint.
    peer: Option<Arc<str>>,
    limits: MailboxLimits,
    state: Mutex<State>,
}

/// What became of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Delivery {
    Queued,
    /// Queued, but not all of it.
    Cut,
    /// There was no room.
    Full,
    /// The endpoint is connected to somebody else, or has gone.
    Unwanted,
}

impl Mailbox {
    pub(super) fn new(name: Arc<str>, peer: Option<Arc<str>>, limits: MailboxLimits) -> Self {
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            signal: Signal::default(),
            reading: true,
            reader_waits: true,
            closed: false,
        };
        Self { name, peer, limits, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn peer(&self) -> Option<&Arc<str>> {
        self.peer.as_ref()
    }

    /// Gives the endpoint its place in a loop.
    pub(super) fn seat(&self, seat: Seat) {
        let wake = self.lock().signal.seat(seat);
        wake.send();
    }

    /// Puts a copy of `payload` into the queue, if there is room.
    pub(super) fn deliver(&self, from: &Arc<str>, payload: &[u8], pool: &Pool) -> Delivery {
        let kept = payload.len().min(self.limits.datagram_bytes);
        let mut state = self.lock();
        if state.closed || self.peer.as_ref().is_some_and(|peer| peer != from) {
            return Delivery::Unwanted;
        }
        let full = state.queue.len() >= self.limits.datagrams
            || state.bytes.saturating_add(kept) > self.limits.bytes;
        if full && !state.queue.is_empty() {
            return Delivery::Full;
        }
        let mut copy = pool.take(kept);
        copy.write_slice(&payload[..kept]);
        let truncated = kept < payload.len();
        state.bytes += kept;
        state.queue.push_back(Letter { from: Arc::clone(from), payload: copy, truncated });
        let wake = state.notice();
        drop(state);
        wake.send();
        if truncated { Delivery::Cut } else { Delivery::Queued }
    }

    /// Moves a batch out; `true` when there is more.
    pub(super) fn receive(&self, batch: &mut Vec<Datagram>) -> bool {
        let mut state = self.lock();
        for _ in 0..RECEIVE_DATAGRAMS_MAX {
            let Some(letter) = state.queue.pop_front() else { break };
            state.bytes -= letter.payload.readable();
            let mut datagram = Datagram::to(Address::Local(letter.from), letter.payload);
            datagram.truncated = letter.truncated;
            batch.push(datagram);
        }
        let more = !state.queue.is_empty();
        state.reader_waits = !more;
        if !more {
            state.queue.shrink_to(4);
        }
        more
    }

    /// Stops or starts the notices of datagrams.
    pub(super) fn set_reading(&self, on: bool) {
        let mut state = self.lock();
        state.reading = on;
        state.reader_waits = true;
        let wake = if !on {
            state.signal.lower(Flags::READABLE);
            Wake::NONE
        } else if state.queue.is_empty() {
            Wake::NONE
        } else {
            state.notice()
        };
        drop(state);
        wake.send();
    }

    /// Notes something about this endpoint itself.
    pub(super) fn raise(&self, flags: Flags) {
        let wake = self.lock().signal.raise(flags);
        wake.send();
    }

    pub(super) fn take_flags(&self) -> Flags {
        self.lock().signal.take()
    }

    /// Takes nothing any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.signal = Signal::default();
        state.bytes = 0;
        state.queue = VecDeque::new();
    }
}

impl State {
    fn notice(&mut self) -> Wake {
        let tell = self.reading && self.reader_waits;
        if tell {
            self.reader_waits = false;
        }
        self.signal.raise(Flags::READABLE.when(tell))
    }
}

//! A listener: connections that wait to be accepted, at most so many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::signal::{Flags, Seat, Signal, Wake};
use super::stream::End;

#[derive(Debug)]
struct State {
    /// The accepted end, and the name of the one that connected.
    backlog: VecDeque<(End, Arc<str>)>,
    signal: Signal,
    accepting: bool,
    closed: bool,
}

#[derive(Debug)]
pub(super) struct Listener {
    name: Arc<str>,
    backlog_max: usize,
    state: Mutex<State>,
}

/// Why a listener did not take a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    Closed,
    BacklogFull,
}

impl Listener {
    pub(super) fn new(name: Arc<str>, backlog: u32) -> Self {
        Self {
            name,
            backlog_max: usize::try_from(backlog).unwrap_or(usize::MAX).max(1),
            state: Mutex::new(State {
                backlog: VecDeque::new(),
                signal: Signal::default(),
                accepting: true,
                closed: false,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Gives the listener its place in a loop.
    pub(super) fn seat(&self, seat: Seat) {
        let wake = self.lock().signal.seat(seat);
        wake.send();
    }

    /// Offers a connection.
    pub(super) fn push(&self, server: End, client: Arc<str>) -> Result<(), (Refusal, End)> {
        let mut state = self.lock();
        if state.closed {
            return Err((Refusal::Closed, server));
        }
        if state.backlog.len() >= self.backlog_max {
            return Err((Refusal::BacklogFull, server));
        }
        state.backlog.push_back((server, client));
        let flags = Flags::ACCEPTABLE.when(state.accepting);
        let wake = state.signal.raise(flags);
        drop(state);
        wake.send();
        Ok(())
    }

    /// Takes the one that has waited longest.
    pub(super) fn accept(&self) -> Option<(End, Arc<str>)> {
        self.lock().backlog.pop_front()
    }

    /// Stops or starts the notices of connections.
    pub(super) fn set_accepting(&self, on: bool) {
        let mut state = self.lock();
        state.accepting = on;
        let wake = if !on {
            state.signal.lower(Flags::ACCEPTABLE);
            Wake::NONE
        } else {
            let flags = Flags::ACCEPTABLE.when(!state.backlog.is_empty());
            state.signal.raise(flags)
        };
        drop(state);
        wake.send();
    }

    pub(super) fn take_flags(&self) -> Flags {
        self.lock().signal.take()
    }

    /// Takes nothing any more; those who waited are reset.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.signal = Signal::default();
        let waiting = std::mem::take(&mut state.backlog);
        drop(state);
        drop(waiting);
    }
}

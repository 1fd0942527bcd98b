//! Listeners of a loop: accepting with a budget, and resting when the system has no room.

use std::io;
use std::time::Duration;

use crate::address::Address;
use crate::channel::ChannelKey;
use crate::channel::turn::Work;
use crate::driver::TransportId;
use crate::event_loop::LoopCore;
use crate::event_loop::table::Entry;
use crate::event_loop::timers::Timer;
use crate::options::ChannelOptions;
use crate::transport::{CloseMode, Handle, Incoming};

/// Who is given the connections that a listener accepts.
pub trait AcceptSink: 'static {
    /// Takes one; it may be adopted here or on another loop.
    fn accepted(&mut self, core: &mut LoopCore, incoming: Incoming, peer: Address);
}

pub(super) struct Listener {
    key: ChannelKey,
    transport: TransportId,
    handle: Handle,
    sink: Option<Box<dyn AcceptSink>>,
    paused: bool,
    /// It stands in the loop's ready list.
    queued: bool,
    /// The turn in which it last accepted.
    turn: u64,
}

/// Connections that a listener accepts before it closes.
const ACCEPTED_AT_CLOSE_MAX: usize = 4096;

/// Time until a listener that could not accept tries again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl LoopCore {
    /// Listens. Connections go to `sink`.
    ///
    /// # Errors
    /// Those of the transport.
    pub fn listen(
        &mut self,
        transport: TransportId,
        address: &Address,
        options: &ChannelOptions,
        sink: impl AcceptSink,
    ) -> io::Result<(ChannelKey, Address)> {
        let key = self.next_key();
        let table = self.state.transport_mut(transport).ok_or(io::ErrorKind::Unsupported)?;
        let (handle, bound) = table.listen(key, address, &options.socket)?;
        let sink: Option<Box<dyn AcceptSink>> = Some(Box::new(sink));
        let listener =
            Listener { key, transport, handle, sink, paused: false, queued: false, turn: 0 };
        self.entries.insert(Entry::Listener(Box::new(listener)));
        Ok((key, bound))
    }

    fn listener(&mut self, key: ChannelKey) -> Option<&mut Listener> {
        match self.entries.get_mut(key.index as usize) {
            Some(Entry::Listener(listener)) if listener.key == key => Some(listener),
            _ => None,
        }
    }

    pub(super) fn accept_some(&mut self, key: ChannelKey, budget: usize) {
        let Some(listener) = self.listener(key) else { return };
        let (transport, handle) = (listener.transport, listener.handle);
        let Some(mut sink) = listener.sink.take() else { return };
        let mut failed = None;
        let mut accepted = 0;
        while accepted < budget {
            let Some(table) = self.state.transport_mut(transport) else { break };
            match table.accept(handle) {
                Ok(Some((incoming, peer))) => {
                    accepted += 1;
                    sink.accepted(self, incoming, peer);
                }
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        self.state.stats.accepted += accepted as u64;
        // Whoever was given the connections may have closed the listener.
        let Some(listener) = self.listener(key) else { return };
        listener.sink = Some(sink);
        match failed {
            Some(error) => self.pause_accepting(key, error),
            // There may be more; edge triggering would not say so again.
            None if accepted == budget => self.accept_on(key),
            None => {}
        }
    }

    /// More are accepted in the next turn.
    fn accept_on(&mut self, key: ChannelKey) {
        let turn = self.state.stats.turns;
        let Some(listener) = self.listener(key) else { return };
        listener.turn = turn;
        if !std::mem::replace(&mut listener.queued, true) {
            self.state.ready.push_back(key);
        }
    }

    /// A channel or a listener that had more to do than its last turn allowed.
    pub(super) fn go_on(&mut self, key: ChannelKey, budget: usize) {
        let turn = self.state.stats.turns;
        let Some(listener) = self.listener(key) else { return self.turn_of(key, Work::Continue) };
        if listener.turn == turn {
            // It has accepted in this one.
            self.state.ready.push_back(key);
            return;
        }
        listener.queued = false;
        self.accept_some(key, budget);
    }

    /// No descriptor is left, or the like: the listener rests for a moment instead of spinning.
    fn pause_accepting(&mut self, key: ChannelKey, error: io::Error) {
        self.state.stats.accept_errors += 1;
        tracing::warn!(%error, retry_in = ?ACCEPT_PAUSE, "a connection cannot be accepted");
        if let Some(listener) = self.listener(key) {
            listener.paused = true;
            let (transport, handle) = (listener.transport, listener.handle);
            if let Some(table) = self.state.transport_mut(transport) {
                table.set_reading(handle, false);
            }
        }
        let again = self.state.env.now() + ACCEPT_PAUSE;
        self.state.timers.schedule(again, Timer::Accept(key));
    }

    pub(super) fn resume_accepting(&mut self, key: ChannelKey, budget: usize) {
        if let Some(listener) = self.listener(key) {
            let (transport, handle) = (listener.transport, listener.handle);
            if std::mem::replace(&mut listener.paused, false)
                && let Some(table) = self.state.transport_mut(transport)
            {
                table.set_reading(handle, true);
            }
            self.accept_some(key, budget);
        }
    }

    /// Stops listening. Connections live on, those that nobody has accepted yet, too: their peers
    /// have been told that they are connected.
    pub fn close_listener(&mut self, key: ChannelKey) {
        self.accept_some(key, ACCEPTED_AT_CLOSE_MAX);
        if self.listener(key).is_none() {
            return;
        }
        if let Entry::Listener(listener) = self.entries.remove(key.index as usize)
            && let Some(table) = self.state.transport_mut(listener.transport)
        {
            table.close(listener.handle, CloseMode::Orderly);
        }
    }

    pub(super) fn close_listeners(&mut self) {
        let listeners: Vec<ChannelKey> = self
            .entries
            .iter()
            .filter_map(|(_, entry)| match entry {
                Entry::Listener(listener) => Some(listener.key),
                Entry::Channel(_) => None,
            })
            .collect();
        listeners.into_iter().for_each(|key| self.close_listener(key));
    }
}

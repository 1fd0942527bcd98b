//! Passive opens with data in the SYN (RFC 7413, section 4.2), and what active ones have learned.

use alloc::sync::Arc;

use fyke_clock::Instant;

use crate::interface::fast_open;
use crate::interface::isn::Ticks;
use crate::interface::tuple::FourTuple;
use crate::stack::Stack;
use crate::stack::ids::ListenerId;
use crate::tcp::{CloseReason, Connection, Segment, State};

impl Stack {
    /// Opens a connection at once when the listener grants it and the SYN brings data and a cookie
    /// of ours. Otherwise the handshake goes its usual way, and the data is sent again after it.
    pub(super) fn open_fast(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &FourTuple,
        syn: &Segment,
        created: Ticks,
    ) -> bool {
        let Some(cookie) = &syn.options.fast_open else { return false };
        let room = self.tcp.sockets.len() < self.net.config.limits.connections_max;
        let Some(listener) = self.tcp.listeners.get_mut(id) else { return false };
        let granted = listener.grants_fast_open(now) && !syn.payload.is_empty() && room;
        if !granted || !fast_open::is_ours(&self.net.secrets.fast_open, tuple, cookie, now) {
            return false;
        }
        let config = Arc::clone(&listener.config);
        let initial = self.initial(tuple, created);
        let connection = Connection::accept_fast(config, syn, initial, now);
        let new = self.insert_accepted(id, tuple, connection);
        if let Some(listener) = self.tcp.listeners.get_mut(id) {
            listener.fast_pending += 1;
        }
        self.tcp.fast_pending.insert(new.index, id);
        self.mark_dirty(new.index);
        self.settle(now, new.index);
        self.queue_for_accept(id, new);
        true
    }

    /// After anything that may have changed a connection: a handshake that was pending is over, or
    /// an active open has learned something.
    pub(crate) fn settle_fast_open(&mut self, now: Instant, index: u32) {
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        if socket.connection.has_fast_open()
            && let Some(outcome) = socket.connection.take_fast_open()
        {
            self.tcp.fast_peers.learn(now, socket.tuple.remote().ip(), outcome);
        }
        if self.tcp.fast_pending.is_empty() || socket.connection.state() == State::SynReceived {
            return;
        }
        let reset = socket.closed == Some(CloseReason::Reset);
        if let Some(id) = self.tcp.fast_pending.remove(&index)
            && let Some(listener) = self.tcp.listeners.get_mut(id)
        {
            listener.fast_open_ended(now, reset);
        }
    }
}

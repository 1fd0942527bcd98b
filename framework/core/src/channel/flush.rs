//! Sending: what waits is offered to the transport until it is full.

use crate::channel::LocalChannel;
use crate::channel::core::State;
use crate::event_loop::state::LoopState;
use crate::pipeline::link::Head;
use crate::transport::Wrote;

/// Datagrams that are offered to the transport at once.
const SEND_BATCH: usize = 32;

impl LocalChannel {
    #[inline]
    pub(super) fn has_output(&self) -> bool {
        !self.core.outbound.is_empty() || !self.core.datagrams.is_empty()
    }

    #[inline]
    pub(super) fn may_flush(&self) -> bool {
        self.core.options.auto_flush || self.core.flush_requested || !self.core.is_open()
    }

    #[inline]
    fn can_send(&self) -> bool {
        !self.core.write_blocked
            && !self.core.in_flight
            && !self.core.abort_requested
            && matches!(self.core.state, State::Open | State::Closing)
    }

    /// Offers what waits to the transport until it is full.
    pub(crate) fn flush(&mut self, state: &mut LoopState) {
        self.core.flush_requested = true;
        if self.core.head == Head::Datagram {
            return self.flush_datagrams(state);
        }
        while self.can_send() {
            if self.core.outbound.is_empty() {
                self.core.flush_requested = false;
                return;
            }
            let Some(handle) = self.core.handle else { return };
            if self.core.outbound.pending() == 0 {
                self.core.outbound.keep_leading_promises();
                continue;
            }
            let pending = self.core.outbound.pending();
            let Some(transport) = state.transport_mut(self.core.transport) else { return };
            let mut gather = self.core.outbound.gather();
            let offered = gather.offered().min(pending);
            match transport.write(handle, &mut gather) {
                Ok(Wrote::Now(n)) => {
                    self.core.write_blocked = (n as u64) < offered;
                    if self.taken(state, n) {
                        self.core.flush_requested = false;
                        return;
                    }
                }
                Ok(Wrote::InFlight) => self.core.in_flight = true,
                Err(error) => {
                    self.broken(state, error.into());
                    return;
                }
            }
        }
        if self.has_output() && matches!(self.core.state, State::Open | State::Closing) {
            self.core.progress.blocked(state.env.now());
        }
    }

    /// The transport has taken `n` bytes; answers whether nothing more waits.
    #[inline(always)]
    pub(crate) fn taken(&mut self, state: &mut LoopState, n: usize) -> bool {
        state.stats.bytes_out += n as u64;
        let empty = self.core.outbound.advance(n, &state.pool);
        self.core.progress.taken(state.env.now(), n as u64, empty);
        self.core.drained_some();
        empty
    }

    #[inline(never)]
    fn flush_datagrams(&mut self, state: &mut LoopState) {
        while self.can_send() && !self.core.datagrams.is_empty() {
            let Some(handle) = self.core.handle else { return };
            let Some(transport) = state.transport_mut(self.core.transport) else { return };
            let batch = self.core.datagrams.batch(SEND_BATCH);
            let n = batch.len();
            let result = transport.send(handle, batch);
            match result {
                Ok(sent) => {
                    self.core.write_blocked = sent < n;
                    let bytes = self.core.sent(sent);
                    state.stats.bytes_out += bytes;
                    let empty = self.core.datagrams.is_empty();
                    self.core.progress.taken(state.env.now(), bytes, empty);
                }
                Err(error) => self.core.send_failed(error),
            }
            self.core.drained_some();
        }
        if self.core.datagrams.is_empty() {
            self.core.flush_requested = false;
        } else if matches!(self.core.state, State::Open | State::Closing) {
            self.core.progress.blocked(state.env.now());
        }
    }
}

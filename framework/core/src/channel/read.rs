//! Reading: as long as there is something, nobody has paused, and the turn's budget lasts.

use std::io;

use crate::channel::LocalChannel;
use crate::channel::core::{PeerEnd, State};
use crate::error::Error;
use crate::event::{PeerClosed, Signal};
use crate::event_loop::state::LoopState;
use crate::pipeline::link::Head;
use crate::transport::{Handle, Read, TransportEvent};

/// What one read gave.
pub(super) enum Got {
    Bytes(usize),
    Nothing,
    /// The peer has sent its last byte, and everything before it has been read.
    End,
}

impl LocalChannel {
    /// There is something to read.
    #[inline]
    pub(super) fn readable(&mut self, state: &mut LoopState) {
        self.core.read_ready = true;
        self.read_some(state);
    }

    /// Reads for one turn; what is left then has its turn again. The end of the stream is told
    /// last.
    pub(crate) fn read_some(&mut self, state: &mut LoopState) {
        let mut budget = self.core.options.read_bytes_per_turn;
        let (mut any, mut ended) = (false, false);
        while self.core.read_ready && self.core.wants_reading() {
            if budget == 0 {
                state.queue(&mut self.core);
                break;
            }
            match self.read_once(state) {
                Got::Bytes(n) => {
                    any = true;
                    budget = budget.saturating_sub(n);
                }
                Got::Nothing => break,
                Got::End => {
                    self.core.read_ready = false;
                    self.core.input_ended = true;
                    ended = true;
                }
            }
        }
        if any && matches!(self.core.state, State::Open | State::Closing) {
            self.fire_read_complete(state);
        }
        if ended && self.core.state == State::Open {
            self.fire(state, Signal::ReadClosed);
        }
    }

    /// One read of the transport.
    #[inline(always)]
    fn read_once(&mut self, state: &mut LoopState) -> Got {
        let Some(handle) = self.core.handle else { return Got::Nothing };
        if self.core.head == Head::Datagram {
            return self.receive_once(state, handle);
        }
        if self.splices()
            && let Some(got) = self.splice_once(state, handle)
        {
            return got;
        }
        let want = self.core.read_size as usize;
        let Some((transport, pool)) = state.transport_and_pool(self.core.transport) else {
            return Got::Nothing;
        };
        let read = transport.read(handle, want, pool);
        let Ok(Read::Data { bytes, more }) = read else { return self.read_nothing(state, read) };
        let n = bytes.readable();
        self.core.read_ready = more;
        self.adapt(n, want);
        state.stats.bytes_in += n as u64;
        self.core.progress.received(state.env.now(), n as u64);
        if self.core.state == State::Lingering {
            self.drop_lingering(state, n);
            return Got::Bytes(n);
        }
        if !self.core.pulls {
            self.core.demand_met();
            state.stats.messages += 1;
        }
        self.head_read(state, bytes);
        Got::Bytes(n)
    }

    /// A read that gave no bytes.
    #[cold]
    #[inline(never)]
    fn read_nothing(&mut self, state: &mut LoopState, read: io::Result<Read>) -> Got {
        match read {
            Ok(Read::End) => Got::End,
            Ok(Read::WouldBlock | Read::Data { .. }) => {
                self.core.read_ready = false;
                Got::Nothing
            }
            Err(error) => {
                self.core.read_ready = false;
                self.broken(state, error.into());
                Got::Nothing
            }
        }
    }

    #[inline(never)]
    fn receive_once(&mut self, state: &mut LoopState, handle: Handle) -> Got {
        let mut batch = std::mem::take(&mut state.datagrams);
        let received = match state.transport_and_pool(self.core.transport) {
            Some((transport, pool)) => transport.receive(handle, &mut batch, pool),
            None => Ok(false),
        };
        match received {
            Ok(more) => self.core.read_ready = more,
            Err(error) => {
                // An ICMP error of one peer: told, and the endpoint lives on.
                self.fire_error(state, Error::from(error));
            }
        }
        let mut bytes = 0;
        let any = !batch.is_empty();
        for datagram in batch.drain(..) {
            bytes += datagram.payload.readable().max(1);
            self.core.demand_met();
            state.stats.messages += 1;
            self.head_receive(state, datagram);
        }
        state.datagrams = batch;
        state.stats.bytes_in += bytes as u64;
        if any {
            self.core.progress.received(state.env.now(), bytes as u64);
        }
        if any { Got::Bytes(bytes) } else { Got::Nothing }
    }

    /// The size of reads follows what arrives: four times as much when a read was filled, a quarter
    /// when two in a row would have fitted into that.
    #[inline]
    fn adapt(&mut self, n: usize, want: usize) {
        let options = &self.core.options;
        if n >= want {
            self.core.small_reads = 0;
            let grown = (want * 4).min(options.read_bytes_max);
            self.core.read_size = grown as u32;
        } else if n * 4 < want && want > options.read_bytes_min {
            self.core.small_reads += 1;
            if self.core.small_reads > 1 {
                self.core.small_reads = 0;
                self.core.read_size = (want / 4).max(options.read_bytes_min) as u32;
            }
        } else {
            self.core.small_reads = 0;
        }
    }

    /// A channel that does not read learns nevertheless that its peer has closed.
    pub(crate) fn must_tell_peer_end(&self) -> bool {
        self.core.peer_end == PeerEnd::Reported
            && self.core.state == State::Open
            && !self.core.input_ended
            && !self.core.wants_reading()
    }

    pub(crate) fn tell_peer_end(&mut self, state: &mut LoopState) {
        self.core.peer_end = PeerEnd::Told;
        self.fire_event(state, Box::new(PeerClosed));
    }

    /// What the transport reports of this channel.
    pub(crate) fn on_event(&mut self, state: &mut LoopState, event: TransportEvent) {
        match event {
            TransportEvent::Readable(_) => self.readable(state),
            TransportEvent::Writable(_) => self.core.write_blocked = false,
            TransportEvent::Written(_, n) => {
                self.core.in_flight = false;
                let _ = self.taken(state, n);
            }
            TransportEvent::PeerClosed(_) => {
                if self.core.peer_end == PeerEnd::None {
                    self.core.peer_end = PeerEnd::Reported;
                }
            }
            TransportEvent::Connected(_, Ok(())) => self.connected(state),
            TransportEvent::Connected(_, Err(error)) => self.connect_failed(state, error.into()),
            TransportEvent::Failed(_, error) => self.broken(state, error.into()),
            TransportEvent::Acked(_, n) => self.core.progress.acked(state.env.now(), n as u64),
            TransportEvent::Acceptable(_) => {}
        }
    }
}

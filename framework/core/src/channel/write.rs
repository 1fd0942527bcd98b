//! What a channel takes to be sent: limits, water marks, datagrams.

use std::io;

use fyke_buffer::ByteBuf;

use crate::channel::core::ChannelCore;
use crate::error::{CloseReason, Error, ErrorKind};
use crate::event_loop::state::LoopState;
use crate::outgoing::{Datagram, Outgoing};
use crate::pipeline::link::Head;
use crate::promise::Promise;

impl ChannelCore {
    pub(crate) fn is_writable(&self) -> bool {
        !self.unwritable && self.takes_writes()
    }

    #[inline]
    pub(crate) fn pending_bytes(&self) -> u64 {
        self.outbound.pending() + self.datagram_bytes + self.accounted
    }

    #[inline(always)]
    pub(crate) fn takes_direct_writes(&self) -> bool {
        // Below the high-water mark nothing is near the limit.
        self.takes_writes()
            && self.head == Head::Stream
            && (!self.unwritable || self.is_below_limit())
    }

    #[cold]
    fn is_below_limit(&self) -> bool {
        self.bytes_in_memory() < self.options.outbound_bytes_max as u64
    }

    /// A message at the head of a stream channel.
    #[inline]
    pub(crate) fn write(&mut self, msg: Outgoing, promise: Promise) {
        // What nothing waits in front of is taken, whatever its size.
        let alone = !promise.is_observed() && self.accounted == 0 && self.takes_writes();
        let msg = if alone { self.outbound.push_first(msg) } else { Some(msg) };
        match msg {
            None => self.written(),
            Some(msg) => self.write_behind(msg, promise),
        }
    }

    /// Behind others, or with a promise, or not at all.
    #[inline(never)]
    fn write_behind(&mut self, msg: Outgoing, promise: Promise) {
        if let Err(error) = self.admit(msg.bytes_in_memory()) {
            promise.fail(error);
            return;
        }
        self.outbound.push(msg, promise);
        self.written();
    }

    /// Lets an encoder append to the outbound queue.
    #[inline]
    pub(crate) fn encode<E>(
        &mut self,
        state: &LoopState,
        encode: impl FnOnce(&mut ByteBuf) -> Result<(), E>,
    ) -> Result<(), E> {
        let tail = self.outbound.open_tail(&state.pool);
        let before = tail.readable();
        let result = encode(tail);
        self.encoded(before, result.is_err());
        result
    }

    /// An encoder has appended to the outbound queue.
    #[inline(always)]
    pub(crate) fn encoded(&mut self, before: usize, failed: bool) {
        self.outbound.encoded(before, failed);
        self.written();
    }

    /// A message at the head of a datagram channel.
    pub(crate) fn send(&mut self, msg: Datagram, promise: Promise) {
        let bytes = msg.payload.readable() as u64;
        if let Err(error) = self.admit(bytes) {
            promise.fail(error);
            return;
        }
        self.datagram_bytes += bytes;
        self.datagrams.push(msg, promise);
        self.written();
    }

    /// `n` datagrams were sent; answers how many bytes that were, of an empty one one.
    pub(crate) fn sent(&mut self, n: usize) -> u64 {
        let bytes = self.datagrams.bytes_of(n);
        for _ in 0..n {
            self.next_datagram_done(Ok(()));
        }
        bytes
    }

    /// The first datagram could not be sent.
    pub(crate) fn send_failed(&mut self, error: io::Error) {
        self.next_datagram_done(Err(error.into()));
    }

    /// All datagrams are given up.
    pub(crate) fn fail_datagrams(&mut self) {
        while !self.datagrams.is_empty() {
            self.next_datagram_done(Err(Error::closed()));
        }
    }

    fn next_datagram_done(&mut self, result: Result<(), Error>) {
        let Some((datagram, promise)) = self.datagrams.pop() else { return };
        self.datagram_bytes -= datagram.payload.readable() as u64;
        match result {
            Ok(()) => promise.succeed(),
            Err(error) => promise.fail(error),
        }
    }

    /// What waits to be sent and takes memory: file regions do not.
    #[inline]
    fn bytes_in_memory(&self) -> u64 {
        self.outbound.in_memory() + self.datagram_bytes + self.accounted
    }

    /// Whether so many bytes of memory more may wait.
    fn admit(&mut self, bytes: u64) -> Result<(), Error> {
        if !self.takes_writes() {
            return Err(Error::closed());
        }
        let (pending, limit) = (self.bytes_in_memory(), self.options.outbound_bytes_max);
        // A single message larger than the limit passes when nothing else waits: it is there
        // already.
        if pending > 0 && pending.saturating_add(bytes) > limit as u64 {
            // The stream has a hole from here on, so it must not go on.
            self.abort_with(CloseReason::Limit);
            tracing::warn!(pending, limit, "the peer does not read: closing");
            return Err(ErrorKind::OutboundFull { pending: pending as usize, limit }.into());
        }
        Ok(())
    }

    #[inline]
    fn written(&mut self) {
        if !self.unwritable && self.pending_bytes() > self.high_water_mark {
            self.cross_water_mark(true);
        }
    }

    /// Looks whether what waits has fallen to the low water mark.
    #[inline]
    pub(crate) fn drained_some(&mut self) {
        if self.unwritable && self.pending_bytes() <= self.low_water_mark() {
            self.cross_water_mark(false);
        }
    }

    fn low_water_mark(&self) -> u64 {
        self.high_water_mark.min(self.options.low_water_mark as u64)
    }

    fn cross_water_mark(&mut self, unwritable: bool) {
        self.unwritable = unwritable;
        // Also when both marks are crossed within one turn: a handler that looked in between waits
        // to be told.
        self.edge = true;
        self.tell_writable();
    }

    /// Lets handles know whether the channel is writable.
    pub(crate) fn tell_writable(&self) {
        if let Some(shared) = &self.shared {
            shared.set_writable(self.is_writable());
        }
    }

    /// Our end is to be sent behind what is written.
    pub(crate) fn request_shutdown(&mut self) {
        self.shutdown_requested = true;
        self.tell_writable();
    }

    pub(crate) fn account(&mut self, bytes: i64) {
        self.accounted = self.accounted.saturating_add_signed(bytes);
        if bytes > 0 {
            self.written();
        } else {
            self.drained_some();
        }
    }
}

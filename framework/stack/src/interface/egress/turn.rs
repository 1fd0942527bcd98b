//! Whose turn it is to send: first what the stack itself has to say, then the sockets that may have
//! something, each a few segments at a time.

use core::cell::Cell;

use fyke_clock::Instant;

use super::segment::{SegmentOut, Shared};
use crate::stack::Stack;
use crate::stack::event::Source;
use crate::stack::frame::{TxFrame, TxSink};
use crate::stack::ids::UdpId;

/// A socket that may have something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dirty {
    Connection(u32),
    Udp(u32),
}

/// Counts frames, so that a turn ends when the budget does.
struct Budget<'a> {
    out: &'a mut dyn TxSink,
    left: Cell<usize>,
}

impl TxSink for Budget<'_> {
    fn ready(&self) -> bool {
        self.left.get() > 0 && self.out.ready()
    }

    fn transmit(&mut self, frame: TxFrame<'_>) {
        self.left.set(self.left.get().saturating_sub(1));
        self.out.transmit(frame);
    }
}

/// Packets taken from the loopback before the device has its turn again.
const LOOPBACK_PER_TURN: usize = 64;
/// Packets taken from the loopback in one call, so that two sockets of ours that talk to each other
/// give it back.
const LOOPBACK_PER_CALL: usize = 1 << 16;

impl Stack {
    /// Sends what there is to send, up to `budget` frames; says how many were sent.
    pub(crate) fn transmit_turns(
        &mut self,
        now: Instant,
        out: &mut dyn TxSink,
        budget: usize,
    ) -> usize {
        self.relieve(now);
        let mut out = Budget { out, left: Cell::new(budget) };
        let mut rounds = budget.min(LOOPBACK_PER_CALL);
        loop {
            // Answers to a flood may take half of the budget while connections wait.
            let share = if self.dirty.is_empty() { 0 } else { out.left.get() / 2 };
            self.transmit_outbox(now, &mut out, share);
            self.transmit_dirty(now, &mut out);
            // The rest, fragments, and what waited for a neighbour.
            self.transmit_outbox(now, &mut out, 0);
            if self.net.loopback.is_empty() || rounds == 0 {
                break;
            }
            rounds -= self.take_loopback(now, rounds.min(LOOPBACK_PER_TURN));
        }
        budget - out.left.get()
    }

    /// Sends what the stack itself has to say, as long as more than `keep` of the budget is left.
    fn transmit_outbox(&mut self, now: Instant, out: &mut Budget<'_>, keep: usize) {
        while out.left.get() > keep
            && out.ready()
            && let Some(queued) = self.net.outbox.pop_front()
        {
            self.net.send_queued(now, queued, out);
        }
    }

    /// A turn for each dirty socket. One that has more to send goes to the end of the list.
    fn transmit_dirty(&mut self, now: Instant, out: &mut dyn TxSink) {
        while out.ready()
            && let Some(dirty) = self.dirty.pop_front()
        {
            match dirty {
                Dirty::Connection(index) => self.transmit_connection(now, index, out),
                Dirty::Udp(index) => self.transmit_datagrams(now, index, out),
            }
        }
    }

    fn transmit_datagrams(&mut self, now: Instant, index: u32, out: &mut dyn TxSink) {
        let mut left = self.net.config.limits.segments_per_turn.max(1);
        let generation = self.udp.sockets.generation(index);
        let Some(socket) = self.udp.sockets.at_mut(index) else { return };
        while left > 0
            && out.ready()
            && let Some(datagram) = socket.to_send.pop_front()
        {
            left -= 1;
            self.net.memory.change(datagram.cost(), 0);
            let port = datagram.source_port.unwrap_or(socket.local.port());
            self.net.send_datagram(now, port, &datagram, &socket.options, out);
        }
        socket.dirty = !socket.to_send.is_empty();
        if socket.dirty {
            self.dirty.push_back(Dirty::Udp(index));
        }
        if socket.blocked && left < self.net.config.limits.segments_per_turn.max(1) {
            socket.blocked = false;
            socket.writable = true;
            self.queue_udp(UdpId { index, generation });
        }
    }

    /// Queues a UDP socket that has something to tell.
    pub(crate) fn queue_udp(&mut self, id: UdpId) {
        if let Some(socket) = self.udp.get_mut(id)
            && !core::mem::replace(&mut socket.queued, true)
        {
            self.events.push(Source::Udp(id));
        }
    }

    fn transmit_connection(&mut self, now: Instant, index: u32, out: &mut dyn TxSink) {
        let left = self.net.config.limits.segments_per_turn.max(1);
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        self.net.counters.work.polls += 1;
        socket.connection.set_tight(self.net.memory.is_tight());
        let mut sink = SegmentOut {
            net: &mut self.net,
            out,
            now,
            tuple: socket.tuple,
            hop_limit: socket.hop_limit,
            traffic_class: socket.traffic_class,
            left,
            shared: Shared::Unknown,
        };
        let more = socket.connection.poll(now, &mut sink);
        socket.dirty = more;
        if more {
            // A device without room keeps the order; a connection that had its share waits.
            if sink.left == 0 {
                self.dirty.push_back(Dirty::Connection(index));
            } else {
                self.dirty.push_front(Dirty::Connection(index));
            }
        }
        self.settle(now, index);
    }

    fn take_loopback(&mut self, now: Instant, most: usize) -> usize {
        let mut taken = 0;
        while taken < most
            && let Some((packet, meta)) = self.net.loopback.pop_front()
        {
            self.loopback_input(now, packet, meta);
            taken += 1;
        }
        taken.max(1)
    }

    /// Marks a connection as one that may have something to send.
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        if let Some(socket) = self.tcp.sockets.at_mut(index)
            && !socket.dirty
        {
            socket.dirty = true;
            self.dirty.push_back(Dirty::Connection(index));
        }
    }
}

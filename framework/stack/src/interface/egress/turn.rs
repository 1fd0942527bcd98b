//! Whose turn it is to send: first what the stack itself has to say, then the sockets that may have
//! something, each a few segments at a time.

use core::cell::Cell;

use fyke_clock::Instant;

use super::segment::{SegmentOut, Shared};
use crate::interface::isn;
use crate::interface::time_wait::{Remains, millis};
use crate::interface::timer::Timer;
use crate::stack::Stack;
use crate::stack::event::{Pending, Source};
use crate::stack::frame::{TxFrame, TxSink};
use crate::stack::ids::{TcpId, UdpId};
use crate::stack::mtu_calls::tcp_headers;
use crate::tcp::{self, State};

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

    /// After anything that may have changed a connection: its events are collected, its timer is
    /// set, and when nothing is left of it but a memory, only that is kept.
    pub(crate) fn settle(&mut self, now: Instant, index: u32) {
        self.account(index);
        self.collect_events(index);
        self.settle_fast_open(now, index);
        let generation = self.tcp.sockets.generation(index);
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        let state = socket.connection.state();
        if !socket.dirty && matches!(state, State::Closed | State::TimeWait) {
            if socket.orphan {
                return self.bury(now, index);
            }
            if state == State::Closed {
                // Its four-tuple is free; what was received can still be read.
                return self.tcp.detach_socket(index);
            }
        }
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        // What is to be sent has its turn first, and most of it moves the timer.
        if socket.dirty {
            return;
        }
        if let Some(mss) = socket.connection.take_found_mss() {
            let remote = socket.tuple.remote().ip();
            self.net.lower_path_mtu(remote, mss.saturating_add(tcp_headers(remote)));
            self.net.counters.mtu_searches_done += 1;
        }
        let deadline = socket.connection.next_deadline();
        let timer = Timer::Connection { index, generation };
        if socket.timer.arm(&mut self.net.wheel, deadline, timer) {
            self.net.counters.work.timer_moves += 1;
        }
    }

    /// Takes what a connection has to tell into its socket's bits.
    fn collect_events(&mut self, index: u32) {
        let generation = self.tcp.sockets.generation(index);
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        while let Some(event) = socket.connection.poll_event() {
            socket.pending.add(match event {
                tcp::Event::Connected => Pending::CONNECTED,
                tcp::Event::Readable => Pending::READABLE,
                tcp::Event::Writable => Pending::WRITABLE,
                tcp::Event::PeerFin => Pending::PEER_FIN,
                tcp::Event::Closed(reason) => {
                    socket.closed = Some(reason);
                    Pending::CLOSED
                }
            });
        }
        if self.net.config.report_acks
            && socket.connection.acknowledged_to().is_after(socket.acked_to)
        {
            socket.pending.add(Pending::ACKED);
        }
        // One that was not accepted yet tells by that; its other events wait for the acceptor.
        let silent = socket.orphan || socket.listener.is_some();
        if !silent && !socket.pending.is_empty() && !socket.queued {
            socket.queued = true;
            // What arrived in order, or was acknowledged, came over the neighbour.
            let progress = socket.pending.contains(Pending::READABLE)
                || socket.pending.contains(Pending::WRITABLE);
            let remote = socket.tuple.remote().ip();
            self.events.push(Source::Tcp(TcpId { index, generation }));
            if progress {
                self.net.vouch_for(remote);
            }
        }
    }

    /// Removes a connection that is over; what TIME-WAIT needs is kept.
    fn bury(&mut self, now: Instant, index: u32) {
        let Some(mut socket) = self.tcp.remove_socket(index) else { return };
        socket.timer.cancel(&mut self.net.wheel);
        self.net.memory.change(socket.held as usize, 0);
        if socket.connection.state() != State::TimeWait {
            return;
        }
        let Some(expires) = socket.connection.next_deadline() else { return };
        let info = socket.connection.info();
        let window_shift = info.window_scales.map_or(0, |(_, ours)| ours);
        let remains = Remains {
            tuple: socket.tuple,
            snd_nxt: info.snd_nxt,
            rcv_nxt: info.rcv_nxt,
            window: u16::try_from(info.rcv_wnd >> window_shift.min(14)).unwrap_or(u16::MAX),
            window_shift,
            traffic_class: socket.traffic_class,
            timestamp: socket.connection.recent_timestamp(),
            timestamp_offset: isn::timestamp_offset(&self.net.secrets, &socket.tuple),
            // Long ago.
            answered_ms: millis(now).wrapping_sub(u32::MAX / 2),
        };
        self.tcp.insert_wait(remains, expires);
        self.tcp.arm_tables(&mut self.net.wheel, now);
    }
}

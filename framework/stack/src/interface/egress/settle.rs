//! After anything that may have changed a connection: what it holds is counted, its events are
//! collected, its timer is set, and when nothing is left of it but a memory, only that is kept.
//!
//! Every segment and every call ends here, so the socket is looked up once, and again only when its
//! turn to send is over.

use fyke_clock::Instant;

use crate::interface::isn;
use crate::interface::net::Net;
use crate::interface::tcp_table::Socket;
use crate::interface::time_wait::{Remains, millis};
use crate::interface::timer::Timer;
use crate::stack::Stack;
use crate::stack::event::{Pending, Source};
use crate::stack::ids::TcpId;
use crate::stack::mtu_calls::tcp_headers;
use crate::tcp::{self, State};

impl Stack {
    /// After anything that may have changed a connection.
    pub(crate) fn settle(&mut self, now: Instant, index: u32) {
        let Some((generation, socket)) = self.tcp.sockets.entry_mut(index) else { return };
        // What is to be sent has its turn first, and most of it moves the timer.
        let sends = socket.dirty;
        let stalled = account(&mut self.net, socket);
        socket.collect_events();
        if socket.is_to_tell(self.net.config.report_acks) {
            socket.queued = true;
            self.events.push(Source::Tcp(TcpId { index, generation }));
            // What arrived in order, or was acknowledged, came over the neighbour.
            let progress = socket.pending.contains(Pending::READABLE)
                || socket.pending.contains(Pending::WRITABLE);
            if progress {
                self.net.vouch_for(socket.tuple.remote().ip());
            }
        }
        let fast = socket.connection.has_fast_open() || !self.tcp.fast_pending.is_empty();
        if stalled || fast {
            self.settle_rare(now, index, generation, stalled);
        }
        if !sends {
            self.settle_rest(now, index, generation);
        }
    }

    /// What hardly ever has to be settled.
    #[cold]
    fn settle_rare(&mut self, now: Instant, index: u32, generation: u32, stalled: bool) {
        if stalled {
            self.note_stalled(index, generation);
        }
        self.settle_fast_open(now, index);
    }

    /// What is left of a connection, and when it wants to be woken.
    fn settle_rest(&mut self, now: Instant, index: u32, generation: u32) {
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        match socket.connection.state() {
            State::Closed | State::TimeWait if socket.orphan => return self.bury(now, index),
            // Its four-tuple is free; what was received can still be read.
            State::Closed => return self.tcp.detach_socket(index),
            _ => {}
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

/// Counts what a connection holds; says whether it has stalled just now.
#[inline]
fn account(net: &mut Net, socket: &mut Socket) -> bool {
    let held = socket.connection.held();
    net.memory.change(socket.held as usize, held);
    socket.held = u32::try_from(held).unwrap_or(u32::MAX);
    held > 0 && !socket.stalled && socket.connection.is_stalled()
}

impl Socket {
    /// Takes what the connection has to tell into the socket's bits.
    #[inline]
    fn collect_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            self.pending.add(match event {
                tcp::Event::Connected => Pending::CONNECTED,
                tcp::Event::Readable => Pending::READABLE,
                tcp::Event::Writable => Pending::WRITABLE,
                tcp::Event::PeerFin => Pending::PEER_FIN,
                tcp::Event::Closed(reason) => {
                    self.closed = Some(reason);
                    Pending::CLOSED
                }
            });
        }
    }

    /// Whether it has something to tell and does not stand in the queue for that yet.
    #[inline]
    fn is_to_tell(&mut self, report_acks: bool) -> bool {
        if report_acks && self.connection.acknowledged_to().is_after(self.acked_to) {
            self.pending.add(Pending::ACKED);
        }
        // One that was not accepted yet tells by that; its other events wait for the acceptor.
        let silent = self.orphan || self.listener.is_some();
        !silent && !self.pending.is_empty() && !self.queued
    }
}

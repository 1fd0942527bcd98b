//! Passive opens: SYN, SYN cache or cookie, and the acknowledgement that makes a connection.

use alloc::sync::Arc;

use fyke_clock::Instant;

use crate::interface::cookie::{self, Opening};
use crate::interface::fast_open;
use crate::interface::isn::{self, Ticks};
use crate::interface::listener::ListenerTag;
use crate::interface::syn_cache::{Due, Embryo};
use crate::interface::tcp_table::Socket;
use crate::interface::tuple::FourTuple;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::event::Source;
use crate::stack::ids::{ListenerId, TcpId};
use crate::stack::mtu_calls::tcp_headers;
use crate::tcp::{Config, Connection, Flags, Handshake, Initial, Mss, Options, Segment, SeqNum};

/// Embryonic connections a listener may have at least, however short its backlog.
const EMBRYOS_MIN: usize = 16;
/// How long after a cookie was sent an acknowledgement may be one: the life of two periods.
const COOKIE_LIFE: core::time::Duration = core::time::Duration::from_secs(128);

/// The window of a SYN-ACK, in which everything must be until the open is complete.
fn first_window(config: &Config) -> u32 {
    config.receive_buffer_bytes.clamp(1, u32::from(u16::MAX))
}

impl Stack {
    /// A SYN for a listener.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &FourTuple,
        syn: &Segment,
        last: Option<SeqNum>,
    ) {
        let Some(listener) = self.tcp.listeners.get(id) else { return };
        if listener.is_full() {
            return self.net.drop_in(now, DropReason::AcceptQueueFull);
        }
        if self.net.memory.is_full() {
            return self.net.drop_in(now, DropReason::BuffersFull);
        }
        let config = Arc::clone(&listener.config);
        let fast = listener.options.fast_open_pending_max > 0;
        let crowded = listener.embryos >= listener.options.backlog.max(EMBRYOS_MIN);
        let created = self.created_after(now, tuple, last);
        if self.open_fast(now, id, tuple, syn, created) {
            return;
        }
        let initial = self.initial(tuple, created);
        let handshake = Handshake::of_syn(&config, syn, initial);
        if crowded || self.tcp.embryos.is_full() {
            return self.send_cookie(now, id, tuple, &config, handshake);
        }
        // Its waits count from now, whatever the clock of its number says.
        let present = Ticks::of(now);
        let mut embryo = Embryo::new(*tuple, &handshake, present, ListenerTag::from(id).0);
        embryo.hurry(created.since(present).cast_unsigned());
        if syn.options.fast_open.is_some() && fast {
            embryo.ask_cookie();
        }
        if let Some(index) = self.tcp.insert_embryo(embryo) {
            self.tcp.arm_tables(&mut self.net.wheel, now);
            self.send_syn_ack(now, index);
        }
    }

    /// The time of the clock of initial sequence numbers for a new connection: now, or as much
    /// later as it takes to be behind the numbers of the last one (RFC 9293, section 3.4.3).
    pub(crate) fn created_after(
        &self,
        now: Instant,
        tuple: &FourTuple,
        last: Option<SeqNum>,
    ) -> Ticks {
        let present = Ticks::of(now);
        let Some(last) = last else { return present };
        let behind = last.distance_from(isn::initial(&self.net.secrets, tuple, present));
        if behind < 0 { present } else { present.plus(behind.unsigned_abs() + 1) }
    }

    pub(crate) fn initial(&self, tuple: &FourTuple, created: Ticks) -> Initial {
        Initial {
            iss: isn::initial(&self.net.secrets, tuple, created),
            timestamp_offset: isn::timestamp_offset(&self.net.secrets, tuple),
            mss: self.mss(tuple),
        }
    }

    /// How long segments may be: what the link takes in and the path carries, without the fixed
    /// headers.
    pub(crate) fn mss(&self, tuple: &FourTuple) -> Mss {
        let (remote, headers) = (tuple.remote().ip(), tcp_headers(tuple.remote().ip()));
        let (receive, send) = (self.net.receive_mtu(remote), self.net.path_mtu(remote));
        Mss { receive: receive.saturating_sub(headers), send: send.saturating_sub(headers) }
    }

    fn config_of(&self, id: Option<ListenerId>) -> Arc<Config> {
        let listener = id.and_then(|id| self.tcp.listeners.get(id));
        listener.map_or_else(|| Arc::clone(&self.tcp.config), |it| Arc::clone(&it.config))
    }

    fn handshake_of(&self, now: Instant, embryo: &Embryo, window: u16) -> Handshake {
        let initial = self.initial(&embryo.tuple, embryo.clock());
        embryo.handshake(initial.iss, initial.timestamp_offset, window, now)
    }

    fn send_syn_ack(&mut self, now: Instant, index: u32) {
        let Some(embryo) = self.tcp.embryos.at(index).copied() else { return };
        let id = self.tcp.listener_of(&embryo);
        let (config, look) = (self.config_of(id), self.look_of(id, &embryo.tuple));
        let handshake = self.handshake_of(now, &embryo, 0);
        let mss = self.mss(&embryo.tuple);
        let mut syn_ack = handshake.syn_ack(&config, mss.receive, now);
        if embryo.asks_cookie() {
            let key = &self.net.secrets.fast_open;
            syn_ack.options.fast_open = Some(fast_open::cookie(key, &embryo.tuple, now));
        }
        self.reply(now, embryo.tuple, syn_ack, look);
    }

    /// Nothing is kept of the SYN: what is agreed travels in the SYN-ACK and comes back.
    fn send_cookie(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &FourTuple,
        config: &Arc<Config>,
        mut handshake: Handshake,
    ) {
        if !self.net.config.limits.syn_cookies {
            return self.net.drop_in(now, DropReason::SynCacheFull);
        }
        handshake.iss = cookie::seal(&self.net.secrets.cookie, tuple, &handshake, now);
        if handshake.timestamp.is_none() {
            // Nothing carries these back.
            (handshake.window_scale, handshake.sack, handshake.ecn) = (None, false, false);
        }
        let mut syn_ack = handshake.syn_ack(config, self.mss(tuple).receive, now);
        if let Some(stamp) = &mut syn_ack.options.timestamp {
            stamp.value = cookie::seal_timestamp(stamp.value, &handshake);
        }
        self.tcp.cookie_sent = Some(now);
        self.net.counters.cookies_out += 1;
        self.reply(now, *tuple, syn_ack, self.look_of(Some(id), tuple));
    }

    /// An acknowledgement to a listener: `None` when it was that of a cookie, or else why it is
    /// refused.
    pub(super) fn cookie_input(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &FourTuple,
        segment: &Segment,
    ) -> Option<DropReason> {
        let recent = self.tcp.cookie_sent;
        let recent = recent.is_some_and(|at| now.saturating_duration_since(at) < COOKIE_LIFE);
        if !recent || segment.flags.contains(Flags::SYN) {
            return Some(DropReason::TcpNoSocket);
        }
        let opening = Opening {
            cookie: segment.ack - 1,
            irs: segment.seq - 1,
            window: segment.window,
            timestamp: segment.options.timestamp.map(|stamp| (stamp.value, stamp.echo)),
            timestamp_offset: isn::timestamp_offset(&self.net.secrets, tuple),
        };
        let Some(handshake) = cookie::open(&self.net.secrets.cookie, tuple, &opening, now) else {
            return Some(DropReason::BadCookie);
        };
        if self.establish(now, id, tuple, (&handshake, 0), segment) {
            self.net.counters.cookies_accepted += 1;
        }
        None
    }

    /// A segment for an embryonic connection (RFC 9293, section 3.10.7.4, as far as SYN-RECEIVED).
    pub(super) fn embryo_input(&mut self, now: Instant, index: u32, segment: &Segment) {
        let Some(embryo) = self.tcp.embryos.at(index).copied() else { return };
        let flags = segment.flags;
        let first = embryo.irs() + 1;
        if flags.contains(Flags::RST) {
            let config = self.config_of(self.tcp.listener_of(&embryo));
            // Exactly the next number, as RFC 5961 has it, or it is somebody guessing, who gets a
            // challenge where RFC 793 would have given in.
            let within = segment.seq.is_within(first, first_window(&config));
            if segment.seq == first || (within && config.reset_anywhere) {
                self.tcp.remove_embryo(index);
            } else if within {
                self.answer_unacceptable(now, &embryo);
            } else {
                self.net.drop_in(now, DropReason::SynReceivedUnacceptable);
            }
            return;
        }
        if flags.contains(Flags::SYN) {
            if segment.seq == embryo.irs() && !flags.contains(Flags::ACK) {
                if let Some(embryo) = self.tcp.embryos.at_mut(index) {
                    embryo.blur();
                    if let Some(stamp) = segment.options.timestamp {
                        embryo.set_timestamp(stamp.value);
                    }
                }
                return self.send_syn_ack(now, index);
            }
            return self.answer_unacceptable(now, &embryo);
        }
        if !flags.contains(Flags::ACK) {
            return self.net.drop_in(now, DropReason::SynReceivedUnacceptable);
        }
        self.embryo_acknowledged(now, index, &embryo, segment);
    }

    /// A segment outside of the window is answered by where we stand (RFC 9293, section 3.10.7.4,
    /// first step).
    fn answer_unacceptable(&mut self, now: Instant, embryo: &Embryo) {
        self.net.drop_in(now, DropReason::SynReceivedUnacceptable);
        let id = self.tcp.listener_of(embryo);
        let (config, look) = (self.config_of(id), self.look_of(id, &embryo.tuple));
        let handshake = self.handshake_of(now, embryo, 0);
        let mut answer = handshake.syn_ack(&config, self.mss(&embryo.tuple).receive, now);
        let (timestamp, shift) = (answer.options.timestamp, answer.options.window_scale);
        answer.window >>= shift.unwrap_or(0).min(14);
        answer.seq = handshake.iss + 1;
        answer.flags = Flags::ACK;
        answer.options = Options { timestamp, ..Options::default() };
        self.reply(now, embryo.tuple, answer, look);
    }

    fn embryo_acknowledged(
        &mut self,
        now: Instant,
        index: u32,
        embryo: &Embryo,
        segment: &Segment,
    ) {
        let handshake = self.handshake_of(now, embryo, segment.window);
        if segment.ack != handshake.iss + 1 {
            return self.refuse(now, &embryo.tuple, segment);
        }
        let old = handshake.timestamp.zip(segment.options.timestamp);
        let old = old.is_some_and(|(last, new)| new.value.wrapping_sub(last).cast_signed() < 0);
        let config = self.config_of(self.tcp.listener_of(embryo));
        let first = embryo.irs() + 1;
        if old || !segment.seq.is_within(first, first_window(&config)) {
            return self.answer_unacceptable(now, embryo);
        }
        let Some(id) = self.tcp.listener_of(embryo) else {
            self.tcp.remove_embryo(index);
            return self.refuse(now, &embryo.tuple, segment);
        };
        let listener = self.tcp.listeners.get(id);
        let waits = listener.is_some_and(|listener| listener.options.defer_accept)
            && segment.payload.is_empty()
            && !segment.flags.contains(Flags::FIN);
        let full = listener.is_none_or(|listener| listener.is_full());
        if waits || full {
            // The acknowledgement that will count comes later, and tells no round trip.
            if let Some(embryo) = self.tcp.embryos.at_mut(index) {
                embryo.blur();
            }
            if full {
                self.net.drop_in(now, DropReason::AcceptQueueFull);
            }
            return;
        }
        self.tcp.remove_embryo(index);
        self.establish(now, id, &embryo.tuple, (&handshake, embryo.resent()), segment);
    }

    /// Makes a connection of a handshake, whose SYN-ACK was lost so often, and gives it the segment
    /// that completes it.
    fn establish(
        &mut self,
        now: Instant,
        id: ListenerId,
        tuple: &FourTuple,
        (handshake, lost): (&Handshake, u8),
        segment: &Segment,
    ) -> bool {
        if self.tcp.sockets.len() >= self.net.config.limits.connections_max {
            self.net.drop_in(now, DropReason::ConnectionLimit);
            return false;
        }
        let Some(listener) = self.tcp.listeners.get(id) else { return false };
        if listener.is_full() {
            self.net.drop_in(now, DropReason::AcceptQueueFull);
            return false;
        }
        let config = Arc::clone(&listener.config);
        let mss = self.mss(tuple);
        let mut connection = Connection::from_handshake(config, handshake, mss, now);
        connection.syn_ack_was_lost(lost);
        let new = self.insert_accepted(id, tuple, connection);
        if let Some(socket) = self.tcp.sockets.at_mut(new.index) {
            socket.connection.on_segment(now, segment);
        }
        self.mark_dirty(new.index);
        self.settle(now, new.index);
        self.queue_for_accept(id, new);
        true
    }

    /// A socket for a connection of a listener's that will be accepted.
    pub(super) fn insert_accepted(
        &mut self,
        id: ListenerId,
        tuple: &FourTuple,
        connection: Connection,
    ) -> TcpId {
        let look = self.look_of(Some(id), tuple);
        let socket = Socket::new(*tuple, connection, look);
        self.tcp.insert_socket(Socket { listener: Some(id), ..socket })
    }

    pub(super) fn queue_for_accept(&mut self, id: ListenerId, new: TcpId) {
        let Some(listener) = self.tcp.listeners.get_mut(id) else { return };
        listener.queue.push_back(new);
        if !core::mem::replace(&mut listener.queued, true) {
            self.events.push(Source::Listener(id));
        }
    }

    /// SYN-ACKs that nobody answered are sent again, or given up.
    pub(super) fn syn_cache_timer(&mut self, now: Instant) {
        self.tcp.syn_timer.expired();
        while let Some(due) = self.tcp.embryos.pop_due(Ticks::of(now)) {
            match due {
                Due::Resend(index) => self.send_syn_ack(now, index),
                Due::GiveUp(index) => {
                    self.tcp.remove_embryo(index);
                }
            }
        }
        self.tcp.arm_tables(&mut self.net.wheel, now);
    }
}

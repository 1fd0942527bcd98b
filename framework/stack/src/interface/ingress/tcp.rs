//! TCP in: which connection a segment is for, and what is said when it is for none.

use alloc::vec::Vec;
use fyke_clock::Instant;

use super::{Inbound, segment};
use crate::interface::egress::{Look, Queued, Reply};
use crate::interface::listener::ForwardRequest;
use crate::interface::steer::Flow;
use crate::interface::tcp_table::Place;
use crate::interface::time_wait::{Verdict, millis};
use crate::interface::timer::Timer;
use crate::interface::tuple::FourTuple;
use crate::stack::Stack;
use crate::stack::config::Personality;
use crate::stack::counters::DropReason;
use crate::stack::ids::ListenerId;
use crate::tcp::{self, Flags, ListenAnswer, Segment, SeqNum};

/// Time-outs in a row after which the next hop may be dead: the least that R1 may be (RFC 9293,
/// section 3.8.3).
const DOUBT_TIME_OUTS: u8 = 3;

impl Stack {
    pub(super) fn tcp_input(&mut self, now: Instant, inbound: Inbound) {
        // A segment to a group is nobody's (RFC 9293, section 3.9.2.3, MUST-57), and what came to
        // the link's broadcast address is none for one host (RFC 1122, section 3.3.6).
        if inbound.to_group {
            return self.net.drop_in(now, DropReason::TcpNoSocket);
        }
        let loopback = inbound.loopback;
        let tuple = match segment::tuple_of(&inbound) {
            Ok(tuple) => tuple,
            Err(reason) => return self.net.drop_in(now, reason),
        };
        let Some(segment) = segment::of(inbound) else { return };
        self.net.counters.segments_in += 1;
        self.net.counters.work.lookups += 1;
        match self.tcp.lookup(&tuple) {
            Some(Place::Connection(index)) => self.connection_input(now, index, &tuple, &segment),
            Some(Place::Embryo(index)) => self.embryo_input(now, index, &segment),
            Some(Place::TimeWait(index)) => self.time_wait_input(now, index, &tuple, &segment),
            None if loopback || self.net.owns(&Flow::Tcp(tuple)) => {
                self.stray_input(now, &tuple, &segment, None);
            }
            None => self.net.drop_in(now, DropReason::OtherShard),
        }
    }

    fn connection_input(&mut self, now: Instant, index: u32, tuple: &FourTuple, segment: &Segment) {
        let opens = segment.flags.contains(Flags::SYN) && self.would_open(tuple, segment);
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        if opens && socket.connection.may_be_reused_by(segment) {
            let last = socket.connection.info().snd_nxt;
            self.net.counters.time_waits_reused += 1;
            self.tcp.detach_socket(index);
            return self.stray_input(now, tuple, segment, Some(last));
        }
        socket.connection.set_tight(self.net.memory.is_tight());
        if self.net.memory.is_full()
            && let Some(segment) = self.trimmed(now, index, segment)
        {
            self.connection_takes(now, index, &segment);
        } else {
            self.connection_takes(now, index, segment);
        }
    }

    fn connection_takes(&mut self, now: Instant, index: u32, segment: &Segment) {
        let Some(socket) = self.tcp.sockets.at_mut(index) else { return };
        socket.connection.on_segment(now, segment);
        self.mark_dirty(index);
        self.settle(now, index);
    }

    /// Whether a SYN finds somebody to open a connection: only then may it take the place of one in
    /// TIME-WAIT (RFC 6191).
    fn would_open(&self, tuple: &FourTuple, segment: &Segment) -> bool {
        let listeners = &self.tcp.listeners;
        let id = listeners.lookup(tuple.local()).or(listeners.forwarder());
        id.is_some_and(|id| {
            !self.ignores(id, segment) && listeners.get(id).is_some_and(|it| !it.is_full())
        })
    }

    fn time_wait_input(&mut self, now: Instant, index: u32, tuple: &FourTuple, segment: &Segment) {
        let Some(remains) = self.tcp.waits.at(index).copied() else { return };
        let verdict = match remains.judge(segment) {
            Verdict::Reopen
                if !self.net.config.tcp.time_wait_reuse || !self.would_open(tuple, segment) =>
            {
                Verdict::Acknowledge
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Ignore => return self.net.drop_in(now, DropReason::TimeWait),
            Verdict::Reopen => {
                self.net.counters.time_waits_reused += 1;
                self.tcp.remove_wait(index);
                return self.stray_input(now, tuple, segment, Some(remains.snd_nxt));
            }
            Verdict::Restart => {
                let expires = now + self.net.config.tcp.time_wait;
                self.tcp.waits.restart(index, expires);
                self.tcp.arm_tables(&mut self.net.wheel, now);
            }
            Verdict::Acknowledge => {
                let config = &self.net.config.tcp;
                let least = 1000 / u32::from(config.challenge_acks_per_second.max(1));
                let interval = (config.invalid_ack_interval.as_millis() as u32).max(least);
                let remains = self.tcp.waits.at_mut(index);
                if !remains.is_some_and(|it| it.may_answer(segment, millis(now), interval)) {
                    return self.net.drop_in(now, DropReason::TimeWait);
                }
            }
        }
        let segment = remains.acknowledgement(tcp::Handshake::timestamp_clock(now, 0));
        let look = Look { traffic_class: remains.traffic_class, ..self.look_of(None, tuple) };
        self.reply(now, *tuple, segment, look);
    }

    /// A segment that belongs to no connection: to a listener, or to nobody. `last` is the last
    /// number of an earlier connection between the same ends.
    fn stray_input(
        &mut self,
        now: Instant,
        tuple: &FourTuple,
        segment: &Segment,
        last: Option<SeqNum>,
    ) {
        let listener = self.tcp.listeners.lookup(tuple.local());
        let Some(id) = listener.or(self.tcp.listeners.forwarder()) else {
            return self.refuse(now, tuple, segment);
        };
        if self.ignores(id, segment) {
            return self.net.drop_in(now, DropReason::TcpNoSocket);
        }
        let bare;
        let segment = if segment.flags.contains(Flags::SYN | Flags::FIN) {
            // Not dropped, so it is a SYN; its FIN comes again when there is a connection.
            let flags = segment.flags.without(Flags::FIN);
            bare = Segment { flags, ..segment.clone() };
            &bare
        } else {
            segment
        };
        match tcp::listen(segment) {
            ListenAnswer::Open if listener.is_none() => {
                let request = ForwardRequest { tuple: *tuple, syn: segment.clone() };
                self.request_forward(now, id, request);
            }
            ListenAnswer::Open => self.open(now, id, tuple, segment, last),
            ListenAnswer::Reset(_) => {
                if let Some(reason) = self.cookie_input(now, id, tuple, segment) {
                    self.refuse_for(now, tuple, segment, reason);
                }
            }
            ListenAnswer::Ignore => self.net.drop_in(now, DropReason::TcpNoSocket),
        }
    }

    /// What a listener leaves unanswered by the habits of its system.
    fn ignores(&self, id: ListenerId, segment: &Segment) -> bool {
        let flags = segment.flags;
        let freebsd = self.net.config.personality == Personality::FreeBsd;
        let config = self.tcp.listeners.get(id).map(|listener| &listener.config);
        let drops = config.is_none_or(|config| config.drop_syn_fin);
        // Linux never opens anything for the two together, FreeBSD unless it is told not to.
        let syn_fin = flags.contains(Flags::SYN | Flags::FIN) && (drops || !freebsd);
        // RFC 9293, section 3.10.7.2, wants a reset; FreeBSD says nothing.
        let syn_ack = flags.contains(Flags::SYN | Flags::ACK) && freebsd;
        syn_fin || syn_ack
    }

    /// Answers a segment that nobody wants with a reset, unless it is one.
    pub(crate) fn refuse(&mut self, now: Instant, tuple: &FourTuple, segment: &Segment) {
        self.refuse_for(now, tuple, segment, DropReason::TcpNoSocket);
    }

    fn refuse_for(
        &mut self,
        now: Instant,
        tuple: &FourTuple,
        segment: &Segment,
        reason: DropReason,
    ) {
        self.net.drop_in(now, reason);
        if self.net.config.reset_unknown
            && let Some(reset) = tcp::reset_for(segment)
        {
            // What comes from a listening port looks like the listener's other packets.
            let look = self.look_of(self.tcp.listeners.lookup(tuple.local()), tuple);
            self.reply(now, *tuple, reset, look);
        }
    }

    /// How the packets of a listener look, or those of nobody.
    pub(super) fn look_of(&self, listener: Option<ListenerId>, tuple: &FourTuple) -> Look {
        let usual = self.net.hop_limit(tuple.remote().ip());
        let listener = listener.and_then(|id| self.tcp.listeners.get(id));
        listener.map_or(Look { hop_limit: usual, traffic_class: 0 }, |listener| Look {
            hop_limit: listener.options.hop_limit.unwrap_or(usual),
            traffic_class: listener.options.traffic_class,
        })
    }

    /// Queues a segment of the stack's own.
    pub(super) fn reply(&mut self, now: Instant, tuple: FourTuple, segment: Segment, look: Look) {
        self.net.enqueue(now, Queued::Segment(Reply { tuple, segment, look }));
    }

    /// A timer has expired.
    pub(crate) fn on_timer(&mut self, now: Instant, timer: Timer) {
        self.net.counters.work.timers += 1;
        match timer {
            Timer::Connection { index, generation } => {
                let Some(socket) = self.tcp.sockets.get_mut(index, generation) else { return };
                socket.timer.expired();
                if socket.connection.next_deadline().is_some_and(|at| at <= now) {
                    let before = socket.connection.time_outs();
                    socket.connection.on_timeout(now);
                    let after = socket.connection.time_outs();
                    let peer = socket.tuple.remote().ip();
                    if after > before && after >= DOUBT_TIME_OUTS {
                        self.net.doubt(now, peer);
                    }
                    self.mark_dirty(index);
                }
                self.settle(now, index);
            }
            Timer::SynCache => self.syn_cache_timer(now),
            Timer::Neighbor { index, generation } => {
                let mut effects = self.net.neighbors.on_timer(now, index, generation);
                let another = effects.unreachable.is_some_and(|it| self.net.has_router_besides(it));
                // With another router they are lost as any packet can be, and go its way next time.
                let told = if another { Vec::new() } else { core::mem::take(&mut effects.lost) };
                self.net.apply(now, effects);
                told.iter().for_each(|packet| self.undeliverable(now, packet));
            }
            Timer::Reassembly => self.reassembly_timer(now),
            Timer::Autoconf => self.autoconf_timer(now),
            Timer::Groups => self.net.groups_timer(now),
            Timer::TimeWait => {
                self.tcp.wait_timer.expired();
                while let Some(index) = self.tcp.waits.expired(now) {
                    self.tcp.remove_wait(index);
                }
                self.tcp.arm_tables(&mut self.net.wheel, now);
            }
        }
    }
}

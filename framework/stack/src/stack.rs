//! The stack: frames in, frames out, time as an argument.

pub(crate) mod arena;
pub(crate) mod capture;
pub(crate) mod config;
mod connect_calls;
pub(crate) mod counters;
pub(crate) mod error;
pub(crate) mod event;
mod forward_calls;
pub(crate) mod frame;
mod icmp_calls;
pub(crate) mod ids;
pub(crate) mod introspection;
mod link_calls;
mod memory_calls;
pub(crate) mod mtu_calls;
pub(crate) mod pcapng;
mod reasons;
pub(crate) mod secrets;
pub(crate) mod segmenter;
pub(crate) mod shard;
mod tcp_calls;
pub(crate) mod tunnel_calls;
mod udp_calls;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;
use fyke_clock::Instant;

use crate::interface::egress::Dirty;
use crate::interface::icmp_table::IcmpTable;
use crate::interface::net::Net;
use crate::interface::tcp_table::TcpTable;
use crate::interface::udp_table::UdpTable;
use capture::Capture;
use config::StackConfig;
use counters::Counters;
use event::{Event, EventQueue, Pending, Source};
use frame::{RxMeta, TxSink};
use secrets::{Secrets, Seed};

pub use connect_calls::ConnectOptions;

/// A TCP/IP host as a value.
///
/// The wire's side is four calls; the order in which they are made is the owner's:
///
/// * [`input`](Self::input) takes a frame. It never sends anything.
/// * [`poll_transmit`](Self::poll_transmit) sends what there is to send. Everything leaves here, so
///   that acknowledgements of several frames fall together: call it once after a batch of frames,
///   after time has passed, and after the application wrote or read something.
/// * [`poll_timeout`](Self::poll_timeout) says when [`handle_timeout`](Self::handle_timeout) is to
///   be called if nothing else happens.
///
/// The application's side is [`poll_event`](Self::poll_event) and the calls that name a socket.
/// What a socket's events stand for is there until it is taken: a caller that ignores an event and
/// reads anyway loses nothing.
///
/// ```
/// use std::time::Duration;
/// use bytes::Bytes;
/// use fyke_clock::Instant;
/// use fyke_stack::{Event, Medium, RxMeta, Seed, Stack, StackConfig};
///
/// let now = Instant::from_nanos(1);
/// let host = |address: &str, seed| {
///     let mut stack = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(seed), now);
///     stack.add_address(now, address.parse().unwrap()).unwrap();
///     stack
/// };
/// let (mut client, mut server) = (host("10.0.0.1/24", 1), host("10.0.0.2/24", 2));
///
/// let listener = server.listen("10.0.0.2:80".parse().unwrap(), Default::default()).unwrap();
/// let id = client.connect(now, "10.0.0.2:80".parse().unwrap(), Default::default()).unwrap();
/// client.write(now, id, Bytes::from_static(b"hello")).unwrap();
///
/// // The wire between the two.
/// for _ in 0..4 {
///     let mut frames: Vec<Bytes> = Vec::new();
///     client.poll_transmit(now, &mut frames, 64);
///     frames.drain(..).for_each(|frame| server.input(now, frame, RxMeta::default()));
///     server.poll_transmit(now, &mut frames, 64);
///     frames.drain(..).for_each(|frame| client.input(now, frame, RxMeta::default()));
/// }
/// assert_eq!(client.poll_event(), Some(Event::Connected(id)));
/// assert_eq!(server.poll_event(), Some(Event::Acceptable(listener)));
/// let accepted = server.accept(listener).unwrap();
/// assert_eq!(server.read(now, accepted, 100).unwrap(), Some(Bytes::from_static(b"hello")));
/// ```
pub struct Stack {
    pub(crate) net: Net,
    pub(crate) tcp: TcpTable,
    pub(crate) udp: UdpTable,
    pub(crate) icmp: IcmpTable,
    /// Sockets that may have something to send, each at most once.
    pub(crate) dirty: VecDeque<Dirty>,
    pub(crate) events: EventQueue,
}

impl Stack {
    /// A stack without addresses. All its secrets come from `seed`, or from that of the host when
    /// it is one of several ([`StackConfig::shard`]).
    #[must_use]
    pub fn new(config: StackConfig, seed: Seed, now: Instant) -> Self {
        let seed = config.shard.as_ref().map_or(seed, |shard| shard.seed());
        let secrets = Secrets::new(&seed);
        let slaac = config.slaac;
        let mut stack = Self {
            tcp: TcpTable::new(&config, &secrets),
            udp: UdpTable::new(&config, secrets.table),
            icmp: IcmpTable::new((
                config.limits.icmp_receive_reports_max,
                config.limits.icmp_receive_bytes_max,
            )),
            net: Net::new(config, secrets, now),
            dirty: VecDeque::new(),
            events: EventQueue::default(),
        };
        if slaac {
            stack.begin_autoconf(now);
        }
        stack
    }

    /// Takes a frame from the device.
    pub fn input(&mut self, now: Instant, frame: Bytes, meta: RxMeta) {
        self.net.now = now;
        self.frame_input(now, frame, meta);
    }

    /// Sends up to `budget` frames, as long as `out` has room; says how many were sent.
    ///
    /// Sockets take turns of a few segments each, so that none starves. When the result is the
    /// budget, or `out` ran out of room, there may be more.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut impl TxSink, budget: usize) -> usize {
        self.net.now = now;
        self.transmit_turns(now, out, budget)
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) may have something to send.
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        !self.net.outbox.is_empty() || !self.dirty.is_empty() || !self.net.loopback.is_empty()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest; `None` when nothing
    /// waits for time to pass. O(1).
    ///
    /// It is never too late, and sometimes too early: timers that were put off are looked at when
    /// they would have expired. Ask after [`poll_transmit`](Self::poll_transmit): the timers of what
    /// may have something to send are set when it was sent.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.net.wheel.next_deadline()
    }

    /// Does what time has brought up to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.net.now = now;
        // What is armed anew for `now` or earlier waits for the next call: no timer spins here.
        let mut budget = self.net.wheel.len();
        while budget > 0
            && let Some((_, timer)) = self.net.wheel.poll(now)
        {
            budget -= 1;
            self.on_timer(now, timer);
        }
    }

    /// Whether [`poll_event`](Self::poll_event) may have something to tell. O(1).
    ///
    /// `false` is certain. After `true` the call may still find nothing: what was to be told went
    /// with a socket that was closed meanwhile.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When whoever drives the stack is to call it again if nothing arrives and nobody calls
    /// meanwhile: `now` while there are events to take or frames to send, else
    /// [`poll_timeout`](Self::poll_timeout). O(1).
    ///
    /// A device without room is the caller's to wait for: what waits for it answers `now`, too.
    #[must_use]
    pub fn next_call(&self, now: Instant) -> Option<Instant> {
        if self.has_events() || self.wants_transmit() {
            return Some(now);
        }
        self.poll_timeout().map(|at| at.max(now))
    }

    /// What happened; `None` when everything was told.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let source = self.events.pop()?;
            if let Some(event) = self.event_of(source) {
                return Some(event);
            }
        }
    }

    fn event_of(&mut self, source: Source) -> Option<Event> {
        match source {
            Source::Tcp(id) => {
                let socket = self.tcp.socket_mut(id)?;
                let bit = socket.pending.take_first();
                socket.queued = !socket.pending.is_empty();
                if socket.queued {
                    self.events.push_front(source);
                }
                match bit {
                    Pending::CONNECTED => Some(Event::Connected(id)),
                    Pending::READABLE => Some(Event::Readable(id)),
                    Pending::PEER_FIN => Some(Event::PeerFin(id)),
                    Pending::WRITABLE => Some(Event::Writable(id)),
                    Pending::ACKED => Some(Event::Acked(id, socket.take_acked())),
                    _ => socket.closed.map(|reason| Event::Closed(id, reason)),
                }
            }
            Source::Listener(id) => {
                let listener = self.tcp.listeners.get_mut(id)?;
                listener.queued = false;
                (!listener.queue.is_empty()).then_some(Event::Acceptable(id))
            }
            Source::Forward(id) => {
                let listener = self.tcp.listeners.get_mut(id)?;
                listener.forward_queued = false;
                (!listener.requests.is_empty()).then_some(Event::Forward(id))
            }
            Source::Udp(id) => {
                let socket = self.udp.get_mut(id)?;
                let readable = core::mem::take(&mut socket.readable);
                socket.queued = readable && socket.writable;
                if socket.queued {
                    self.events.push_front(source);
                }
                if readable {
                    return Some(Event::UdpReadable(id));
                }
                core::mem::take(&mut socket.writable).then_some(Event::UdpWritable(id))
            }
            Source::UdpForward => self.udp.forwarded.event(),
            Source::Icmp(id) => {
                let endpoint = self.icmp.get_mut(id)?;
                endpoint.queued = false;
                endpoint.has_reports().then_some(Event::IcmpReadable(id))
            }
            Source::Once(event) => Some(event),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.net.counters
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &StackConfig {
        &self.net.config
    }

    /// Lets `capture` see every frame from now on, or nobody.
    pub fn set_capture(&mut self, capture: Option<Box<dyn Capture>>) {
        self.net.capture = capture;
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("medium", &self.net.config.medium)
            .field("addresses", &self.net.addresses)
            .field("connections", &self.tcp.sockets.len())
            .field("embryos", &self.tcp.embryos.len())
            .field("time_waits", &self.tcp.waits.len())
            .field("listeners", &self.tcp.listeners.len())
            .field("dirty", &self.dirty.len())
            .field("next_deadline", &self.poll_timeout())
            .finish_non_exhaustive()
    }
}

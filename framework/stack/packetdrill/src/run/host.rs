//! The stack under test in its virtual time: run to rest at each instant, what it sends kept.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::CloseReason;
use fyke_stack::{Cidr, Event, Medium, Route, RxMeta, Seed, Stack, TcpId};

use super::config::Config;
use super::settings::Settings;
use crate::packet::{Malformed, Packet};

/// Scripts speak raw IP.
pub(crate) const MEDIUM: Medium = Medium::RawIp;

/// Packets sent at one instant before the stack counts as one that never comes to rest.
const PACKETS_PER_INSTANT_MAX: usize = 100_000;
/// Timers at one instant, likewise.
const ROUNDS_PER_INSTANT_MAX: usize = 100_000;
/// Where scripts begin on the clock: far from zero, so that nothing depends on that.
const START: Duration = Duration::from_secs(1000);

/// A packet the stack sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) packet: Result<Packet, Malformed>,
    pub(crate) bytes: Bytes,
}

/// The stack does something for ever without time passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Restless;

/// The stack, its clock, and what came out of it.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) stack: Stack,
    now: Instant,
    start: Instant,
    pub(crate) sent: VecDeque<Sent>,
    pub(crate) closed: BTreeMap<TcpId, CloseReason>,
    /// How often each connection became readable, writable, or ended.
    pub(crate) activity: BTreeMap<TcpId, [u64; 3]>,
}

impl Host {
    pub(crate) fn new(settings: &Settings, config: &Config, seed: u64) -> Self {
        let start = Instant::ZERO + START;
        let mut stack_config = settings.stack.clone();
        stack_config.mtu = config.mtu;
        // Addresses of scripts are nobody else's.
        stack_config.duplicate_address_probes = 0;
        let mut stack = Stack::new(stack_config, Seed::from(seed), start);
        let (prefix, all) = if config.local.is_ipv4() { (16, "0.0.0.0/0") } else { (64, "::/0") };
        // Neither can fail: there is one address and one route.
        let _ = stack.add_address(start, Cidr::new(config.local, prefix));
        if let Ok(all) = all.parse() {
            let _ = stack.add_route(Route::link(all));
        }
        Self {
            stack,
            now: start,
            start,
            sent: VecDeque::new(),
            closed: BTreeMap::new(),
            activity: BTreeMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Time since the script began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.start)
    }

    /// A time of the script on the stack's clock.
    pub(crate) fn at(&self, elapsed: Duration) -> Instant {
        self.start + elapsed
    }

    /// A time of the stack's clock in the script.
    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    /// The link carries packets of another length from now on.
    pub(crate) fn set_mtu(&mut self, mtu: u16) {
        self.stack.set_mtu(self.now, mtu);
    }

    /// Gives the stack a packet, and lets it answer.
    pub(crate) fn receive(&mut self, packet: Vec<u8>) -> Result<(), Restless> {
        self.stack.input(self.now, Bytes::from(packet), RxMeta::default());
        self.settle()
    }

    /// Lets the stack do everything there is to do at this instant.
    pub(crate) fn settle(&mut self) -> Result<(), Restless> {
        let mut packets = 0;
        for _ in 0..ROUNDS_PER_INSTANT_MAX {
            let mut frames: Vec<Bytes> = Vec::new();
            let count = self.stack.poll_transmit(self.now, &mut frames, 256);
            packets += count;
            if packets > PACKETS_PER_INSTANT_MAX {
                return Err(Restless);
            }
            for frame in frames {
                let packet = Packet::from_bytes(&frame);
                self.sent.push_back(Sent { at: self.now, packet, bytes: frame });
            }
            while let Some(event) = self.stack.poll_event() {
                self.note(event);
            }
            if self.stack.poll_timeout().is_some_and(|due| due <= self.now) {
                self.stack.handle_timeout(self.now);
            } else if count == 0 {
                return Ok(());
            }
        }
        Err(Restless)
    }

    fn note(&mut self, event: Event) {
        let (id, kind) = match event {
            Event::Readable(id) | Event::PeerFin(id) => (id, 0),
            Event::Writable(id) | Event::Connected(id) => (id, 1),
            Event::Closed(id, reason) => {
                self.closed.insert(id, reason);
                (id, 2)
            }
            _ => return,
        };
        self.activity.entry(id).or_default()[kind] += 1;
    }

    /// The next instant at which the stack wants to do something, if it is not after `limit`.
    fn next_due(&self, limit: Instant) -> Option<Instant> {
        self.stack.poll_timeout().map(|due| due.max(self.now)).filter(|due| *due <= limit)
    }

    /// Goes to the stack's next deadline, if that is not after `limit`; says whether there was one.
    pub(crate) fn step(&mut self, limit: Instant) -> Result<bool, Restless> {
        let Some(due) = self.next_due(limit) else { return Ok(false) };
        self.now = due;
        self.stack.handle_timeout(due);
        self.settle()?;
        Ok(true)
    }

    /// Moves the clock, when nothing is due before; never back.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }
}

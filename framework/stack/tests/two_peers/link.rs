//! One direction of a link: delay, rate, a queue, and everything that happens to packets.

use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::{Ecn, Flags, Segment};

use crate::rng::Rng;

/// Headers of IPv4 and TCP, which take their time on the wire, too.
const HEADER_BYTES: u64 = 52;

/// What the options of a segment that is no SYN take in its header.
pub fn option_bytes(segment: &Segment) -> usize {
    let timestamp = if segment.options.timestamp.is_some() { 12 } else { 0 };
    match segment.options.sack.as_slice().len() {
        0 => timestamp,
        blocks => timestamp + 4 + 8 * blocks,
    }
}

#[derive(Debug, Clone)]
pub struct LinkConfig {
    pub delay: Duration,
    /// Bytes in a second; 0 is infinitely fast.
    pub rate: u64,
    /// What may wait; more is dropped.
    pub queue_bytes: u64,
    /// Each packet.
    pub loss: f64,
    /// A burst begins at a packet, and goes on from packet to packet.
    pub burst_begin: f64,
    pub burst_goes_on: f64,
    pub duplicate: f64,
    /// The packet is late by up to this.
    pub reorder: f64,
    pub late: Duration,
    /// The checksum is wrong: dropped at the other end, after it took its time on the wire.
    pub corrupt: f64,
    /// Packets are marked, not dropped, when so much waits.
    pub mark_bytes: u64,
    /// From some time on larger segments do not pass.
    pub narrow: Option<Narrow>,
}

impl LinkConfig {
    /// Nothing goes wrong.
    pub fn clean(delay: Duration, rate: u64) -> Self {
        Self {
            delay,
            rate,
            queue_bytes: u64::MAX,
            loss: 0.0,
            burst_begin: 0.0,
            burst_goes_on: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            late: Duration::ZERO,
            corrupt: 0.0,
            mark_bytes: u64::MAX,
            narrow: None,
        }
    }
}

/// A route that changed to one that carries less.
#[derive(Debug, Clone, Copy)]
pub struct Narrow {
    pub from: Instant,
    /// When it changes back.
    pub until: Instant,
    /// The MTU less the fixed headers of IP and TCP.
    pub mss: u16,
    /// Whether the router says so, or is a black hole.
    pub tells: bool,
}

#[derive(Debug)]
pub struct Link {
    pub config: LinkConfig,
    /// When the wire has sent all that waits.
    free_at: Instant,
    bursting: bool,
    pub dropped: u64,
    pub carried: u64,
}

impl Link {
    pub fn new(config: LinkConfig) -> Self {
        Self { config, free_at: Instant::ZERO, bursting: false, dropped: 0, carried: 0 }
    }

    /// What a router in between says when the packet is too large for what follows.
    pub fn refuses(&self, now: Instant, segment: &Segment) -> Option<Narrow> {
        let narrow =
            self.config.narrow.filter(|narrow| narrow.from <= now && now < narrow.until)?;
        let syn = segment.flags.contains(Flags::SYN);
        let large = segment.payload.len() + option_bytes(segment) > usize::from(narrow.mss);
        (large && !syn).then_some(narrow)
    }

    /// When a packet arrives: never, once or twice.
    pub fn carry(&mut self, now: Instant, segment: &mut Segment, rng: &mut Rng) -> Vec<Instant> {
        let config = self.config.clone();
        let bytes = HEADER_BYTES + segment.payload.len() as u64;
        self.free_at = self.free_at.max(now);
        let sent = if config.rate == 0 {
            now
        } else {
            let waiting = (self.free_at - now).as_nanos() as u64 * config.rate / 1_000_000_000;
            if waiting + bytes > config.queue_bytes {
                self.dropped += 1;
                return Vec::new();
            }
            if waiting > config.mark_bytes && segment.ecn != Ecn::NotCapable {
                segment.ecn = Ecn::Congestion;
            }
            self.free_at += Duration::from_nanos(bytes * 1_000_000_000 / config.rate);
            self.free_at
        };
        self.bursting =
            rng.chance(if self.bursting { config.burst_goes_on } else { config.burst_begin });
        if self.bursting || rng.chance(config.loss) || rng.chance(config.corrupt) {
            self.dropped += 1;
            return Vec::new();
        }
        self.carried += 1;
        let mut arrivals = vec![self.arrival(sent, rng)];
        if rng.chance(config.duplicate) {
            arrivals.push(self.arrival(sent, rng));
        }
        arrivals
    }

    fn arrival(&self, sent: Instant, rng: &mut Rng) -> Instant {
        let late = if rng.chance(self.config.reorder) {
            Duration::from_nanos(rng.below(self.config.late.as_nanos() as u64 + 1))
        } else {
            Duration::ZERO
        };
        sent + self.config.delay + late
    }
}

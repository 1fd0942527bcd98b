//! One direction of a link: from a frame to its arrivals, or to the reason why there are none.

use std::collections::VecDeque;
use std::time::Duration;

use fyke_clock::Instant;

use super::{LinkConfig, LinkCounters};
use crate::drops::DropReason;
use crate::frame::Frame;
use crate::random::Random;

/// What becomes of a frame.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// When it arrives, and again.
    pub(crate) arrivals: [Option<Instant>; 2],
    /// Why it does not.
    pub(crate) dropped: Option<DropReason>,
    /// The bit that was flipped.
    pub(crate) flipped: Option<usize>,
    /// By how much it is held back.
    pub(crate) held_back: Option<Duration>,
}

impl Fate {
    fn dropped(reason: DropReason) -> Self {
        Self { dropped: Some(reason), ..Self::default() }
    }
}

/// A frame in the queue or under transmission: when its last bit leaves, and how long it is.
#[derive(Debug)]
struct Waiting {
    departs: Instant,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Direction {
    pub(crate) config: LinkConfig,
    pub(crate) counters: LinkCounters,
    random: Random,
    /// In the order of departure.
    queue: VecDeque<Waiting>,
    queue_bytes: usize,
    /// Frames that were scheduled to arrive and have not.
    pub(crate) in_flight: usize,
    /// The last arrival of a frame that kept its place.
    last_arrival: Instant,
    burst: bool,
}

impl Direction {
    pub(crate) fn new(config: LinkConfig, random: Random) -> Self {
        Self {
            config,
            counters: LinkCounters::default(),
            random,
            queue: VecDeque::new(),
            queue_bytes: 0,
            in_flight: 0,
            last_arrival: Instant::ZERO,
            burst: false,
        }
    }

    /// Decides about a frame that is sent now; `frame` is changed when it is corrupted.
    pub(crate) fn send(&mut self, now: Instant, frame: &mut Frame) -> Fate {
        self.counters.offered += 1;
        let fate = match self.enqueue(now, frame) {
            Ok(departs) => self.carry(departs, frame),
            Err(reason) => Fate::dropped(reason),
        };
        self.count(frame, &fate);
        fate
    }

    /// Something that is not the link's own doing keeps the frame from arriving.
    pub(crate) fn undo(&mut self, frame: &Frame, fate: &mut Fate, reason: DropReason) {
        let copies = fate.arrivals.iter().flatten().count();
        self.in_flight -= copies;
        self.counters.carried -= copies as u64;
        self.counters.carried_bytes -= (copies * frame.len()) as u64;
        self.counters.drops.add(reason);
        fate.arrivals = [None; 2];
        fate.dropped = Some(reason);
    }

    fn count(&mut self, frame: &Frame, fate: &Fate) {
        let counters = &mut self.counters;
        let copies = fate.arrivals.iter().flatten().count();
        self.in_flight += copies;
        counters.carried += copies as u64;
        counters.carried_bytes += (copies * frame.len()) as u64;
        counters.duplicated += u64::from(copies == 2);
        counters.corrupted += u64::from(fate.flipped.is_some());
        counters.reordered += u64::from(fate.held_back.is_some());
        if let Some(reason) = fate.dropped {
            counters.drops.add(reason);
        }
    }

    /// Frames that wait or are under transmission.
    pub(crate) fn queued(&mut self, now: Instant) -> (usize, usize) {
        while let Some(first) = self.queue.front()
            && first.departs <= now
        {
            self.queue_bytes -= first.bytes;
            self.queue.pop_front();
        }
        (self.queue.len(), self.queue_bytes)
    }

    /// When the frame's last bit leaves, or why it is not taken.
    fn enqueue(&mut self, now: Instant, frame: &Frame) -> Result<Instant, DropReason> {
        if !self.config.up {
            return Err(DropReason::LinkDown);
        }
        if frame.packet_len() > self.config.mtu {
            return Err(DropReason::Mtu);
        }
        if self.in_flight >= self.config.in_flight_packets_max {
            return Err(DropReason::InFlightLimit);
        }
        let (packets, bytes) = self.queued(now);
        let Some(rate) = self.config.rate_bits_per_s else { return Ok(now) };
        // The first one is under transmission and does not wait.
        let (waiting, waiting_bytes) = match self.queue.front() {
            Some(first) => (packets - 1, bytes - first.bytes),
            None => (0, 0),
        };
        let idle = packets == 0;
        if !idle
            && (waiting >= self.config.queue_packets_max
                || waiting_bytes + frame.len() > self.config.queue_bytes_max)
        {
            return Err(DropReason::QueueFull);
        }
        let begins = self.queue.back().map_or(now, |last| last.departs);
        let nanos = (frame.len() as u128 * 8 * 1_000_000_000).div_ceil(u128::from(rate.max(1)));
        let departs = begins + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.queue.push_back(Waiting { departs, bytes: frame.len() });
        self.queue_bytes += frame.len();
        let peak = &mut self.counters.queue_packets_peak;
        *peak = (*peak).max(self.queue.len() as u64 - 1);
        Ok(departs)
    }

    /// What happens behind the transmitter.
    fn carry(&mut self, departs: Instant, frame: &mut Frame) -> Fate {
        if let Some(reason) = self.loses() {
            return Fate::dropped(reason);
        }
        let mut fate = Fate { flipped: self.corrupt(frame), ..Fate::default() };
        let plain = departs + self.config.delay + self.jitter();
        let mut arrival = plain.max(self.last_arrival);
        if self.random.chance(self.config.reorder) {
            // The ones behind it do not wait for it.
            fate.held_back = Some(self.config.reorder_delay);
            arrival += self.config.reorder_delay;
        } else {
            self.last_arrival = arrival;
        }
        fate.arrivals[0] = Some(arrival);
        if self.random.chance(self.config.duplicate) {
            fate.arrivals[1] = Some(arrival + self.jitter());
        }
        fate
    }

    fn jitter(&mut self) -> Duration {
        let most = u64::try_from(self.config.jitter.as_nanos()).unwrap_or(u64::MAX);
        if most == 0 {
            return Duration::ZERO;
        }
        Duration::from_nanos(self.random.below(most))
    }

    fn loses(&mut self) -> Option<DropReason> {
        if self.random.chance(self.config.loss) {
            return Some(DropReason::Loss);
        }
        let model = self.config.burst_loss?;
        let turns = if self.burst { model.to_good } else { model.to_bad };
        self.burst ^= self.random.chance(turns);
        let loss = if self.burst { model.loss_bad } else { model.loss_good };
        self.random.chance(loss).then_some(DropReason::BurstLoss)
    }

    /// Flips a bit behind the Ethernet header: a real link's frame check would have seen the rest.
    fn corrupt(&mut self, frame: &mut Frame) -> Option<usize> {
        let bits = frame.packet_len() as u64 * 8;
        if bits == 0 || !self.random.chance(self.config.corrupt) {
            return None;
        }
        let first = (frame.len() - frame.packet_len()) * 8;
        let bit = first + self.random.below(bits) as usize;
        let mut bytes = frame.bytes.to_vec();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        frame.bytes = bytes.into();
        Some(bit)
    }
}

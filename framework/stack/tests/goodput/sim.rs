//! Flows through one bottleneck in virtual time.
//!
//! ```text
//!   sender 0 --.                                        .-- receiver 0
//!   sender 1 ---+-- queue -- rate -- loss -- half RTT --+-- receiver 1
//!   ...        -'   <-------- half RTT ---------------  '-- ...
//! ```
//! Senders always have data and receivers always read. Payloads are pieces of one shared block:
//! what arrives right is the two-peer world's business, here it is how much.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    Config, Connection, Flags, Initial, Mss, Payload, Segment, SegmentSink, SeqNum,
};

/// Ethernet, IPv4 and TCP: what a segment takes on the wire beside its payload and options.
const HEADER_BYTES: u64 = 14 + 20 + 20;

/// Timestamps, padded.
const TIMESTAMP_BYTES: u64 = 12;

/// One write of the application.
const WRITE_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone)]
pub struct Path {
    pub rtt: Duration,
    /// Bytes in a second.
    pub rate: u64,
    pub queue_bytes: u64,
    /// The probability that a data segment is lost, however long the queue.
    pub loss: f64,
}

/// SplitMix64, so that an old seed means the same for ever.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        ((self.next() >> 11) as f64) < probability * (1u64 << 53) as f64
    }
}

struct Flow {
    config: Arc<Config>,
    starts: Instant,
    sender: Option<Connection>,
    receiver: Option<Connection>,
    /// Bytes the receiver's application has read.
    read: u64,
}

/// What a poll sends, with payloads from one block.
struct Sent {
    zeros: Bytes,
    segments: Vec<Segment>,
}

impl SegmentSink for Sent {
    fn has_room(&self) -> bool {
        self.segments.len() < 64
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let payload = self.zeros.slice(..payload.len());
        self.segments.push(Segment { payload, ..segment.clone() });
    }
}

/// By time and order: the flow, whether to its receiver, the segment's place.
type Arrival = (Instant, u64, usize, bool, usize);

pub struct Sim {
    path: Path,
    random: Random,
    pub now: Instant,
    flows: Vec<Flow>,
    arrivals: BinaryHeap<Reverse<Arrival>>,
    segments: Vec<Option<Segment>>,
    vacant: Vec<usize>,
    order: u64,
    free_at: Instant,
    pub lost: u64,
    pub carried: u64,
    /// How long all that was carried waited in the queue.
    pub queued: Duration,
    zeros: Bytes,
}

impl Sim {
    pub fn new(path: Path, config: Config, flows: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let config = Arc::new(config);
        let flows = (0..flows)
            .map(|_| {
                let starts = Instant::from_nanos(1_000_000_000 + random.next() % 1_000_000_000);
                let config = Arc::clone(&config);
                Flow { config, starts, sender: None, receiver: None, read: 0 }
            })
            .collect();
        Self {
            path,
            random,
            now: Instant::ZERO,
            flows,
            arrivals: BinaryHeap::new(),
            segments: Vec::new(),
            vacant: Vec::new(),
            order: 0,
            free_at: Instant::ZERO,
            lost: 0,
            carried: 0,
            queued: Duration::ZERO,
            zeros: Bytes::from(vec![0; WRITE_BYTES]),
        }
    }

    /// A flow that has not begun yet is of another kind.
    pub fn configure(&mut self, flow: usize, config: Config) {
        self.flows[flow].config = Arc::new(config);
    }

    /// The last flow begins so much later than the others may.
    pub fn delay_last(&mut self, late: Duration) {
        if let Some(flow) = self.flows.last_mut() {
            flow.starts += late;
        }
    }

    /// What the receivers have read, each.
    pub fn read(&self) -> Vec<u64> {
        self.flows.iter().map(|flow| flow.read).collect()
    }

    pub fn run_until(&mut self, end: Instant) {
        while let Some(next) = self.next_time().filter(|next| *next <= end) {
            assert!(next >= self.now, "time goes forward");
            self.now = next;
            for at in 0..self.flows.len() {
                self.start(at);
                self.time_out(at);
            }
            while let Some(&Reverse((at, _, flow, to_receiver, place))) = self.arrivals.peek()
                && at <= self.now
            {
                self.arrivals.pop();
                self.deliver(flow, to_receiver, place);
            }
        }
        self.now = end;
    }

    fn next_time(&self) -> Option<Instant> {
        let arrival = self.arrivals.peek().map(|Reverse(arrival)| arrival.0);
        let ends = self.flows.iter().flat_map(|flow| {
            let start = flow.sender.is_none().then_some(flow.starts);
            let deadline = |end: &Option<Connection>| end.as_ref()?.next_deadline();
            [start, deadline(&flow.sender), deadline(&flow.receiver)]
        });
        ends.flatten().chain(arrival).min()
    }

    fn initial(&mut self) -> Initial {
        let random = self.random.next();
        Initial {
            iss: SeqNum::new(random as u32),
            timestamp_offset: (random >> 32) as u32,
            mss: Mss::both(1460),
        }
    }

    fn start(&mut self, at: usize) {
        if self.flows[at].sender.is_none() && self.flows[at].starts <= self.now {
            let initial = self.initial();
            let sender = Connection::connect(Arc::clone(&self.flows[at].config), initial, self.now);
            self.flows[at].sender = Some(sender);
            self.turn(at, false);
        }
    }

    fn time_out(&mut self, at: usize) {
        for to_receiver in [false, true] {
            let now = self.now;
            let Some(end) = self.end(at, to_receiver) else { continue };
            if end.next_deadline().is_some_and(|deadline| deadline <= now) {
                end.on_timeout(now);
                self.turn(at, to_receiver);
            }
        }
    }

    fn end(&mut self, at: usize, receiver: bool) -> Option<&mut Connection> {
        let flow = &mut self.flows[at];
        if receiver { flow.receiver.as_mut() } else { flow.sender.as_mut() }
    }

    fn deliver(&mut self, flow: usize, to_receiver: bool, place: usize) {
        let Some(segment) = self.segments[place].take() else { return };
        self.vacant.push(place);
        let now = self.now;
        if let Some(end) = self.end(flow, to_receiver) {
            end.on_segment(now, &segment);
        } else if segment.flags.contains(Flags::SYN) {
            let initial = self.initial();
            let receiver =
                Connection::accept(Arc::clone(&self.flows[flow].config), &segment, initial, now);
            self.flows[flow].receiver = Some(receiver);
        }
        self.turn(flow, to_receiver);
    }

    /// The application's turn at one end, then everything that can go out.
    fn turn(&mut self, at: usize, receiver: bool) {
        let (now, zeros) = (self.now, self.zeros.clone());
        let Some(end) = self.end(at, receiver) else { return };
        while end.poll_event().is_some() {}
        let mut read = 0;
        while let Some(bytes) = end.read(usize::MAX, now).filter(|bytes| !bytes.is_empty()) {
            read += bytes.len() as u64;
        }
        while !receiver && end.writable() > 0 {
            if end.write(zeros.slice(..end.writable().min(WRITE_BYTES)), now) == 0 {
                break;
            }
        }
        self.flows[at].read += read;
        loop {
            let mut sent = Sent { zeros: zeros.clone(), segments: Vec::new() };
            let Some(end) = self.end(at, receiver) else { return };
            let more = end.poll(now, &mut sent);
            for segment in sent.segments {
                self.carry(at, !receiver, segment);
            }
            if !more {
                return;
            }
        }
    }

    fn carry(&mut self, flow: usize, to_receiver: bool, segment: Segment) {
        let mut leaves = self.now;
        if to_receiver {
            let options = segment.options.timestamp.map_or(0, |_| TIMESTAMP_BYTES);
            let bytes = HEADER_BYTES + options + segment.payload.len() as u64;
            self.free_at = self.free_at.max(self.now);
            let waits = (self.free_at - self.now).as_nanos() as u64;
            let queued = waits * self.path.rate / 1_000_000_000;
            let full = queued + bytes > self.path.queue_bytes;
            let lossy = !segment.payload.is_empty();
            if full || (lossy && self.random.chance(self.path.loss)) {
                self.lost += 1;
                return;
            }
            self.carried += 1;
            self.queued += self.free_at - self.now;
            self.free_at += Duration::from_nanos(bytes * 1_000_000_000 / self.path.rate);
            leaves = self.free_at;
        }
        let arrives = leaves + self.path.rtt / 2;
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.segments.push(None);
            self.segments.len() - 1
        });
        self.segments[place] = Some(segment);
        self.order += 1;
        self.arrivals.push(Reverse((arrives, self.order, flow, to_receiver, place)));
    }
}

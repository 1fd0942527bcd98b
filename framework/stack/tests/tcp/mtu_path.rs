//! A sender, a receiver, and between them a path that carries so much and no more.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    Config, Connection, IcmpError, IcmpKind, Info, Initial, Mss, MtuProbing, MtuSearch, Segment,
    SeqNum, State,
};

use crate::rig::Sent;

/// What a packet has behind the fixed headers.
pub fn size(segment: &Segment) -> usize {
    let stamp = if segment.options.timestamp.is_some() { 12 } else { 0 };
    segment.payload.len() + stamp
}

/// Whether a segment is lost, of so many before it.
pub type Loses = Box<dyn FnMut(usize, &Segment) -> bool>;

pub struct Path {
    pub now: Instant,
    pub sender: Connection,
    pub receiver: Connection,
    /// The largest size that passes.
    pub carries: usize,
    /// Whether the router says so, instead of saying nothing.
    pub tells: bool,
    pub delay: Duration,
    /// Bytes that the bottleneck sends in a second.
    pub rate: u64,
    /// Whether this segment of the sender's is lost, of so many before it.
    pub loses: Loses,
    /// Whether this one of the receiver's is.
    pub loses_back: Loses,
    free_at: Instant,
    under_way: VecDeque<(Instant, bool, Segment)>,
    errors: VecDeque<(Instant, IcmpError)>,
    /// What the sender sent, and when.
    pub sent: Vec<(Instant, Segment)>,
    /// Probes: how long they were.
    pub probes: Vec<usize>,
    pub written: u64,
    pub read: u64,
}

/// What is written comes again after so many bytes, a number that no size divides.
const PERIOD: usize = 65_521;

/// `len` bytes of the stream from `at` on.
fn stream(at: u64, len: usize) -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let byte = |n: u32| (n.wrapping_mul(0x9e37_79b1) >> 19) as u8;
        (0..2 * PERIOD as u32).map(|n| byte(n % PERIOD as u32)).collect()
    });
    let from = (at % PERIOD as u64) as usize;
    &BYTES[from..from + len]
}

/// What this test is about, for a sender.
pub fn searching(probing: MtuProbing) -> Config {
    let mut config = Config::default();
    config.mtu.probing = probing;
    config.send_buffer_bytes = 32 << 10;
    config.send_buffer_bytes_max = 32 << 10;
    // What the queue does to slow start is no matter here.
    config.congestion.hystart = false;
    config
}

impl Path {
    pub fn new(config: Config, carries: usize) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let initial =
            |iss: u32| Initial { iss: SeqNum::new(iss), timestamp_offset: 9, mss: Mss::both(1460) };
        let mut first = Sent::default();
        let mut sender = Connection::connect(Arc::new(config), initial(u32::MAX - 5000), now);
        sender.poll(now, &mut first);
        let mut other = Config::linux();
        other.receive_buffer_bytes = 1 << 20;
        other.receive_buffer_bytes_max = 1 << 20;
        let receiver = Connection::accept(Arc::new(other), &first.0[0], initial(77), now);
        let mut path = Self {
            now,
            sender,
            receiver,
            carries,
            tells: false,
            delay: Duration::from_millis(5),
            rate: 10_000_000,
            loses: Box::new(|_, _| false),
            loses_back: Box::new(|_, _| false),
            free_at: now,
            under_way: VecDeque::new(),
            errors: VecDeque::new(),
            sent: Vec::new(),
            probes: Vec::new(),
            written: 0,
            read: 0,
        };
        path.run(Duration::from_secs(1), |path| path.sender.state() == State::Established);
        path
    }

    pub fn info(&self) -> Info {
        self.sender.info()
    }

    pub fn search(&self) -> MtuSearch {
        self.info().mtu_search.expect("a search")
    }

    /// The payload of full segments plus options.
    pub fn mss(&self) -> usize {
        self.info().send_mss as usize + if self.info().timestamps { 12 } else { 0 }
    }

    fn write_up_to(&mut self, total: u64) {
        while self.written < total {
            let len = (total - self.written).min(20_000);
            let data = stream(self.written, len as usize);
            let taken = self.sender.write(Bytes::from_static(data), self.now) as u64;
            self.written += taken;
            if taken < len {
                return;
            }
        }
    }

    /// So many bytes more; tells how long it took until the peer had read them.
    pub fn transfer(&mut self, bytes: u64) -> Duration {
        let (began, total) = (self.now, self.written + bytes);
        self.run_writing(Duration::from_secs(3600), total, move |path| path.read == total);
        assert_eq!(self.read, total, "{:?}", self.info());
        self.now - began
    }

    /// Nothing happens for so long.
    pub fn idle(&mut self, time: Duration) {
        let until = self.now + time;
        self.run(time, |_| false);
        self.now = until;
    }

    pub fn run(&mut self, time: Duration, done: impl Fn(&Self) -> bool) {
        self.run_writing(time, 0, done);
    }

    pub fn run_writing(&mut self, time: Duration, total: u64, done: impl Fn(&Self) -> bool) {
        let until = self.now + time;
        loop {
            self.write_up_to(total);
            self.turn();
            while self.receiver.poll_event().is_some() || self.sender.poll_event().is_some() {}
            while let Some(bytes) = self.receiver.read(PERIOD, self.now) {
                assert!(bytes == stream(self.read, bytes.len()), "other bytes at {}", self.read);
                self.read += bytes.len() as u64;
            }
            self.turn();
            assert!(self.sender.check(), "it contradicts itself: {:?}", self.sender);
            if done(self) {
                return;
            }
            let Some(next) = self.next_time().filter(|next| *next <= until) else { return };
            self.now = self.now.max(next);
            self.arrive();
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let timers = [self.sender.next_deadline(), self.receiver.next_deadline()];
        let arrivals = self.under_way.iter().map(|(at, ..)| *at).min();
        let errors = self.errors.front().map(|(at, _)| *at);
        timers.into_iter().flatten().chain(arrivals).chain(errors).min()
    }

    fn arrive(&mut self) {
        while let Some((_, forth, segment)) = self.under_way.pop_front_if(|x| x.0 <= self.now) {
            let to = if forth { &mut self.receiver } else { &mut self.sender };
            to.on_segment(self.now, &segment);
        }
        while let Some((_, error)) = self.errors.pop_front_if(|x| x.0 <= self.now) {
            self.sender.on_icmp(self.now, error);
        }
        for end in [&mut self.sender, &mut self.receiver] {
            if end.next_deadline().is_some_and(|at| at <= self.now) {
                end.on_timeout(self.now);
            }
        }
    }

    /// Both ends send what they have.
    fn turn(&mut self) {
        let mut sent = Sent::default();
        self.sender.poll(self.now, &mut sent);
        for segment in sent.0 {
            self.forth(segment);
        }
        let mut sent = Sent::default();
        self.receiver.poll(self.now, &mut sent);
        for segment in sent.0 {
            if !(self.loses_back)(0, &segment) {
                self.under_way.push_back((self.now + self.delay, false, segment));
            }
        }
        self.under_way.make_contiguous().sort_by_key(|(at, ..)| *at);
    }

    fn forth(&mut self, segment: Segment) {
        self.probes = self.sender.info().mtu_search.map_or(Vec::new(), |search| {
            let mut probes = std::mem::take(&mut self.probes);
            if let Some(probe) = search.probe.filter(|_| search.probes as usize > probes.len()) {
                probes.push(probe.into());
            }
            probes
        });
        for piece in cut(&segment) {
            let count = self.sent.len();
            self.sent.push((self.now, piece.clone()));
            if size(&piece) > self.carries && !piece.payload.is_empty() {
                if self.tells {
                    let kind = IcmpKind::PacketTooBig { mss: self.carries as u16 };
                    let error = IcmpError { kind, seq: piece.seq };
                    self.errors.push_back((self.now + self.delay, error));
                }
                continue;
            }
            let bytes = 52 + piece.payload.len() as u64;
            let busy = Duration::from_nanos(bytes * 1_000_000_000 / self.rate);
            self.free_at = self.free_at.max(self.now) + busy;
            if !(self.loses)(count, &piece) {
                self.under_way.push_back((self.free_at + self.delay, true, piece));
            }
        }
    }

    /// How often each byte that was sent more than once was sent.
    pub fn bytes_again(&self) -> u64 {
        self.info().bytes_sent_again
    }
}

/// What a device makes of a super-segment.
fn cut(segment: &Segment) -> Vec<Segment> {
    let size = usize::from(segment.gso_size);
    if size == 0 {
        return vec![segment.clone()];
    }
    let piece = |at: usize| Segment {
        seq: segment.seq + at as u32,
        payload: segment.payload.slice(at..segment.payload.len().min(at + size)),
        gso_size: 0,
        ..segment.clone()
    };
    (0..segment.payload.len()).step_by(size).map(piece).collect()
}

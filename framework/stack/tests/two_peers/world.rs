//! Two ends, two directions, one clock that only moves when nothing is left to do.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::{
    Flags, IcmpError, IcmpKind, Payload, Segment, SegmentSink, SeqNum, State, reset_for,
};

use crate::attacker::{Forged, forge};
use crate::end::End;
use crate::link::Link;
use crate::rng::Rng;

/// The last lines of the story, for whoever reads a failure.
const STORY_LINES: usize = 400;
/// Steps at one instant after which it is called spinning.
const SPIN_STEPS: u32 = 20_000;

/// Polls without time passing: more than any window holds.
const POLLS_AT_ONCE_MAX: u32 = 2_000;

/// Collects what a poll sends.
#[derive(Default)]
pub struct Sent(pub Vec<Segment>);

impl SegmentSink for Sent {
    fn has_room(&self) -> bool {
        self.0.len() < 64
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let len = payload.len();
        let payload: Vec<u8> = payload.flatten().copied().collect();
        assert_eq!(payload.len(), len, "a payload is as long as it says");
        self.0.push(Segment { payload: payload.into(), ..segment.clone() });
    }
}

/// What is under way.
enum Packet {
    Segment(Segment),
    Error(IcmpError),
}

pub struct World {
    pub now: Instant,
    pub ends: [End; 2],
    pub links: [Link; 2],
    pub rng: Rng,
    pub mss_max: usize,
    arrivals: BTreeMap<(Instant, u64), (usize, Packet)>,
    count: u64,
    story: VecDeque<String>,
    pub tell: bool,
    /// How often somebody forges a packet when something arrives.
    pub attacks: f64,
    steps_now: u32,
    pub steps: u64,
}

impl World {
    pub fn new(ends: [End; 2], links: [Link; 2], rng: Rng, mss_max: usize, now: Instant) -> Self {
        Self {
            now,
            ends,
            links,
            rng,
            mss_max,
            arrivals: BTreeMap::new(),
            count: 0,
            story: VecDeque::new(),
            tell: false,
            attacks: 0.0,
            steps_now: 0,
            steps: 0,
        }
    }

    /// Runs until both are done, or `until`. Errs when nothing will ever happen again.
    pub fn run(
        &mut self,
        until: Instant,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        loop {
            self.step();
            if done(self) {
                return Ok(());
            }
            let Some(next) = self.next_time() else {
                return Err("a stall: nothing will ever happen again".into());
            };
            if next > until {
                return Err(format!("not done by {until}; the next thing would be at {next}"));
            }
            assert!(next >= self.now, "time goes forward");
            self.steps_now = if next == self.now { self.steps_now + 1 } else { 0 };
            assert!(self.steps_now < SPIN_STEPS, "spinning at {next}");
            self.now = next;
            self.steps += 1;
        }
    }

    fn next_time(&self) -> Option<Instant> {
        let arrival = self.arrivals.keys().next().map(|key| key.0);
        let timers = self.ends.iter().filter_map(|end| end.connection.next_deadline());
        let wakes = self.ends.iter().filter_map(|end| end.wakes);
        timers.chain(wakes).chain(arrival).min()
    }

    /// Everything that happens now.
    fn step(&mut self) {
        while let Some(entry) = self.arrivals.first_entry()
            && entry.key().0 <= self.now
        {
            let (to, packet) = entry.remove();
            match packet {
                Packet::Segment(segment) => self.deliver(to, &segment),
                Packet::Error(error) => {
                    self.tell_of(to, "icmp", None);
                    self.ends[to].connection.on_icmp(self.now, error);
                }
            }
        }
        for at in 0..2 {
            if self.ends[at].connection.next_deadline().is_some_and(|at| at <= self.now) {
                self.tell_of(at, "timer", None);
                self.ends[at].connection.on_timeout(self.now);
            }
            self.ends[at].run(self.now, &mut self.rng);
            self.poll(at);
            self.ends[at].run(self.now, &mut self.rng);
            self.poll(at);
            self.ends[at].check(self.now);
        }
    }

    /// Somebody who sees nothing sends something that nearly fits.
    fn attack(&mut self, at: usize) {
        if !self.rng.chance(self.attacks) {
            return;
        }
        let info = self.ends[at].connection.info();
        match forge(&mut self.rng, &info) {
            None => {}
            Some(Forged::Error(error)) => {
                self.tell_of(at, "forged icmp", None);
                self.ends[at].connection.on_icmp(self.now, error);
            }
            Some(Forged::Segment(segment)) => {
                self.tell_of(at, "forged", Some(&segment));
                self.ends[at].connection.on_segment(self.now, &segment);
            }
        }
    }

    fn deliver(&mut self, to: usize, segment: &Segment) {
        self.attack(to);
        self.tell_of(to, "<", Some(segment));
        let peer_iss = self.ends[1 - to].iss;
        let end = &mut self.ends[to];
        if end.connection.state() == State::Closed {
            // What the interface does where there is no connection.
            if let Some(reset) = reset_for(segment) {
                self.carry(to, reset);
            }
            return;
        }
        end.arrives(segment, peer_iss);
        end.connection.on_segment(self.now, segment);
    }

    fn poll(&mut self, at: usize) {
        for round in 0.. {
            assert!(round < POLLS_AT_ONCE_MAX, "it never stops sending");
            let mut sent = Sent::default();
            let more = self.ends[at].connection.poll(self.now, &mut sent);
            let peer_iss = self.ends[1 - at].iss;
            for segment in sent.0 {
                self.tell_of(at, ">", Some(&segment));
                self.ends[at].leaves(&segment, peer_iss, self.mss_max);
                cut(&segment).into_iter().for_each(|piece| self.carry(at, piece));
            }
            if !more {
                return;
            }
        }
    }

    fn carry(&mut self, from: usize, mut segment: Segment) {
        if let Some(narrow) = self.links[from].refuses(self.now, &segment) {
            if narrow.tells {
                let kind = IcmpKind::PacketTooBig { mss: narrow.mss };
                let error = IcmpError { kind, seq: segment.seq };
                self.count += 1;
                let at = self.now + self.links[from].config.delay;
                self.arrivals.insert((at, self.count), (from, Packet::Error(error)));
            }
            return;
        }
        for at in self.links[from].carry(self.now, &mut segment, &mut self.rng) {
            self.count += 1;
            self.arrivals.insert((at, self.count), (1 - from, Packet::Segment(segment.clone())));
        }
    }

    /// Packets under way.
    pub fn under_way(&self) -> usize {
        self.arrivals.len()
    }

    fn tell_of(&mut self, at: usize, what: &str, segment: Option<&Segment>) {
        if !self.tell {
            return;
        }
        let mut line = format!("{} {} {:<6}", self.now, ["A", "B"][at], what);
        if let Some(segment) = segment {
            describe(
                &mut line,
                segment,
                self.ends[0].iss,
                self.ends[1].iss,
                (at == 0) == (what == ">"),
            );
        }
        let info = self.ends[at].connection.info();
        let _ = write!(
            line,
            "  [{} una {} nxt {} cwnd {} wnd {} {:?}]",
            info.state,
            info.snd_una - self.ends[at].iss.value(),
            info.snd_nxt - self.ends[at].iss.value(),
            info.congestion_window,
            info.snd_wnd,
            info.phase,
        );
        if self.story.len() == STORY_LINES {
            self.story.pop_front();
        }
        self.story.push_back(line);
    }

    pub fn story(&self) -> String {
        self.story.iter().fold(String::new(), |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        })
    }
}

fn describe(line: &mut String, segment: &Segment, a: SeqNum, b: SeqNum, from_a: bool) {
    let (own, other) = if from_a { (a, b) } else { (b, a) };
    let seq = segment.seq - own.value();
    let _ = write!(line, "{:?} {seq}({})", segment.flags, segment.payload.len());
    if segment.flags.contains(Flags::ACK) {
        let _ = write!(line, " ack {} win {}", segment.ack - other.value(), segment.window);
    }
    for (left, right) in segment.options.sack.as_slice() {
        let _ = write!(line, " sack {}:{}", *left - other.value(), *right - other.value());
    }
}

/// What a device with segmentation offload makes of a super-segment.
fn cut(segment: &Segment) -> Vec<Segment> {
    let size = usize::from(segment.gso_size);
    if size == 0 || segment.payload.len() <= size {
        return vec![Segment { gso_size: 0, ..segment.clone() }];
    }
    let count = segment.payload.len().div_ceil(size);
    let last_only = Flags::FIN | Flags::PSH;
    (0..count)
        .map(|index| {
            let start = index * size;
            let payload = segment.payload.slice(start..(start + size).min(segment.payload.len()));
            let mut flags = segment.flags;
            if index + 1 < count {
                flags = flags.without(last_only);
            }
            if index > 0 {
                flags = flags.without(Flags::CWR);
            }
            Segment {
                seq: segment.seq + start as u32,
                payload,
                flags,
                gso_size: 0,
                ..segment.clone()
            }
        })
        .collect()
}

/// A long time for a world: applications may write a few bytes and pause for seconds.
pub const HOURS: Duration = Duration::from_secs(7 * 24 * 3600);

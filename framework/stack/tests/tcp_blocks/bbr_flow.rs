//! A flow of BBR over a bottleneck of known rate, delay and buffer, in virtual time: scoreboard and
//! controller as a connection puts them together, and nothing else.

use std::collections::{BTreeSet, VecDeque};

use fyke_stack::tcp::congestion::{
    AckSample, Algorithm, CongestionConfig, Controller, Delivery, Phase,
};
use fyke_stack::tcp::rtt::{RttConfig, RttEstimator};
use fyke_stack::tcp::scoreboard::{Ack, Detection, RateSample, Scoreboard, ScoreboardConfig};

use super::{Duration, Instant, seq};

pub(super) const MSS: u32 = 1000;

/// What a test looks at after each ACK.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) now: Instant,
    pub(super) phase: Phase,
    pub(super) window: u32,
    pub(super) pipe: u32,
    pub(super) pacing_rate: u64,
    pub(super) sample: Option<RateSample>,
}

pub(super) struct Flow {
    pub(super) cc: Controller,
    pub(super) board: Scoreboard,
    pub(super) rtt: RttEstimator,
    pub(super) now: Instant,
    /// Bytes a second, and what waits for them at most.
    pub(super) rate: u64,
    pub(super) queue: u64,
    pub(super) delay: Duration,
    /// ACKs come together, as often as this.
    pub(super) clump: Duration,
    /// A policer: bytes a second and what it lets through at once. What is more is dropped.
    pub(super) policer: Option<(u64, u64)>,
    pub(super) dropped: u64,
    /// Whether the nth departure is lost.
    pub(super) loses: fn(u64) -> bool,
    /// What the application has for us: segments in all, or no end of them.
    pub(super) segments: u32,
    pub(super) seen: Vec<Seen>,
    free_at: Instant,
    gate: Instant,
    /// What the policer has, in billionths of a byte, and since when.
    tokens: (u128, Instant),
    departures: u64,
    arrivals: VecDeque<(Instant, u32)>,
    received: BTreeSet<u32>,
    una: u32,
    limited_until: u32,
}

impl Flow {
    pub(super) fn new(rate: u64, delay: Duration, queue: u64, sack: bool) -> Self {
        let config = CongestionConfig { algorithm: Algorithm::Bbr, ..CongestionConfig::default() };
        let mut board = Scoreboard::new(&ScoreboardConfig::default(), seq(0), MSS);
        if !sack {
            board.negotiated(Detection::NewReno, MSS);
        }
        board.sample_rates(true);
        let mut rtt = RttEstimator::new(&RttConfig::default());
        rtt.sample(Instant::ZERO, delay, 1);
        Self {
            cc: Controller::new(&config, MSS, seq(77)),
            board,
            rtt,
            now: Instant::ZERO + Duration::from_secs(1),
            rate,
            queue,
            delay,
            clump: Duration::ZERO,
            policer: None,
            dropped: 0,
            tokens: (0, Instant::ZERO),
            loses: |_| false,
            segments: u32::MAX,
            seen: Vec::new(),
            free_at: Instant::ZERO,
            gate: Instant::ZERO,
            departures: 0,
            arrivals: VecDeque::new(),
            received: BTreeSet::new(),
            una: 0,
            limited_until: 0,
        }
    }

    /// What is under way comes so much later.
    pub(super) fn stretch(&mut self, times: u32) {
        for (at, _) in &mut self.arrivals {
            *at = self.now + (*at - self.now) * times;
        }
        self.free_at = self.now + (self.free_at - self.now) * times;
    }

    pub(super) fn phase(&self) -> Phase {
        self.cc.phase()
    }

    pub(super) fn last(&self) -> Seen {
        *self.seen.last().expect("an ACK came")
    }

    /// Goes on for a time.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        self.run_until(|flow| flow.now >= until);
    }

    /// Goes on until something holds.
    pub(super) fn run_until(&mut self, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..3_000_000 {
            if holds(self) {
                return;
            }
            self.step();
        }
        panic!("it never came to that: {:?}", self.seen.last());
    }

    /// Goes on until the phase is this one, and tells when.
    pub(super) fn run_to(&mut self, phase: Phase) -> Instant {
        self.run_until(|flow| flow.phase() == phase);
        self.now
    }

    fn step(&mut self) {
        self.send();
        let ready = self.can_send().then_some(self.gate.max(self.now));
        let arrival = self.arrivals.front().map(|(at, _)| *at);
        let Some(next) = ready.into_iter().chain(arrival).min() else {
            // The application pauses.
            self.now += Duration::from_millis(1);
            return;
        };
        self.now = next.max(self.now);
        if arrival == Some(next)
            && let Some((_, segment)) = self.arrivals.pop_front()
        {
            self.arrive(segment);
        }
    }

    fn unsent(&self) -> bool {
        self.board.nxt().value() / MSS < self.segments
    }

    fn can_send(&self) -> bool {
        let room = self.board.pipe() + MSS <= self.cc.window();
        room && (self.unsent() || self.board.lost() > 0)
    }

    fn send(&mut self) {
        while self.can_send() && self.gate <= self.now {
            if self.board.is_app_limited() && self.board.pipe() == 0 {
                self.cc.on_restart(self.now);
            }
            let segment = match self.board.next_lost(MSS) {
                Some((start, len)) => {
                    self.board.on_resent(self.now, start, len);
                    start.value() / MSS
                }
                None => {
                    let segment = self.board.nxt().value() / MSS;
                    self.board.on_sent(self.now, MSS, 1);
                    segment
                }
            };
            if self.cc.is_limiting(self.board.pipe()) {
                self.limited_until = self.board.nxt().value();
            }
            let rate = self.cc.pacing_rate(self.rtt.srtt()).expect("BBR paces");
            let cost = Duration::from_nanos(u64::from(MSS) * 1_000_000_000 / rate);
            self.gate = self.gate.max(self.now) + cost;
            self.depart(segment);
        }
    }

    fn depart(&mut self, segment: u32) {
        self.departures += 1;
        self.free_at = self.free_at.max(self.now);
        let queued = (self.free_at - self.now).as_nanos() as u64 * self.rate / 1_000_000_000;
        let full = queued + u64::from(MSS) > self.queue || !self.takes_tokens();
        if full || (self.loses)(self.departures) {
            self.dropped += 1;
            return;
        }
        self.free_at += Duration::from_nanos(u64::from(MSS) * 1_000_000_000 / self.rate);
        let mut at = (self.free_at + self.delay).as_nanos();
        if let Ok(clump @ 1..) = u64::try_from(self.clump.as_nanos()) {
            at = at.next_multiple_of(clump);
        }
        self.arrivals.push_back((Instant::from_nanos(at), segment));
    }

    fn takes_tokens(&mut self) -> bool {
        let Some((rate, burst)) = self.policer else { return true };
        let (tokens, since) = self.tokens;
        let more = (self.now - since).as_nanos() * u128::from(rate);
        let tokens = (tokens + more).min(u128::from(burst) * 1_000_000_000);
        let cost = u128::from(MSS) * 1_000_000_000;
        self.tokens = (tokens.checked_sub(cost).unwrap_or(tokens), self.now);
        tokens >= cost
    }

    /// A segment is there, and its ACK is back.
    fn arrive(&mut self, segment: u32) {
        let before = self.una;
        if segment >= self.una {
            self.received.insert(segment);
        }
        while self.received.remove(&self.una) {
            self.una += 1;
        }
        let blocks = self.blocks(segment);
        self.check_app_limited();
        let limited = before * MSS < self.limited_until;
        let acked = self.board.on_ack(&Ack {
            now: self.now,
            ack: seq(self.una * MSS),
            blocks: &blocks,
            duplicate: self.una == before && self.board.outstanding() > 0,
            echo: None,
            min_rtt: self.rtt.min_rtt(),
        });
        if let Some(rtt) = acked.rtt {
            self.rtt.sample(self.now, rtt, 1);
        }
        let losses = self.board.detect_losses(self.now, &self.rtt);
        if acked.spurious.is_some() {
            self.cc.undo();
        } else if acked.recovered.is_some() {
            self.cc.on_recovered();
        }
        if losses.bytes > 0 && !self.board.in_recovery() {
            self.board.enter_recovery();
            self.cc.on_loss(self.board.outstanding(), acked.recover_fs);
        }
        self.tell(limited);
    }

    /// What the receiver has beyond a hole, the newest first.
    fn blocks(&self, newest: u32) -> Vec<(fyke_stack::tcp::SeqNum, fyke_stack::tcp::SeqNum)> {
        if self.board.detection() == Detection::NewReno || !self.received.contains(&newest) {
            return Vec::new();
        }
        let mut left = newest;
        while self.received.contains(&left.wrapping_sub(1)) {
            left -= 1;
        }
        let mut right = newest + 1;
        while self.received.contains(&right) {
            right += 1;
        }
        vec![(seq(left * MSS), seq(right * MSS))]
    }

    fn check_app_limited(&mut self) {
        let idle = self.board.pipe() < self.cc.window() && self.board.lost() == 0;
        if !self.unsent() && idle {
            self.board.mark_app_limited();
        }
    }

    fn tell(&mut self, limited: bool) {
        self.cc.on_ack(&AckSample {
            now: self.now,
            una: self.board.una(),
            nxt: self.board.nxt(),
            delivered: 0,
            pipe: self.board.pipe(),
            safe: true,
            rtt: None,
            srtt: self.rtt.srtt().unwrap_or_default(),
            limited,
        });
        let losses = self.board.take_losses();
        self.cc.on_losses(&losses);
        let sample = self.board.rate_sample().copied();
        if let Some(rate) = sample {
            self.cc.on_delivery(&Delivery {
                now: self.now,
                rate,
                pipe: self.board.pipe(),
                window_limited: limited,
                recovering: self.board.in_recovery(),
                sack: self.board.detection() != Detection::NewReno,
                srtt: self.rtt.srtt().unwrap_or_default(),
            });
        }
        if self.cc.is_holding_back() {
            self.board.mark_app_limited();
        }
        self.seen.push(Seen {
            now: self.now,
            phase: self.cc.phase(),
            window: self.cc.window(),
            pipe: self.board.pipe(),
            pacing_rate: self.cc.pacing_rate(self.rtt.srtt()).unwrap_or(0),
            sample,
        });
    }

    /// A write of the application after it had none.
    pub(super) fn write(&mut self, segments: u32) {
        self.check_app_limited();
        let sent = self.board.nxt().value() / MSS;
        self.segments = if segments == u32::MAX { segments } else { sent + segments };
    }

    /// The phases in the order in which they were, each once in a row.
    pub(super) fn walk(&self) -> Vec<Phase> {
        let mut walk: Vec<Phase> = self.seen.iter().map(|seen| seen.phase).collect();
        walk.dedup();
        walk
    }
}

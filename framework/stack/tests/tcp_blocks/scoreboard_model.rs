//! The scoreboard against a model that knows each byte by itself and looks at all of them each time.

use fyke_stack::tcp::SeqNum;
use fyke_stack::tcp::rtt::{RttConfig, RttEstimator};
use fyke_stack::tcp::scoreboard::{Ack, Detection, Scoreboard, ScoreboardConfig, State};
use proptest::prelude::*;

use super::{CORNERS, Duration, Instant, Random, ms, seq};

const MSS: u32 = 10;

#[derive(Debug, Clone, Copy)]
struct Byte {
    sent: Instant,
    again: bool,
    state: State,
}

/// Positions count from the first byte ever sent.
#[derive(Debug)]
struct Model {
    bytes: Vec<Byte>,
    una: usize,
    dup_thresh: u32,
    latest: Option<(Instant, usize)>,
    rtt: Duration,
    fack: usize,
    reordering: bool,
}

impl Model {
    fn count(&self, state: State) -> u32 {
        self.bytes[self.una..].iter().filter(|byte| byte.state == state).count() as u32
    }

    /// RFC 8985, section 6.2, steps 2 and 3, byte for byte; tells whether it was news.
    fn deliver(&mut self, at: usize, now: Instant, min_rtt: Option<Duration>) -> bool {
        let byte = self.bytes[at];
        if byte.state == State::Sacked {
            return false;
        }
        let end = at + 1;
        if end > self.fack {
            self.fack = end;
        } else if end < self.fack && !byte.again {
            self.reordering = true;
        }
        let rtt = now - byte.sent;
        if byte.again && min_rtt.is_some_and(|min_rtt| rtt < min_rtt) {
            return true;
        }
        self.rtt = rtt;
        if self.latest.is_none_or(|latest| (byte.sent, end) > latest) {
            self.latest = Some((byte.sent, end));
        }
        true
    }

    /// RFC 8985, step 5; the last deadline of those that wait.
    fn rack(&mut self, now: Instant, rtt: &RttEstimator, at_once: bool) -> (u32, Option<Instant>) {
        let Some(latest) = self.latest else { return (0, None) };
        let window = if at_once && !self.reordering {
            Duration::ZERO
        } else {
            (rtt.min_rtt().unwrap_or_default() / 4).min(rtt.srtt().unwrap_or_default())
        };
        let (mut lost, mut timer) = (0, None);
        for (at, byte) in self.bytes.iter_mut().enumerate().skip(self.una) {
            let open = matches!(byte.state, State::InFlight | State::Resent);
            if !open || (byte.sent, at + 1) >= latest {
                continue;
            }
            let due = byte.sent + self.rtt + window;
            if due <= now {
                byte.state = State::Lost;
                lost += 1;
            } else {
                timer = timer.max(Some(due));
            }
        }
        (lost, timer)
    }

    /// IsLost of RFC 6675, section 4, for each byte.
    fn count_losses(&mut self) -> u32 {
        let (mut lost, mut ranges, mut sacked) = (0, 0, 0);
        for at in (self.una..self.bytes.len()).rev() {
            if self.bytes[at].state == State::Sacked {
                sacked += 1;
                let first = at == self.una || self.bytes[at - 1].state != State::Sacked;
                ranges += u32::from(first);
                continue;
            }
            let enough = ranges >= self.dup_thresh || sacked > (self.dup_thresh - 1) * MSS;
            if enough && self.bytes[at].state == State::InFlight {
                self.bytes[at].state = State::Lost;
                lost += 1;
            }
        }
        lost
    }
}

struct World {
    board: Scoreboard,
    model: Model,
    rtt: RttEstimator,
    start: SeqNum,
    now: Instant,
    detection: Detection,
}

impl World {
    fn new(start: SeqNum, detection: Detection, dup_thresh: u8) -> Self {
        let config = ScoreboardConfig { detection, dup_thresh, ..ScoreboardConfig::default() };
        Self {
            board: Scoreboard::new(&config, start, MSS),
            model: Model {
                bytes: Vec::new(),
                una: 0,
                dup_thresh: dup_thresh.into(),
                latest: None,
                rtt: Duration::ZERO,
                fack: 0,
                reordering: false,
            },
            rtt: RttEstimator::new(&RttConfig::default()),
            start,
            now: Instant::ZERO,
            detection,
        }
    }

    fn at(&self, position: usize) -> SeqNum {
        self.start + position as u32
    }

    fn send(&mut self, len: u32) {
        self.board.on_sent(self.now, len, len.div_ceil(MSS));
        let byte = Byte { sent: self.now, again: false, state: State::InFlight };
        self.model.bytes.extend((0..len).map(|_| byte));
    }

    fn resend(&mut self, position: usize, len: u32) {
        self.board.on_resent(self.now, self.at(position), len);
        for byte in &mut self.model.bytes[position..position + len as usize] {
            if byte.state != State::Sacked {
                *byte = Byte { sent: self.now, again: true, state: State::Resent };
            }
        }
    }

    fn ack(&mut self, una: usize, ranges: &[(usize, usize)]) {
        let blocks: Vec<_> = ranges.iter().map(|&(l, r)| (self.at(l), self.at(r))).collect();
        let min_rtt = self.rtt.min_rtt();
        let ack = Ack {
            now: self.now,
            ack: self.at(una),
            blocks: &blocks,
            duplicate: false,
            echo: None,
            min_rtt,
        };
        let fresh = self.model.bytes.len() as u32 - self.model.una as u32;
        let sacked_before = self.model.count(State::Sacked);
        let acked = self.board.on_ack(&ack);
        assert_eq!(acked.recover_fs, fresh - sacked_before);
        let mut delivered = 0;
        for at in self.model.una..una {
            delivered += u32::from(self.model.deliver(at, self.now, min_rtt));
        }
        assert_eq!(acked.advanced, (una - self.model.una) as u32);
        self.model.una = una;
        let mut sorted = ranges.to_vec();
        sorted.sort_unstable();
        let mut sacked = 0;
        for at in sorted.into_iter().flat_map(|(left, right)| left..right) {
            if at >= una && self.model.deliver(at, self.now, min_rtt) {
                self.model.bytes[at].state = State::Sacked;
                sacked += 1;
            }
        }
        assert_eq!((acked.delivered, acked.sacked), (delivered + sacked, sacked));
        if let Some(rtt) = acked.rtt {
            self.rtt.sample(self.now, rtt, 1);
        }
    }

    fn detect(&mut self) {
        let segments: u32 = self.board.sacked().div_ceil(MSS);
        // Few enough SACKed bytes that the count of segments cannot matter, or a recovery.
        let at_once = self.board.in_recovery();
        assert!(at_once || segments < self.model.dup_thresh);
        let found = self.board.detect_losses(self.now, &self.rtt);
        match self.detection {
            Detection::Rack => {
                let (lost, timer) = self.model.rack(self.now, &self.rtt, at_once);
                assert_eq!(found.bytes, lost);
                // With many that wait the timer may be the bound instead of the exact deadline.
                assert_eq!(found.timer.is_some(), timer.is_some());
                assert!(found.timer >= timer, "{found:?} before {timer:?}");
            }
            _ => assert_eq!(found.bytes, self.model.count_losses()),
        }
    }

    fn compare(&self) {
        assert!(self.board.check());
        assert_eq!(self.board.una(), self.at(self.model.una));
        assert_eq!(self.board.nxt(), self.at(self.model.bytes.len()));
        for (state, total) in [
            (State::Sacked, self.board.sacked()),
            (State::Lost, self.board.lost()),
            (State::Resent, self.board.resent()),
        ] {
            assert_eq!(total, self.model.count(state), "{state:?}");
        }
        for (left, right, state) in self.board.ranges() {
            let from = left.distance_from(self.start) as usize;
            let to = right.distance_from(self.start) as usize;
            let bytes = &self.model.bytes[from..to];
            assert!(bytes.iter().all(|byte| byte.state == state), "{from}..{to} is {state:?}");
        }
        let open = self.model.count(State::InFlight) + self.model.count(State::Resent);
        assert_eq!(self.board.pipe(), open);
        assert_eq!(self.board.reordering_seen(), self.model.reordering);
    }

    fn random_ack(&mut self, random: &mut Random, reach: u32) {
        let outstanding = self.model.bytes.len() - self.model.una;
        let mut una = self.model.una;
        if random.one_in(3) {
            // With a large window little by little, so that holes collect.
            let jump = if reach > 1_000 { 40 } else { outstanding as u32 + 1 };
            una += random.below(jump.min(outstanding as u32 + 1)) as usize;
        }
        // An honest peer does not leave unacknowledged what it has next.
        while self.model.bytes.get(una).is_some_and(|byte| byte.state == State::Sacked) {
            una += 1;
        }
        let mut ranges = Vec::new();
        for _ in 0..random.below(4) {
            let left = una + 1 + random.below(reach) as usize;
            let right = left + 1 + random.below(25) as usize;
            if right <= self.model.bytes.len() {
                ranges.push((left, right));
            }
        }
        // The first block must not look like a duplicate within the second.
        while let [first, second, ..] = ranges[..]
            && first.0 >= second.0
            && first.1 <= second.1
        {
            ranges.remove(0);
        }
        self.ack(una, &ranges);
    }
}

/// One history of sending, lying and honest ACKs, losses and retransmissions; tells how many
/// entries there were at most.
fn history(seed: u64, start: u32, detection: Detection, steps: usize, window: u32) -> usize {
    let mut random = Random(seed);
    let dup_thresh = if detection == Detection::Rack { 255 } else { 3 };
    let mut world = World::new(seq(start), detection, dup_thresh);
    let mut entries = 0;
    for step in 0..steps {
        world.now += Duration::from_micros(u64::from(random.below(20_000)) + 1);
        match random.below(6) {
            0..=1 if world.board.outstanding() < window => {
                let segments = random.below(8) + 1;
                let short = random.below(MSS);
                world.send(segments * MSS - short);
                if random.one_in(2) {
                    world.send(MSS);
                }
            }
            2..=3 if world.board.outstanding() > 0 => {
                world.random_ack(&mut random, if window > 1_000 { window } else { 200 });
                world.detect_or_first();
            }
            4 => {
                if let Some((from, len)) = world.board.next_lost(random.below(40) + 1) {
                    let position = from.distance_from(world.start) as usize;
                    assert_eq!(world.model.bytes[position].state, State::Lost);
                    let before = &world.model.bytes[world.model.una..position];
                    assert!(before.iter().all(|byte| byte.state != State::Lost), "not the first");
                    world.resend(position, len);
                }
            }
            _ => world.detect_or_first(),
        }
        if world.board.lost() > 0 && !world.board.in_recovery() {
            world.board.enter_recovery();
        }
        // Comparing looks at every byte.
        if window <= 1_000 || step % 16 == 0 {
            world.compare();
        }
        entries = entries.max(world.board.entries());
    }
    entries
}

impl World {
    /// Detection, for RFC 6675 within a recovery: before one, the count of duplicate ACKs matters
    /// too, which has its own test. With RACK and much outstanding, the count of segments would.
    fn detect_or_first(&mut self) {
        let many = self.board.outstanding() > 1_000;
        if (many || self.detection == Detection::Sack) && !self.board.in_recovery() {
            self.board.enter_recovery();
        }
        self.detect();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn rack_agrees_with_the_model(seed: u64, corner in 0..CORNERS.len()) {
        history(seed, CORNERS[corner], Detection::Rack, 200, 1_000);
    }

    #[test]
    fn rfc_6675_agrees_with_the_model(seed: u64, corner in 0..CORNERS.len()) {
        history(seed, CORNERS[corner], Detection::Sack, 200, 1_000);
    }
}

#[test]
fn agrees_with_the_model_for_long() {
    for detection in [Detection::Rack, Detection::Sack] {
        history(42, 0xffff_f000, detection, 4_000, 1_000);
    }
}

/// Hundreds of holes, so that the list under the scoreboard has many blocks.
#[test]
fn agrees_with_the_model_with_many_holes() {
    for (seed, detection) in [(1, Detection::Rack), (2, Detection::Rack), (3, Detection::Sack)] {
        let entries = history(seed, 0x7fff_f000, detection, 2_500, 12_000);
        assert!(entries > 256, "only {entries} entries");
    }
}

/// The recovery ends in the model's sense too: everything acknowledged, nothing left over.
#[test]
fn ends_empty() {
    let mut world = World::new(seq(0xffff_fff0), Detection::Rack, 3);
    world.send(50);
    world.now += ms(10);
    world.ack(50, &[]);
    world.compare();
    assert_eq!((world.board.entries(), world.board.outstanding()), (0, 0));
    assert_eq!(world.board.first_sent(), None);
}

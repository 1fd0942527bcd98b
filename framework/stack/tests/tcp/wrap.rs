//! More bytes over one connection than the circle of sequence numbers has: whatever is remembered
//! of a number must not come back when the circle has gone half round (RFC 9293, section 3.4).
//!
//! Two connections, five milliseconds apart, with super-segments that share one buffer, so that five
//! gibibytes pass in a moment.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use fyke_stack::tcp::{
    Config, Connection, Ecn, EcnMode, Flags, Info, Initial, Mss, Payload, Segment, SegmentSink,
    SeqNum,
};

use crate::rig::ms;

const GIB: u64 = 1 << 30;
const PIECE: usize = 1 << 20;
const DELAY: Duration = Duration::from_millis(5);
/// Far more than any of these needs.
const ROUNDS_MAX: u32 = 200_000;

/// Where the numbers begin: just before half of the circle, and just before all of it.
const STARTS: [u32; 3] = [1000, (1 << 31) - 70_000, u32::MAX - 70_000];

/// What the streams are made of, twice, so that any piece of it lies together.
fn pattern() -> &'static Bytes {
    static PATTERN: OnceLock<Bytes> = OnceLock::new();
    let byte = |i: usize| (i ^ (i >> 8) ^ (i >> 16)) as u8;
    PATTERN.get_or_init(|| (0..2 * PIECE).map(|i| byte(i % PIECE)).collect::<Vec<_>>().into())
}

/// Takes segments; their payload has to be the pattern, so nothing is copied.
struct Wire {
    first: SeqNum,
    sent: Vec<Segment>,
}

impl SegmentSink for Wire {
    fn has_room(&self) -> bool {
        true
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let at = segment.seq.value().wrapping_sub(self.first.value()) as usize % PIECE;
        let mut end = at;
        for part in payload {
            assert_eq!(part[0], pattern()[end], "a segment has other bytes than were written");
            end += part.len();
        }
        self.sent.push(Segment { payload: pattern().slice(at..end), ..segment.clone() });
    }
}

struct End {
    connection: Connection,
    first: SeqNum,
    written: u64,
    read: u64,
    /// The stream's length.
    goal: u64,
    /// How long the first write is.
    first_write: usize,
    /// How long the others are.
    piece: usize,
    /// With more than this on its way the application waits.
    patience: u32,
    coming: Vec<(Instant, Segment)>,
}

impl End {
    fn new(connection: Connection, iss: u32) -> Self {
        Self {
            connection,
            first: SeqNum::new(iss) + 1,
            written: 0,
            read: 0,
            goal: 0,
            first_write: PIECE,
            piece: PIECE,
            patience: u32::MAX,
            coming: Vec::new(),
        }
    }

    fn write(&mut self, now: Instant) {
        while self.written < self.goal && self.waiting() <= self.patience {
            let at = (self.written % PIECE as u64) as usize;
            let most = if self.written == 0 { self.first_write } else { self.piece };
            let len = most.min(usize::try_from(self.goal - self.written).unwrap());
            let taken = self.connection.write(pattern().slice(at..at + len), now);
            self.written += taken as u64;
            if taken < len || self.patience < u32::MAX {
                return;
            }
        }
    }

    /// What was written and is not acknowledged.
    fn waiting(&self) -> u32 {
        let info = self.connection.info();
        info.unsent + info.unacknowledged
    }

    fn read(&mut self, now: Instant) {
        while let Some(bytes) = self.connection.read(usize::MAX, now) {
            let at = (self.read % PIECE as u64) as usize;
            assert_eq!(bytes[0], pattern()[at], "other bytes arrive than were written");
            self.read += bytes.len() as u64;
        }
    }

    fn poll(&mut self, now: Instant) -> Vec<Segment> {
        let mut wire = Wire { first: self.first, sent: Vec::new() };
        self.connection.poll(now, &mut wire);
        assert!(self.connection.check(), "the connection contradicts itself");
        wire.sent
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.coming.first().map(|(at, _)| *at);
        arrival.into_iter().chain(self.connection.next_deadline()).min()
    }
}

/// What the path does to a segment with data of the first end: how much later it comes, if it does.
type Path = fn(&mut Pair, &mut Segment) -> Option<Duration>;

fn clean(_: &mut Pair, _: &mut Segment) -> Option<Duration> {
    Some(Duration::ZERO)
}

struct Pair {
    ends: [End; 2],
    now: Instant,
    path: Path,
    /// When the path did its first mischief, and how often it did.
    since: Option<Instant>,
    mischief: u32,
    /// Segments of the first end that say that it has slowed down.
    reduced: u32,
}

impl Pair {
    fn new(start: u32, configure: fn(&mut Config)) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut config = Config::linux();
        config.gso_bytes_max = PIECE as u32;
        config.receive_buffer_bytes = 4 << 20;
        config.receive_buffer_bytes_max = 4 << 20;
        config.send_buffer_bytes = 8 << 20;
        config.send_buffer_bytes_max = 8 << 20;
        config.ecn = EcnMode::Active;
        configure(&mut config);
        let config = Arc::new(config);
        let initial =
            |iss| Initial { iss: SeqNum::new(iss), timestamp_offset: 7, mss: Mss::both(1460) };
        let client = Connection::connect(config.clone(), initial(start), now);
        let mut client = End::new(client, start);
        let syn = client.poll(now).remove(0);
        let server = Connection::accept(config, &syn, initial(start), now);
        let ends = [client, End::new(server, start)];
        Self { ends, now, path: clean, since: None, mischief: 0, reduced: 0 }
    }

    /// The first end sends so much more.
    fn send(&mut self, bytes: u64) -> Info {
        self.ends[0].goal += bytes;
        self.run();
        self.ends[0].connection.info()
    }

    fn run(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.turn(0);
            self.turn(1);
            let [one, other] = &self.ends;
            if other.read == one.goal && one.read == other.goal && one.waiting() == 0 {
                return;
            }
            let next = one.next().into_iter().chain(other.next()).min();
            self.now = self.now.max(next.expect("nothing will ever happen any more"));
            for end in &mut self.ends {
                let due = end.coming.partition_point(|(at, _)| *at <= self.now);
                for (_, segment) in end.coming.drain(..due) {
                    end.connection.on_segment(self.now, &segment);
                }
                end.connection.on_timeout(self.now);
            }
        }
        panic!("{} of {} bytes arrived", self.ends[1].read, self.ends[0].goal);
    }

    /// Reads, writes and sends.
    fn turn(&mut self, from: usize) {
        let end = &mut self.ends[from];
        end.read(self.now);
        end.write(self.now);
        for mut segment in end.poll(self.now) {
            let mut extra = Some(Duration::ZERO);
            if from == 0 && !segment.payload.is_empty() {
                self.reduced += u32::from(segment.flags.contains(Flags::CWR));
                extra = (self.path)(self, &mut segment);
            }
            let Some(extra) = extra else { continue };
            let (at, coming) = (self.now + DELAY + extra, &mut self.ends[1 - from].coming);
            let behind = coming.partition_point(|(other, _)| *other <= at);
            coming.insert(behind, (at, segment));
        }
    }
}

#[test]
fn a_connection_that_rests_after_each_piece_outlives_the_circle() {
    for start in STARTS {
        let mut pair = Pair::new(start, |_| {});
        pair.ends[0].patience = 0;
        let info = pair.send(5 * GIB + 77);
        assert_eq!((info.bytes_sent, info.bytes_sent_again), (5 * GIB + 77, 0));
        assert_eq!((info.timeouts, info.probes_sent), (0, 0));
    }
}

#[test]
fn both_ends_send_more_than_the_circle_holds() {
    for start in STARTS {
        let mut pair = Pair::new(start, |_| {});
        pair.ends[1].goal = 5 * GIB + 5;
        let info = pair.send(5 * GIB + 77);
        assert_eq!((info.bytes_sent, info.bytes_sent_again), (5 * GIB + 77, 0));
        assert_eq!((info.bytes_received, info.old_timestamps), (5 * GIB + 5, 0));
    }
}

/// The segment is lost, once.
fn lose_one(pair: &mut Pair, _: &mut Segment) -> Option<Duration> {
    pair.mischief += 1;
    (pair.mischief != 1).then_some(Duration::ZERO)
}

/// The segment comes so late that it seems lost.
fn delay_one(pair: &mut Pair, _: &mut Segment) -> Option<Duration> {
    pair.mischief += 1;
    Some(if pair.mischief == 1 { ms(7) } else { Duration::ZERO })
}

/// Nothing comes through for a second.
fn lose_a_second(pair: &mut Pair, _: &mut Segment) -> Option<Duration> {
    let since = *pair.since.get_or_insert(pair.now);
    (pair.now.saturating_duration_since(since) > ms(1000)).then_some(Duration::ZERO)
}

/// Mischief early on, then nothing for more than the circle: what the scoreboard, its recovery and
/// the undoing of it remember must not disturb, and the same mischief is repaired in the same way.
fn survives(path: Path, configure: fn(&mut Config), times: fn(&Info) -> u32) {
    for start in STARTS {
        let mut pair = Pair::new(start, configure);
        let mut before = pair.send(GIB / 16);
        for _ in 0..2 {
            (pair.path, pair.mischief, pair.since) = (path, 0, None);
            let disturbed = pair.send(GIB / 16);
            assert!(times(&disturbed) > times(&before), "it was noticed: {disturbed:?}");
            pair.path = clean;
            // From 2 to 4 GiB behind, what is remembered seems to lie ahead.
            let info = pair.send(5 * GIB / 2);
            assert_eq!(times(&info), times(&disturbed), "{info:?}");
            assert_eq!(info.bytes_sent_again, disturbed.bytes_sent_again);
            assert_eq!(info.timeouts, disturbed.timeouts);
            before = info;
        }
    }
}

#[test]
fn a_recovery_is_forgotten() {
    survives(lose_one, |_| {}, |info| info.recoveries);
}

#[test]
fn a_recovery_by_counting_is_forgotten() {
    survives(lose_one, |config| config.rack = false, |info| info.recoveries);
}

#[test]
fn a_recovery_without_sack_is_forgotten() {
    survives(lose_one, |config| config.sack = false, |info| info.recoveries);
}

#[test]
fn an_undone_recovery_is_forgotten() {
    survives(delay_one, |_| {}, |info| info.undone);
}

#[test]
fn a_time_out_is_forgotten() {
    survives(lose_a_second, |_| {}, |info| info.timeouts);
}

/// One reduction a window of data (RFC 3168, section 6.1.2): the window of the last one ends.
#[test]
fn a_mark_is_answered_however_long_the_last_one_is_ago() {
    for start in STARTS {
        let mut pair = Pair::new(start, |_| {});
        pair.path = |pair, segment| {
            let sent = pair.ends[0].connection.info().bytes_sent;
            let due = sent > GIB / 4 + u64::from(pair.mischief) * (5 * GIB / 2);
            if due && pair.mischief < 2 {
                segment.ecn = Ecn::Congestion;
                pair.mischief += 1;
            }
            Some(Duration::ZERO)
        };
        pair.send(3 * GIB);
        assert_eq!((pair.mischief, pair.reduced), (2, 2));
    }
}

/// Minshall: only a small segment in flight holds the next one back.
#[test]
fn a_small_segment_of_long_ago_holds_none_back() {
    for start in STARTS {
        let mut pair = Pair::new(start, |_| {});
        pair.ends[0].first_write = 100;
        pair.path = |pair, segment| {
            let info = pair.ends[0].connection.info();
            let last = info.bytes_sent == 3 * GIB + 100;
            if last && segment.flags.contains(Flags::PSH) {
                pair.mischief += 1;
                assert!(info.unacknowledged > 1 << 20, "it waited: {info:?}");
            }
            Some(Duration::ZERO)
        };
        pair.send(3 * GIB + 100);
        assert_eq!(pair.mischief, 1, "the end was seen");
    }
}

/// An application that fills no window grows none (RFC 7661), whenever it filled one last.
#[test]
fn a_full_window_of_long_ago_grows_none() {
    let mut pair = Pair::new(STARTS[0], |_| {});
    pair.send(GIB / 16);
    pair.path = lose_one;
    pair.send(GIB / 16);
    (pair.ends[0].piece, pair.ends[0].patience) = (PIECE / 4, PIECE as u32 / 4);
    let before = pair.send(GIB / 16);
    let info = pair.send(3 * GIB);
    assert!(info.congestion_window > PIECE as u32 / 4 * 3, "more than is in flight: {info:?}");
    assert_eq!(info.congestion_window, before.congestion_window);
}

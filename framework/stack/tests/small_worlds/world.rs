//! Two ends, what is under way between them, and a clock.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::tcp::{
    CloseReason, Ecn, Flags, Initial, Mss, Payload, Segment, SegmentSink, SeqNum, State,
};

use crate::dialect::Dialect;
use crate::end::{End, PATH_MSS};
use crate::fate::{Fate, Forged, Script};
use crate::program::{Ending, Play};

/// How long a packet takes.
const WAY: Duration = Duration::from_millis(10);
/// Packets in a run: nobody answers without end.
const PACKETS_MAX: usize = 400;
/// What any world is over by, besides what the applications sleep.
const AGES: Duration = Duration::from_secs(60 * 24 * 3600);

#[derive(Default)]
pub struct Sent(pub Vec<Segment>);

impl SegmentSink for Sent {
    fn has_room(&self) -> bool {
        self.0.len() < 100
    }

    fn send(&mut self, segment: &Segment, payload: Payload<'_>) {
        let payload: Vec<u8> = payload.flatten().copied().collect();
        self.0.push(Segment { payload: payload.into(), ..segment.clone() });
    }
}

/// What a device makes of a segment that is larger than the path carries.
fn cut(segment: &Segment) -> Vec<Segment> {
    let size = usize::from(segment.gso_size).max(1);
    if segment.gso_size == 0 || segment.payload.len() <= size {
        return vec![Segment { gso_size: 0, ..segment.clone() }];
    }
    let starts = (0..segment.payload.len()).step_by(size);
    let piece = |start: usize| {
        let end = (start + size).min(segment.payload.len());
        let last = end == segment.payload.len();
        let mut flags = if last { segment.flags } else { segment.flags.without(Flags::FIN) };
        if start > 0 {
            flags = flags.without(Flags::CWR);
        }
        let payload = segment.payload.slice(start..end);
        Segment { seq: segment.seq + start as u32, payload, flags, gso_size: 0, ..segment.clone() }
    };
    starts.map(piece).collect()
}

/// Where to, what, and what happens to it.
type UnderWay = (usize, Segment, Option<Fate>);

pub struct World<'a> {
    play: &'a Play,
    script: &'a Script,
    batches: bool,
    now: Instant,
    ends: [End; 2],
    /// Whether something that came has to be answered at once.
    owes: [bool; 2],
    /// What is under way, by its time, its number and its copy.
    air: BTreeMap<(Instant, usize, usize), UnderWay>,
    packets: usize,
    pub tell: bool,
    pub story: String,
}

impl<'a> World<'a> {
    pub fn new(play: &'a Play, dialect: &Dialect, script: &'a Script) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let end = |index: usize, program| {
            let initial = Initial {
                iss: SeqNum::new(dialect.isses[index]),
                timestamp_offset: (1000 + dialect.before_wrap[index]).wrapping_neg(),
                mss: Mss::both(PATH_MSS),
            };
            End::new(index, dialect.config(index), initial, program)
        };
        let mut ends = [end(0, play.opener), end(1, play.other)];
        ends[0].connect(now, play.fast);
        if play.both_open {
            ends[1].connect(now, false);
        }
        let air = BTreeMap::new();
        let batches = dialect.batches;
        let owes = [false; 2];
        Self {
            play,
            script,
            batches,
            owes,
            now,
            ends,
            air,
            packets: 0,
            tell: false,
            story: String::new(),
        }
    }

    /// Runs to the end; tells how many packets were sent.
    pub fn run(&mut self) -> usize {
        let until = self.now + AGES;
        for at in 0..2 {
            self.turn(at);
        }
        while let Some(next) = self.next_time() {
            assert!(next >= self.now && next < until, "it does not end");
            self.now = next;
            while let Some(entry) = self.air.first_entry().filter(|e| e.key().0 <= next) {
                let (to, segment, fate) = entry.remove();
                self.arrive(to, &segment, fate);
            }
            for at in 0..2 {
                if let Some(connection) = &mut self.ends[at].connection
                    && connection.next_deadline().is_some_and(|deadline| deadline <= next)
                {
                    connection.on_timeout(next);
                    self.tell(at, "timer", None);
                }
                self.turn(at);
            }
            self.ends.iter().for_each(|end| end.check(next));
        }
        self.check_end();
        self.packets
    }

    fn next_time(&self) -> Option<Instant> {
        let arrival = self.air.keys().next().map(|key| key.0);
        self.ends.iter().filter_map(End::deadline).chain(arrival).min()
    }

    fn arrive(&mut self, to: usize, segment: &Segment, fate: Option<Fate>) {
        if let Some(Fate::After(forged)) = fate {
            // What the segments before it in a batch have made due is no answer to it.
            self.answer();
            self.forge(to, forged);
        }
        let marked = fate == Some(Fate::Marked) && segment.ecn != Ecn::NotCapable;
        let ecn = if marked { Ecn::Congestion } else { segment.ecn };
        let segment = &Segment { ecn, ..segment.clone() };
        self.tell(to, "<", Some(segment));
        let (answer, at_once) = self.ends[to].arrives(self.now, segment);
        if let Some(answer) = answer {
            self.carry(to, answer);
        }
        self.owes[to] |= at_once;
        let more = self.air.first_key_value().is_some_and(|(key, _)| key.0 <= self.now);
        if !(self.batches && more) {
            self.answer();
        }
    }

    /// A segment that the peer has not sent changes nothing, and is answered once at most.
    fn forge(&mut self, to: usize, forged: Forged) {
        let Some(made_up) = self.ends[to].forged(forged) else { return };
        self.tell(to, "forged", Some(&made_up));
        let state = self.ends[to].state();
        let (none, _) = self.ends[to].arrives(self.now, &made_up);
        assert!(none.is_none() && self.ends[to].state() == state, "{forged:?} counts");
        let answers = self.turn(to);
        assert!(answers <= 1, "{forged:?} is answered {answers} times");
    }

    /// What has to be answered at once is.
    fn answer(&mut self) {
        for at in 0..2 {
            let answers = self.turn(at);
            let owes = std::mem::take(&mut self.owes[at]) && self.ends[at].state() != State::Closed;
            assert!(answers > 0 || !owes, "it is not answered at once");
        }
    }

    /// The application does what it wants and the connection sends what it may; tells how much.
    fn turn(&mut self, at: usize) -> usize {
        let mut count = 0;
        // What is sent may make room to write.
        for _ in 0..2 {
            self.ends[at].turn(self.now);
            let Some(connection) = &mut self.ends[at].connection else { return 0 };
            let mut sent = Sent::default();
            assert!(!connection.poll(self.now, &mut sent), "it never stops sending");
            count += sent.0.len();
            for segment in sent.0 {
                self.ends[at].leaves(&segment);
                self.tell(at, ">", Some(&segment));
                for piece in cut(&segment) {
                    self.carry(at, piece);
                }
            }
        }
        count
    }

    fn carry(&mut self, from: usize, segment: Segment) {
        let packet = self.packets;
        self.packets += 1;
        assert!(self.packets < PACKETS_MAX, "it goes on and on");
        let fate = self.script.iter().find(|(at, _)| *at == packet).map(|(_, fate)| *fate);
        if let Some(fate) = fate {
            self.tell(from, &format!("{fate:?}"), None);
        }
        for (copy, late) in Fate::arrivals(fate).into_iter().enumerate() {
            let key = (self.now + WAY + late, packet, copy);
            self.air.insert(key, (1 - from, segment.clone(), fate));
        }
    }

    fn check_end(&self) {
        for (at, end) in self.ends.iter().enumerate() {
            let peer = &self.ends[1 - at];
            assert!(end.is_through(), "end {at} waits for ever");
            assert!(end.is_done(), "end {at} is not over");
            assert!(end.resets <= 1, "end {at} sent {} resets", end.resets);
            if self.play.ending == Ending::Clean {
                assert_eq!(end.read, peer.written, "what end {at} read");
                assert_eq!(end.closed, Some(CloseReason::Finished), "end {at}");
                assert_eq!(end.resets, 0, "end {at}");
            } else {
                assert!(end.read <= peer.written);
            }
            assert_eq!(end.state(), State::Closed);
        }
    }

    fn tell(&mut self, at: usize, what: &str, segment: Option<&Segment>) {
        if !self.tell {
            return;
        }
        let _ = write!(self.story, "{} {} {what:<7}", self.now, ["A", "B"][at]);
        if let Some(segment) = segment {
            let [own, other] = [at, 1 - at]
                .map(|end| self.ends[if what == ">" { end } else { 1 - end }].model.iss);
            let (seq, flags) = (segment.seq - own.value(), segment.flags);
            let _ = write!(self.story, "{flags:?} {seq:?}({})", segment.payload.len());
            if flags.contains(Flags::ACK) {
                let ack = segment.ack - other.value();
                let _ = write!(self.story, " ack {ack:?} win {}", segment.window);
            }
            for (left, right) in segment.options.sack.as_slice() {
                let blocks = [*left, *right].map(|edge| edge - other.value());
                let _ = write!(self.story, " sack {blocks:?}");
            }
        }
        let _ = writeln!(self.story, "  [{}]", self.ends[at].state());
    }
}

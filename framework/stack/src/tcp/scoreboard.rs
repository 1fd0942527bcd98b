//! The retransmission queue without bytes: what was sent and when, what the peer has of it, what is
//! lost, and what to send next.
//!
//! ```text
//!  SND.UNA                                                                     SND.NXT
//!   | lost | sent again | sacked | in flight | sacked | in flight (sent at one time) |
//! ```
//! Ranges are kept in order; ranges sent at one time are one entry, sacked neighbours merge. The
//! states are disjoint, so what is in the network (RFC 6675's pipe) is what is outstanding without
//! what is sacked and without what is lost.
//!
//! For each ACK the connection calls, in this order:
//! 1. [`on_ack`](Scoreboard::on_ack): what was delivered, round-trip samples, whether a recovery
//!    ended or turned out to be spurious;
//! 2. [`detect_losses`](Scoreboard::detect_losses) with the RTT estimator that has the samples;
//! 3. [`enter_recovery`](Scoreboard::enter_recovery) if something is lost and no recovery runs;
//! 4. while the congestion window allows, [`next_segment`](Scoreboard::next_segment).
//!
//! Sequence numbers of SYN and FIN count like bytes; the connection knows which these are.
//!
//! Reading list: RFC 8985 (RACK-TLP), 6675 (SACK), 6582 (NewReno), 2018 and 2883 (SACK, D-SACK), 3522
//! and 4015 (Eifel), 3708 (undo by D-SACK), 5682 (F-RTO).

mod entries;
mod legacy;
mod probe;
mod rack;
mod recovery;
mod sack;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use fyke_clock::Instant;

use super::SeqNum;
use super::rtt::RttEstimator;
use entries::{Entries, Entry, Place, State};
pub use probe::{Probe, ProbeResult};
use rack::Rack;
use recovery::{Episode, Undo};
pub use recovery::{RecoveryKind, Spurious, TimedOut};

/// How losses are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Detection {
    /// By time, with SACK: RACK-TLP (RFC 8985).
    #[default]
    Rack,
    /// By counting, with SACK: RFC 6675.
    Sack,
    /// By duplicate ACKs, without SACK: NewReno (RFC 6582).
    NewReno,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreboardConfig {
    /// How losses are found.
    pub detection: Detection,
    /// DupThresh of RFC 5681, 6675 and 8985.
    pub dup_thresh: u8,
    /// Entries that are kept. At this number ranges are no longer split, and what is sent joins the
    /// last entry: SACK then says less, and nothing is lost by that but speed.
    pub entries_max: u32,
    /// How long the peer may delay an ACK (TLP.max_ack_delay of RFC 8985).
    pub ack_delay_max: Duration,
    /// The first ACK of new data ends a recovery (Reno).
    pub partial_ack_ends: bool,
}

impl Default for ScoreboardConfig {
    fn default() -> Self {
        Self {
            detection: Detection::Rack,
            dup_thresh: 3,
            entries_max: 16_384,
            ack_delay_max: Duration::from_millis(200),
            partial_ack_ends: false,
        }
    }
}

/// What an ACK says that matters here. It was checked: SND.UNA <= SEG.ACK <= SND.NXT.
#[derive(Debug, Clone, Copy)]
pub struct Ack<'a> {
    /// When it came.
    pub now: Instant,
    /// The acknowledgement number.
    pub ack: SeqNum,
    /// Its SACK blocks, in the order of the header.
    pub blocks: &'a [(SeqNum, SeqNum)],
    /// It is a duplicate in the sense of RFC 5681, section 2.
    pub duplicate: bool,
    /// The last moment at which our timestamp clock still showed the value it echoes.
    pub echo: Option<Instant>,
    /// The smallest round trip known.
    pub min_rtt: Option<Duration>,
}

/// What an ACK changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acked {
    /// By how much SND.UNA advanced.
    pub advanced: u32,
    /// Bytes now known to have arrived that were not before.
    pub delivered: u32,
    /// Bytes among them that were SACKed.
    pub sacked: u32,
    /// What was outstanding before this ACK without what had been SACKed: RecoverFS of RFC 9937,
    /// should this ACK begin a recovery.
    pub recover_fs: u32,
    /// The time since the oldest transmission that this ACK newly acknowledges: what RFC 6298 wants.
    /// Absent when one of the segments was sent more than once (Karn).
    pub rtt: Option<Duration>,
    /// The time since the latest such transmission: free of the peer's delaying ACKs.
    pub rtt_latest: Option<Duration>,
    /// The duplicate that the peer reports (RFC 2883).
    pub duplicate: Option<(SeqNum, SeqNum)>,
    /// The first outstanding range is one that was SACKed: the peer dropped what it had.
    pub reneging: bool,
    /// A segment sent once arrived after one with higher numbers.
    pub reordered: bool,
    /// All that was outstanding at the start of the recovery is acknowledged: it is over.
    pub recovered: Option<RecoveryKind>,
    /// The last reduction of the window was for nothing.
    pub spurious: Option<Spurious>,
    /// A tail loss probe was answered.
    pub probe: Option<ProbeResult>,
}

/// What detection found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes newly marked lost.
    pub bytes: u32,
    /// When to call [`Scoreboard::detect_losses`] again, if no ACK comes before (the reordering
    /// timer).
    pub timer: Option<Instant>,
}

impl Losses {
    fn wait_until(&mut self, due: Instant) {
        self.timer = Some(self.timer.map_or(due, |timer| timer.max(due)));
    }
}

/// What to send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextSegment {
    /// This range again: it is lost.
    Lost(SeqNum, u32),
    /// Data not yet sent.
    New,
    /// This range again although it is not known to be lost, because there is nothing else to send
    /// (RFC 6675, rules 3 and 4 of NextSeg).
    Unsure(SeqNum, u32),
}

/// Bytes by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    sacked: u32,
    lost: u32,
    resent: u32,
    sacked_segments: u32,
    segments: u32,
}

/// The scoreboard of one connection.
#[derive(Debug)]
pub struct Scoreboard {
    entries: Entries,
    /// What was sent again, in the order of sending: time, first and last number. Stale items are
    /// dropped when they come to the front.
    resent: VecDeque<(Instant, SeqNum, SeqNum)>,
    una: SeqNum,
    nxt: SeqNum,
    /// The end of the highest range ever SACKed.
    high_sacked: SeqNum,
    /// No entry before this is in flight for the first time.
    first_cursor: SeqNum,
    /// No entry before this is lost.
    lost_cursor: SeqNum,
    /// HighRxt of RFC 6675.
    high_resent: SeqNum,
    /// After a recovery of NewReno: duplicates at or before this begin no other (RFC 6582).
    recover: Option<SeqNum>,
    totals: Totals,
    rack: Rack,
    episode: Option<Episode>,
    undo: Option<Box<Undo>>,
    probe: Option<probe::Outstanding>,
    ack_delay_max: Duration,
    entries_max: u32,
    mss: u32,
    duplicates: u32,
    /// Without SACK: bytes that duplicate ACKs say have left the network.
    reno_sacked: u32,
    steps: u64,
    detection: Detection,
    dup_thresh: u8,
    partial_ack_ends: bool,
}

impl Scoreboard {
    /// Nothing sent; `start` is the first number to be sent (ISS).
    #[must_use]
    pub fn new(config: &ScoreboardConfig, start: SeqNum, mss: u32) -> Self {
        Self {
            entries: Entries::default(),
            resent: VecDeque::new(),
            una: start,
            nxt: start,
            high_sacked: start,
            first_cursor: start,
            lost_cursor: start,
            high_resent: start,
            recover: None,
            totals: Totals::default(),
            rack: Rack::new(start),
            episode: None,
            undo: None,
            probe: None,
            ack_delay_max: config.ack_delay_max,
            entries_max: config.entries_max.max(16),
            mss: mss.max(1),
            duplicates: 0,
            reno_sacked: 0,
            steps: 0,
            detection: config.detection,
            dup_thresh: config.dup_thresh.max(1),
            partial_ack_ends: config.partial_ack_ends,
        }
    }

    /// What the handshake agreed on: how losses are found, and how large segments are.
    pub fn negotiated(&mut self, detection: Detection, mss: u32) {
        self.detection = detection;
        self.mss = mss.max(1);
    }

    /// SND.UNA.
    #[must_use]
    #[inline]
    pub fn una(&self) -> SeqNum {
        self.una
    }

    /// SND.NXT.
    #[must_use]
    #[inline]
    pub fn nxt(&self) -> SeqNum {
        self.nxt
    }

    /// SND.NXT - SND.UNA: what RFC 5681 calls FlightSize.
    #[must_use]
    #[inline]
    pub fn outstanding(&self) -> u32 {
        self.nxt.saturating_distance_from(self.una)
    }

    /// What is believed to be in the network (RFC 6675's pipe).
    #[must_use]
    #[inline]
    pub fn pipe(&self) -> u32 {
        let gone = self.totals.sacked + self.totals.lost + self.reno_sacked;
        self.outstanding().saturating_sub(gone)
    }

    /// Bytes the peer has out of order.
    #[must_use]
    pub fn sacked(&self) -> u32 {
        self.totals.sacked
    }

    /// Bytes given up and not sent again yet.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.totals.lost
    }

    /// Bytes sent again and in flight.
    #[must_use]
    pub fn resent(&self) -> u32 {
        self.totals.resent
    }

    /// How losses are found.
    #[must_use]
    pub fn detection(&self) -> Detection {
        self.detection
    }

    /// Whether reordering was seen on the path.
    #[must_use]
    pub fn reordering_seen(&self) -> bool {
        self.rack.reordering_seen
    }

    /// When the first outstanding number was sent last.
    #[must_use]
    pub fn first_sent(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.sent)
    }

    /// How many entries there are. For tests and figures.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many entries were looked at so far. For tests and figures.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Numbers from SND.NXT on were sent for the first time, in `segments` segments.
    pub fn on_sent(&mut self, now: Instant, len: u32, segments: u32) {
        if len == 0 {
            return;
        }
        if self.entries.is_empty() {
            self.high_sacked = self.una;
        }
        let (start, end) = (self.nxt, self.nxt + len);
        self.nxt = end;
        self.note_new();
        let segments = segments.clamp(1, len);
        self.totals.segments += segments;
        if self.entries.len() >= self.entries_max as usize {
            self.join_last(now, end, segments);
            return;
        }
        if let Some(last) = self.entries.back_mut() {
            // Segments of one size that were sent at one time need no entry each.
            let size = last.segment_size();
            let alike = last.state == State::InFlight
                && last.sent == now
                && last.transmissions == 1
                && last.len() == size * last.segments
                && len.div_ceil(segments) <= size
                && (segments == 1 || len.div_ceil(segments) == size);
            if alike {
                last.end = end;
                last.segments += segments;
                return;
            }
        }
        let entry =
            Entry { start, end, sent: now, segments, transmissions: 1, state: State::InFlight };
        self.entries.push_back(entry);
    }

    /// There are too many entries: what was sent now joins the last, and no sample may come from it.
    /// What was known of that one is forgotten; at worst it is sent once more.
    fn join_last(&mut self, now: Instant, end: SeqNum, segments: u32) {
        let Some(mut last) = self.entries.back().copied() else { return };
        self.leave(&last, false);
        last.state = State::InFlight;
        last.sent = now;
        last.transmissions = last.transmissions.max(2);
        last.end = end;
        last.segments += segments;
        self.first_cursor = self.first_cursor.min(last.start);
        if let Some(entry) = self.entries.back_mut() {
            *entry = last;
        }
    }

    /// The `len` numbers from `start` on were sent again.
    pub fn on_resent(&mut self, now: Instant, start: SeqNum, len: u32) {
        let start = start.max(self.una);
        let end = (start + len).min(self.nxt);
        let mut place = self.entries.find(start);
        self.note_resent(now, start, end);
        while let Some(entry) = self.entries.get(place).filter(|e| e.start.is_before(end)) {
            self.steps += 1;
            if entry.state == State::Sacked {
                place = self.entries.next(place);
                continue;
            }
            place = self.isolate(place, start, end);
            let Some(entry) = self.entries.get_mut(place) else { break };
            entry.sent = now;
            entry.transmissions = entry.transmissions.saturating_add(1);
            let (len, state) = (entry.len(), entry.state);
            entry.state = State::Resent;
            self.totals.resent += len;
            match state {
                State::Lost => self.totals.lost -= len,
                State::Resent => self.totals.resent -= len,
                State::InFlight | State::Sacked => {}
            }
            place = self.entries.next(place);
        }
        if self.episode.as_ref().is_none_or(|episode| episode.rescued != Some(start)) {
            self.high_resent = self.high_resent.max(end);
        }
        self.queue_resent(now, start, end);
    }

    fn queue_resent(&mut self, now: Instant, start: SeqNum, end: SeqNum) {
        if let Some(last) = self.resent.back_mut()
            && last.0 == now
            && last.2 == start
        {
            last.2 = end;
            return;
        }
        if self.resent.len() >= self.entries_max as usize {
            // Most are stale by now, or the peer is not worth being exact for.
            let una = self.una;
            self.resent.retain(|item| item.2.is_after(una));
            if self.resent.len() >= self.entries_max as usize {
                self.resent.pop_front();
            }
        }
        self.resent.push_back((now, start, end));
    }

    /// Cuts the entry at `place`, which is not sacked, to what lies within a range, and tells where
    /// that is. When there is no room for more entries it stays whole: then more counts as sent
    /// again than was, and will be found lost again.
    fn isolate(&mut self, mut place: Place, start: SeqNum, end: SeqNum) -> Place {
        if self.entries.len() + 2 > self.entries_max as usize {
            return place;
        }
        if let Some(entry) = self.entries.get_mut(place)
            && entry.start.is_before(start)
        {
            let before = entry.segments;
            let front = entry.split_front(start);
            // A segment that is cut counts on both sides.
            self.totals.segments += front.segments + entry.segments - before;
            place = self.entries.insert_before(place, front);
        }
        if let Some(entry) = self.entries.get_mut(place)
            && entry.end.is_after(end)
        {
            let before = entry.segments;
            let middle = entry.split_front(end);
            self.totals.segments += middle.segments + entry.segments - before;
            place = self.entries.insert_before(place, middle);
            return self.entries.previous(place).unwrap_or(place);
        }
        place
    }

    /// Gives up the entry at `place`, which is in flight, and tells how many bytes that were.
    fn lose(&mut self, place: Place) -> u32 {
        let Some(entry) = self.entries.get_mut(place) else { return 0 };
        let (len, state) = (entry.len(), entry.state);
        self.lost_cursor = self.lost_cursor.min(entry.start);
        entry.state = State::Lost;
        self.totals.lost += len;
        if state == State::Resent {
            self.totals.resent -= len;
        }
        len
    }

    /// Looks for losses, after [`on_ack`](Self::on_ack) and when the timer it returned runs out.
    pub fn detect_losses(&mut self, now: Instant, rtt: &RttEstimator) -> Losses {
        match self.detection {
            Detection::Rack => self.rack_detect(now, rtt),
            Detection::Sack => Losses { bytes: self.sack_detect(), timer: None },
            Detection::NewReno => Losses { bytes: self.reno_detect(), timer: None },
        }
    }

    /// What to send next, at most `len_max` bytes of it; `new` tells whether there is data not yet
    /// sent that the peer's window allows.
    pub fn next_segment(&mut self, new: bool, len_max: u32) -> Option<NextSegment> {
        if self.wants_new(new) {
            return Some(NextSegment::New);
        }
        if let Some((start, len)) = self.next_lost(len_max) {
            return Some(NextSegment::Lost(start, len));
        }
        if new {
            return Some(NextSegment::New);
        }
        let (start, len) = self.next_unsure(len_max)?;
        Some(NextSegment::Unsure(start, len))
    }

    /// The first range to be sent again because it is lost, at most `len_max` bytes of it.
    pub fn next_lost(&mut self, len_max: u32) -> Option<(SeqNum, u32)> {
        if self.totals.lost == 0 {
            return None;
        }
        let mut place = self.entries.find(self.lost_cursor.max(self.una));
        while let Some(entry) = self.entries.get(place) {
            self.steps += 1;
            if entry.state == State::Lost {
                self.lost_cursor = entry.start;
                return Some((entry.start, self.lost_length(place, len_max)));
            }
            place = self.entries.next(place);
        }
        None
    }

    /// How far what is lost goes on from `place`: segments may be cut anew.
    fn lost_length(&mut self, mut place: Place, len_max: u32) -> u32 {
        let mut len = 0;
        while let Some(entry) = self.entries.get(place).filter(|e| e.state == State::Lost) {
            self.steps += 1;
            len += entry.len();
            if len >= len_max {
                return len_max;
            }
            place = self.entries.next(place);
        }
        len
    }

    /// Whether the totals are what the entries say, the entries are in order and without gaps, and
    /// sacked + lost + sent again <= outstanding. For tests.
    #[must_use]
    pub fn check(&self) -> bool {
        let mut at = self.una;
        let mut totals = Totals::default();
        for entry in self.entries.iter() {
            let len = entry.len();
            if entry.start != at || len == 0 || entry.segments == 0 || entry.segments > len {
                return false;
            }
            at = entry.end;
            totals.segments += entry.segments;
            let before_first = entry.start.is_before(self.first_cursor);
            let before_lost = entry.start.is_before(self.lost_cursor);
            match entry.state {
                State::InFlight if before_first => return false,
                State::Lost if before_lost => return false,
                State::InFlight => {}
                State::Sacked => {
                    totals.sacked += len;
                    totals.sacked_segments += entry.segments;
                }
                State::Lost => totals.lost += len,
                State::Resent => totals.resent += len,
            }
        }
        at == self.nxt
            && totals == self.totals
            && totals.sacked + totals.lost + totals.resent <= self.outstanding()
            && self.entries.len() <= self.entries_max as usize + 2
    }
}

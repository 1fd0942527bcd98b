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
mod front;
mod legacy;
mod next;
mod probe;
mod rack;
mod range;
mod rate;
mod recovery;
mod sack;
mod sent;
mod types;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::time::Duration;

use fyke_clock::Instant;

use super::SeqNum;
use super::rtt::RttEstimator;
pub use entries::State;
use entries::{Entries, Place};
pub use probe::{Probe, ProbeResult};
use rack::Rack;
use rate::Rates;
pub(crate) use rate::is_excess;
pub use rate::{Excess, LOSS_PERCENT_MAX, LossSample, RateSample};
use recovery::{Episode, Undo};
pub use recovery::{RecoveryKind, Spurious, TimedOut};
pub use types::{Ack, Acked, Detection, Losses, NextSegment, ScoreboardConfig};

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
    /// Entries do not go on across this number.
    apart: SeqNum,
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
    /// Delivery rate samples, when somebody wants them.
    rates: Option<Box<Rates>>,
    ack_delay_max: Duration,
    entries_max: u32,
    mss: u32,
    duplicates: u32,
    /// The last ACK was a duplicate that said nothing else; how many such count against the first
    /// segment.
    silent: bool,
    silent_duplicates: u8,
    /// Without SACK: bytes that duplicate ACKs say have left the network.
    reno_sacked: u32,
    steps: u64,
    detection: Detection,
    dup_thresh: u8,
    partial_ack_ends: bool,
    forward: bool,
}

/// What an entry costs at most: its place in a block that is half empty, and one in the list of what was
/// sent again.
const ENTRY_BYTES: usize = 128;

impl Scoreboard {
    /// Bytes that it takes, besides its own, at most.
    #[must_use]
    pub fn cost(&self) -> usize {
        (self.entries.len() + self.resent.len() / 4) * ENTRY_BYTES
    }

    /// Nothing sent; `start` is the first number to be sent (ISS).
    #[must_use]
    #[inline(always)]
    pub fn new(config: &ScoreboardConfig, start: SeqNum, mss: u32) -> Self {
        Self {
            entries: Entries::default(),
            resent: VecDeque::new(),
            una: start,
            nxt: start,
            apart: start,
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
            rates: None,
            ack_delay_max: config.ack_delay_max,
            entries_max: config.entries_max.max(16),
            mss: mss.max(1),
            duplicates: 0,
            silent: false,
            silent_duplicates: 0,
            reno_sacked: 0,
            steps: 0,
            detection: config.detection,
            dup_thresh: config.dup_thresh.max(1),
            partial_ack_ends: config.partial_ack_ends,
            forward: config.forward,
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

    /// By how many bytes a segment was overtaken at most, and how many ACKs showed one that was.
    #[must_use]
    pub fn reordering(&self) -> (u32, u32) {
        self.rack.reordering
    }

    /// When the first outstanding number was sent last.
    #[must_use]
    pub fn first_sent(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.sent)
    }

    /// The ranges and what is known of them, in order. Neighbours can be of one state.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (SeqNum, SeqNum, State)> {
        self.entries.iter().map(|entry| (entry.start, entry.end, entry.state))
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

    /// Gives up the entry at `place`, which is in flight, and tells how many bytes that were. It is rare:
    /// who looks for losses at each ACK is the quicker without it.
    #[inline(never)]
    fn lose(&mut self, place: Place) -> u32 {
        let Some(entry) = self.entries.get_mut(place) else { return 0 };
        let (len, state) = (entry.len(), entry.state);
        self.lost_cursor = self.lost_cursor.min(entry.start);
        entry.state = State::Lost;
        if let Some(rates) = &mut self.rates {
            rates.lose(entry, self.detection, self.mss);
        }
        self.totals.lost += len;
        if state == State::Resent {
            self.totals.resent -= len;
        }
        len
    }

    /// Looks for losses, after [`on_ack`](Self::on_ack) and when the timer it returned runs out.
    pub fn detect_losses(&mut self, now: Instant, rtt: &RttEstimator) -> Losses {
        let mut losses = match self.detection {
            Detection::Rack => self.rack_detect(now, rtt),
            Detection::Sack => Losses { bytes: self.sack_detect(), ..Losses::default() },
            Detection::NewReno => {
                return Losses { bytes: self.reno_detect(), ..Losses::default() };
            }
        };
        let front = self.front_detect(now, rtt);
        losses.bytes += front;
        losses.first = front > 0;
        losses
    }

    /// Whether the totals are what the entries say, the entries are in order and without gaps, sacked
    /// ones are apart, and sacked + lost + sent again <= outstanding. For tests.
    #[must_use]
    pub fn check(&self) -> bool {
        let mut at = self.una;
        let mut totals = Totals::default();
        let mut after_sacked = false;
        for entry in self.entries.iter() {
            let len = entry.len();
            if entry.start != at || len == 0 || entry.segments == 0 || entry.segments > len {
                return false;
            }
            at = entry.end;
            totals.segments += entry.segments;
            let before_first = entry.start.is_before(self.first_cursor);
            let before_lost = entry.start.is_before(self.lost_cursor);
            let sacked = entry.state == State::Sacked;
            if sacked && after_sacked {
                return false;
            }
            after_sacked = sacked;
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

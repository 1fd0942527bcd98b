//! What goes into the scoreboard and what comes out.

use core::time::Duration;

use fyke_clock::Instant;

use super::{ProbeResult, RecoveryKind, Spurious};
use crate::tcp::SeqNum;

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
    /// The acknowledgements after a time-out tell whether it was spurious (F-RTO, RFC 5682).
    pub forward: bool,
}

impl Default for ScoreboardConfig {
    fn default() -> Self {
        Self {
            detection: Detection::Rack,
            dup_thresh: 3,
            entries_max: 16_384,
            ack_delay_max: Duration::from_millis(200),
            partial_ack_ends: false,
            forward: true,
        }
    }
}

/// What an ACK says that matters here. It was checked: SEG.ACK <= SND.NXT, and not older than a window
/// could explain.
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
    /// Segments they came in.
    pub segments: u32,
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
    /// The last reduction can no longer turn out to have been for nothing: what undoing it would
    /// need can be forgotten.
    pub is_final: bool,
    /// A tail loss probe was answered.
    pub probe: Option<ProbeResult>,
}

/// What detection found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Bytes newly marked lost.
    pub bytes: u32,
    /// When to call [`Scoreboard::detect_losses`](super::Scoreboard::detect_losses) again, if no ACK comes before (the reordering
    /// timer).
    pub timer: Option<Instant>,
    /// Bare duplicates gave up what is first: a segment of it is to go whatever the congestion
    /// window says, because these duplicates delivered nothing that could open it.
    pub first: bool,
}

impl Losses {
    pub(super) fn wait_until(&mut self, due: Instant) {
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

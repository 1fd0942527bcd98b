//! What goes into congestion control and what comes out.

use core::time::Duration;

use fyke_clock::Instant;

use crate::tcp::SeqNum;

/// Which growth and reduction of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// RFC 5681: the first ACK of new data ends a recovery.
    Reno,
    /// RFC 6582: a recovery lasts until all is acknowledged that was outstanding when it began.
    NewReno,
    /// RFC 9438.
    #[default]
    Cubic,
    /// Version 3 (draft-ietf-ccwg-bbr): by the rate of delivery and the smallest round trip instead of
    /// by losses. It paces what is sent.
    Bbr,
}

/// What happens to the window while nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IdlePolicy {
    /// After one time-out it is the initial window again (RFC 5681, section 4.1).
    Restart,
    /// It is halved for each time-out, down to the initial window (RFC 2861, section 3.1).
    #[default]
    Decay,
    /// It is kept for five minutes, then halved (RFC 7661, section 4.4).
    Preserve,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CongestionConfig {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Segments in the initial window (RFC 6928).
    pub initial_window_segments: u32,
    /// Bytes in the initial window, unless two segments are more (RFC 6928).
    pub initial_window_bytes: u32,
    /// By how many segments one ACK can grow the window in slow start (L of RFC 3465 and 9406;
    /// 8 is what the latter says for a sender without pacing).
    pub ack_segments_max: u32,
    /// Whether HyStart++ may end the first slow start before there is loss.
    pub hystart: bool,
    /// CUBIC's reductions are a share of the congestion window and not of the flight, as RFC 9438,
    /// section 4.6, permits: the window grows by use only.
    pub reduce_from_window: bool,
    /// What happens to the window while nothing is sent.
    pub idle: IdlePolicy,
    /// The largest window.
    pub window_bytes_max: u32,
    /// Measure the rate of delivery ([`Info`](crate::tcp::Info) tells it) also where the algorithm
    /// does not need it.
    pub rate_samples: bool,
}

impl CongestionConfig {
    /// What is used unless something else is asked for.
    pub const USUAL: Self = Self {
        algorithm: Algorithm::Cubic,
        initial_window_segments: 10,
        initial_window_bytes: 14_600,
        ack_segments_max: 8,
        hystart: true,
        reduce_from_window: false,
        idle: IdlePolicy::Decay,
        window_bytes_max: 1 << 30,
        rate_samples: false,
    };
}

impl Default for CongestionConfig {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Where in its life the window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Exponential growth up to ssthresh.
    SlowStart,
    /// Slow growth beyond ssthresh.
    CongestionAvoidance,
    /// Fast recovery: PRR leads the flight to ssthresh.
    Recovery,
    /// After a retransmission time-out, until what was outstanding is acknowledged.
    Loss,
    /// BBR: the rate doubles each round trip.
    Startup,
    /// BBR: the queue that Startup made runs out.
    Drain,
    /// BBR, ProbeBW_DOWN: a little slower than the path.
    ProbeBwDown,
    /// BBR, ProbeBW_CRUISE: as fast as the path.
    ProbeBwCruise,
    /// BBR, ProbeBW_REFILL: the path is filled before it is probed.
    ProbeBwRefill,
    /// BBR, ProbeBW_UP: faster than the path was.
    ProbeBwUp,
    /// BBR: little is in flight, to see how long a round trip is.
    ProbeRtt,
}

/// What one ACK told.
#[derive(Debug, Clone, Copy)]
pub struct AckSample {
    /// When it came.
    pub now: Instant,
    /// SND.UNA with it.
    pub una: SeqNum,
    /// SND.NXT.
    pub nxt: SeqNum,
    /// Bytes it newly acknowledged, cumulatively or selectively.
    pub delivered: u32,
    /// Bytes believed to be in the network after it (RFC 6675's pipe).
    pub pipe: u32,
    /// It advanced SND.UNA and told of no further loss (RFC 9937, section 6).
    pub safe: bool,
    /// The round-trip time it measured.
    pub rtt: Option<Duration>,
    /// The smoothed round-trip time.
    pub srtt: Duration,
    /// The window, and not the application or the peer, limited the flight before it (see
    /// [`Controller::is_limiting`](super::Controller::is_limiting)). The window grows by such ACKs only (RFC 7661, section 1).
    pub limited: bool,
}

/// A state for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The phase.
    pub phase: Phase,
    /// The congestion window in bytes.
    pub window: u32,
    /// The slow start threshold in bytes; `u32::MAX` until there was congestion.
    pub ssthresh: u32,
    /// Whether slow start is HyStart++'s conservative one.
    pub conservative: bool,
    /// CUBIC's W_max in bytes, 0 for others.
    pub w_max: u32,
}

/// RFC 6928, section 2.
pub(super) fn initial_window(config: &CongestionConfig, mss: u32) -> u32 {
    let segments = mss.saturating_mul(config.initial_window_segments.max(1));
    segments.min(config.initial_window_bytes.max(mss.saturating_mul(2)))
}

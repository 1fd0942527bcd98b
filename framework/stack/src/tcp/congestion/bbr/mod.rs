//! BBR, version 3 (draft-ietf-ccwg-bbr): how fast and how much, from a model of the path instead of
//! from its losses.
//!
//! ```text
//!   Startup -> Drain -> ProbeBW: DOWN -> CRUISE -> REFILL -> UP     every 2 to 3 s, or as often as
//!      ^                           ^-----------------------'        Reno would lose something
//!      '---- ProbeRTT <---- any of them, when no round trip was shorter for 5 s
//! ```
//! The model is the most that was delivered in a second (`max_bw`), the shortest round trip
//! (`min_rtt`), and how much may be in flight before too much of it is lost: over the long term, by
//! probing for it (`inflight_longterm`), and until the next probe, by what is lost meanwhile
//! (`bw_shortterm`, `inflight_shortterm`). Out of it come a pacing rate and a window.
//!
//! | file | section of the draft |
//! |---|---|
//! | `startup` | 5.3.1 Startup, 5.3.2 Drain |
//! | `cycle` | 5.3.3 ProbeBW |
//! | `probe_rtt` | 5.3.4 ProbeRTT, 5.4 after idleness, the smallest round trip |
//! | `model` | 5.5 rounds, the bandwidth filter, aggregation |
//! | `losses` | 5.5.10 and 5.5.11 losses, marks, recoveries for nothing |
//! | `control` | 5.6 pacing rate, quantum, window |
//!
//! Where it does otherwise than the draft, and why, is said at the place:
//! - a share of losses is counted without the one that it is looked at for (`is_excess`);
//! - what was held back on purpose does not lower the short-term model (`lower_short_term`);
//! - what a recovery may be taken back to is saved when it begins and not once a round of it, because
//!   it is taken back as a whole (`on_recovery`).
//!
//! All of it is integers: gains are percents, rates bytes a second. What the draft leaves to chance
//! comes from a generator whose seed is the connection's own first number.

mod control;
mod cycle;
mod losses;
mod model;
mod probe_rtt;
mod startup;

use core::time::Duration;

use fyke_clock::Instant;

use super::Phase;
use crate::tcp::SeqNum;
use crate::tcp::scoreboard::RateSample;
use losses::Undo;
use model::{Aggregation, BandwidthFilter};

/// No bound on a volume.
const UNBOUND: u32 = u32::MAX;

/// No bound on a rate.
const UNBOUND_RATE: u64 = u64::MAX;

/// What an ACK that delivered something told.
#[derive(Debug, Clone, Copy)]
pub struct Delivery {
    /// When it came.
    pub now: Instant,
    /// The rate sample it made.
    pub rate: RateSample,
    /// Bytes believed to be in the network after it.
    pub pipe: u32,
    /// The window was full at some time in the round trip before it.
    pub window_limited: bool,
    /// Losses are being repaired.
    pub recovering: bool,
    /// Losses are told apart by selective acknowledgements.
    pub sack: bool,
    /// The smoothed round-trip time.
    pub srtt: Duration,
}

/// Where BBR stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
}

impl State {
    /// One of the four phases of ProbeBW.
    fn is_probe_bw(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }

    /// It sends more than it knows to fit.
    fn accelerates(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}

/// What ACKs mean for the bandwidth probe (BBR.ack_phase).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// The model, the state and what comes out of them.
#[derive(Debug, Clone)]
pub(super) struct Bbr {
    state: State,
    /// The window (C.cwnd), and the last good one before a recovery or ProbeRTT.
    window: u32,
    prior_window: u32,
    mss: u32,
    initial_window: u32,
    window_max: u32,
    pacing_rate: Option<u64>,
    /// There was an ACK, and the last one came then.
    begun: bool,
    acked_at: Instant,

    /// What was delivered in all, as of the last ACK.
    delivered: u64,
    round_count: u64,
    round_start: bool,
    next_round_delivered: u64,

    filter: BandwidthFilter,
    bw: u64,
    bw_shortterm: u64,
    inflight_shortterm: u32,
    inflight_longterm: u32,
    aggregation: Aggregation,

    min_rtt: Option<Duration>,
    min_rtt_at: Instant,
    probe_rtt_min: Option<Duration>,
    probe_rtt_min_at: Instant,
    probe_rtt_expired: bool,
    probe_rtt_done_at: Option<Instant>,
    probe_rtt_round_done: bool,
    idle_restart: bool,

    full_bw: u64,
    full_bw_count: u8,
    full_bw_now: bool,
    full_bw_reached: bool,
    drain_start_round: u64,

    loss_in_round: bool,
    loss_round_start: bool,
    loss_round_delivered: u64,
    /// Ranges lost in this round, counted in Startup.
    loss_ranges: u32,
    /// Windows with a congestion mark, counted in Startup.
    marked_windows: u8,
    /// What left before so much had been delivered left in this state, slower than it might.
    held_back: (u64, State),
    bw_latest: u64,
    inflight_latest: u32,
    undo: Undo,
    /// A recovery runs, and what it may have to be taken back to is saved.
    recovering: bool,
    /// It ended with this ACK.
    recovered: bool,

    ack_phase: AckPhase,
    is_bw_probe_sample: bool,
    probe_up_acked_per_increase: u32,
    probe_up_acked: u32,
    probe_up_rounds: u8,
    rounds_since_probe_up: u32,
    probe_wait: Duration,
    cycle_at: Instant,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,
    random: u64,
}

impl Bbr {
    /// Startup with an initial window; `nxt`, which nobody outside can guess, seeds chance.
    pub(super) fn new(window: u32, window_max: u32, mss: u32, nxt: SeqNum) -> Self {
        Self {
            state: State::Startup,
            window,
            prior_window: 0,
            mss,
            initial_window: window,
            window_max,
            pacing_rate: None,
            begun: false,
            acked_at: Instant::ZERO,
            delivered: 0,
            round_count: 0,
            round_start: false,
            next_round_delivered: 0,
            filter: BandwidthFilter::default(),
            bw: 0,
            bw_shortterm: UNBOUND_RATE,
            inflight_shortterm: UNBOUND,
            inflight_longterm: UNBOUND,
            aggregation: Aggregation::default(),
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            probe_rtt_min: None,
            probe_rtt_min_at: Instant::ZERO,
            probe_rtt_expired: false,
            probe_rtt_done_at: None,
            probe_rtt_round_done: false,
            idle_restart: false,
            full_bw: 0,
            full_bw_count: 0,
            full_bw_now: false,
            full_bw_reached: false,
            drain_start_round: 0,
            loss_in_round: false,
            loss_round_start: false,
            loss_round_delivered: 0,
            loss_ranges: 0,
            marked_windows: 0,
            held_back: (0, State::Down),
            bw_latest: 0,
            inflight_latest: 0,
            undo: Undo::default(),
            recovering: false,
            recovered: false,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            probe_up_acked_per_increase: UNBOUND,
            probe_up_acked: 0,
            probe_up_rounds: 0,
            rounds_since_probe_up: 0,
            probe_wait: Duration::ZERO,
            cycle_at: Instant::ZERO,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            random: u64::from(nxt.value()),
        }
    }

    /// The window in bytes.
    pub(super) fn window(&self) -> u32 {
        self.window
    }

    /// The state by its name in the draft.
    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Startup => Phase::Startup,
            State::Drain => Phase::Drain,
            State::Down => Phase::ProbeBwDown,
            State::Cruise => Phase::ProbeBwCruise,
            State::Refill => Phase::ProbeBwRefill,
            State::Up => Phase::ProbeBwUp,
            State::ProbeRtt => Phase::ProbeRtt,
        }
    }

    /// Samples are low on purpose now: they are to count as limited by the application.
    pub(super) fn is_holding_back(&self) -> bool {
        self.state == State::ProbeRtt
    }

    /// The first window is another: the SYN was lost, perhaps.
    pub(super) fn begin_with(&mut self, window: u32) {
        self.window = window;
        self.initial_window = window;
    }

    /// Segments are of another size; `untouched` when nothing has been sent yet.
    pub(super) fn set_mss(&mut self, mss: u32, initial_window: u32, untouched: bool) {
        self.mss = mss;
        self.initial_window = initial_window;
        if untouched && self.round_count == 0 {
            self.window = initial_window;
        }
        self.window = self.window.max(mss);
    }

    /// Takes in an ACK that delivered something (section 5.2.3).
    pub(super) fn on_delivery(&mut self, delivery: &Delivery) {
        if !self.begun {
            self.begin(delivery);
        }
        self.acked_at = delivery.now;
        self.delivered = delivery.rate.delivered_total;
        self.update_latest_delivery(delivery);
        self.update_congestion(delivery);
        self.update_aggregation(delivery);
        self.check_full_bandwidth(delivery);
        self.check_startup_done(delivery);
        self.check_drain_done(delivery);
        self.update_cycle(delivery);
        self.update_min_rtt(delivery);
        self.check_probe_rtt(delivery);
        self.advance_latest_delivery(delivery);
        self.bw = self.filter.max().min(self.bw_shortterm);
        self.set_pacing_rate();
        self.set_window(delivery);
        self.recovered = false;
    }

    /// The first ACK: clocks start.
    fn begin(&mut self, delivery: &Delivery) {
        self.begun = true;
        self.aggregation.begin(delivery.now);
        (self.min_rtt_at, self.probe_rtt_min_at) = (delivery.now, delivery.now);
        self.cycle_at = delivery.now;
        if !delivery.srtt.is_zero() {
            self.min_rtt = Some(delivery.srtt);
        }
        self.pacing_rate = Some(self.initial_rate(delivery.srtt));
    }

    /// SplitMix64: the next of the numbers that chance is made of.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A share of a volume.
fn percent(bytes: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(bytes) * u64::from(percent) / 100).unwrap_or(UNBOUND)
}

//! HyStart++ (RFC 9406): the end of the first slow start by delay, before there is loss.
//!
//! When the smallest round trip of a round has risen against the round before, growth continues at
//! a quarter of its pace (conservative slow start). If the delay falls again it was jitter, and slow
//! start resumes; after five rounds it was a queue, and congestion avoidance begins.

use core::time::Duration;

use crate::tcp::SeqNum;

const MIN_RTT_THRESH_MICROS: u32 = 4_000;
const MAX_RTT_THRESH_MICROS: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const RTT_SAMPLES: u8 = 8;
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;

/// "Infinity" for a minimum.
const NONE: u32 = u32::MAX;

/// The state of one slow start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HyStart {
    /// The round ends when this is acknowledged.
    window_end: SeqNum,
    last_round_min: u32,
    round_min: u32,
    /// Of the round that began conservative slow start.
    baseline_min: u32,
    samples: u8,
    /// Rounds of conservative slow start so far, the one that began it included; 0 outside of it.
    rounds: u8,
}

impl HyStart {
    /// A first round that ends when `nxt` (SND.NXT) is acknowledged.
    #[must_use]
    pub fn new(nxt: SeqNum) -> Self {
        Self {
            window_end: nxt,
            last_round_min: NONE,
            round_min: NONE,
            baseline_min: NONE,
            samples: 0,
            rounds: 0,
        }
    }

    /// Takes in an ACK; true when slow start is over.
    pub fn on_ack(&mut self, una: SeqNum, nxt: SeqNum, rtt: Option<Duration>) -> bool {
        if let Some(rtt) = rtt {
            let micros = u32::try_from(rtt.as_micros()).unwrap_or(NONE - 1);
            self.round_min = self.round_min.min(micros);
            self.samples = self.samples.saturating_add(1);
            self.judge();
        }
        una.is_at_least(self.window_end) && self.next_round(nxt)
    }

    fn judge(&mut self) {
        if self.samples < RTT_SAMPLES || self.round_min == NONE || self.last_round_min == NONE {
            return;
        }
        if self.rounds == 0 {
            let threshold = (self.last_round_min / MIN_RTT_DIVISOR)
                .clamp(MIN_RTT_THRESH_MICROS, MAX_RTT_THRESH_MICROS);
            if self.round_min >= self.last_round_min.saturating_add(threshold) {
                self.baseline_min = self.round_min;
                self.rounds = 1;
            }
        } else if self.round_min < self.baseline_min {
            self.baseline_min = NONE;
            self.rounds = 0;
        }
    }

    fn next_round(&mut self, nxt: SeqNum) -> bool {
        self.window_end = nxt;
        self.last_round_min = self.round_min;
        self.round_min = NONE;
        self.samples = 0;
        if self.rounds > 0 {
            self.rounds += 1;
        }
        self.rounds > CSS_ROUNDS
    }

    /// How much of the usual `growth` is allowed now.
    #[must_use]
    pub fn growth(&self, growth: u32) -> u32 {
        if self.is_conservative() { growth / CSS_GROWTH_DIVISOR } else { growth }
    }

    /// Whether this is conservative slow start.
    #[must_use]
    pub fn is_conservative(&self) -> bool {
        self.rounds > 0
    }
}

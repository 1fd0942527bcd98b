//! What is known of the path (section 5.5): rounds, the most it delivers in a second, and how its
//! ACKs clump.

use core::time::Duration;

use fyke_clock::Instant;

use super::{Bbr, Delivery};

/// Rounds after which the older half of the aggregation filter is forgotten: of two halves the filter
/// remembers five to ten rounds (ExtraAckedFilterLen).
const AGGREGATION_HALF_ROUNDS: u8 = 5;

/// The largest rate of the current and of the previous cycle of ProbeBW (MaxBwFilterLen = 2).
#[derive(Debug, Clone, Default)]
pub(super) struct BandwidthFilter {
    previous: u64,
    current: u64,
}

impl BandwidthFilter {
    pub(super) fn max(&self) -> u64 {
        self.previous.max(self.current)
    }

    pub(super) fn add(&mut self, rate: u64) {
        self.current = self.current.max(rate);
    }

    /// A cycle is over. One without a sample does not count: it knows nothing better.
    pub(super) fn advance(&mut self) {
        if self.current > 0 {
            self.previous = self.current;
            self.current = 0;
        }
    }
}

/// How much more is acknowledged at once than the bandwidth explains (section 5.5.9).
#[derive(Debug, Clone, Default)]
pub(super) struct Aggregation {
    since: Instant,
    acked: u64,
    halves: [u32; 2],
    rounds: u8,
}

impl Aggregation {
    /// A measurement begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since = now;
    }

    pub(super) fn max(&self) -> u32 {
        self.halves[0].max(self.halves[1])
    }

    fn add(&mut self, extra: u32) {
        self.halves[1] = self.halves[1].max(extra);
    }

    /// A round is over.
    fn advance(&mut self, half_rounds: u8) {
        self.rounds += 1;
        if self.rounds >= half_rounds {
            self.rounds = 0;
            self.halves = [self.halves[1], 0];
        }
    }
}

impl Bbr {
    /// Rounds are counted by what is delivered (section 5.5.1).
    fn update_round(&mut self, delivery: &Delivery) {
        self.round_start = delivery.rate.prior_delivered >= self.next_round_delivered;
        if self.round_start {
            self.start_round();
            self.round_count += 1;
            self.rounds_since_probe_up = self.rounds_since_probe_up.saturating_add(1);
        }
    }

    /// A round lasts until something is acknowledged that leaves after this.
    pub(super) fn start_round(&mut self) {
        self.next_round_delivered = self.delivered;
    }

    /// A sample that the application limited counts only when it is higher all the same (section
    /// 5.5.5).
    pub(super) fn update_max_bandwidth(&mut self, delivery: &Delivery) {
        self.update_round(delivery);
        let rate = delivery.rate.rate;
        if rate > 0 && (!delivery.rate.app_limited || rate >= self.filter.max()) {
            self.filter.add(rate);
        }
    }

    pub(super) fn update_aggregation(&mut self, delivery: &Delivery) {
        let half = if self.full_bw_reached { AGGREGATION_HALF_ROUNDS } else { 1 };
        if self.round_start {
            self.aggregation.advance(half);
        }
        let elapsed = delivery.now.saturating_duration_since(self.aggregation.since);
        let mut expected = volume(self.bw, elapsed);
        if self.aggregation.acked <= expected {
            // The ACKs came no faster than the bandwidth: this clump is over.
            self.aggregation.acked = 0;
            self.aggregation.since = delivery.now;
            expected = 0;
        }
        self.aggregation.acked += u64::from(delivery.rate.newly_acked);
        let extra = self.aggregation.acked - expected;
        self.aggregation.add(u32::try_from(extra).unwrap_or(u32::MAX).min(self.window));
    }

    /// The bandwidth-delay product in bytes, or the initial window while there is no round trip.
    pub(super) fn bdp(&self) -> u32 {
        self.bdp_of(self.bw)
    }

    pub(super) fn bdp_of(&self, bw: u64) -> u32 {
        match self.min_rtt {
            Some(min_rtt) => u32::try_from(volume(bw, min_rtt)).unwrap_or(u32::MAX),
            None => self.initial_window,
        }
    }
}

/// What a rate carries in a time.
fn volume(rate: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate) * time.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

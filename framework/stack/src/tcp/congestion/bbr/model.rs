//! What is known of the path (section 5.5): rounds, the most it delivers in a second, and how its
//! ACKs clump.

use core::time::Duration;

use fyke_clock::Instant;

use super::{Bbr, Delivery, UNBOUND, percent};

/// For how many rounds a clump of acknowledgements is remembered (ExtraAckedFilterLen), and for how many
/// in Startup.
const AGGREGATION_ROUNDS: u64 = 10;
const AGGREGATION_ROUNDS_IN_STARTUP: u64 = 1;

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

/// The largest value of the last rounds, from three of them: the largest, the largest since that one,
/// and the largest since the second (the filter of K. Nichols that section 5.5.6 names).
#[derive(Debug, Clone, Default)]
struct RoundMax([(u64, u32); 3]);

impl RoundMax {
    fn max(&self) -> u32 {
        self.0[0].1
    }

    fn add(&mut self, round: u64, value: u32, rounds: u64) {
        let (new, best) = ((round, value), &mut self.0);
        if value >= best[0].1 || round > best[2].0 + rounds {
            *best = [new; 3];
            return;
        }
        if value >= best[1].1 {
            (best[1], best[2]) = (new, new);
        } else if value >= best[2].1 {
            best[2] = new;
        }
        let age = round - best[0].0;
        if age > rounds {
            // The last one is young enough, or all were forgotten above.
            while round > best[0].0 + rounds {
                *best = [best[1], best[2], new];
            }
        } else if best[1].0 == best[0].0 && age > rounds / 4 {
            // Nothing came near the largest for a quarter of the time: the second is of the rest.
            (best[1], best[2]) = (new, new);
        } else if best[2].0 == best[1].0 && age > rounds / 2 {
            best[2] = new;
        }
    }
}

/// How much more is acknowledged at once than the bandwidth explains (section 5.5.9).
#[derive(Debug, Clone, Default)]
pub(super) struct Aggregation {
    since: Instant,
    acked: u64,
    extra: RoundMax,
}

impl Aggregation {
    /// A measurement begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since = now;
    }

    pub(super) fn max(&self) -> u32 {
        self.extra.max()
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
        let extra = u32::try_from(extra).unwrap_or(UNBOUND).min(self.window);
        let rounds =
            if self.full_bw_reached { AGGREGATION_ROUNDS } else { AGGREGATION_ROUNDS_IN_STARTUP };
        self.aggregation.extra.add(self.round_count, extra, rounds);
    }

    /// The bandwidth-delay product in bytes, or the initial window while there is no round trip.
    pub(super) fn bdp(&self) -> u32 {
        self.bdp_of(self.bw)
    }

    /// Some of the bandwidth-delay product, in percent. What stands for it while there is no round trip
    /// is no product and takes no gain (section 5.6.4.2).
    pub(super) fn bdp_multiple(&self, gain: u32) -> u32 {
        match self.min_rtt {
            Some(_) => percent(self.bdp(), gain),
            None => self.initial_window,
        }
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

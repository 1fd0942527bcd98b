//! The search for the size of segments a path carries, as numbers only (RFC 4821, section 7).
//!
//! ```text
//!   floor      base         low                  size that is tried           high
//!     |---------|------------|------------------------|-------------------------|------------
//!               search begins  known to pass                              may pass
//! ```
//! A search is over when both are close. After an interval it begins anew from what passes, because
//! the path may have become wider.

use core::time::Duration;

use fyke_clock::Instant;

use crate::tcp::SeqNum;
use crate::tcp::mtu::{MtuConfig, MtuOrder};

/// What is left of the MTUs of usual links (Ethernet with jumbo frames, Ethernet, PPPoE, tunnels and
/// radio, the least of IPv6) behind the headers of TCP over IPv4 and over IPv6.
const COMMON: [u16; 21] = [
    8960, 8940, 4312, 4292, 1460, 1452, 1440, 1432, 1420, 1410, 1390, 1380, 1360, 1340, 1320, 1300,
    1240, 1220, 1180, 1160, 536,
];

/// A probe that is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) start: SeqNum,
    pub(super) end: SeqNum,
    pub(super) size: u16,
}

/// A size that a probe found and that whole flights have to confirm (RFC 4821, section 7.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trial {
    /// The size before.
    pub(super) previous: u16,
    /// It is confirmed when this is acknowledged.
    pub(super) until: SeqNum,
}

/// A size that seems to have fallen into a black hole: several packets lost in a row may be chance, and
/// then the size passes now, as it did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    size: u16,
    /// Probes that are left.
    probes: u8,
    /// How many were lost, alone or among others.
    lost: u8,
}

/// Probes of a size in doubt, of which some may tell nothing: so many bound what doubt can cost.
const DOUBT_PROBES_MAX: u8 = 10;

/// Probes of a size in doubt that have to be lost before it does not pass: on a path that loses a third
/// of everything, one in a hundred doubts ends wrongly.
const DOUBT_LOST: u8 = 4;

/// What is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) probes: u32,
    pub(super) passed: u32,
    pub(super) lost: u32,
    pub(super) black_holes: u32,
}

/// A search. The size that is used now is not here: it is the connection's path MSS.
#[derive(Debug)]
pub(super) struct Search {
    /// What passes, or is believed to (search_low).
    pub(super) low: u16,
    /// What may pass at most (search_high).
    pub(super) high: u16,
    /// What the first link carries, or was believed of the path when the search was made.
    pub(super) limit: u16,
    pub(super) probe: Option<Probe>,
    /// The size that is to be tried.
    pub(super) candidate: u16,
    pub(super) trial: Option<Trial>,
    doubt: Option<Doubt>,
    /// A black hole was none the last time.
    pub(super) mistaken: bool,
    /// No probe before this.
    pub(super) pause: Instant,
    /// When something was last learned.
    pub(super) since: Instant,
    /// The smallest size of which a probe was lost, and how many were.
    suspect: u16,
    attempts: u8,
    /// `high` was not tried since it was set.
    open: bool,
    /// Begin with it.
    top_first: bool,
    /// What others may learn from this search, and what they were told last.
    found: Option<u16>,
    told: u16,
    pub(super) counts: Counts,
}

impl Search {
    /// Between `low`, which is believed to pass, and `limit`, which would be the most.
    pub(super) fn new(now: Instant, low: u16, limit: u16) -> Self {
        Self {
            low,
            high: limit,
            limit,
            probe: None,
            candidate: 0,
            trial: None,
            doubt: None,
            mistaken: false,
            pause: now,
            since: now,
            suspect: 0,
            attempts: 0,
            open: true,
            top_first: true,
            found: None,
            told: 0,
            counts: Counts::default(),
        }
    }

    /// `size` is what others believe to be the most: it is used until the interval is over.
    pub(super) fn resting(now: Instant, size: u16, limit: u16) -> Self {
        Self { high: size, open: false, ..Self::new(now, size, limit) }
    }

    /// The size to try next, when `current` is used and the link carries `ceiling`.
    pub(super) fn next_size(
        &mut self,
        now: Instant,
        current: u16,
        ceiling: u16,
        config: &MtuConfig,
    ) -> Option<u16> {
        if ceiling > self.limit {
            // The link became wider: that is no news of a packet, but the owner's word.
            self.raise(now, ceiling);
        }
        self.limit = ceiling;
        self.high = self.high.min(ceiling);
        if self.is_over(current, config) {
            if self.is_in_doubt(current, config) {
                return Some(self.suspect);
            }
            if current < ceiling && self.told != current && self.counts.probes > 0 {
                self.found = Some(current);
                self.told = current;
            }
            let waits = now.saturating_duration_since(self.since) < config.interval;
            if waits || ceiling <= current {
                return None;
            }
            self.low = current;
            self.raise(now, ceiling);
            if self.is_over(current, config) {
                return None;
            }
        }
        let size = self.choose(self.low, config);
        if size > current {
            return Some(size);
        }
        self.low = current;
        Some(self.choose(current, config).max(current + 1))
    }

    /// The size that is to be tried before all others, because it was given up and passed before.
    pub(super) fn size_in_doubt(&mut self, current: u16, ceiling: u16) -> Option<u16> {
        let still = |doubt: &Doubt| doubt.probes > 0 && doubt.size.min(ceiling) > current;
        self.doubt = self.doubt.filter(still);
        self.doubt.map(|doubt| doubt.size.min(ceiling))
    }

    /// Whether a probe was of the size in doubt, which it has settled: it was chance.
    pub(super) fn was_chance(&mut self, size: u16) -> bool {
        let was = self.doubt.is_some_and(|doubt| size >= doubt.size.min(self.limit));
        if was {
            self.doubt = None;
            self.mistaken = true;
        }
        was
    }

    /// What became of a probe of the size in doubt: enough of them settle it.
    fn doubt_probed(&mut self, lost: bool, alone: bool, config: &MtuConfig) {
        let Some(doubt) = &mut self.doubt else { return };
        doubt.probes = doubt.probes.saturating_sub(1);
        doubt.lost = doubt.lost.saturating_add(u8::from(lost));
        let alone = alone && self.attempts >= config.attempts_max;
        if alone || doubt.lost >= DOUBT_LOST {
            self.doubt = None;
            self.mistaken = false;
        }
    }

    fn is_over(&self, current: u16, config: &MtuConfig) -> bool {
        let gap = self.high.saturating_sub(self.low.max(current));
        let untried = self.open && config.order == MtuOrder::CommonFirst;
        gap == 0 || (gap < config.threshold_bytes && !untried)
    }

    /// One lost packet may be chance: what the search ended below is tried again (RFC 8899, section
    /// 5.1.2, MAX_PROBES).
    fn is_in_doubt(&self, current: u16, config: &MtuConfig) -> bool {
        let within = self.suspect > current && self.suspect <= self.limit;
        within && self.attempts < config.attempts_max
    }

    fn choose(&self, low: u16, config: &MtuConfig) -> u16 {
        let gap = self.high.saturating_sub(low);
        let middle = low + gap / 2;
        if config.order == MtuOrder::Bisect {
            return middle;
        }
        if self.open && (self.top_first || gap < config.threshold_bytes) {
            return self.high;
        }
        // Near the middle, so that a usual link costs no more than a few probes, and any other
        // hardly more than by bisection.
        let near = low + gap / 4..=self.high - gap / 4;
        let usual = COMMON.into_iter().filter(|size| *size > low && near.contains(size));
        usual.min_by_key(|size| size.abs_diff(middle)).unwrap_or(middle)
    }

    /// The range is open to above again.
    fn raise(&mut self, now: Instant, ceiling: u16) {
        self.high = ceiling;
        self.open = true;
        self.top_first = true;
        self.suspect = 0;
        self.since = now;
    }

    /// The probe arrived.
    pub(super) fn passed(&mut self, now: Instant, size: u16) {
        self.low = self.low.max(size);
        self.high = self.high.max(size);
        self.open &= size < self.high;
        self.since = now;
        if size == self.suspect {
            // It was chance: nothing speaks against larger ones.
            self.raise(now, self.limit);
        }
        self.counts.passed = self.counts.passed.saturating_add(1);
    }

    /// The probe, and nothing else, was lost; the next one waits for `pause`, because a loss was
    /// hidden from the congestion control (RFC 4821, section 7.6.2).
    pub(super) fn lost(&mut self, now: Instant, size: u16, pause: Duration, config: &MtuConfig) {
        self.probe = None;
        self.pause = now + pause;
        self.since = now;
        self.counts.lost = self.counts.lost.saturating_add(1);
        let before = if size == self.suspect { self.attempts } else { 0 };
        self.too_large(size, before.saturating_add(1));
        self.doubt_probed(true, true, config);
    }

    /// The probe was lost among others, which says nothing (RFC 4821, section 7.6.4), but for a size
    /// in doubt.
    pub(super) fn lost_among_others(&mut self, now: Instant, pause: Duration, config: &MtuConfig) {
        self.probe = None;
        self.pause = now + pause;
        self.doubt_probed(true, false, config);
    }

    /// A size does not pass, as so many probes say.
    fn too_large(&mut self, size: u16, attempts: u8) {
        self.suspect = size;
        self.attempts = attempts;
        self.high = self.high.min(size.saturating_sub(1)).max(self.low);
        self.open = false;
        self.top_first = false;
    }

    /// What became of the probe cannot be told (RFC 4821, section 7.6.4).
    pub(super) fn forget_probe(&mut self, now: Instant, pause: Duration) {
        if self.probe.take().is_some() {
            self.pause = now + pause;
            if let Some(doubt) = &mut self.doubt {
                doubt.probes = doubt.probes.saturating_sub(1);
            }
        }
    }

    /// A router says what passes: that is worth a probe, and nothing above is (RFC 8899, section
    /// 4.6.2).
    pub(super) fn told(&mut self, now: Instant, size: u16) {
        self.low = self.low.min(size);
        self.high = self.high.min(size);
        self.open = true;
        self.top_first = true;
        self.suspect = 0;
        self.doubt = None;
        self.since = now;
    }

    /// The owner of the route says what the path carries.
    pub(super) fn owner_says(&mut self, now: Instant, size: u16) {
        if size > self.limit {
            self.raise(now, size);
        } else {
            self.told(now, size);
        }
        self.limit = size;
    }

    /// Nothing seems to pass any more but what is at most this (RFC 4821, section 7.7). Whether what
    /// passed `from` now does not is asked before larger sizes are searched for.
    pub(super) fn fall(&mut self, now: Instant, from: u16, to: u16) {
        let size = self.doubt.map_or(from, |doubt| doubt.size);
        self.doubt = Some(Doubt { size, probes: DOUBT_PROBES_MAX, lost: 0 });
        self.low = to;
        self.high = self.high.max(to);
        self.open = true;
        self.top_first = false;
        self.suspect = 0;
        self.probe = None;
        self.trial = None;
        self.since = now;
        self.counts.black_holes = self.counts.black_holes.saturating_add(1);
    }

    /// A size that a probe found does not pass in whole flights.
    pub(super) fn refute(&mut self, now: Instant, size: u16, previous: u16) {
        self.low = previous;
        self.probe = None;
        self.trial = None;
        self.since = now;
        self.too_large(size, u8::MAX);
    }

    /// What the search ended with, once.
    pub(super) fn take_found(&mut self) -> Option<u16> {
        self.found.take()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const CURRENT: u16 = 1024;
    const LINK: u16 = 1460;

    fn config(order: MtuOrder, attempts_max: u8) -> MtuConfig {
        MtuConfig { order, attempts_max, ..MtuConfig::default() }
    }

    /// Searches on a path that carries so much, where some probes are lost by chance besides; tells
    /// the probes and what was found.
    fn search(config: &MtuConfig, carries: u16, unlucky: &[usize]) -> (Vec<u16>, u16) {
        let now = Instant::from_nanos(1);
        let mut search = Search::new(now, CURRENT, LINK);
        let (mut probes, mut current) = (Vec::new(), CURRENT);
        while let Some(size) = search.next_size(now, current, LINK, config) {
            assert!(size > current && size <= LINK, "{size} with {current}: {search:?}");
            let lost = size > carries || unlucky.contains(&probes.len());
            probes.push(size);
            assert!(probes.len() < 50, "it ends: {probes:?}");
            if lost {
                search.lost(now, size, Duration::ZERO, config);
            } else {
                search.passed(now, size);
                current = size;
            }
        }
        (probes, current)
    }

    /// RFC 4821, section 7.3: half way between, as Linux does.
    #[test]
    fn bisection_ends_within_the_threshold() {
        let config = config(MtuOrder::Bisect, 1);
        let all = search(&config, LINK, &[]);
        assert_eq!(all, ([1242, 1351, 1405, 1432, 1446, 1453].into(), 1453));
        for carries in CURRENT..=LINK {
            let (probes, found) = search(&config, carries, &[]);
            assert!(found <= carries && found + 8 > carries && probes.len() <= 7);
        }
    }

    /// RFC 4821, section 7.3: usual sizes cost as many probes over all usual paths, the usual path
    /// one instead of six, and what is found is what the link carries.
    #[test]
    fn usual_sizes_fit_better_and_cost_no_more() {
        let paths = [1460, 1460, 1460, 1452, 1440, 1420, 1410, 1400, 1380, 1360, 1240];
        let cost = |order| {
            let found = paths.map(|path| (path, search(&config(order, 1), path, &[])));
            let probes: usize = found.iter().map(|(_, (probes, _))| probes.len()).sum();
            let wasted: u16 = found.iter().map(|(path, (_, found))| path - found).sum();
            (probes, wasted)
        };
        let (usual, bisect) = (cost(MtuOrder::CommonFirst), cost(MtuOrder::Bisect));
        assert!(usual.0 <= bisect.0 && usual.1 * 10 < bisect.1, "{usual:?}, not {bisect:?}");
        assert_eq!(search(&config(MtuOrder::CommonFirst, 3), LINK, &[]), ([LINK].into(), LINK));
        for carries in CURRENT..=LINK {
            let (_, found) = search(&config(MtuOrder::CommonFirst, 3), carries, &[]);
            assert!(found <= carries && found + 8 > carries, "{found} of {carries}");
        }
    }

    /// RFC 8899, section 5.1.2: MAX_PROBES.
    #[test]
    fn probes_lost_by_chance_do_not_end_a_search_too_low() {
        let config = config(MtuOrder::CommonFirst, 3);
        for unlucky in [&[0][..], &[1], &[0, 1], &[2, 3], &[0, 2, 4]] {
            for carries in (CURRENT..=LINK).step_by(17) {
                let (probes, found) = search(&config, carries, unlucky);
                let near = found <= carries && found + 8 > carries;
                assert!(near, "{found} of {carries}: {probes:?}");
            }
        }
        // What really does not pass is lost three times at the end, and other sizes once.
        let (probes, _) = search(&config, 1400, &[]);
        let last = probes[probes.len() - 1];
        let times = |size| probes.iter().filter(|probe| **probe == size).count();
        assert_eq!(times(last), 3, "{probes:?}");
        assert!(probes.iter().all(|size| *size == last || times(*size) == 1), "{probes:?}");
    }
}

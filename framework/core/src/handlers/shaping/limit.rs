//! A token bucket without a timer: one number, the time at which everything taken so far is paid.
//!
//! With a debt of up to `burst` whoever comes goes on at once; with more it waits until the debt has
//! shrunk to that. Nothing is lost by asking, and nobody waits for a refill: each knows its time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fyke_clock::Instant;

/// So many units (bytes, connections) a second, and so many at once after a rest. Shared by
/// everybody who holds the same `Arc` of it, on any loops: their clocks are the same.
///
/// ```
/// use std::time::Duration;
///
/// use fyke_clock::Instant;
/// use fyke_core::handlers::RateLimit;
///
/// let limit = RateLimit::new(1_000).burst(500);
/// let now = Instant::ZERO + Duration::from_secs(60);
/// assert_eq!(limit.take(now, 500), Duration::ZERO);
/// assert_eq!(limit.take(now, 1_000), Duration::ZERO); // the one that makes the debt need not wait
/// assert_eq!(limit.take(now, 1), Duration::from_secs(1));
/// ```
pub struct RateLimit {
    per_second: u64,
    burst: u64,
    /// When all that was taken is paid, in nanoseconds.
    paid_at: AtomicU64,
}

impl RateLimit {
    /// So many units a second (at least one), and as a burst what comes in a tenth of a second.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, burst: (per_second / 10).max(1), paid_at: AtomicU64::new(0) }
    }

    /// So many units may be taken at once after a rest. At least one.
    #[must_use]
    pub fn burst(mut self, units: u64) -> Self {
        self.burst = units.max(1);
        self
    }

    /// Units a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.per_second
    }

    /// Takes units, and answers how long whoever takes them has to wait before using them.
    pub fn take(&self, now: Instant, units: u64) -> Duration {
        let cost = self.nanos(units);
        let pay = |paid_at: u64| Some(paid_at.max(now.as_nanos()).saturating_add(cost));
        let before = self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
        self.wait(now, before.unwrap_or_default())
    }

    /// Takes units if nobody has to wait for them; otherwise takes nothing.
    pub fn try_take(&self, now: Instant, units: u64) -> bool {
        let cost = self.nanos(units);
        let pay = |paid_at: u64| {
            let free = self.wait(now, paid_at).is_zero();
            free.then(|| paid_at.max(now.as_nanos()).saturating_add(cost))
        };
        self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok()
    }

    /// How long whoever came now would have to wait.
    #[must_use]
    pub fn debt(&self, now: Instant) -> Duration {
        self.wait(now, self.paid_at.load(Ordering::Relaxed))
    }

    /// A debt of exactly the burst is too much already: the bucket is empty.
    fn wait(&self, now: Instant, paid_at: u64) -> Duration {
        let allowed = now.as_nanos().saturating_add(self.nanos(self.burst));
        match paid_at.checked_sub(allowed) {
            None => Duration::ZERO,
            Some(more) => Duration::from_nanos(more),
        }
    }

    fn nanos(&self, units: u64) -> u64 {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.per_second);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit")
            .field("per_second", &self.per_second)
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}

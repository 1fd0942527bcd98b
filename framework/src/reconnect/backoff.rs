//! How long to wait before the next attempt.

use std::time::Duration;

/// Exponential back-off with jitter: each wait is twice as long as the one before, up to a longest
/// one, and made shorter by chance, so that the clients of a server that comes back do not all come
/// back with it.
///
/// ```
/// use std::time::Duration;
///
/// use fyke::Backoff;
///
/// let backoff = Backoff::new().first(Duration::from_secs(1)).longest(Duration::from_secs(10));
/// let longest: Vec<u64> = (0..6).map(|n| backoff.delay(n, 0.0).as_secs()).collect();
/// assert_eq!(longest, [1, 2, 4, 8, 10, 10]);
/// assert_eq!(backoff.delay(2, 0.5), Duration::from_secs(3)); // jitter: half of it by default
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    jitter_percent: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            jitter_percent: 50,
        }
    }
}

impl Backoff {
    /// Half a second, doubled up to 30 s, each made shorter by up to a half.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first wait (500 ms).
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// The longest wait (30 s).
    pub fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// By up to so many percent a wait is shorter than it could be (50). At most 100.
    pub fn jitter_percent(mut self, percent: u32) -> Self {
        self.jitter_percent = percent.min(100);
        self
    }

    /// The wait behind `failures` failures before this one; `random` is in [0, 1).
    #[must_use]
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        let shorter = random.clamp(0.0, 1.0) * f64::from(self.jitter_percent) / 100.0;
        whole.saturating_sub(whole.mul_f64(shorter))
    }
}

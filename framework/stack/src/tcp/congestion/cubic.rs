//! CUBIC (RFC 9438) in integers.
//!
//! Windows are bytes; times are units of 2^-20 s; a cube of times has 60 fraction bits and lives in
//! 128 bits. Fractions of a byte are carried over, so that many small ACKs grow the window as much
//! as few large ones.

use core::time::Duration;

use fyke_clock::Instant;

/// Fraction bits of a time in seconds.
const TIME_BITS: u32 = 20;

/// Fraction bits of W_est and of the carried growth.
const PART_BITS: u32 = 16;

/// A time beyond this is as good as for ever: half an hour without loss.
const TIME_MAX: u64 = 2_000 << TIME_BITS;

/// The state between two reductions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cubic {
    /// W_max: the window before the last reduction, lower with fast convergence.
    w_max: u32,
    /// The window before the last reduction (cwnd_prior).
    prior: u32,
    /// K, the time to come back to W_max, in units of 2^-20 s.
    k: u32,
    /// Growth not yet given out, in parts of a byte.
    carry: u32,
    /// W_est with fraction bits.
    estimate: u64,
    /// When this phase of congestion avoidance began, without the time that was not used.
    epoch: Option<Instant>,
    /// When the window could last have grown.
    last: Instant,
    /// The next phase begins without a W_max from before a time-out.
    timed_out: bool,
}

impl Cubic {
    /// What is kept while nothing is sent: W_max and cwnd_prior.
    pub(super) fn rest(&self) -> (u32, u32) {
        (self.w_max, self.prior)
    }

    /// Goes on with what was kept; the next phase begins with the next acknowledgement.
    pub(super) fn resume(w_max: u32, prior: u32) -> Self {
        Self { w_max, prior, ..Self::default() }
    }

    /// W_max in bytes.
    #[must_use]
    pub fn w_max(&self) -> u32 {
        self.w_max
    }

    /// Congestion: the new ssthresh, 0.7 of `flight` (section 4.6), with fast convergence (4.7).
    pub fn reduce(&mut self, flight: u32, window: u32) -> u32 {
        self.prior = window;
        // Below the last W_max somebody else is growing: give way further.
        self.w_max = if window < self.w_max { scale(window, 17, 20) } else { window };
        self.epoch = None;
        self.carry = 0;
        scale(flight, 7, 10)
    }

    /// The reduction was for a time-out: the next phase starts from its own first window (4.8).
    pub fn on_timeout(&mut self) {
        self.timed_out = true;
    }

    /// Time passes in which the window is not used; it does not count (section 4.2).
    pub fn pause(&mut self, now: Instant) {
        if let Some(epoch) = &mut self.epoch {
            *epoch += now.saturating_duration_since(self.last);
        }
        self.last = now;
    }

    /// Congestion avoidance: the window after an ACK of `acked` bytes.
    pub fn grow(&mut self, now: Instant, window: u32, mss: u32, acked: u32, srtt: Duration) -> u32 {
        let epoch = self.epoch.unwrap_or_else(|| self.begin(now, window, mss));
        self.last = now;
        let t = units(now.saturating_duration_since(epoch));
        self.estimate_reno(window, mss, acked);
        let estimate = u32::try_from(self.estimate >> PART_BITS).unwrap_or(u32::MAX);
        if self.at(t, mss) < estimate {
            // Reno-friendly region (section 4.3).
            return window.max(estimate);
        }
        // Where the curve is one round trip from now, but at most half as much again (4.2).
        let target = self.at(t + units(srtt), mss).clamp(window, window.saturating_add(window / 2));
        let growth = u64::from(target - window) * u64::from(acked.min(window));
        let growth = (growth << PART_BITS) / u64::from(window.max(1)) + u64::from(self.carry);
        self.carry = (growth & ((1 << PART_BITS) - 1)) as u32;
        window.saturating_add(u32::try_from(growth >> PART_BITS).unwrap_or(u32::MAX))
    }

    fn begin(&mut self, now: Instant, window: u32, mss: u32) -> Instant {
        if self.timed_out || self.w_max <= window {
            self.timed_out = false;
            self.w_max = window;
            self.k = 0;
        } else {
            self.k = time_to_grow(self.w_max - window, mss);
        }
        self.estimate = u64::from(window) << PART_BITS;
        self.epoch = Some(now);
        now
    }

    /// W_cubic(t), equation 1: W_max + C (t - K)^3 with C = 0.4 segments a cubic second.
    fn at(&self, t: u64, mss: u32) -> u32 {
        let t = i128::from(t.min(TIME_MAX)) - i128::from(self.k);
        let growth = (t * t * t * 2 * i128::from(mss) / 5) >> (3 * TIME_BITS);
        let window = (i128::from(self.w_max) + growth).clamp(0, i128::from(u32::MAX));
        u32::try_from(window).unwrap_or(u32::MAX)
    }

    /// What Reno's window would be, equation 4: alpha segments more a round trip, where alpha =
    /// 3 (1 - 0.7) / (1 + 0.7) until the window from before the reduction is reached, then 1.
    fn estimate_reno(&mut self, window: u32, mss: u32, acked: u32) {
        let (times, over) =
            if self.estimate >> PART_BITS < u64::from(self.prior) { (9, 17) } else { (1, 1) };
        let growth = (u128::from(acked.min(window)) * u128::from(mss) * times) << PART_BITS;
        let growth = growth / (u128::from(window.max(1)) * over);
        self.estimate = self.estimate.saturating_add(u64::try_from(growth).unwrap_or(u64::MAX));
    }
}

/// K for a gap of `bytes`, equation 2: the cube root of gap / C.
fn time_to_grow(bytes: u32, mss: u32) -> u32 {
    let cube = ((u128::from(bytes) * 5) << (3 * TIME_BITS)) / (u128::from(mss.max(1)) * 2);
    cube_root(cube)
}

/// The largest number whose cube is at most `n`, or the largest of 32 bits.
fn cube_root(n: u128) -> u32 {
    let mut root: u128 = 0;
    for bit in (0..32).rev() {
        let next = root | 1 << bit;
        if next * next * next <= n {
            root = next;
        }
    }
    u32::try_from(root).unwrap_or(u32::MAX)
}

fn units(duration: Duration) -> u64 {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let whole = (nanos / 1_000_000_000).min(TIME_MAX >> TIME_BITS) << TIME_BITS;
    whole + ((nanos % 1_000_000_000) << TIME_BITS) / 1_000_000_000
}

fn scale(value: u32, times: u32, over: u32) -> u32 {
    u32::try_from(u64::from(value) * u64::from(times) / u64::from(over)).unwrap_or(u32::MAX)
}

//! Round-trip times: from samples to the retransmission time-out (RFC 6298).
//!
//! Karn's rule is the caller's: a sample is only what an ACK tells without ambiguity (an octet sent
//! once, or an echoed timestamp). With timestamps there are many samples a window; then the gains
//! are divided by how many are expected, so that the estimator's memory stays one of round trips
//! (RFC 7323, appendix G).

use core::time::Duration;

use fyke_clock::Instant;

/// Fraction bits of the smoothed values: gains divided by thousands must not round to nothing.
const FRACTION_BITS: u32 = 10;

/// The longest sample that is believed.
const SAMPLE_NANOS_MAX: u64 = 3_600_000_000_000;

/// Doublings beyond this change nothing: 2^16 times the smallest sensible time-out is days.
const BACK_OFF_MAX: u8 = 16;

/// RTTVAR's multiple in the time-out (K of RFC 6298, section 2).
const K: u64 = 4;

/// What bounds the time-out, and how long a minimum is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RttConfig {
    /// The time-out before the first sample (RFC 6298, section 2.1: one second).
    pub initial_rto: Duration,
    /// The shortest time-out. RFC 6298 says one second; 200 ms is what the field does.
    pub min_rto: Duration,
    /// The longest time-out, backed off or not; RFC 6298 asks for at least 60 s.
    pub max_rto: Duration,
    /// The least that is added to SRTT (G of RFC 6298). Our clock counts nanoseconds; systems that
    /// let the variance never fall below their shortest time-out have that here.
    pub granularity: Duration,
    /// How long the smallest round trip stays the minimum. What is forgotten is at least half as
    /// old as this and at most as old.
    pub min_rtt_window: Duration,
}

impl Default for RttConfig {
    fn default() -> Self {
        Self {
            initial_rto: Duration::from_secs(1),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(120),
            granularity: Duration::from_nanos(1),
            min_rtt_window: Duration::from_secs(300),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A configured time, as small as a million connections want it: microseconds, rounded up, at most
/// an hour and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Micros(u32);

impl Micros {
    fn new(duration: Duration) -> Self {
        let micros = nanos(duration).div_ceil(1_000);
        Self(u32::try_from(micros).unwrap_or(u32::MAX))
    }

    const fn nanos(self) -> u64 {
        self.0 as u64 * 1_000
    }
}

/// Smoothed round-trip time, its variation, the time-out that follows, and the smallest sample of
/// the last minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RttEstimator {
    /// SRTT and RTTVAR in nanoseconds with fraction bits; meaningful once `sampled`.
    srtt: u64,
    rttvar: u64,
    latest: u64,
    minimum: WindowedMin,
    initial_rto: Micros,
    min_rto: Micros,
    max_rto: Micros,
    granularity: Micros,
    back_off: u8,
    sampled: bool,
}

impl RttEstimator {
    /// Without a sample.
    #[must_use]
    pub fn new(config: &RttConfig) -> Self {
        let min_rto = Micros::new(config.min_rto.max(Duration::from_micros(1)));
        Self {
            srtt: 0,
            rttvar: 0,
            latest: 0,
            minimum: WindowedMin::new(Micros::new(config.min_rtt_window)),
            initial_rto: Micros::new(config.initial_rto),
            min_rto,
            max_rto: Micros(Micros::new(config.max_rto).0.max(min_rto.0)),
            granularity: Micros::new(config.granularity),
            back_off: 0,
            sampled: false,
        }
    }

    /// Takes one sample and ends the back-off.
    ///
    /// `expected_samples` is how many samples one round trip brings: 1 without timestamps, with them
    /// what [`expected_samples`] says.
    pub fn sample(&mut self, now: Instant, rtt: Duration, expected_samples: u32) {
        let nanos = nanos(rtt).min(SAMPLE_NANOS_MAX);
        let scaled = nanos << FRACTION_BITS;
        if self.sampled {
            let samples = u64::from(expected_samples.max(1));
            let deviation = self.srtt.abs_diff(scaled);
            // RTTVAR first: it is about the SRTT before this sample (RFC 6298, section 2.3).
            self.rttvar = approach(self.rttvar, deviation, 4 * samples);
            self.srtt = approach(self.srtt, scaled, 8 * samples);
        } else {
            self.srtt = scaled;
            self.rttvar = scaled / 2;
            self.sampled = true;
        }
        self.latest = nanos;
        self.minimum.sample(now, nanos);
        self.back_off = 0;
    }

    /// The retransmission time-out, with back-off.
    #[must_use]
    pub fn rto(&self) -> Duration {
        let doubled = self.base_nanos().saturating_mul(1 << self.back_off);
        Duration::from_nanos(doubled.min(self.max_rto.nanos()))
    }

    /// The retransmission time-out as it would be without back-off.
    #[must_use]
    pub fn base_rto(&self) -> Duration {
        Duration::from_nanos(self.base_nanos())
    }

    fn base_nanos(&self) -> u64 {
        if !self.sampled {
            return self.initial_rto.nanos().clamp(1, self.max_rto.nanos());
        }
        let variance = (K * self.rttvar) >> FRACTION_BITS;
        let rto = (self.srtt >> FRACTION_BITS) + variance.max(self.granularity.nanos());
        rto.clamp(self.min_rto.nanos(), self.max_rto.nanos())
    }

    /// Doubles the time-out, after it ran out (RFC 6298, section 5.5).
    pub fn back_off(&mut self) {
        if self.back_off < BACK_OFF_MAX {
            self.back_off += 1;
        }
    }

    /// How often the time-out was doubled since the last sample.
    #[must_use]
    pub fn back_offs(&self) -> u32 {
        u32::from(self.back_off)
    }

    /// Ends the back-off without a sample: a time-out turned out spurious, or a path came back.
    pub fn reset_back_off(&mut self) {
        self.back_off = 0;
    }

    /// The SYN had to be sent again, so the first time-out of data is at least three seconds
    /// (RFC 6298, section 5.7). Without effect once there is a sample.
    pub fn syn_was_lost(&mut self) {
        self.initial_rto = Micros(self.initial_rto.0.max(3_000_000));
        self.back_off = 0;
    }

    /// Forgets SRTT and RTTVAR but not the back-off, as one may after several time-outs in a row
    /// (RFC 6298, section 5): the path is likely another one.
    pub fn forget(&mut self) {
        // The last time-out is still the best guess there is.
        self.initial_rto = Micros::new(self.base_rto());
        self.sampled = false;
        self.minimum = WindowedMin::new(self.minimum.window);
    }

    /// SRTT, once there is a sample.
    #[must_use]
    pub fn srtt(&self) -> Option<Duration> {
        self.sampled.then(|| Duration::from_nanos(self.srtt >> FRACTION_BITS))
    }

    /// RTTVAR, once there is a sample.
    #[must_use]
    pub fn rttvar(&self) -> Option<Duration> {
        self.sampled.then(|| Duration::from_nanos(self.rttvar >> FRACTION_BITS))
    }

    /// The last sample.
    #[must_use]
    pub fn latest(&self) -> Option<Duration> {
        self.sampled.then(|| Duration::from_nanos(self.latest))
    }

    /// The smallest sample within the window.
    #[must_use]
    pub fn min_rtt(&self) -> Option<Duration> {
        self.minimum.get().map(Duration::from_nanos)
    }
}

/// How many samples a round trip brings when each of its ACKs has a timestamp: one for every two
/// segments in flight (RFC 7323, appendix G).
#[must_use]
pub const fn expected_samples(flight: u32, mss: u32) -> u32 {
    let two = if mss == 0 { 2 } else { mss.saturating_mul(2) };
    let samples = flight.div_ceil(two);
    if samples == 0 { 1 } else { samples }
}

/// `from` moved by one `divisor`-th of the way to `to`.
fn approach(from: u64, to: u64, divisor: u64) -> u64 {
    if to >= from { from + (to - from) / divisor } else { from - (from - to) / divisor }
}

/// The smallest value of the last while, in constant space: the minima of the current and of the
/// last half of the window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WindowedMin {
    current: u64,
    last: u64,
    started: Instant,
    window: Micros,
}

impl WindowedMin {
    const NONE: u64 = u64::MAX;

    const fn new(window: Micros) -> Self {
        Self { current: Self::NONE, last: Self::NONE, started: Instant::ZERO, window }
    }

    fn sample(&mut self, now: Instant, value: u64) {
        let half = Duration::from_nanos(self.window.nanos() / 2);
        let age = now.saturating_duration_since(self.started);
        if age >= half {
            // After a pause of more than a whole window neither half is recent.
            self.last = if age < half * 2 { self.current } else { Self::NONE };
            self.current = Self::NONE;
            self.started = now;
        }
        self.current = self.current.min(value);
    }

    fn get(&self) -> Option<u64> {
        let least = self.current.min(self.last);
        (least != Self::NONE).then_some(least)
    }
}

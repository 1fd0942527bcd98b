//! A point on a monotonic time line.
//!
//! Arithmetic saturates instead of panicking: a deadline computed from a configured time-out of
//! "for ever" must be a far deadline, not a crash.

use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point on a monotonic time line, in nanoseconds since an origin its clock chose.
///
/// Instants of different clocks have nothing to do with each other. The line is 584 years long;
/// sums beyond either end stay at that end.
///
/// ```
/// use core::time::Duration;
/// use fyke_clock::Instant;
///
/// let start = Instant::from_nanos(12_345_678_901);
/// let end = start + Duration::from_millis(500);
/// assert_eq!(end - start, Duration::from_millis(500));
/// assert_eq!(start - end, Duration::ZERO);
/// assert_eq!(start.to_string(), "12.345678901s");
/// assert_eq!(start + Duration::MAX, Instant::MAX);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the time line.
    pub const ZERO: Self = Self(0);

    /// The last point of the time line, some 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `nanos` nanoseconds after the origin.
    #[must_use]
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero when `earlier` is in fact later.
    ///
    /// The operator `-` does the same; the name is for places where a reader might wonder.
    #[must_use]
    #[inline]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The time from `earlier` to `self`, or `None` when `earlier` is in fact later.
    #[must_use]
    #[inline]
    pub const fn checked_duration_since(self, earlier: Self) -> Option<Duration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(Duration::from_nanos(nanos)),
            None => None,
        }
    }

    /// `self + duration`, or `None` when that lies beyond [`Instant::MAX`].
    #[must_use]
    #[inline]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// `self - duration`, or `None` when that lies before [`Instant::ZERO`].
    #[must_use]
    #[inline]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_sub(nanos).map(Self)
    }
}

/// The length of `duration` in nanoseconds; longer than 584 years counts as 584 years.
#[inline]
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::MAX`].
    #[inline]
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(saturating_nanos(duration)))
    }
}

impl AddAssign<Duration> for Instant {
    #[inline]
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::ZERO`].
    #[inline]
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(saturating_nanos(duration)))
    }
}

impl SubAssign<Duration> for Instant {
    #[inline]
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero when the right side is the later one.
    #[inline]
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

/// Seconds with nine digits after the point, such as `12.345678901s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / NANOS_PER_SEC, self.0 % NANOS_PER_SEC)
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn sums_and_differences_stay_on_the_line() {
        let second = Duration::from_secs(1);
        assert_eq!(Instant::ZERO + second, Instant::from_nanos(1_000_000_000));
        assert_eq!(Instant::ZERO - second, Instant::ZERO);
        assert_eq!(Instant::MAX + second, Instant::MAX);
        assert_eq!(Instant::MAX - Duration::MAX, Instant::ZERO);
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
        assert_eq!(Instant::MAX - Instant::ZERO, Duration::from_nanos(u64::MAX));

        let mut moving = Instant::ZERO;
        moving += second;
        moving -= Duration::from_nanos(1);
        assert_eq!(moving.as_nanos(), 999_999_999);
    }

    #[test]
    fn checked_arithmetic_tells_the_ends() {
        let one = Duration::from_nanos(1);
        assert_eq!(Instant::MAX.checked_add(one), None);
        assert_eq!(Instant::ZERO.checked_add(Duration::MAX), None);
        assert_eq!(Instant::ZERO.checked_add(one), Some(Instant::from_nanos(1)));
        assert_eq!(Instant::ZERO.checked_sub(one), None);
        assert_eq!(Instant::from_nanos(1).checked_sub(one), Some(Instant::ZERO));
        assert_eq!(Instant::ZERO.checked_duration_since(Instant::from_nanos(1)), None);
        assert_eq!(Instant::from_nanos(1).checked_duration_since(Instant::ZERO), Some(one));
    }

    #[test]
    fn prints_seconds_with_nine_digits() {
        for (nanos, text) in [
            (0, "0.000000000s"),
            (1, "0.000000001s"),
            (12_345_678_901, "12.345678901s"),
            (u64::MAX, "18446744073.709551615s"),
        ] {
            assert_eq!(format!("{}", Instant::from_nanos(nanos)), text);
            assert_eq!(format!("{:?}", Instant::from_nanos(nanos)), text);
        }
    }
}

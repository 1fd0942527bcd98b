//! Where the time comes from.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use crate::Instant;
use crate::instant::saturating_nanos;

/// A source of the time.
///
/// ```
/// use core::time::Duration;
/// use fyke_clock::{Clock, VirtualClock};
///
/// fn uptime(clock: &dyn Clock) -> Duration {
///     clock.now() - fyke_clock::Instant::ZERO
/// }
///
/// let clock = VirtualClock::new();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(uptime(&clock), Duration::from_secs(3));
/// ```
pub trait Clock {
    /// The present point on this clock's monotonic time line. It never goes back.
    fn now(&self) -> Instant;

    /// The time of day as the time since 1970-01-01 00:00:00 UTC, leap seconds not counted.
    ///
    /// A clock on a wall can be set; do not compute time-outs from it.
    fn unix_time(&self) -> Duration;
}

macro_rules! forward_clock {
    ($($pointer:ty),*) => {$(
        impl<C: Clock + ?Sized> Clock for $pointer {
            #[inline]
            fn now(&self) -> Instant {
                (**self).now()
            }

            #[inline]
            fn unix_time(&self) -> Duration {
                (**self).unix_time()
            }
        }
    )*};
}

forward_clock!(&C, Box<C>, Rc<C>, Arc<C>);

/// A clock that moves only when it is told to.
///
/// Clones share one time: hand one to the code under test and move the other. It begins at
/// [`Instant::ZERO`], and its time of day moves along with its monotonic time.
///
/// ```
/// use core::time::Duration;
/// use fyke_clock::{Clock, Instant, VirtualClock};
///
/// let clock = VirtualClock::at(Duration::from_secs(784_111_777)); // 1994-11-06 08:49:37 UTC
/// let same = clock.clone();
/// clock.advance(Duration::from_millis(1500));
/// assert_eq!(same.now(), Instant::from_nanos(1_500_000_000));
/// assert_eq!(same.unix_time(), Duration::from_millis(784_111_778_500));
///
/// assert!(!clock.set(Instant::ZERO)); // it does not go back
/// assert_eq!(same.now(), Instant::from_nanos(1_500_000_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct VirtualClock {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    now_nanos: AtomicU64,
    /// The time of day at [`Instant::ZERO`].
    unix_origin: Duration,
}

impl VirtualClock {
    /// A clock whose time of day begins with 1970.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock whose time of day begins `unix_time` after the begin of 1970.
    #[must_use]
    pub fn at(unix_time: Duration) -> Self {
        let shared = Shared { now_nanos: AtomicU64::new(0), unix_origin: unix_time };
        Self { shared: Arc::new(shared) }
    }

    /// Moves the time forward by `duration` and returns the new time.
    ///
    /// Several threads may do this at once; every step counts.
    pub fn advance(&self, duration: Duration) -> Instant {
        let step = saturating_nanos(duration);
        let mut seen = self.shared.now_nanos.load(Ordering::Acquire);
        loop {
            let next = seen.saturating_add(step);
            let swapped = self.shared.now_nanos.compare_exchange_weak(
                seen,
                next,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match swapped {
                Ok(_) => return Instant::from_nanos(next),
                Err(now) => seen = now,
            }
        }
    }

    /// Moves the time forward to `instant` and says whether it could.
    ///
    /// When `instant` lies in the past nothing changes and the answer is `false`.
    pub fn set(&self, instant: Instant) -> bool {
        let before = self.shared.now_nanos.fetch_max(instant.as_nanos(), Ordering::AcqRel);
        before <= instant.as_nanos()
    }
}

impl Clock for VirtualClock {
    #[inline]
    fn now(&self) -> Instant {
        Instant::from_nanos(self.shared.now_nanos.load(Ordering::Acquire))
    }

    fn unix_time(&self) -> Duration {
        self.shared.unix_origin.saturating_add(self.now() - Instant::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shared_between_clones_and_threads() {
        fn assert_send_sync<T: Send + Sync>(_: &T) {}
        let clock = VirtualClock::new();
        assert_send_sync(&clock);
        let other = clock.clone();
        assert_eq!(clock.advance(Duration::from_nanos(7)), Instant::from_nanos(7));
        assert_eq!(other.now(), Instant::from_nanos(7));
    }

    #[test]
    fn never_goes_back() {
        let clock = VirtualClock::new();
        let ten = Instant::from_nanos(10);
        assert!(clock.set(ten));
        assert!(clock.set(ten));
        assert!(!clock.set(Instant::from_nanos(9)));
        assert_eq!(clock.now(), ten);
        assert_eq!(clock.advance(Duration::MAX), Instant::MAX);
        assert_eq!(clock.advance(Duration::from_nanos(1)), Instant::MAX);
    }

    #[test]
    fn time_of_day_moves_along() {
        let clock = VirtualClock::at(Duration::from_secs(1_000));
        assert_eq!(clock.unix_time(), Duration::from_secs(1_000));
        clock.advance(Duration::from_millis(1));
        assert_eq!(clock.unix_time(), Duration::from_millis(1_000_001));
    }

    #[test]
    fn pointers_to_clocks_are_clocks() {
        let clock = VirtualClock::new();
        let boxed: Box<dyn Clock> = Box::new(clock.clone());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let local: Rc<VirtualClock> = Rc::new(clock.clone());
        clock.advance(Duration::from_nanos(3));
        let three = Instant::from_nanos(3);
        assert_eq!((boxed.now(), shared.now(), local.now()), (three, three, three));
        assert_eq!(Clock::now(&&clock), three);
        assert_eq!(boxed.unix_time(), Duration::from_nanos(3));
    }
}

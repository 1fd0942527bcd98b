//! The system's clocks as a [`Clock`].

use fyke_clock::{Clock, Instant};
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC` and `CLOCK_REALTIME_COARSE`: the time of day, which people read, is as exact as
/// the kernel's tick (1 to 10 ms) and costs half as much.
///
/// It has no origin of its own: instants from any two of them, on any threads, can be compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The system's clock.
    pub fn new() -> SystemClock {
        SystemClock
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let now = clock_gettime(ClockId::Monotonic);
        // The kernel counts from boot, so neither part is negative, and 64 bits of nanoseconds last 584
        // years. (By way of a `Duration` it would be 128 bits and a division.)
        let seconds = (now.tv_sec.max(0) as u64).saturating_mul(NANOS_PER_SEC);
        Instant::from_nanos(seconds.saturating_add(now.tv_nsec.max(0) as u64))
    }

    fn unix_time(&self) -> Duration {
        since_zero(clock_gettime(ClockId::RealtimeCoarse))
    }
}

/// A clock set to before its zero reads as zero.
fn since_zero(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards_between_clocks() {
        let mut last = SystemClock::new().now();
        for _ in 0..1000 {
            let now = SystemClock::new().now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn unix_time_is_that_of_the_standard_library_but_for_a_tick() {
        const TICK_MAX: Duration = Duration::from_millis(10);
        let before = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let ours = SystemClock::new().unix_time();
        let after = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        assert!(before - TICK_MAX <= ours && ours <= after);
    }
}

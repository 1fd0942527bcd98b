//! How long a neighbour counts as reachable, and how often it is asked: the constants of RFC 4861,
//! section 10, until a router of an IPv6 link tells others (section 6.3.4).

use core::net::IpAddr;
use core::ops::RangeInclusive;
use core::time::Duration;

/// How long an answer vouches for a neighbour (REACHABLE_TIME).
const REACHABLE: Duration = Duration::from_secs(30);
/// What routers may make of it: the most is MAX_REACHABLE_TIME of RFC 4861, section 6.2.1.
const REACHABLE_TOLD: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// Time between requests (RFC 1122, section 2.3.2.1; RETRANS_TIMER).
const REQUEST_INTERVAL: Duration = Duration::from_secs(1);
/// What routers may make of it: neither a flood nor an address that is never known to be free.
const REQUEST_INTERVAL_TOLD: RangeInclusive<Duration> =
    Duration::from_millis(50)..=Duration::from_secs(10);

/// The times of one link, for each family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// ReachableTime of IPv6.
    reachable_v6: Duration,
    /// RetransTimer of IPv6.
    request_interval_v6: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { reachable_v6: REACHABLE, request_interval_v6: REQUEST_INTERVAL }
    }
}

impl Pace {
    /// What a router tells, in milliseconds; zero says nothing.
    pub(crate) fn learn(&mut self, reachable_ms: u32, retransmit_ms: u32) {
        let within = |told: u32, bounds: RangeInclusive<Duration>| {
            let told = Duration::from_millis(told.into());
            (!told.is_zero()).then(|| told.clamp(*bounds.start(), *bounds.end()))
        };
        if let Some(reachable) = within(reachable_ms, REACHABLE_TOLD) {
            self.reachable_v6 = reachable;
        }
        if let Some(interval) = within(retransmit_ms, REQUEST_INTERVAL_TOLD) {
            self.request_interval_v6 = interval;
        }
    }

    /// How long an answer of this neighbour vouches for it.
    pub(super) fn reachable(&self, neighbor: IpAddr) -> Duration {
        if neighbor.is_ipv6() { self.reachable_v6 } else { REACHABLE }
    }

    /// Time between two questions about this address.
    pub(crate) fn request_interval(&self, address: IpAddr) -> Duration {
        if address.is_ipv6() { self.request_interval_v6 } else { REQUEST_INTERVAL }
    }
}

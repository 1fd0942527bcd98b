//! How many ICMP errors are sent: a token bucket for all, and one for each destination, so that
//! nobody can make us shout (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4).

use core::net::IpAddr;

use fyke_clock::Instant;
use siphasher::sip::SipHasher13;

use super::hashed::Hashed;

const NANOS_PER_SEC: u64 = 1_000_000_000;
/// Destinations with a bucket of their own.
const DESTINATIONS: usize = 1024;

/// Tokens that come with time, up to a second's worth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// In billionths of a token.
    nano_tokens: u64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn full(per_second: u32, now: Instant) -> Self {
        Self { nano_tokens: u64::from(per_second) * NANOS_PER_SEC, filled: now }
    }

    pub(crate) fn take(&mut self, per_second: u32, now: Instant) -> bool {
        let rate = u64::from(per_second);
        let since = now.as_nanos().saturating_sub(self.filled.as_nanos()).min(NANOS_PER_SEC);
        let most = rate * NANOS_PER_SEC;
        self.nano_tokens = (self.nano_tokens + since * rate).min(most);
        self.filled = self.filled.max(now);
        if self.nano_tokens < NANOS_PER_SEC {
            return false;
        }
        self.nano_tokens -= NANOS_PER_SEC;
        true
    }
}

/// Both limits.
#[derive(Debug)]
pub(crate) struct IcmpLimit {
    total: Bucket,
    each: Hashed<Bucket>,
    total_per_second: u32,
    each_per_second: u32,
}

impl IcmpLimit {
    pub(crate) fn new(total: u32, each: u32, key: SipHasher13, now: Instant) -> Self {
        Self {
            total: Bucket::full(total, now),
            each: Hashed::new(DESTINATIONS, key),
            total_per_second: total,
            each_per_second: each,
        }
    }

    /// Changes how many there may be.
    pub(crate) fn set(&mut self, total: u32, each: u32) {
        (self.total_per_second, self.each_per_second) = (total, each);
    }

    /// Whether one more error may go to a destination.
    pub(crate) fn allows(&mut self, now: Instant, destination: IpAddr) -> bool {
        let each = self.each_per_second;
        // The destination's own bucket first: one that is flooded does not empty that of all.
        self.each.entry(destination, || Bucket::full(each, now)).take(each, now)
            && self.total.take(self.total_per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn each_destination_and_all_together_are_limited() {
        let now = Instant::from_nanos(1);
        let mut limit = IcmpLimit::new(10, 3, SipHasher13::new_with_keys(1, 2), now);
        let host = |n: u8| IpAddr::from([10, 0, 0, n]);
        let sent =
            |limit: &mut IcmpLimit, now, n| (0..100).filter(|_| limit.allows(now, host(n))).count();
        assert_eq!(sent(&mut limit, now, 1), 3);
        assert_eq!(sent(&mut limit, now, 2), 3);
        let all: usize = (3..50).map(|n| sent(&mut limit, now, n)).sum();
        assert_eq!(all, 4);
        let later = now + Duration::from_millis(400);
        assert_eq!(sent(&mut limit, later, 1), 1);
        let much_later = now + Duration::from_secs(3600);
        assert_eq!(sent(&mut limit, much_later, 1), 3);
    }
}

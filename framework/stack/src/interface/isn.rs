//! Initial sequence numbers and timestamp offsets: a clock and a keyed hash (RFC 6528, RFC 7323).

use fyke_clock::Instant;

use super::tuple::FourTuple;
use crate::stack::secrets::Secrets;
use crate::tcp::SeqNum;

/// A tick of the clock in initial sequence numbers: 4 microseconds (RFC 9293, section 3.4.1).
pub(crate) const TICK_NANOS: u64 = 4_000;

/// The low 32 bits of the 4 microsecond clock, which wraps every 4.7 hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticks(pub(crate) u32);

impl Ticks {
    pub(crate) const fn of(now: Instant) -> Self {
        // The clock is meant to wrap: RFC 6528's M is these 32 bits.
        Self((now.as_nanos() / TICK_NANOS) as u32)
    }

    /// Ticks from `earlier` to `self`, when less than half the clock apart.
    pub(crate) const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    pub(crate) const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// The instant at which the clock shows `self`, seen from `now`; `now` when that has passed.
    pub(crate) const fn instant(self, now: Instant) -> Instant {
        let ahead = self.since(Self::of(now));
        if ahead <= 0 {
            return now;
        }
        Instant::from_nanos((now.as_nanos() / TICK_NANOS + ahead as u64) * TICK_NANOS)
    }
}

/// The initial sequence number of a connection begun at `at` (RFC 6528, section 3): it grows with
/// time for each four-tuple, and tells nothing about other four-tuples.
pub(crate) fn initial(secrets: &Secrets, tuple: &FourTuple, at: Ticks) -> SeqNum {
    SeqNum::new(at.0.wrapping_add(tuple.secret_hash(&secrets.isn) as u32))
}

/// What is added to the timestamp clock of a connection (RFC 7323, section 5.4). The same for each
/// connection of a four-tuple, as TIME-WAIT reuse needs (RFC 6191).
pub(crate) fn timestamp_offset(secrets: &Secrets, tuple: &FourTuple) -> u32 {
    tuple.secret_hash(&secrets.timestamp) as u32
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::stack::secrets::Seed;

    fn tuple(port: u16) -> FourTuple {
        FourTuple::new(([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], port).into())
    }

    #[test]
    fn numbers_grow_with_time_and_differ_by_tuple_and_seed() {
        let secrets = Secrets::new(&Seed::from(1));
        let early = initial(&secrets, &tuple(1), Ticks(0));
        let later = initial(&secrets, &tuple(1), Ticks(250_000));
        assert_eq!(later.distance_from(early), 250_000);
        assert_ne!(initial(&secrets, &tuple(2), Ticks(0)), early);
        let others = Secrets::new(&Seed::from(2));
        assert_ne!(initial(&others, &tuple(1), Ticks(0)), early);
    }

    #[test]
    fn ticks_wrap_and_lead_back_to_instants() {
        let now = Instant::from_nanos(u64::from(u32::MAX) * TICK_NANOS + 1);
        let due = Ticks::of(now).plus(10);
        assert_eq!(due.since(Ticks::of(now)), 10);
        let at = due.instant(now);
        assert_eq!(Ticks::of(at), due);
        assert!(at > now && at - now <= Duration::from_micros(40));
        assert_eq!(Ticks::of(now).instant(now), now);
    }
}

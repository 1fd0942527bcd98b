//! SYN cookies: a handshake in 32 bits of sequence number (RFC 4987, section 3.6).
//!
//! ```text
//!   31    27 26   24 23                     0
//!  ┌────────┬───────┬────────────────────────┐   time counts periods of 64 s,
//!  │  time  │  MSS  │  keyed hash            │   the hash covers tuple, IRS, time and MSS
//!  └────────┴───────┴────────────────────────┘
//! ```
//! Window scale, SACK and ECN travel in the low bits of our timestamp, which the peer echoes; a
//! peer without timestamps does without them.

use fyke_clock::Instant;
use siphasher::sip::SipHasher24;

use super::tuple::FourTuple;
use crate::tcp::{Handshake, SeqNum};

const PERIOD_NANOS: u64 = 64_000_000_000;
/// Periods for which a cookie is good, the present one included.
const PERIODS_VALID: u32 = 2;
const HASH_MASK: u32 = 0x00ff_ffff;

/// The segment sizes a cookie can say; the largest that is not above the peer's is taken.
const SIZES: [u16; 8] = [48, 216, 536, 964, 1220, 1360, 1440, 1460];

/// Low bits of the timestamp: scale (15 is none), SACK, ECN.
const TIMESTAMP_BITS: u32 = 6;
const NO_SCALE: u32 = 0xf;

fn period(now: Instant) -> u32 {
    // Only the low five bits travel, and wrapping after 34 minutes is part of the scheme.
    (now.as_nanos() / PERIOD_NANOS) as u32
}

fn sealed(key: &SipHasher24, tuple: &FourTuple, irs: SeqNum, period: u32, size: u32) -> u32 {
    let mut bytes = [0; 48];
    bytes[..36].copy_from_slice(&tuple.bytes());
    bytes[36..40].copy_from_slice(&irs.value().to_le_bytes());
    bytes[40..44].copy_from_slice(&period.to_le_bytes());
    bytes[44..].copy_from_slice(&size.to_le_bytes());
    key.hash(&bytes) as u32 & HASH_MASK
}

/// The initial sequence number that says what is in `handshake`.
pub(crate) fn seal(
    key: &SipHasher24,
    tuple: &FourTuple,
    handshake: &Handshake,
    now: Instant,
) -> SeqNum {
    let size = SIZES.iter().rposition(|size| *size <= handshake.peer_mss).unwrap_or(0) as u32;
    let period = period(now);
    let hash = sealed(key, tuple, handshake.irs, period, size);
    SeqNum::new((period & 0x1f) << 27 | size << 24 | hash)
}

/// The timestamp that says the rest, at most 64 ms before `value`.
pub(crate) fn seal_timestamp(value: u32, handshake: &Handshake) -> u32 {
    let scale = handshake.window_scale.map_or(NO_SCALE, u32::from);
    let bits = scale | u32::from(handshake.sack) << 4 | u32::from(handshake.ecn) << 5;
    let sealed = value & !((1 << TIMESTAMP_BITS) - 1) | bits;
    // Never in the future: the connection's next timestamp must not be an older one.
    if sealed.wrapping_sub(value).cast_signed() > 0 {
        sealed.wrapping_sub(1 << TIMESTAMP_BITS)
    } else {
        sealed
    }
}

/// What an acknowledgement says about the cookie it acknowledges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    /// The number that was acknowledged, less one.
    pub(crate) cookie: SeqNum,
    /// The peer's initial sequence number.
    pub(crate) irs: SeqNum,
    /// The window of the segment.
    pub(crate) window: u16,
    /// The peer's timestamp and the echo of ours.
    pub(crate) timestamp: Option<(u32, u32)>,
    /// Our offset for this tuple.
    pub(crate) timestamp_offset: u32,
}

/// The handshake that the acknowledged cookie says, when it is one of ours and not too old.
pub(crate) fn open(
    key: &SipHasher24,
    tuple: &FourTuple,
    opening: &Opening,
    now: Instant,
) -> Option<Handshake> {
    let value = opening.cookie.value();
    let age = period(now).wrapping_sub(value >> 27) & 0x1f;
    if age >= PERIODS_VALID {
        return None;
    }
    let size = value >> 24 & 7;
    let made = period(now).wrapping_sub(age);
    if sealed(key, tuple, opening.irs, made, size) != value & HASH_MASK {
        return None;
    }
    let bits = opening.timestamp.map(|(_, echo)| echo);
    let scale = bits.map(|bits| bits & 0xf).filter(|scale| *scale != NO_SCALE);
    Some(Handshake {
        iss: opening.cookie,
        irs: opening.irs,
        window: opening.window,
        peer_mss: SIZES[size as usize],
        window_scale: scale.map(|scale| scale as u8),
        sack: bits.is_some_and(|bits| bits & 1 << 4 != 0),
        timestamp: opening.timestamp.map(|(value, _)| value),
        timestamp_offset: opening.timestamp_offset,
        ecn: bits.is_some_and(|bits| bits & 1 << 5 != 0),
        // The echoed timestamp tells, 64 ms too much at worst.
        sent: None,
    })
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn tuple(port: u16) -> FourTuple {
        FourTuple::new(([10, 0, 0, 1], 80).into(), ([10, 0, 0, 2], port).into())
    }

    fn handshake() -> Handshake {
        Handshake {
            iss: SeqNum::new(0),
            irs: SeqNum::new(77),
            window: 100,
            peer_mss: 1400,
            window_scale: Some(9),
            sack: true,
            timestamp: Some(5),
            timestamp_offset: 1,
            ecn: false,
            sent: None,
        }
    }

    fn opening(cookie: SeqNum, echo: u32) -> Opening {
        Opening {
            cookie,
            irs: SeqNum::new(77),
            window: 100,
            timestamp: Some((6, echo)),
            timestamp_offset: 1,
        }
    }

    #[test]
    fn a_cookie_says_the_handshake_for_two_periods() {
        let (key, now) = (SipHasher24::new_with_keys(1, 2), Instant::from_nanos(1 << 45));
        let cookie = seal(&key, &tuple(1), &handshake(), now);
        let echo = seal_timestamp(123_456_789, &handshake());
        let later = now + Duration::from_secs(60);
        let opened = open(&key, &tuple(1), &opening(cookie, echo), later).unwrap();
        assert_eq!((opened.peer_mss, opened.window_scale), (1360, Some(9)));
        assert_eq!((opened.sack, opened.ecn, opened.iss), (true, false, cookie));
        let stale = now + Duration::from_secs(129);
        assert_eq!(open(&key, &tuple(1), &opening(cookie, echo), stale), None);
    }

    #[test]
    fn another_tuple_number_or_key_opens_nothing() {
        let (key, now) = (SipHasher24::new_with_keys(1, 2), Instant::from_nanos(1 << 45));
        let cookie = seal(&key, &tuple(1), &handshake(), now);
        assert_eq!(open(&key, &tuple(2), &opening(cookie, 0), now), None);
        assert_eq!(open(&key, &tuple(1), &opening(cookie + 1, 0), now), None);
        let other = SipHasher24::new_with_keys(1, 3);
        assert_eq!(open(&other, &tuple(1), &opening(cookie, 0), now), None);
    }

    #[test]
    fn the_timestamp_is_never_ahead_and_at_most_64_behind() {
        for value in (0..5000_u32).chain(u32::MAX - 100..=u32::MAX) {
            let behind = value.wrapping_sub(seal_timestamp(value, &handshake()));
            assert!(behind < 64, "{value}: {behind}");
        }
    }
}

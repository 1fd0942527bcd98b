//! Sequence numbers: arithmetic modulo 2^32, compared within half of it (RFC 9293, section 3.4).

use core::cmp::Ordering;
use core::fmt;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// A sequence number. Every operator wraps, none can overflow.
///
/// "Before" and "after" mean the shorter way round the circle, so they are an order only among
/// numbers less than 2^31 apart: trim to the window first, then compare. There is no `Ord` for that
/// reason.
///
/// ```
/// use fyke_stack::tcp::SeqNum;
///
/// let last = SeqNum::new(u32::MAX);
/// assert_eq!(last + 2, SeqNum::new(1));
/// assert!(last.is_before(last + 2));
/// assert_eq!((last + 2).distance_from(last), 2);
/// assert_eq!(last.distance_from(last + 2), -2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeqNum(u32);

impl SeqNum {
    /// The number as it stands in a header.
    #[must_use]
    #[inline]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number for a header.
    #[must_use]
    #[inline]
    pub const fn value(self) -> u32 {
        self.0
    }

    /// How far `self` is after `other`; negative when it is before it.
    #[must_use]
    #[inline]
    pub const fn distance_from(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// How far `self` is after `other`, or 0 when it is before it.
    #[must_use]
    #[inline]
    pub const fn saturating_distance_from(self, other: Self) -> u32 {
        let distance = self.distance_from(other);
        if distance < 0 { 0 } else { distance.cast_unsigned() }
    }

    /// Whether `self` is before `other`.
    #[must_use]
    #[inline]
    pub const fn is_before(self, other: Self) -> bool {
        self.distance_from(other) < 0
    }

    /// Whether `self` is after `other`.
    #[must_use]
    #[inline]
    pub const fn is_after(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }

    /// Whether `self` is `other` or before it.
    #[must_use]
    #[inline]
    pub const fn is_at_most(self, other: Self) -> bool {
        self.distance_from(other) <= 0
    }

    /// Whether `self` is `other` or after it.
    #[must_use]
    #[inline]
    pub const fn is_at_least(self, other: Self) -> bool {
        self.distance_from(other) >= 0
    }

    /// Whether `self` is one of the `length` numbers that begin with `start`.
    #[must_use]
    #[inline]
    pub const fn is_within(self, start: Self, length: u32) -> bool {
        self.0.wrapping_sub(start.0) < length
    }

    /// The later of the two.
    #[must_use]
    #[inline]
    pub const fn max(self, other: Self) -> Self {
        if self.is_after(other) { self } else { other }
    }

    /// The earlier of the two.
    #[must_use]
    #[inline]
    pub const fn min(self, other: Self) -> Self {
        if self.is_before(other) { self } else { other }
    }

    /// How the two are ordered, when less than 2^31 apart.
    #[must_use]
    #[inline]
    pub fn cmp_near(self, other: Self) -> Ordering {
        self.distance_from(other).cmp(&0)
    }
}

impl Add<u32> for SeqNum {
    type Output = Self;

    #[inline]
    fn add(self, n: u32) -> Self {
        Self(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for SeqNum {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        *self = *self + n;
    }
}

impl Sub<u32> for SeqNum {
    type Output = Self;

    #[inline]
    fn sub(self, n: u32) -> Self {
        Self(self.0.wrapping_sub(n))
    }
}

impl SubAssign<u32> for SeqNum {
    #[inline]
    fn sub_assign(&mut self, n: u32) {
        *self = *self - n;
    }
}

impl fmt::Debug for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for SeqNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

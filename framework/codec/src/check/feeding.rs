//! The ways in which one input can arrive.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Inputs up to this long are cut into three parts in every way (1128 ways at most).
pub const THREE_PARTS_INPUT_BYTES_MAX: usize = 48;

/// How the bytes of an input arrived at a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feeding {
    /// All at once.
    Whole,
    /// In two parts.
    Two {
        /// Where the second part begins.
        cut: usize,
    },
    /// In three parts.
    Three {
        /// Where the second and the third part begin.
        cuts: [usize; 2],
    },
    /// Byte after byte.
    Drip,
    /// Byte after byte, and after each a call without a new byte.
    IdleDrip,
}

impl Feeding {
    /// Where the parts end, in order; an end named twice means a part without bytes.
    pub(super) fn ends(self, len: usize) -> Vec<usize> {
        match self {
            Self::Whole => vec![len],
            Self::Two { cut } => vec![cut, len],
            Self::Three { cuts: [first, second] } => vec![first, second, len],
            Self::Drip => (1..=len).collect(),
            // The first call comes before any byte.
            Self::IdleDrip => (0..=2 * len).map(|call| call.div_ceil(2)).collect(),
        }
    }
}

impl fmt::Display for Feeding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => write!(f, "all at once"),
            Self::Two { cut } => write!(f, "cut at {cut}"),
            Self::Three { cuts: [first, second] } => write!(f, "cut at {first} and {second}"),
            Self::Drip => write!(f, "byte after byte"),
            Self::IdleDrip => write!(f, "byte after byte with calls in between"),
        }
    }
}

/// Every feeding to compare with the whole input at once.
pub(super) fn all_but_whole(len: usize) -> impl Iterator<Item = Feeding> {
    let two = (1..len).map(|cut| Feeding::Two { cut });
    let in_three = if len <= THREE_PARTS_INPUT_BYTES_MAX { len } else { 0 };
    let three = (1..in_three)
        .flat_map(move |first| (first + 1..in_three).map(move |second| [first, second]))
        .map(|cuts| Feeding::Three { cuts });
    // Drips first: they find most faults, and at once.
    [Feeding::Drip, Feeding::IdleDrip].into_iter().chain(two).chain(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_contiguous_and_complete() {
        for len in 0..8 {
            for feeding in all_but_whole(len).chain([Feeding::Whole]) {
                let ends = feeding.ends(len);
                assert!(ends.is_sorted(), "{feeding}");
                assert_eq!(ends.last().copied().unwrap_or(0), len, "{feeding}");
            }
        }
        assert_eq!(Feeding::IdleDrip.ends(3), [0, 1, 1, 2, 2, 3, 3]);
        assert_eq!(Feeding::Drip.ends(3), [1, 2, 3]);
    }

    #[test]
    fn every_way_is_tried_once() {
        let count = |len| all_but_whole(len).count();
        assert_eq!((count(0), count(1), count(2), count(3)), (2, 2, 3, 5));
        assert_eq!(count(48), 2 + 47 + 47 * 46 / 2);
        assert_eq!(count(49), 2 + 48);
    }
}

//! Which outside ports of a protocol are taken: a bit for each, so that a free one is found by
//! looking at a thousand words at most, however many are taken.

use alloc::boxed::Box;
use alloc::vec;
use core::ops::RangeInclusive;

const BITS: usize = u64::BITS as usize;
const WORDS: usize = (1 << 16) / BITS;

/// A set of ports.
#[derive(Debug, Default)]
pub(super) struct PortSet {
    /// Nothing until the first is taken.
    words: Box<[u64]>,
}

impl PortSet {
    pub(super) fn contains(&self, port: u16) -> bool {
        let port = usize::from(port);
        self.words.get(port / BITS).is_some_and(|word| word >> (port % BITS) & 1 != 0)
    }

    pub(super) fn insert(&mut self, port: u16) {
        if self.words.is_empty() {
            self.words = vec![0; WORDS].into();
        }
        let port = usize::from(port);
        self.words[port / BITS] |= 1 << (port % BITS);
    }

    pub(super) fn remove(&mut self, port: u16) {
        let port = usize::from(port);
        if let Some(word) = self.words.get_mut(port / BITS) {
            *word &= !(1 << (port % BITS));
        }
    }

    /// The first free port of a range from `start` on, which is in it; the range begins again
    /// behind its end.
    pub(super) fn free(&self, range: &RangeInclusive<u16>, start: u16) -> Option<u16> {
        if range.is_empty() {
            return None;
        }
        let (first, last) = (usize::from(*range.start()), usize::from(*range.end()));
        let start = usize::from(start).clamp(first, last);
        let found = self.free_between(start, last).or_else(|| self.free_between(first, start));
        found.map(|port| port as u16)
    }

    fn free_between(&self, first: usize, last: usize) -> Option<usize> {
        let Some(words) = self.words.get(first / BITS..=last / BITS) else { return Some(first) };
        for (n, word) in words.iter().enumerate() {
            let at = (first / BITS + n) * BITS;
            // What is before the first of the range counts as taken.
            let before = first.saturating_sub(at).min(BITS - 1);
            let taken = word | ((1_u64 << before) - 1);
            let port = at + taken.trailing_ones() as usize;
            if port < at + BITS {
                return (port <= last).then_some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_a_range_is_found_once() {
        for (range, start) in [
            (1024..=u16::MAX, 40_000),
            (0..=u16::MAX, 0),
            (2000..=2003, 2002),
            (63..=64, 64),
            (7..=7, 7),
            (60_000..=u16::MAX, u16::MAX),
        ] {
            let mut ports = PortSet::default();
            let mut count = 0;
            while let Some(port) = ports.free(&range, start) {
                assert!(range.contains(&port) && !ports.contains(port), "{port} of {range:?}");
                ports.insert(port);
                count += 1;
            }
            assert_eq!(count, range.len(), "{range:?}");
            ports.remove(*range.end());
            assert_eq!(ports.free(&range, start), Some(*range.end()));
        }
        #[expect(clippy::reversed_empty_ranges, reason = "as somebody may configure it")]
        let none = 9..=8;
        assert_eq!(PortSet::default().free(&none, 9), None);
    }
}

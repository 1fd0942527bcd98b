//! Source ports nobody can guess and everybody can reuse late: double-hash selection (RFC 6056,
//! section 3.3.4).

use alloc::boxed::Box;
use core::ops::RangeInclusive;

/// Counters of the second hash: destinations that share one advance together.
const COUNTERS: usize = 1024;

pub(crate) struct Ports {
    range: RangeInclusive<u16>,
    counters: Option<Box<[u16; COUNTERS]>>,
}

impl Ports {
    pub(crate) fn new(range: RangeInclusive<u16>) -> Self {
        let range = if range.is_empty() || *range.start() == 0 { 49_152..=u16::MAX } else { range };
        Self { range, counters: Some(Box::new([0; COUNTERS])) }
    }

    /// Takes the whole away, so that it can be used while its owner is asked; put it back.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self { range: 0..=0, counters: None })
    }

    /// The first port that is not taken, beginning where the hash of the destination says.
    ///
    /// Looks at each port at most once. A search that takes long tells that the ports towards this
    /// one destination are nearly used up.
    pub(crate) fn select(&mut self, hash: u64, taken: impl Fn(u16) -> bool) -> Option<u16> {
        let first = u32::from(*self.range.start());
        let count = u32::from(*self.range.end()) - first + 1;
        let counter = &mut self.counters.as_mut()?[(hash >> 32) as usize % COUNTERS];
        let start = (hash as u32 % count) + u32::from(*counter) % count;
        for step in 0..count {
            let port = (first + (start + step) % count) as u16;
            if !taken(port) {
                *counter = counter.wrapping_add(step as u16).wrapping_add(1);
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_port_is_found_once_and_then_none() {
        let mut ports = Ports::new(40_000..=40_009);
        let mut used = BTreeSet::new();
        for _ in 0..10 {
            let port = ports.select(0x1234_5678_9abc, |port| used.contains(&port)).unwrap();
            assert!((40_000..=40_009).contains(&port) && used.insert(port));
        }
        assert_eq!(ports.select(7, |port| used.contains(&port)), None);
    }

    #[test]
    fn a_port_does_not_come_again_at_once() {
        let mut ports = Ports::new(40_000..=49_999);
        let first = ports.select(99, |_| false).unwrap();
        let next = ports.select(99, |_| false).unwrap();
        assert_ne!(first, next);
    }
}

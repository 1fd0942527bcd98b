//! What will happen, in the order of time and then of having been said.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use fyke_clock::Instant;

use super::World;
use crate::frame::Frame;
use crate::ids::{LinkId, NodeId, Side};

/// Something that will happen.
pub(crate) enum Happening {
    /// A frame comes out of a link; the side is the one it was put in.
    Arrival { link: LinkId, side: Side, frame: Frame },
    /// A node may have something to do.
    Alarm(NodeId),
    /// A script goes on.
    Call(Box<dyn FnOnce(&World)>),
}

struct Entry {
    at: Instant,
    number: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The greatest entry comes first: the earliest, and of those the one that was put in first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Entry>,
    number: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, what: Happening) {
        self.number += 1;
        self.heap.push(Entry { at, number: self.number, what });
    }

    pub(crate) fn next_time(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, Happening)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }

    /// How many things will happen.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

/// The alarms of a node that are in the queue. One that rings too early does no harm, so the queue
/// is asked for a new one only when none of them is early enough.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    /// The earliest last.
    pending: Vec<Instant>,
}

impl Alarms {
    /// Whether an alarm at `at` must be put into the queue.
    pub(crate) fn want(&mut self, at: Instant) -> bool {
        let needed = self.pending.last().is_none_or(|earliest| *earliest > at);
        if needed {
            self.pending.push(at);
        }
        needed
    }

    /// One that was put into the queue for `at` rings.
    pub(crate) fn ring(&mut self, at: Instant) {
        if self.pending.last() == Some(&at) {
            self.pending.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_first_then_order() {
        let mut queue = Queue::default();
        let at = Instant::from_nanos;
        for (time, node) in [(5, 1), (3, 2), (5, 3), (3, 4), (4, 5)] {
            queue.push(at(time), Happening::Alarm(NodeId(node)));
        }
        let order: Vec<u32> = std::iter::from_fn(|| queue.pop())
            .map(|(_, what)| match what {
                Happening::Alarm(node) => node.0,
                _ => 0,
            })
            .collect();
        assert_eq!(order, [2, 4, 5, 1, 3]);
    }

    #[test]
    fn an_alarm_is_asked_for_when_none_is_early_enough() {
        let mut alarms = Alarms::default();
        let at = Instant::from_nanos;
        assert!(alarms.want(at(60)));
        assert!(!alarms.want(at(70)), "the one at 60 will look again");
        for n in 1..50 {
            assert!(alarms.want(at(n)));
            alarms.ring(at(n));
            assert!(!alarms.want(at(60)));
        }
        assert_eq!(alarms.pending.len(), 1);
        alarms.ring(at(60));
        assert!(alarms.want(at(70)));
    }
}

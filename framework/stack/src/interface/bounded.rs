//! Queues with a bound for packets and one for the memory they take.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::stack::frame::RxMeta;

/// What keeps so much memory busy.
pub(crate) trait Weight {
    /// Bytes, its own included.
    fn weight(&self) -> usize;
}

impl Weight for (Bytes, RxMeta) {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }
}

/// First in, first out, and no more than that.
#[derive(Debug)]
pub(crate) struct Bounded<T> {
    queue: VecDeque<T>,
    bytes: usize,
    packets_max: usize,
    bytes_max: usize,
}

impl<T: Weight> Bounded<T> {
    pub(crate) fn new(packets_max: usize, bytes_max: usize) -> Self {
        Self { queue: VecDeque::new(), bytes: 0, packets_max, bytes_max }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether something of this size would be refused. One is never too large for an empty queue, or
    /// what is sent again and again would never leave.
    pub(crate) fn refuses(&self, bytes: usize) -> bool {
        let over = self.bytes.saturating_add(bytes) > self.bytes_max;
        self.len() >= self.packets_max || (over && !self.is_empty())
    }

    /// Adds at the end; `false` when there is no room.
    pub(crate) fn push_back(&mut self, item: T) -> bool {
        let bytes = item.weight();
        if self.refuses(bytes) {
            return false;
        }
        self.bytes += bytes;
        self.queue.push_back(item);
        true
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let item = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(item.weight());
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(len: usize) -> (Bytes, RxMeta) {
        (Bytes::from(alloc::vec![0; len]), RxMeta::default())
    }

    #[test]
    fn packets_and_bytes_are_bounded_and_counted_down_again() {
        let own = packet(0).weight();
        let mut queue = Bounded::new(3, 1000);
        assert!(queue.push_back(packet(5000)), "one is never too large");
        assert!(!queue.push_back(packet(0)));
        assert_eq!(queue.pop_front().map(|(bytes, _)| bytes.len()), Some(5000));
        assert!(queue.push_back(packet(500)) && !queue.push_back(packet(501 - 2 * own)));
        assert!(queue.push_back(packet(500 - 2 * own)), "to the last byte");
        assert!(queue.refuses(1) && queue.pop_front().is_some());
        assert!(queue.push_back(packet(0)) && queue.push_back(packet(0)));
        assert!(!queue.push_back(packet(0)), "three");
        while queue.pop_front().is_some() {}
        assert_eq!((queue.bytes, queue.len(), queue.is_empty()), (0, 0, true));
    }
}

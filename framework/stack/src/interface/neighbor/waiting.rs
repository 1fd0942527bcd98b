//! Packets that wait for the link addresses of neighbours: a few for each, so many bytes for all.

use super::Neighbors;
use crate::interface::bounded::Weight;

pub(super) fn weight<F: Weight>(waiting: &[F]) -> usize {
    waiting.iter().map(F::weight).sum()
}

impl<F: Weight> Neighbors<F> {
    /// Lets a packet wait for a slot's address; gives back the oldest when too many wait already
    /// (RFC 1122, section 2.3.2.2: the latest is the one to keep), and the packet itself when those for
    /// all neighbours take too much memory.
    pub(crate) fn park(&mut self, index: u32, packet: F) -> Option<F> {
        let Some(entry) = self.entries.at_mut(index) else { return Some(packet) };
        let full = entry.waiting.len() >= self.queue_max;
        let leaves = entry.waiting.first().filter(|_| full).map_or(0, F::weight);
        let bytes = self.bytes - leaves + packet.weight();
        if bytes > self.bytes_max {
            return Some(packet);
        }
        self.bytes = bytes;
        let oldest = full.then(|| entry.waiting.remove(0));
        entry.waiting.push(packet);
        oldest
    }
}

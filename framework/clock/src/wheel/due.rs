//! The timers of the present tick and of the past, in exact order: a heap with back-links.
//!
//! Slots are unordered; order is made here, one tick at a time, so the heap is as small as one
//! tick's worth of timers. Each entry knows its position, hence a due timer can be cancelled
//! without leaving a corpse behind.

use alloc::vec::Vec;

use super::slab::{Place, Slab};

/// Deadline, then order of scheduling; kept here so that sifting stays inside the heap's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Node {
    deadline_nanos: u64,
    order: u64,
    index: u32,
}

pub(super) struct Due {
    heap: Vec<Node>,
}

impl Due {
    pub(super) const fn new() -> Self {
        Self { heap: Vec::new() }
    }

    /// The earliest deadline and its entry.
    #[inline]
    pub(super) fn first(&self) -> Option<(u64, u32)> {
        self.heap.first().map(|node| (node.deadline_nanos, node.index))
    }

    pub(super) fn push<T>(&mut self, slab: &mut Slab<T>, index: u32) {
        let entry = slab.entry_mut(index);
        entry.place = Place::Due;
        let node = Node { deadline_nanos: entry.deadline_nanos, order: entry.order, index };
        self.heap.push(node);
        self.sift_up(slab, self.heap.len() - 1, node);
    }

    pub(super) fn remove<T>(&mut self, slab: &mut Slab<T>, index: u32) {
        let entry = slab.entry_mut(index);
        entry.place = Place::Nowhere;
        let hole = entry.prev as usize;
        debug_assert_eq!(self.heap[hole].index, index, "the back-link is right");
        let Some(last) = self.heap.pop() else { return };
        if hole == self.heap.len() {
            return;
        }
        // The last node fills the hole; from there it may have to go either way.
        if hole > 0 && last < self.heap[(hole - 1) / 2] {
            self.sift_up(slab, hole, last);
        } else {
            self.sift_down(slab, hole, last);
        }
    }

    fn sift_up<T>(&mut self, slab: &mut Slab<T>, mut hole: usize, node: Node) {
        while hole > 0 {
            let parent = (hole - 1) / 2;
            if self.heap[parent] < node {
                break;
            }
            self.put(slab, hole, self.heap[parent]);
            hole = parent;
        }
        self.put(slab, hole, node);
    }

    fn sift_down<T>(&mut self, slab: &mut Slab<T>, mut hole: usize, node: Node) {
        loop {
            let mut child = 2 * hole + 1;
            if child + 1 < self.heap.len() && self.heap[child + 1] < self.heap[child] {
                child += 1;
            }
            if child >= self.heap.len() || node < self.heap[child] {
                break;
            }
            self.put(slab, hole, self.heap[child]);
            hole = child;
        }
        self.put(slab, hole, node);
    }

    #[inline]
    fn put<T>(&mut self, slab: &mut Slab<T>, position: usize, node: Node) {
        self.heap[position] = node;
        slab.entry_mut(node.index).prev = position as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order of six nodes, and each of the six removed: the rest comes out sorted.
    #[test]
    fn any_member_can_leave() {
        let mut deadlines = [0_u64, 1, 2, 3, 4, 5];
        let mut permutations = 0;
        permute(&mut deadlines, 0, &mut |deadlines| {
            permutations += 1;
            for lost in 0..6_u32 {
                let mut slab = Slab::new();
                let mut due = Due::new();
                for (order, deadline) in deadlines.iter().enumerate() {
                    // Pairs of equal deadlines: the order decides.
                    let (index, _) = slab.insert(deadline / 2, order as u64, ());
                    due.push(&mut slab, index);
                }
                due.remove(&mut slab, lost);
                let mut expected: Vec<(u64, u32)> =
                    (0..6).filter(|i| *i != lost).map(|i| (deadlines[i as usize] / 2, i)).collect();
                expected.sort_unstable();
                let mut found = Vec::new();
                while let Some((deadline, index)) = due.first() {
                    found.push((deadline, index));
                    due.remove(&mut slab, index);
                }
                assert_eq!(found, expected);
            }
        });
        assert_eq!(permutations, 720);
    }

    fn permute(items: &mut [u64; 6], from: usize, visit: &mut dyn FnMut(&[u64; 6])) {
        if from == items.len() {
            return visit(items);
        }
        for with in from..items.len() {
            items.swap(from, with);
            permute(items, from + 1, visit);
            items.swap(from, with);
        }
    }
}

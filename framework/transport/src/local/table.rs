//! The transport's own handles: a slot and a generation, so that a late notice for a slot that
//! has a new tenant is recognised.

use fyke_core::transport::Handle;
use slab::Slab;

const INDEX_BITS: u32 = 32;
const GENERATION_MASK: u64 = (1 << 24) - 1;

#[derive(Debug)]
struct Slot<T> {
    generation: u64,
    value: T,
}

/// What handles stand for. Handles fit into the 56 bits of a token's key.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Slab<Slot<T>>,
    generation: u64,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Slab::new(), generation: 0 }
    }

    /// Stores what `make` makes for the handle it is going to have.
    pub(super) fn insert_with(&mut self, make: impl FnOnce(Handle) -> T) -> Handle {
        self.generation = (self.generation + 1) & GENERATION_MASK;
        let generation = self.generation;
        let slot = self.slots.vacant_entry();
        let handle = Handle((generation << INDEX_BITS) | slot.key() as u64);
        slot.insert(Slot { generation, value: make(handle) });
        handle
    }

    pub(super) fn get(&self, handle: Handle) -> Option<&T> {
        let (index, generation) = parts(handle)?;
        self.slots.get(index).filter(|s| s.generation == generation).map(|s| &s.value)
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        self.get(handle)?;
        let (index, _) = parts(handle)?;
        self.slots.try_remove(index).map(|s| s.value)
    }
}

fn parts(handle: Handle) -> Option<(usize, u64)> {
    let index = usize::try_from(handle.0 & ((1 << INDEX_BITS) - 1)).ok()?;
    Some((index, handle.0 >> INDEX_BITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_handle_does_not_reach_the_new_tenant() {
        let mut table = Table::new();
        let old = table.insert_with(|_| 'a');
        assert_eq!(table.remove(old), Some('a'));
        let new = table.insert_with(|_| 'b');
        assert_eq!(table.get(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!(table.get(new), Some(&'b'));
        assert!(new.0 >> 56 == 0);
    }
}

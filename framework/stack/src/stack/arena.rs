//! Slots with generations, in pages that never move.
//!
//! A vector that doubles would copy a million connections when the next one comes, and hold twice
//! the memory meanwhile; a page more costs the same at any size.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// Slots in a page.
const PAGE: usize = 64;
/// "No slot" in the list of free ones.
const NIL: u32 = u32::MAX;

struct Slot<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

pub(crate) struct Arena<T> {
    pages: Vec<Box<[Slot<T>]>>,
    free: u32,
    len: usize,
}

impl<T> fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena").field("len", &self.len).finish_non_exhaustive()
    }
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new(), free: NIL, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Stores a value; says its slot and generation.
    pub(crate) fn insert(&mut self, value: T) -> (u32, u32) {
        if self.free == NIL {
            self.grow();
        }
        let index = self.free;
        let slot = &mut self.pages[index as usize / PAGE][index as usize % PAGE];
        self.free = slot.next_free;
        slot.value = Some(value);
        self.len += 1;
        (index, slot.generation)
    }

    fn grow(&mut self) {
        let first = self.pages.len() * PAGE;
        let slot = |at: usize| Slot {
            generation: 0,
            next_free: if at + 1 == PAGE { NIL } else { (first + at + 1) as u32 },
            value: None,
        };
        self.pages.push((0..PAGE).map(slot).collect());
        self.free = first as u32;
    }

    fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.pages.get(index as usize / PAGE).map(|page| &page[index as usize % PAGE])
    }

    /// The value in a slot, whatever its generation.
    pub(crate) fn at(&self, index: u32) -> Option<&T> {
        self.slot(index)?.value.as_ref()
    }

    /// The value in a slot, whatever its generation.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut T> {
        let page = self.pages.get_mut(index as usize / PAGE)?;
        page[index as usize % PAGE].value.as_mut()
    }

    /// The value in a slot, and the generation that names it.
    pub(crate) fn entry_mut(&mut self, index: u32) -> Option<(u32, &mut T)> {
        let page = self.pages.get_mut(index as usize / PAGE)?;
        let slot = &mut page[index as usize % PAGE];
        Some((slot.generation, slot.value.as_mut()?))
    }

    /// The value named by index and generation.
    pub(crate) fn get(&self, index: u32, generation: u32) -> Option<&T> {
        self.slot(index).filter(|slot| slot.generation == generation)?.value.as_ref()
    }

    /// The value named by index and generation.
    pub(crate) fn get_mut(&mut self, index: u32, generation: u32) -> Option<&mut T> {
        let page = self.pages.get_mut(index as usize / PAGE)?;
        let slot = &mut page[index as usize % PAGE];
        if slot.generation == generation { slot.value.as_mut() } else { None }
    }

    /// The generation that names the value in a slot now.
    pub(crate) fn generation(&self, index: u32) -> u32 {
        self.slot(index).map_or(0, |slot| slot.generation)
    }

    /// Frees a slot; older names of it mean nothing from now on.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let page = self.pages.get_mut(index as usize / PAGE)?;
        let slot = &mut page[index as usize % PAGE];
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next_free = self.free;
        self.free = index;
        self.len -= 1;
        Some(value)
    }

    /// All values with their slots; for introspection only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let slots = self.pages.iter().flat_map(|page| page.iter());
        slots.enumerate().filter_map(|(at, slot)| Some((at as u32, slot.value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_used_again_has_another_name() {
        let mut arena = Arena::new();
        let (index, generation) = arena.insert("a");
        assert_eq!(arena.get(index, generation), Some(&"a"));
        assert_eq!(arena.remove(index), Some("a"));
        assert_eq!(arena.remove(index), None);
        let (again, next) = arena.insert("b");
        assert_eq!(again, index);
        assert_ne!(next, generation);
        assert_eq!(arena.get(index, generation), None);
        assert_eq!(arena.get_mut(index, next), Some(&mut "b"));
    }

    #[test]
    fn pages_are_added_and_all_slots_are_used() {
        let mut arena = Arena::new();
        let named: Vec<_> = (0..1000).map(|n| arena.insert(n)).collect();
        assert_eq!(arena.len(), 1000);
        for (n, (index, generation)) in named.iter().enumerate() {
            assert_eq!(arena.get(*index, *generation), Some(&n));
        }
        assert_eq!(arena.iter().count(), 1000);
        assert_eq!(arena.pages.len(), 1000_usize.div_ceil(PAGE));
    }
}

//! Where timers live: a slab of entries named by generation-checked keys.
//!
//! An entry carries its own list links, so that moving a timer between slots allocates nothing.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

/// "No entry" in a link.
pub(super) const NIL: u32 = u32::MAX;

/// The name of one pending timer of one [`TimerWheel`](crate::TimerWheel).
///
/// A key dies with its timer (expired or cancelled) and never names a later one. A key that is
/// used with another wheel than its own names an arbitrary timer or none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

impl fmt::Debug for TimerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimerKey({}#{})", self.index, self.generation)
    }
}

/// Which container an entry is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In no container; for a vacant entry `next` continues the list of free ones.
    Nowhere,
    /// In the heap of due timers; `prev` is the position there.
    Due,
    /// In the list of this slot, linked by `prev` and `next`.
    Slot { level: u8, slot: u8 },
}

pub(super) struct Entry<T> {
    pub(super) deadline_nanos: u64,
    /// Counts schedulings: decides between equal deadlines.
    pub(super) order: u64,
    pub(super) prev: u32,
    pub(super) next: u32,
    pub(super) place: Place,
    generation: NonZeroU32,
    value: Option<T>,
}

pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    free: u32,
    len: usize,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: NIL, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        let vacant = self.entries.len() - self.len;
        self.entries.reserve(additional.saturating_sub(vacant));
    }

    /// Stores a timer that is in no container yet.
    ///
    /// # Panics
    /// With 2^32 - 1 entries.
    pub(super) fn insert(&mut self, deadline_nanos: u64, order: u64, value: T) -> (u32, TimerKey) {
        let index = if self.free == NIL { self.grow() } else { self.free };
        let entry = &mut self.entries[index as usize];
        self.free = entry.next;
        entry.deadline_nanos = deadline_nanos;
        entry.order = order;
        entry.value = Some(value);
        self.len += 1;
        (index, TimerKey { index, generation: entry.generation })
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.entries.len()).unwrap_or(NIL);
        assert!(index < NIL, "more than 2^32 - 1 timers");
        self.entries.push(Entry {
            deadline_nanos: 0,
            order: 0,
            prev: NIL,
            next: NIL,
            place: Place::Nowhere,
            generation: NonZeroU32::MIN,
            value: None,
        });
        index
    }

    /// Takes the value out of an entry that no container holds any more, and frees the entry.
    ///
    /// An entry that has used up its generations is retired, so a key can never come back.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let entry = &mut self.entries[index as usize];
        let value = entry.value.take()?;
        entry.place = Place::Nowhere;
        self.len -= 1;
        if let Some(generation) = entry.generation.checked_add(1) {
            entry.generation = generation;
            entry.next = self.free;
            self.free = index;
        }
        Some(value)
    }

    /// The entry that `key` names, if it still does.
    #[inline]
    pub(super) fn find(&self, key: TimerKey) -> Option<u32> {
        let entry = self.entries.get(key.index as usize)?;
        (entry.generation == key.generation && entry.value.is_some()).then_some(key.index)
    }

    #[inline]
    pub(super) fn entry(&self, index: u32) -> &Entry<T> {
        &self.entries[index as usize]
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.entries[index as usize]
    }
}

impl<T> Entry<T> {
    #[inline]
    pub(super) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    #[inline]
    pub(super) fn value_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_name_the_next_tenant() {
        let mut slab = Slab::new();
        let (index, old) = slab.insert(1, 1, 'a');
        assert_eq!(slab.remove(index), Some('a'));
        assert_eq!(slab.remove(index), None);
        let (again, new) = slab.insert(2, 2, 'b');
        assert_eq!(again, index);
        assert_eq!(slab.find(old), None);
        assert_eq!(slab.find(new), Some(index));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn an_entry_without_generations_left_is_retired() {
        let mut slab = Slab::new();
        let (index, _) = slab.insert(1, 1, 'a');
        slab.entry_mut(index).generation = NonZeroU32::MAX;
        let last = TimerKey { index, generation: NonZeroU32::MAX };
        assert_eq!(slab.find(last), Some(index));
        assert_eq!(slab.remove(index), Some('a'));
        assert_eq!(slab.find(last), None);
        let (other, _) = slab.insert(2, 2, 'b');
        assert_ne!(other, index);
    }

    #[test]
    fn keys_and_entries_are_small() {
        assert_eq!(size_of::<TimerKey>(), 8);
        assert_eq!(size_of::<Option<TimerKey>>(), 8);
        assert_eq!(size_of::<Entry<NonZeroU32>>(), 40);
    }
}

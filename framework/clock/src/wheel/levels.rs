//! The slots of the wheel: which timers lie in which stretch of the future.
//!
//! A tick number is read as digits to base 256. A timer lies at the level of the highest digit in
//! which its tick differs from the present tick, in the slot of that digit:
//!
//! ```text
//! present  00 . 00 . 12 . 40
//! timer    00 . 00 . 12 . 99   level 0, slot 99: this slot holds one tick
//! timer    00 . 00 . 80 . 07   level 1, slot 80: this slot holds 256 ticks
//! timer    00 . 03 . 12 . 40   level 2, slot  3: this slot holds 65536 ticks
//! ```
//!
//! So every slot in use is later than the present one of its level, every timer of a level is
//! later than all of the levels below, and the first set bit of the lowest level in use is the
//! earliest slot. Eight levels cover every 64-bit tick: there is no overflow list.

use alloc::vec::Vec;

use super::slab::{NIL, Place, Slab};

const DIGIT_BITS: u32 = 8;
const SLOTS: usize = 1 << DIGIT_BITS;
const WORDS: usize = SLOTS / u64::BITS as usize;

/// One slot of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) level: u8,
    pub(super) slot: u8,
}

impl Position {
    /// Where a timer of `tick` belongs while the present tick is `present`, which is less.
    #[inline]
    pub(super) fn of(tick: u64, present: u64) -> Self {
        debug_assert!(tick > present, "only the future lies in slots");
        let level = (tick ^ present).ilog2() / DIGIT_BITS;
        let slot = (tick >> (level * DIGIT_BITS)) as u8;
        Self { level: level as u8, slot }
    }

    /// The first tick this slot covers.
    #[inline]
    pub(super) fn first_tick(self, present: u64) -> u64 {
        let shift = u32::from(self.level) * DIGIT_BITS;
        // The digits above this one are the present ones. At the top level there are none.
        let above = present.checked_shr(shift + DIGIT_BITS).unwrap_or(0);
        let above = above.checked_shl(shift + DIGIT_BITS).unwrap_or(0);
        above | (u64::from(self.slot) << shift)
    }
}

struct Level {
    heads: [u32; SLOTS],
    /// No timer of the slot is earlier; the earliest may have been cancelled meanwhile.
    earliest_nanos: [u64; SLOTS],
    occupied: [u64; WORDS],
}

impl Level {
    const EMPTY: Self =
        Self { heads: [NIL; SLOTS], earliest_nanos: [u64::MAX; SLOTS], occupied: [0; WORDS] };

    fn clear(&mut self, slot: u8) {
        self.heads[usize::from(slot)] = NIL;
        self.earliest_nanos[usize::from(slot)] = u64::MAX;
        self.occupied[usize::from(slot) / 64] &= !(1 << (slot % 64));
    }

    fn is_empty(&self) -> bool {
        self.occupied == [0; WORDS]
    }

    fn first(&self) -> Option<u8> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        Some((word as u32 * u64::BITS + self.occupied[word].trailing_zeros()) as u8)
    }
}

/// The levels, made when first used: most wheels never need the high ones.
pub(super) struct Levels {
    levels: Vec<Level>,
    /// A bit for each level that has a timer.
    occupied: u8,
}

impl Levels {
    pub(super) const fn new() -> Self {
        Self { levels: Vec::new(), occupied: 0 }
    }

    /// The slot with the earliest timers.
    #[inline]
    pub(super) fn first(&self) -> Option<Position> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as u8;
        let slot = self.levels[usize::from(level)].first()?;
        Some(Position { level, slot })
    }

    /// A lower bound of the deadlines in a slot; exact unless the earliest timer has left it.
    #[inline]
    pub(super) fn earliest_nanos(&self, at: Position) -> u64 {
        self.levels[usize::from(at.level)].earliest_nanos[usize::from(at.slot)]
    }

    pub(super) fn link<T>(&mut self, slab: &mut Slab<T>, index: u32, at: Position) {
        let (level, slot) = (usize::from(at.level), usize::from(at.slot));
        while self.levels.len() <= level {
            self.levels.push(Level::EMPTY);
        }
        self.occupied |= 1 << level;
        let level = &mut self.levels[level];
        level.occupied[slot / 64] |= 1 << (slot % 64);

        let head = core::mem::replace(&mut level.heads[slot], index);
        if head != NIL {
            slab.entry_mut(head).prev = index;
        }
        let entry = slab.entry_mut(index);
        entry.prev = NIL;
        entry.next = head;
        entry.place = Place::Slot { level: at.level, slot: at.slot };
        let earliest = &mut level.earliest_nanos[slot];
        *earliest = entry.deadline_nanos.min(*earliest);
    }

    pub(super) fn unlink<T>(&mut self, slab: &mut Slab<T>, index: u32, at: Position) {
        let entry = slab.entry_mut(index);
        entry.place = Place::Nowhere;
        let (prev, next) = (entry.prev, entry.next);
        if next != NIL {
            slab.entry_mut(next).prev = prev;
        }
        if prev != NIL {
            slab.entry_mut(prev).next = next;
        } else if next != NIL {
            self.levels[usize::from(at.level)].heads[usize::from(at.slot)] = next;
        } else {
            self.clear(at);
        }
    }

    /// Empties a slot and returns the head of the list it had. The caller relinks the entries.
    pub(super) fn take(&mut self, at: Position) -> u32 {
        let head = self.levels[usize::from(at.level)].heads[usize::from(at.slot)];
        self.clear(at);
        head
    }

    fn clear(&mut self, at: Position) {
        let level = &mut self.levels[usize::from(at.level)];
        level.clear(at.slot);
        if level.is_empty() {
            self.occupied &= !(1 << at.level);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_at_every_level_boundary() {
        // present, tick, level, slot, first tick of that slot
        let table = [
            (0, 1, 0, 1, 1),
            (0, 255, 0, 255, 255),
            (0, 256, 1, 1, 256),
            (0, 257, 1, 1, 256),
            (0, 511, 1, 1, 256),
            (0, 512, 1, 2, 512),
            (255, 256, 1, 1, 256),
            (256, 257, 0, 1, 257),
            (0x1_0000 - 1, 0x1_0000, 2, 1, 0x1_0000),
            (0, 0xFFFF, 1, 255, 0xFF00),
            (0, 0xFF_FFFF, 2, 255, 0xFF_0000),
            (0, 0x100_0000, 3, 1, 0x100_0000),
            (0x0102_0304, 0x0102_0305, 0, 5, 0x0102_0305),
            (0x0102_0304, 0x0102_04FF, 1, 4, 0x0102_0400),
            (0x0102_0304, 0x0103_0000, 2, 3, 0x0103_0000),
            (0, 1 << 32, 4, 1, 1 << 32),
            (0, 1 << 40, 5, 1, 1 << 40),
            (0, 1 << 48, 6, 1, 1 << 48),
            (0, 1 << 56, 7, 1, 1 << 56),
            (0, u64::MAX, 7, 255, 0xFF << 56),
            (u64::MAX - 1, u64::MAX, 0, 255, u64::MAX),
        ];
        for (present, tick, level, slot, first) in table {
            let at = Position::of(tick, present);
            assert_eq!(at, Position { level, slot }, "{present:#x} {tick:#x}");
            assert_eq!(at.first_tick(present), first, "{present:#x} {tick:#x}");
        }
    }

    #[test]
    fn the_first_slot_is_the_lowest_of_the_lowest_level() {
        let mut slab = Slab::new();
        let mut levels = Levels::new();
        assert_eq!(levels.first(), None);
        let positions = [(3, 7), (3, 6), (1, 255), (1, 64), (0, 200), (0, 63)];
        let mut indices = Vec::new();
        for (level, slot) in positions {
            let (index, _) = slab.insert(u64::from(slot), 0, ());
            let at = Position { level, slot };
            levels.link(&mut slab, index, at);
            indices.push((index, at));
            assert_eq!(levels.first(), Some(at));
            assert_eq!(levels.earliest_nanos(at), u64::from(slot));
        }
        while let Some((index, at)) = indices.pop() {
            assert_eq!(levels.first(), Some(at));
            levels.unlink(&mut slab, index, at);
        }
        assert_eq!(levels.first(), None);
    }

    #[test]
    fn lists_can_lose_any_member() {
        for lost in 0..3_u32 {
            let mut slab = Slab::new();
            let mut levels = Levels::new();
            let at = Position { level: 0, slot: 9 };
            for order in 0..3 {
                let (index, _) = slab.insert(5, order, order);
                levels.link(&mut slab, index, at);
            }
            levels.unlink(&mut slab, lost, at);
            let mut left = Vec::new();
            let mut index = levels.take(at);
            while index != NIL {
                left.push(index);
                index = slab.entry(index).next;
            }
            let expected: Vec<u32> = [2, 1, 0].into_iter().filter(|i| *i != lost).collect();
            assert_eq!(left, expected);
            assert_eq!(levels.first(), None);
        }
    }
}

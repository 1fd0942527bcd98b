//! The ordered list under the scoreboard: what was sent, in the order of its sequence numbers.
//!
//! Blocks of bounded size in a queue. Sending adds at the end and acknowledging takes from the
//! front, both in constant time; a hole somewhere in the middle costs a bisection and the moving of
//! at most one block, whatever the number of entries. That is what keeps a peer from making every
//! SACK block expensive.

use alloc::collections::VecDeque;

use fyke_clock::Instant;

use crate::tcp::SeqNum;

/// Entries in a block before it is split; small enough that moving half of them is cheap.
const BLOCK_ENTRIES_MAX: usize = 64;

/// What is known of a range. The states are disjoint, so their bytes add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Sent once and neither acknowledged nor given up.
    InFlight,
    /// The peer has it, out of order.
    Sacked,
    /// Given up, to be sent again.
    Lost,
    /// Sent again and in flight.
    Resent,
}

/// A range that was sent at one time and has one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) start: SeqNum,
    pub(super) end: SeqNum,
    /// When it was sent last.
    pub(super) sent: Instant,
    /// How many segments it was on the wire.
    pub(super) segments: u32,
    /// How long these were, but the last.
    pub(super) size: u16,
    /// How often it was sent, up to the number a byte holds.
    pub(super) transmissions: u8,
    pub(super) state: State,
}

impl Entry {
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.end.saturating_distance_from(self.start)
    }

    /// The size of its segments but the last.
    #[inline]
    pub(super) fn segment_size(&self) -> u32 {
        u32::from(self.size).max(1)
    }

    /// The part before `at`, which is taken out of this entry.
    pub(super) fn split_front(&mut self, at: SeqNum) -> Self {
        let mut front = *self;
        front.end = at;
        let (whole, size) = (self.len(), self.segment_size());
        front.segments = if self.segments == whole.div_ceil(size) {
            front.len().div_ceil(size)
        } else {
            // Ranges with segments of several sizes have been joined: each part has its share, and
            // no part more segments than bytes.
            let share = u64::from(self.segments) * u64::from(front.len());
            u32::try_from(share.div_ceil(u64::from(whole.max(1)))).unwrap_or(u32::MAX).max(1)
        };
        self.start = at;
        self.segments = self.segments.saturating_sub(front.segments).max(1);
        front
    }
}

/// Where an entry is. Adding or removing one makes the positions behind it stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    block: usize,
    at: usize,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Entries {
    blocks: VecDeque<VecDeque<Entry>>,
    len: usize,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.blocks.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.blocks.iter_mut().flatten()
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.blocks.front()?.front()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Entry> {
        self.blocks.front_mut()?.front_mut()
    }

    pub(super) fn back(&self) -> Option<&Entry> {
        self.blocks.back()?.back()
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut Entry> {
        self.blocks.back_mut()?.back_mut()
    }

    pub(super) fn first(&self) -> Place {
        Place { block: 0, at: 0 }
    }

    /// The first entry that ends after `seq`.
    pub(super) fn find(&self, seq: SeqNum) -> Place {
        let before = |entry: &Entry| entry.end.is_at_most(seq);
        // Without losses every look-up is for the first.
        if self.front().is_none_or(|entry| !before(entry)) {
            return self.first();
        }
        let block = match self.blocks.front().and_then(VecDeque::back) {
            // Most look-ups are near the front.
            Some(last) if !before(last) => 0,
            _ => self.blocks.partition_point(|block| block.back().is_some_and(before)),
        };
        let at = self.blocks.get(block).map_or(0, |block| block.partition_point(before));
        Place { block, at }
    }

    #[inline]
    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.blocks.get(place.block)?.get(place.at)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.blocks.get_mut(place.block)?.get_mut(place.at)
    }

    pub(super) fn next(&self, place: Place) -> Place {
        match self.blocks.get(place.block) {
            Some(block) if place.at + 1 < block.len() => Place { at: place.at + 1, ..place },
            _ => Place { block: place.block + 1, at: 0 },
        }
    }

    pub(super) fn previous(&self, place: Place) -> Option<Place> {
        if place.at > 0 {
            return Some(Place { at: place.at - 1, ..place });
        }
        let block = place.block.checked_sub(1)?;
        Some(Place { block, at: self.blocks.get(block)?.len().checked_sub(1)? })
    }

    pub(super) fn push_back(&mut self, entry: Entry) {
        self.len += 1;
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK_ENTRIES_MAX => block.push_back(entry),
            _ => {
                let mut block = VecDeque::new();
                block.push_back(entry);
                self.blocks.push_back(block);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry> {
        let block = self.blocks.front_mut()?;
        let entry = block.pop_front()?;
        self.len -= 1;
        if block.is_empty() {
            self.blocks.pop_front();
        }
        if self.len == 0 {
            self.blocks = VecDeque::new();
        }
        Some(entry)
    }

    /// Puts an entry before the one at `place`, and tells where that one is now.
    pub(super) fn insert_before(&mut self, place: Place, entry: Entry) -> Place {
        let Some(block) = self.blocks.get_mut(place.block) else {
            self.push_back(entry);
            return Place { block: self.blocks.len(), at: 0 };
        };
        self.len += 1;
        block.insert(place.at, entry);
        let at = place.at + 1;
        if block.len() <= BLOCK_ENTRIES_MAX {
            return Place { at, ..place };
        }
        let half = block.len() / 2;
        let right = block.split_off(half);
        self.blocks.insert(place.block + 1, right);
        if at < half {
            Place { at, ..place }
        } else {
            Place { block: place.block + 1, at: at - half }
        }
    }

    /// Removes the entry at `place`, and tells where the one behind it is now.
    pub(super) fn remove(&mut self, place: Place) -> Place {
        let Some(block) = self.blocks.get_mut(place.block) else { return place };
        if block.remove(place.at).is_none() {
            return place;
        }
        self.len -= 1;
        let len = block.len();
        if len == 0 {
            self.blocks.remove(place.block);
            return Place { block: place.block, at: 0 };
        }
        // Blocks that are almost empty would make the memory a multiple of what is kept.
        if len < BLOCK_ENTRIES_MAX / 4
            && self.blocks.get(place.block + 1).is_some_and(|b| b.len() < BLOCK_ENTRIES_MAX / 2)
            && let Some(right) = self.blocks.remove(place.block + 1)
        {
            self.blocks[place.block].extend(right);
            return place;
        }
        if place.at < len { place } else { Place { block: place.block + 1, at: 0 } }
    }
}

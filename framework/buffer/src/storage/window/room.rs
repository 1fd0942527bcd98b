//! Where a window's bytes are: moving them to the front, to a larger block, out of a lent one.

use core::ptr;

use super::{GROWTH_BYTES_MIN, REST_HINT_BYTES_MAX, Window};
use crate::error::CapacityExceeded;
use crate::storage::Block;

impl Window {
    /// Moves the readable bytes to the front and forgets those before them. The only window of
    /// a block takes the whole block.
    pub(crate) fn compact(&mut self) {
        let length = self.writer - self.reader;
        if self.reader == 0 && length > 0 {
            return;
        }
        if self.is_lent() {
            // Nothing moves: the window begins later.
            let rest = self.split_front(length as usize);
            // Cannot fail: so many are readable.
            *self = rest.unwrap_or(Self::empty(self.max));
            return;
        }
        let sole = self.block.as_ref().filter(|block| block.is_unique());
        let (start, capacity) = match sole {
            Some(block) => (block.data(), block.capacity().min(self.max)),
            None => (self.start, self.capacity),
        };
        // SAFETY: the source is our readable part. The target is the front of our window, or,
        // when no other window exists, of the block; length <= capacity <= both. `copy` allows
        // them to overlap.
        unsafe {
            ptr::copy(
                self.start.as_ptr().add(self.reader as usize),
                start.as_ptr(),
                length as usize,
            );
        }
        self.start = start;
        self.capacity = capacity;
        self.reader = 0;
        self.writer = length;
    }

    /// Moves out of a lent block: afterwards the bytes are ours to write.
    #[inline]
    pub(super) fn own(&mut self) {
        if self.is_lent() {
            self.move_out(self.capacity);
        }
    }

    /// Makes room for `additional` bytes behind the writer index; the indexes stay as they are.
    /// When this succeeds, `additional <= writable_len()`.
    #[inline]
    pub(crate) fn ensure_writable(&mut self, additional: usize) -> Result<(), CapacityExceeded> {
        if additional <= self.writable_len() { Ok(()) } else { self.grow(additional) }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, additional: usize) -> Result<(), CapacityExceeded> {
        let needed = self.writer().saturating_add(additional);
        let exceeded = CapacityExceeded { needed, max: self.max as usize };
        let needed = u32::try_from(needed).ok().filter(|&n| n <= self.max).ok_or(exceeded)?;
        if !self.reclaim(needed) {
            self.relocate(needed);
        }
        Ok(())
    }

    /// Takes the room of the block that other windows left behind, if there is no other window
    /// any more and it is enough.
    fn reclaim(&mut self, needed: u32) -> bool {
        let Some(block) = self.block.as_ref().filter(|block| block.is_unique()) else {
            return false;
        };
        let room = block.capacity();
        let offset = self.offset(block);
        if room - offset >= needed {
            self.capacity = (room - offset).min(self.max);
            return true;
        }
        // Moving pays only if it wins at least as many bytes as it copies; otherwise a stream
        // of small writes would move everything again and again.
        if room < needed || offset < self.writer {
            return false;
        }
        // SAFETY: we are the only window, so the whole block is ours. writer <= offset, so the
        // target (0..writer) ends before the source (offset..) begins.
        unsafe {
            ptr::copy_nonoverlapping(self.start.as_ptr(), block.data().as_ptr(), self.writer());
        }
        self.start = block.data();
        self.capacity = room.min(self.max);
        true
    }

    /// Where the window begins in its block's data.
    fn offset(&self, block: &Block) -> u32 {
        (self.start.as_ptr().addr() - block.data().as_ptr().addr()) as u32
    }

    /// Moves to a larger block: of the pool it came from, or a plain one.
    fn relocate(&mut self, needed: u32) {
        let mut wanted = needed.max(self.capacity.saturating_mul(2)).max(GROWTH_BYTES_MIN);
        if let Some(block) = &self.block
            && block.lender().is_none()
            && self.offset(block) > 0
            && self.offset(block) + self.capacity == block.capacity()
        {
            wanted = wanted.max(block.capacity().min(REST_HINT_BYTES_MAX));
        }
        self.move_out(wanted.min(self.max));
    }

    /// Moves to another block with room for `wanted` bytes, at least those that are written.
    #[cold]
    #[inline(never)]
    fn move_out(&mut self, wanted: u32) {
        let pooled = self.block.as_ref().and_then(Block::home).and_then(|home| home.take(wanted));
        let mut moved = match pooled.and_then(|block| Self::whole(block, self.max)) {
            Some(mut window) => {
                window.spare_mut()[..self.writer()].copy_from_slice(self.written());
                window
            }
            None => Self::whole(Block::copied(self.written(), wanted), self.max)
                .expect("a fresh block is not shared"),
        };
        moved.reader = self.reader;
        moved.writer = self.writer;
        *self = moved;
    }
}

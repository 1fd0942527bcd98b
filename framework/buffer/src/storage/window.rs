//! A window: an exclusive part of a block, with a reader and a writer index.
//!
//! Invariants, which every function here keeps and every unsafe block relies on:
//! 1. `reader <= writer <= capacity <= max`.
//! 2. `start .. start + capacity` lies inside the data of `block`, or `capacity` is 0.
//! 3. No two windows of one block overlap. A window is made from a fresh block, or split from
//!    another window, or widened while it is the only one of its block. So `&self` may read and
//!    `&mut self` may write all of its own bytes, from any thread.
//! 4. The bytes are initialised: blocks are zeroed when they are allocated.
//! 5. A window of a lent block is full (`writer == capacity`), so that all that writes behind the
//!    writer index goes to other memory first, and everything else that writes or would make room
//!    calls `own` before it does. So windows of lent blocks only read, and invariants 2 and 3 ask no
//!    more of them than that their bytes lie inside what was lent.

mod room;

use alloc::sync::Arc;
use core::ptr::NonNull;
use core::slice;

use bytes::Bytes;

use super::block::Block;
use crate::error::{CapacityExceeded, OutOfBounds};
use crate::pool::Home;

/// No allocation that grows by itself is smaller than this.
const GROWTH_BYTES_MIN: u32 = 64;

/// How much of a block's size the rest of a split buffer asks for again when it must move, so
/// that a loop of "write, split off" does not end up with tiny blocks.
const REST_HINT_BYTES_MAX: u32 = 64 * 1024;

pub(crate) struct Window {
    start: NonNull<u8>,
    block: Option<Block>,
    capacity: u32,
    max: u32,
    reader: u32,
    writer: u32,
}

// SAFETY: a window owns its bytes alone (invariant 3), and `Block` is `Send`.
unsafe impl Send for Window {}
// SAFETY: `&Window` only reads, and only its own bytes; `Block` is `Sync`.
unsafe impl Sync for Window {}

/// The error's path is kept out of the callers' straight line.
#[cold]
#[inline(never)]
fn short(needed: usize, available: usize) -> OutOfBounds {
    OutOfBounds { needed, available }
}

// Making one.
impl Window {
    /// No bytes, no allocation.
    #[inline]
    pub(crate) const fn empty(max: u32) -> Self {
        Self { start: NonNull::dangling(), block: None, capacity: 0, max, reader: 0, writer: 0 }
    }

    /// Gives up the bytes, and answers the block that they are of.
    #[inline]
    pub(crate) fn into_block(self) -> Option<Block> {
        self.block
    }

    /// All of a block that was just put into use. `None` when somebody else has a part of it.
    #[inline]
    pub(crate) fn whole(block: Block, max: u32) -> Option<Self> {
        if !block.is_unique() {
            return None;
        }
        let capacity = block.capacity().min(max);
        Some(Self { start: block.data(), block: Some(block), capacity, max, reader: 0, writer: 0 })
    }

    /// `capacity` zeroes to write on.
    pub(crate) fn zeroed(capacity: u32, max: u32) -> Self {
        if capacity == 0 {
            return Self::empty(max);
        }
        Self::whole(Block::zeroed(capacity), max).expect("a fresh block is not shared")
    }

    /// A copy of `bytes`, all readable, with `capacity` bytes of room in all.
    ///
    /// # Panics
    /// When `bytes` does not fit `capacity` or `max`.
    pub(crate) fn copied(bytes: &[u8], capacity: u32, max: u32) -> Self {
        if capacity == 0 {
            assert!(bytes.is_empty(), "bytes beyond capacity");
            return Self::empty(max);
        }
        let mut window =
            Self::whole(Block::copied(bytes, capacity), max).expect("a fresh block is not shared");
        window.advance_writer(bytes.len()).expect("bytes beyond max capacity");
        window
    }

    /// All of `bytes`, readable; shared until somebody wants to write, for which `home` has room.
    ///
    /// # Panics
    /// When they are 4 GiB or more.
    pub(crate) fn lent(bytes: Bytes, home: Option<Arc<Home>>, max: u32) -> Self {
        if bytes.is_empty() {
            return Self::empty(max);
        }
        let block = Block::lent(bytes, home);
        let capacity = block.capacity();
        // The bytes do not move with their handle, and the block keeps it.
        let start =
            block.lender().map_or(NonNull::dangling(), |bytes| NonNull::from(&bytes[..]).cast());
        Self { start, block: Some(block), capacity, max, reader: 0, writer: capacity }
    }

    /// Whether the bytes are somebody else's, too.
    #[inline]
    pub(crate) fn is_lent(&self) -> bool {
        self.block.as_ref().is_some_and(|block| block.lender().is_some())
    }

    /// The readable bytes as what was lent, if they are of a lent block.
    pub(crate) fn lender(&self) -> Option<Bytes> {
        let bytes = self.block.as_ref()?.lender()?;
        Some(bytes.slice_ref(self.readable()))
    }
}

// The indexes.
impl Window {
    #[inline]
    pub(crate) fn reader(&self) -> usize {
        self.reader as usize
    }

    #[inline]
    pub(crate) fn writer(&self) -> usize {
        self.writer as usize
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    #[inline]
    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    #[inline]
    pub(crate) fn readable_len(&self) -> usize {
        (self.writer - self.reader) as usize
    }

    #[inline]
    pub(crate) fn writable_len(&self) -> usize {
        (self.capacity - self.writer) as usize
    }

    /// Moves the reader index `n` bytes on.
    #[inline]
    pub(crate) fn advance_reader(&mut self, n: usize) -> Result<(), OutOfBounds> {
        if n > self.readable_len() {
            return Err(short(n, self.readable_len()));
        }
        self.reader += n as u32;
        Ok(())
    }

    /// Moves the writer index `n` bytes on.
    #[inline]
    pub(crate) fn advance_writer(&mut self, n: usize) -> Result<(), OutOfBounds> {
        if n > self.writable_len() {
            return Err(short(n, self.writable_len()));
        }
        self.writer += n as u32;
        Ok(())
    }

    /// Sets both indexes.
    #[inline]
    pub(crate) fn set_indexes(&mut self, reader: usize, writer: usize) -> Result<(), OutOfBounds> {
        if writer > self.capacity() {
            return Err(short(writer, self.capacity()));
        }
        if reader > writer {
            return Err(short(reader, writer));
        }
        if writer < self.capacity() {
            self.own();
        }
        self.reader = reader as u32;
        self.writer = writer as u32;
        Ok(())
    }

    /// Sets the limit for growing, but not below what is written already.
    pub(crate) fn set_max(&mut self, max: u32) {
        self.max = max.max(self.writer);
        self.capacity = self.capacity.min(self.max);
    }
}

// The bytes.
impl Window {
    /// The bytes between the indexes.
    #[inline]
    pub(crate) fn readable(&self) -> &[u8] {
        // SAFETY: invariants 1 to 4; with capacity 0 it is an empty slice at a pointer that is
        // not null, which is all an empty slice of bytes asks for.
        unsafe {
            slice::from_raw_parts(
                self.start.as_ptr().add(self.reader as usize),
                self.readable_len(),
            )
        }
    }

    /// The bytes between the indexes.
    #[inline]
    pub(crate) fn readable_mut(&mut self) -> &mut [u8] {
        self.own();
        // SAFETY: as in `readable`, and `&mut self` makes the access exclusive.
        unsafe {
            slice::from_raw_parts_mut(
                self.start.as_ptr().add(self.reader as usize),
                self.readable_len(),
            )
        }
    }

    /// The bytes before the writer index.
    #[inline]
    pub(crate) fn written(&self) -> &[u8] {
        // SAFETY: invariants 1 to 4.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.writer()) }
    }

    /// The bytes before the writer index.
    #[inline]
    pub(crate) fn written_mut(&mut self) -> &mut [u8] {
        self.own();
        // SAFETY: invariants 1 to 4, and `&mut self` makes the access exclusive.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.writer()) }
    }

    /// The bytes behind the writer index.
    #[inline]
    pub(crate) fn spare_mut(&mut self) -> &mut [u8] {
        // SAFETY: invariants 1 to 4, and `&mut self` makes the access exclusive; nothing is spare in
        // a lent block (invariant 5).
        unsafe {
            slice::from_raw_parts_mut(
                self.start.as_ptr().add(self.writer as usize),
                self.writable_len(),
            )
        }
    }
}

// Bytes and index in one step: one check, and the index is not read again after the bytes.
impl Window {
    /// Moves the reader index over `n` bytes and gives them.
    #[inline]
    pub(crate) fn consume(&mut self, n: usize) -> Result<&[u8], OutOfBounds> {
        let from = self.reader as usize;
        self.advance_reader(n)?;
        // SAFETY: from + n = reader <= writer, so these bytes are ours (invariants 1 to 4).
        Ok(unsafe { slice::from_raw_parts(self.start.as_ptr().add(from), n) })
    }

    /// Moves the writer index over `n` bytes, growing as needed, and gives them to be written.
    #[inline]
    pub(crate) fn claim(&mut self, n: usize) -> Result<&mut [u8], CapacityExceeded> {
        self.ensure_writable(n)?;
        debug_assert!(n <= self.writable_len());
        let from = self.writer as usize;
        self.writer += n as u32;
        // SAFETY: `ensure_writable` made room, so from + n = writer <= capacity and the bytes
        // are ours and initialised (invariants 1 to 4); `&mut self` makes the access exclusive, and
        // nothing is left of a lent block unless n is 0 (invariant 5).
        Ok(unsafe { slice::from_raw_parts_mut(self.start.as_ptr().add(from), n) })
    }
}

// Splitting; moving and growing is in `room`.
impl Window {
    /// Splits the first `n` readable bytes off. Both windows go on without the bytes that were
    /// read before; the front has no spare room, the rest keeps all of it.
    #[inline(always)]
    pub(crate) fn split_front(&mut self, n: usize) -> Result<Self, OutOfBounds> {
        if n > self.readable_len() {
            return Err(short(n, self.readable_len()));
        }
        let length = n as u32;
        let end = self.reader + length;
        let front = Self {
            // SAFETY: reader <= capacity, so this is inside the block (invariants 1 and 2).
            start: unsafe { self.start.add(self.reader as usize) },
            // Nothing to share when n is 0 (see `Block::share`: a share takes at least one
            // byte); then the front is an empty window without a block.
            block: self.block.as_mut().filter(|_| n > 0).map(Block::share),
            capacity: length,
            max: self.max,
            reader: 0,
            writer: length,
        };
        // SAFETY: end = reader + n <= writer <= capacity, so inside the block or at its end.
        self.start = unsafe { self.start.add(end as usize) };
        self.capacity -= end;
        self.writer -= end;
        self.reader = 0;
        Ok(front)
    }
}

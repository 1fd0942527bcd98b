//! The memory that received frames share.
//!
//! Frames are read one behind the other into a block, and are slices of it from then on; so a turn's
//! worth of frames costs one allocation, or none: a block that nobody holds any more is read into
//! again, the one that was filled last first, because the processor's caches still know it.
//!
//! A block is zeroed when it is made and never again: what is behind the frames of a batch is what an
//! earlier one left there, and nobody gets to see it.
//!
//! A batch that is short for its block is copied out: a stored frame keeps at most
//! [`KEPT_PER_BYTE`] times its batch's bytes alive. And what is stored for long (unread, out of order)
//! keeps whole blocks alive, whoever else the frames in them were for: so only [`LENT_BYTES_MAX`] of
//! blocks are out at a time. Beyond that every frame gets memory of its own, of just its size.

use bytes::{Bytes, BytesMut};

/// A batch that fills less of a block than one part in so many is copied out of it.
const KEPT_PER_BYTE: usize = 16;

/// How many bytes of blocks are lent at a time. A turn that a fast sender fills finds blocks for all of
/// it, many times over.
const LENT_BYTES_MAX: usize = 16 << 20;

/// How many blocks are still remembered when nothing came for some turns.
const REMEMBERED_AT_REST: usize = 2;

/// Blocks of one capacity.
#[derive(Debug)]
pub(super) struct Blocks {
    capacity: usize,
    /// A block that was not lent.
    spare: Option<BytesMut>,
    /// One more handle to each block that is lent, or was, the latest last.
    lent: Vec<Bytes>,
}

impl Blocks {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, spare: None, lent: Vec::new() }
    }

    /// A block to write into, all of it.
    pub(super) fn take(&mut self) -> BytesMut {
        let block = self.spare.take().or_else(|| self.reclaim());
        block.unwrap_or_else(|| BytesMut::zeroed(self.capacity))
    }

    /// A block that was taken and not used: nothing came. Memory that a burst has needed goes, one
    /// block each time.
    pub(super) fn put_back(&mut self, block: BytesMut) {
        self.spare = Some(block);
        if self.lent.len() > REMEMBERED_AT_REST {
            self.lent.remove(0);
        }
    }

    /// The first `len` bytes of `block`, to be cut into frames; or the block again, because too many
    /// are out: then frames are copied, and it is [returned](Self::give_back).
    pub(super) fn lend(&mut self, block: BytesMut, len: usize) -> Result<Bytes, BytesMut> {
        if len < self.capacity / KEPT_PER_BYTE {
            let copy = Bytes::copy_from_slice(&block[..len]);
            self.spare = Some(block);
            return Ok(copy);
        }
        if (self.lent.len() + 1) * self.capacity > LENT_BYTES_MAX && !self.lent.is_empty() {
            // One that nobody holds any more is freed: there will be others.
            match self.lent.iter().position(Bytes::is_unique) {
                Some(free) => drop(self.lent.remove(free)),
                None => return Err(block),
            }
        }
        let bytes = block.freeze();
        self.lent.push(bytes.clone());
        Ok(bytes)
    }

    /// A block that was not lent after all.
    pub(super) fn give_back(&mut self, block: BytesMut) {
        self.spare = Some(block);
    }

    fn reclaim(&mut self) -> Option<BytesMut> {
        let latest = self.lent.iter().rposition(Bytes::is_unique)?;
        self.lent.remove(latest).try_into_mut().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(blocks: &mut Blocks, len: usize) -> Bytes {
        let mut block = blocks.take();
        block[..len].fill(7);
        blocks.lend(block, len).expect("few are out")
    }

    #[test]
    fn a_block_that_nobody_holds_is_used_again_the_latest_first() {
        let mut blocks = Blocks::new(4096);
        let (first, second) = (filled(&mut blocks, 4000), filled(&mut blocks, 4000));
        let places = [first.as_ptr(), second.as_ptr()];
        assert_ne!(places[0], places[1]);
        drop((first, second));
        let third = blocks.take();
        assert_eq!((third.as_ptr(), third.len()), (places[1], 4096));
        assert_eq!(blocks.take().as_ptr(), places[0]);
    }

    #[test]
    fn a_block_in_use_is_left_alone() {
        let mut blocks = Blocks::new(4096);
        let held = filled(&mut blocks, 4000).slice(10..20);
        blocks.take().fill(9);
        assert_eq!(held, [7; 10][..]);
    }

    #[test]
    fn a_short_batch_does_not_keep_its_block() {
        let mut blocks = Blocks::new(4096);
        let short = filled(&mut blocks, 255);
        assert_eq!(short, [7; 255][..]);
        assert!(blocks.lent.is_empty() && blocks.spare.is_some());
        filled(&mut blocks, 256);
        assert_eq!(blocks.lent.len(), 1);
    }

    #[test]
    fn what_is_lent_is_bounded_whoever_holds_it() {
        let capacity = 1 << 20;
        let most = LENT_BYTES_MAX / capacity;
        let mut blocks = Blocks::new(capacity);
        // A byte of each is enough to keep it.
        let mut held: Vec<Bytes> =
            (0..most).map(|_| filled(&mut blocks, capacity).slice(..1)).collect();
        for _ in 0..3 {
            let block = blocks.take();
            let block = blocks.lend(block, capacity).expect_err("all are out");
            blocks.give_back(block);
        }
        assert_eq!(blocks.lent.len(), most);
        // One comes back, and is the next.
        let place = held.remove(5).as_ptr();
        blocks.spare = None;
        assert_eq!(filled(&mut blocks, capacity).as_ptr(), place);
    }

    #[test]
    fn memory_goes_when_nothing_comes() {
        let mut blocks = Blocks::new(1 << 20);
        let held: Vec<Bytes> = (0..9).map(|_| filled(&mut blocks, 1 << 20)).collect();
        assert_eq!(blocks.lent.len(), 9);
        drop(held);
        for _ in 0..9 {
            let block = blocks.take();
            blocks.put_back(block);
        }
        assert_eq!(blocks.lent.len(), REMEMBERED_AT_REST);
        // One that is larger than all that may be out is still lent, and used again.
        let mut large = Blocks::new(LENT_BYTES_MAX * 2);
        drop(filled(&mut large, LENT_BYTES_MAX));
        assert_eq!(large.lent.len(), 1);
    }
}

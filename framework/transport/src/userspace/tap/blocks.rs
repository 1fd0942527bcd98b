//! The memory that received frames share.
//!
//! Frames are read one behind the other into a block, and are slices of it from then on; so a turn's
//! worth of frames costs one allocation, or none: a block that nobody holds any more is read into
//! again, the one that was filled last first, because the processor's caches still know it.
//!
//! A batch that is short for its block is copied out: a stored frame keeps at most
//! [`KEPT_PER_BYTE`] times its batch's bytes alive.

use bytes::Bytes;

/// A batch that fills less of a block than one part in so many is copied out of it.
const KEPT_PER_BYTE: usize = 16;

/// How many blocks are remembered for another use; what is lent beyond that is freed by its users.
const REMEMBERED_MAX: usize = 8;

/// Blocks of one capacity.
#[derive(Debug)]
pub(super) struct Blocks {
    capacity: usize,
    /// A block that was not lent.
    spare: Option<Vec<u8>>,
    /// One more handle to each block that was lent, the latest last.
    lent: Vec<Bytes>,
}

impl Blocks {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, spare: None, lent: Vec::new() }
    }

    /// An empty block.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.spare
            .take()
            .or_else(|| self.reclaim())
            .unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// A block that was taken and stays empty.
    pub(super) fn put_back(&mut self, mut block: Vec<u8>) {
        block.clear();
        self.spare = Some(block);
    }

    /// What was read into `block`, to be cut into frames.
    pub(super) fn lend(&mut self, block: Vec<u8>) -> Bytes {
        if block.len() < self.capacity / KEPT_PER_BYTE {
            let copy = Bytes::copy_from_slice(&block);
            self.put_back(block);
            return copy;
        }
        if self.lent.len() == REMEMBERED_MAX {
            self.lent.remove(0);
        }
        let bytes = Bytes::from(block);
        self.lent.push(bytes.clone());
        bytes
    }

    fn reclaim(&mut self) -> Option<Vec<u8>> {
        let latest = self.lent.iter().rposition(Bytes::is_unique)?;
        let mut block = self.lent.remove(latest).try_into_mut().ok()?;
        // Emptied before it becomes a vector again, so that nothing is moved.
        block.clear();
        let block = Vec::from(block);
        (block.capacity() >= self.capacity).then_some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(blocks: &mut Blocks, len: usize) -> Bytes {
        let mut block = blocks.take();
        block.resize(len, 7);
        blocks.lend(block)
    }

    #[test]
    fn a_block_that_nobody_holds_is_used_again_the_latest_first() {
        let mut blocks = Blocks::new(4096);
        let (first, second) = (filled(&mut blocks, 4000), filled(&mut blocks, 4000));
        let places = [first.as_ptr(), second.as_ptr()];
        assert_ne!(places[0], places[1]);
        drop((first, second));
        let third = blocks.take();
        assert_eq!((third.as_ptr(), third.len(), third.capacity()), (places[1], 0, 4096));
        assert_eq!(blocks.take().as_ptr(), places[0]);
    }

    #[test]
    fn a_block_in_use_is_left_alone() {
        let mut blocks = Blocks::new(4096);
        let held = filled(&mut blocks, 4000).slice(10..20);
        let mut next = blocks.take();
        next.resize(4096, 9);
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
    fn no_more_blocks_are_remembered_than_the_limit() {
        let mut blocks = Blocks::new(64);
        let held: Vec<Bytes> = (0..REMEMBERED_MAX + 5).map(|_| filled(&mut blocks, 64)).collect();
        assert_eq!(blocks.lent.len(), REMEMBERED_MAX);
        drop(held);
        let count = (0..).take_while(|_| blocks.reclaim().is_some()).count();
        assert_eq!(count, REMEMBERED_MAX);
    }
}

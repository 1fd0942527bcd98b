//! The out-of-order receive queue: what arrived beyond RCV.NXT, and what to tell the sender of it.
//!
//! ```text
//!   RCV.NXT        range            range
//!      |  hole  [piece piece]  hole [piece]  ...   right edge of the window
//! ```
//! A segment in order passes through without touching memory. Out of order, ranges are kept by
//! position and merge when they meet. What was received first wins, byte for byte: a retransmission
//! with other bytes changes nothing, whatever it overlaps.
//!
//! A peer chooses how many holes there are and how small the pieces, so the ranges are counted (the
//! farthest goes first, and RFC 2018, section 8, allows to take back what was only SACKed), small
//! pieces are copied out of the frame they would pin, and a range of many small pieces is copied
//! together.

mod queue;

use alloc::boxed::Box;

use bytes::{Buf, Bytes};

use super::{SackBlocks, SeqNum};
use queue::Queue;

/// What became of a segment's payload.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// The bytes that are next for the application; empty unless the segment began at or before
    /// RCV.NXT. After them comes what [`Assembler::pop`] yields.
    pub in_order: Bytes,
    /// How many bytes were new, in order or not.
    pub new: u32,
    /// How many bytes had been received before.
    pub duplicate: u32,
    /// How many bytes were dropped: beyond the right edge, or the farthest when there are too many
    /// ranges (these may have come with an earlier segment).
    pub dropped: u32,
}

/// The out-of-order queue of one connection; without holes it holds no memory.
#[derive(Debug)]
pub struct Assembler {
    next: SeqNum,
    ranges_max: u16,
    /// The duplicate to report in the next ACK (RFC 2883).
    duplicate: Option<(SeqNum, SeqNum)>,
    queue: Option<Box<Queue>>,
}

impl Assembler {
    /// The usual bound on ranges: more holes than that are no accident of a network.
    pub const RANGES_MAX: u16 = 1024;

    /// An empty queue that waits for `next` (RCV.NXT) and keeps at most `ranges_max` ranges.
    #[must_use]
    pub fn new(next: SeqNum, ranges_max: u16) -> Self {
        Self { next, ranges_max: ranges_max.max(1), duplicate: None, queue: None }
    }

    /// RCV.NXT: the sequence number of the next byte in order.
    #[must_use]
    pub fn next(&self) -> SeqNum {
        self.next
    }

    /// Counts a SYN or FIN that was received in order.
    pub fn skip(&mut self, count: u32) {
        self.next += count;
        if let Some(queue) = &mut self.queue {
            queue.forget_before(self.next);
        }
        self.release();
    }

    /// Takes the payload that begins at `seq`. `right_edge` is RCV.NXT + RCV.WND as advertised.
    ///
    /// What the result calls in order is handed over with it; then [`pop`](Self::pop) until it
    /// yields nothing.
    #[inline]
    pub fn insert(&mut self, seq: SeqNum, payload: Bytes, right_edge: SeqNum) -> Inserted {
        let room = right_edge.saturating_distance_from(seq) as usize;
        if seq == self.next && self.queue.is_none() && payload.len() <= room {
            let new = count(payload.len());
            self.next += new;
            return Inserted { in_order: payload, new, ..Inserted::default() };
        }
        self.insert_slow(seq, payload, right_edge)
    }

    #[cold]
    fn insert_slow(&mut self, mut seq: SeqNum, mut payload: Bytes, right_edge: SeqNum) -> Inserted {
        let mut done = Inserted::default();
        let room = right_edge.saturating_distance_from(seq) as usize;
        let whole = payload.len();
        done.dropped = count(whole.saturating_sub(room));
        payload.truncate(room);
        if payload.is_empty() {
            return done;
        }
        let old = self.next.saturating_distance_from(seq).min(count(payload.len()));
        if old > 0 {
            done.duplicate = old;
            self.duplicate = Some((seq, seq + old));
            payload.advance(old as usize);
            seq += old;
        }
        if payload.len() < whole / 2 {
            // The rest of a long segment does not keep all of it alive.
            payload = Bytes::copy_from_slice(&payload);
        }
        if seq == self.next && !payload.is_empty() {
            let free = match &self.queue {
                Some(queue) => queue.free_from(seq).min(count(payload.len())),
                None => count(payload.len()),
            };
            done.in_order = payload.split_to(free as usize);
            done.new = free;
            self.next += free;
            seq += free;
        }
        if !payload.is_empty() {
            self.enqueue(seq, payload, &mut done);
        }
        done
    }

    fn enqueue(&mut self, seq: SeqNum, payload: Bytes, done: &mut Inserted) {
        let queue = self.queue.get_or_insert_with(|| Box::new(Queue::new(self.next)));
        let before = done.duplicate;
        let first = queue.insert(seq, payload, done);
        // The first duplicate run is what one option can report (RFC 2883, section 4).
        if before == 0
            && let Some(run) = first
        {
            self.duplicate = Some(run);
        }
        queue.touch(seq);
        while queue.ranges() > usize::from(self.ranges_max) {
            done.dropped += queue.drop_farthest();
        }
    }

    /// The next piece in order, and RCV.NXT goes on behind it.
    pub fn pop(&mut self) -> Option<Bytes> {
        let piece = self.queue.as_mut()?.pop(self.next);
        match &piece {
            Some(piece) => self.next += count(piece.len()),
            None => self.release(),
        }
        piece
    }

    fn release(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.ranges() == 0) {
            self.queue = None;
        }
    }

    /// Whether nothing waits out of order.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.ranges() == 0)
    }

    /// How many bytes wait out of order.
    #[must_use]
    pub fn queued(&self) -> u32 {
        self.queue.as_ref().map_or(0, |queue| queue.bytes())
    }

    /// What these bytes cost at most, with the lists that they stand in: a peer that sends single bytes
    /// makes a host keep much more than these.
    #[must_use]
    pub fn cost(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.cost())
    }

    /// How many ranges wait.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.ranges())
    }

    /// The sequence number after the last byte that was received, in order or not.
    #[must_use]
    pub fn highest(&self) -> SeqNum {
        self.queue.as_ref().and_then(|queue| queue.highest()).unwrap_or(self.next)
    }

    /// Whether the next ACK should report a duplicate (RFC 2883).
    #[must_use]
    pub fn has_duplicate(&self) -> bool {
        self.duplicate.is_some()
    }

    /// Remembers that a segment came entirely before RCV.NXT, or outside the window, so that its
    /// numbers are reported as a duplicate in the next ACK (RFC 2883).
    pub fn note_duplicate(&mut self, left: SeqNum, right: SeqNum) {
        if left.is_before(right) {
            self.duplicate = Some((left, right.min(self.next)));
        }
    }

    /// The blocks for an ACK, at most `max`: the duplicate (once), then the range that was touched
    /// last, then the ranges touched before (RFC 2018, section 4).
    pub fn sack_blocks(&mut self, max: usize) -> SackBlocks {
        let mut blocks = SackBlocks::EMPTY;
        let max = max.min(SackBlocks::MAX);
        if max == 0 {
            return blocks;
        }
        let duplicate = self.duplicate.take();
        if let Some((left, right)) = duplicate {
            blocks.push(left, right);
        }
        if let Some(queue) = &self.queue {
            // The range around the duplicate is the most recent one, because inserting the
            // duplicate touched it: it stands right behind, as RFC 2883 wants it.
            queue.report(&mut blocks, max);
        }
        blocks
    }

    /// Drops everything out of order, when memory is short (RFC 2018, section 8, allows it).
    pub fn clear(&mut self) -> u32 {
        self.queue.take().map_or(0, |queue| queue.bytes())
    }

    /// How many ranges and pieces were touched since the queue was last empty. For tests and figures.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.steps())
    }

    /// Whether ranges are in order, apart, beyond RCV.NXT and as long as counted. For tests.
    #[must_use]
    pub fn check(&self) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.check(self.next))
    }
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

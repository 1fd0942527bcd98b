//! Ranges beyond RCV.NXT by position, and which were touched last.
//!
//! Positions are sequence numbers unwrapped to 64 bits, so that a queue that is never empty may live
//! longer than one turn of the circle.

use alloc::collections::{BTreeMap, VecDeque};
use core::mem;

use bytes::{Buf, Bytes, BytesMut};

use super::{Inserted, SackBlocks, SeqNum, count};

/// Pieces shorter than this are copied, so that they do not pin the frame they came in.
const COPY_BYTES_MAX: usize = 512;

/// A range may have this many pieces, and one more for each [`PIECE_BYTES_MEAN`] bytes.
const PIECES_FREE: usize = 8;
const PIECE_BYTES_MEAN: usize = 256;

/// What the queue, a range and a byte of a range in its pieces cost at most, besides the byte itself:
/// places in lists that have grown ahead, and what an allocator makes of single bytes.
const QUEUE_BYTES: usize = 256;
const RANGE_BYTES: usize = 512;

/// How many ranges are remembered in the order of their last change: more than any option reports,
/// because some will have merged by the time they are reported.
const RECENT_MAX: usize = 8;

/// Bytes from `start` on without a hole, in pieces.
#[derive(Debug)]
struct Range {
    /// Not less than the range's key: it moves when pieces are taken from the front.
    start: u64,
    end: u64,
    pieces: VecDeque<Bytes>,
}

impl Range {
    fn new(start: u64) -> Self {
        Self { start, end: start, pieces: VecDeque::new() }
    }

    fn len(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }

    fn push(&mut self, piece: Bytes) -> usize {
        if piece.is_empty() {
            return 0;
        }
        self.end += piece.len() as u64;
        let small = piece.len() < COPY_BYTES_MAX;
        self.pieces.push_back(if small { Bytes::copy_from_slice(&piece) } else { piece });
        1
    }

    /// Takes over the pieces of the range that begins where this one ends. The fewer pieces move,
    /// so that no order of arrival makes merging quadratic. Tells how many moved.
    fn join(&mut self, mut right: Self) -> usize {
        self.end = right.end;
        let fewer = self.pieces.len().min(right.pieces.len());
        if self.pieces.len() >= right.pieces.len() {
            self.pieces.append(&mut right.pieces);
        } else {
            let left = mem::replace(&mut self.pieces, right.pieces);
            left.into_iter().rev().for_each(|piece| self.pieces.push_front(piece));
        }
        fewer
    }

    /// Copies the pieces together when they are many for their size; tells how many these were.
    fn compact(&mut self) -> usize {
        let pieces = self.pieces.len();
        if pieces <= PIECES_FREE + self.len() / PIECE_BYTES_MEAN {
            return 0;
        }
        let mut together = BytesMut::with_capacity(self.len());
        self.pieces.drain(..).for_each(|piece| together.extend_from_slice(&piece));
        self.pieces.push_back(together.freeze());
        pieces
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    ranges: BTreeMap<u64, Range>,
    /// A sequence number near all others, and its position.
    base: SeqNum,
    base_at: u64,
    bytes: u32,
    /// A position in each range that was touched lately, the last one first.
    recent: [u64; RECENT_MAX],
    recent_len: u8,
    steps: u64,
}

impl Queue {
    /// An empty queue of numbers beyond `next`.
    pub(super) fn new(next: SeqNum) -> Self {
        Self {
            ranges: BTreeMap::new(),
            base: next,
            // Positions somewhat before the first `next` must not be negative.
            base_at: 1 << 32,
            bytes: 0,
            recent: [0; RECENT_MAX],
            recent_len: 0,
            steps: 0,
        }
    }

    pub(super) fn ranges(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// See [`Assembler::cost`](super::Assembler::cost). A range has few pieces, and one more for each so
    /// many bytes: a quarter of these is more than a place in a list that has grown ahead.
    pub(super) fn cost(&self) -> usize {
        let bytes = self.bytes as usize;
        QUEUE_BYTES + RANGE_BYTES * self.ranges.len() + bytes + bytes / 4
    }

    pub(super) fn highest(&self) -> Option<SeqNum> {
        self.ranges.last_key_value().map(|(_, range)| self.number(range.end))
    }

    fn position(&self, seq: SeqNum) -> u64 {
        self.base_at.wrapping_add_signed(i64::from(seq.distance_from(self.base)))
    }

    fn number(&self, position: u64) -> SeqNum {
        // The low 32 bits of the difference are the difference of the numbers.
        self.base + (position.wrapping_sub(self.base_at) & 0xffff_ffff) as u32
    }

    /// Moves the base along, so that it stays near the numbers to come.
    fn anchor(&mut self, next: SeqNum) {
        self.base_at = self.position(next);
        self.base = next;
    }

    /// How many numbers from `next` (RCV.NXT) on are not in the queue before the first that is.
    pub(super) fn free_from(&self, next: SeqNum) -> u32 {
        let at = self.position(next);
        let first = self.ranges.first_key_value().map_or(u64::MAX, |(_, range)| range.start);
        u32::try_from(first.saturating_sub(at)).unwrap_or(u32::MAX)
    }

    /// The key of the range that contains `position` or ends there.
    fn around(&self, position: u64) -> Option<u64> {
        let (key, range) = self.ranges.range(..=position).next_back()?;
        (range.end >= position).then_some(*key)
    }

    /// Keeps what of `payload` is new; counts in `done`; tells the first run that is not.
    pub(super) fn insert(
        &mut self,
        seq: SeqNum,
        mut payload: Bytes,
        done: &mut Inserted,
    ) -> Option<(SeqNum, SeqNum)> {
        let mut at = self.position(seq);
        let end = at + payload.len() as u64;
        let mut duplicate = None;
        let key = self.around(at).unwrap_or(at);
        let mut current = self.ranges.remove(&key).unwrap_or_else(|| Range::new(at));
        let known = current.end.min(end);
        if known > at {
            duplicate = Some((at, known));
            payload.advance(usize::try_from(known - at).unwrap_or(usize::MAX));
            done.duplicate += length(at, known);
            at = known;
        }
        while at < end {
            let next = self.ranges.range(key..).next().map(|(key, range)| (*key, range.start));
            let Some((next_key, next_start)) = next.filter(|(_, start)| *start <= end) else {
                break;
            };
            done.new += length(at, next_start);
            self.bytes += length(at, next_start);
            let part = payload.split_to(usize::try_from(next_start - at).unwrap_or(0));
            let Some(right) = self.ranges.remove(&next_key) else { break };
            let known = right.end.min(end);
            self.steps += (current.push(part) + current.join(right) + 1) as u64;
            if known > next_start {
                duplicate = duplicate.or(Some((next_start, known)));
                done.duplicate += length(next_start, known);
                payload.advance(usize::try_from(known - next_start).unwrap_or(0));
            }
            at = known;
        }
        done.new += length(at, end);
        self.bytes += length(at, end);
        self.steps += (current.push(payload) + current.compact() + 1) as u64;
        self.ranges.insert(key, current);
        duplicate.map(|(left, right)| (self.number(left), self.number(right)))
    }

    /// Remembers that the range with `seq` changed last.
    pub(super) fn touch(&mut self, seq: SeqNum) {
        let at = self.position(seq);
        let Some(range) = self.around(at).and_then(|key| self.ranges.get(&key)) else { return };
        let mut kept = [at; RECENT_MAX];
        let mut len = 1;
        for &other in &self.recent[..usize::from(self.recent_len)] {
            if (other < range.start || other >= range.end) && len < RECENT_MAX {
                kept[len] = other;
                len += 1;
            }
        }
        self.recent = kept;
        self.recent_len = len as u8;
    }

    /// Drops the last range and tells how many bytes it had.
    pub(super) fn drop_farthest(&mut self) -> u32 {
        let Some((_, range)) = self.ranges.pop_last() else { return 0 };
        let bytes = count(range.len());
        self.bytes -= bytes;
        bytes
    }

    /// The piece at `next` (RCV.NXT), if it is there.
    pub(super) fn pop(&mut self, next: SeqNum) -> Option<Bytes> {
        self.anchor(next);
        let mut first = self.ranges.first_entry()?;
        let range = first.get_mut();
        if range.start != self.base_at {
            return None;
        }
        let piece = range.pieces.pop_front()?;
        range.start += piece.len() as u64;
        if range.pieces.is_empty() {
            first.remove();
        }
        self.bytes -= count(piece.len());
        Some(piece)
    }

    /// Drops what lies before `next`.
    pub(super) fn forget_before(&mut self, next: SeqNum) {
        self.anchor(next);
        while let Some(mut first) = self.ranges.first_entry() {
            let range = first.get_mut();
            let Some(piece) = range.pieces.front_mut().filter(|_| range.start < self.base_at)
            else {
                return;
            };
            let old = (self.base_at - range.start).min(piece.len() as u64);
            piece.advance(usize::try_from(old).unwrap_or(usize::MAX));
            range.start += old;
            self.bytes -= count(usize::try_from(old).unwrap_or(usize::MAX));
            if piece.is_empty() {
                range.pieces.pop_front();
            }
            if range.pieces.is_empty() {
                first.remove();
            }
        }
    }

    /// Adds blocks until there are `max`: ranges touched lately, then the nearest ones.
    pub(super) fn report(&self, blocks: &mut SackBlocks, max: usize) {
        let mut told = [u64::MAX; RECENT_MAX];
        let mut tell = |key: u64, range: &Range, blocks: &mut SackBlocks| {
            let at = blocks.as_slice().len();
            if at < max && !told.contains(&key) {
                told[at] = key;
                blocks.push(self.number(range.start), self.number(range.end));
            }
        };
        for &position in &self.recent[..usize::from(self.recent_len)] {
            let found = self.ranges.range(..=position).next_back();
            if let Some((&key, range)) = found.filter(|(_, range)| range.end > position) {
                tell(key, range, blocks);
            }
        }
        for (&key, range) in self.ranges.iter().take(max) {
            tell(key, range, blocks);
        }
    }

    pub(super) fn check(&self, next: SeqNum) -> bool {
        let mut before = self.position(next);
        let mut bytes = 0;
        for (&key, range) in &self.ranges {
            let pieces: usize = range.pieces.iter().map(Bytes::len).sum();
            if range.start < before || key > range.start || range.len() != pieces || pieces == 0 {
                return false;
            }
            // A range may begin at RCV.NXT, but ranges that touch are one.
            before = range.end + 1;
            bytes += pieces;
        }
        bytes == self.bytes as usize
    }
}

fn length(from: u64, to: u64) -> u32 {
    u32::try_from(to.saturating_sub(from)).unwrap_or(u32::MAX)
}

//! Acknowledgements that the next one says again: of several in a row that carry nothing else, the
//! stack gets the first and the last. A kernel that receives plain segments acknowledges every second
//! of them, so without this the stack would go through its layers once for two frames it sends.
//!
//! Only what a later one makes superfluous is left out. Each must acknowledge more than the one before
//! it, so a duplicate, which means something (RFC 5681, section 2), stays and begins a new row; so
//! does one with SACK blocks or another flag. The first stays because it tells how long the first
//! segment was under way, and because a duplicate is one by what came before. Windows may differ: the
//! latest counts (RFC 9293, section 3.10.7.4).

use super::merge::{ACK, FLAGS, HEADERS_MAX, TRANSPORT};
use super::merge::{checksums_are_right, headers_of, same_flow};

/// Kind and length of the timestamps option behind two NOPs: the usual options, and no others here.
const STAMPS: [u8; 4] = [1, 1, 8, 10];
const STAMPS_AT: usize = TRANSPORT + 20;
const WITH_STAMPS: usize = STAMPS_AT + 12;
const NUMBER: usize = TRANSPORT + 4;
const ACKNOWLEDGED: usize = TRANSPORT + 8;
const VALUE: usize = STAMPS_AT + 4;

/// A row of them.
#[derive(Debug)]
pub(super) struct Row {
    /// Where the last one begins in the block.
    last: usize,
    /// How long each is.
    len: usize,
    /// There is one before the last, which it goes on from.
    goes_on: bool,
}

impl Row {
    /// A row that begins with the frame at `start..end` of `block`, if that is nothing but an
    /// acknowledgement.
    pub(super) fn begin(block: &[u8], start: usize, end: usize) -> Option<Self> {
        let frame = &block[start..end];
        let bare = frame.len() <= HEADERS_MAX
            && headers_of(frame) == Some(frame.len())
            && frame[FLAGS] == ACK
            && (frame.len() == STAMPS_AT || has_stamps(frame));
        bare.then_some(Self { last: start, len: frame.len(), goes_on: false })
    }

    /// Goes on with the frame at `start..end` of `block`; when it says all that the last one said, it
    /// is moved to its place and `true` the answer. A frame that does not go on begins another row,
    /// or none.
    pub(super) fn push(&mut self, block: &mut [u8], start: usize, end: usize) -> Option<bool> {
        let (before, frame) = (&block[self.last..self.last + self.len], &block[start..end]);
        if frame.len() != self.len || !self.is_next(before, frame) {
            *self = Self::begin(block, start, end)?;
            return Some(false);
        }
        if !self.goes_on {
            (self.last, self.goes_on) = (start, true);
            return Some(false);
        }
        block.copy_within(start..end, self.last);
        Some(true)
    }

    /// Whether `frame` says what the last one says, and acknowledges more.
    fn is_next(&self, before: &[u8], frame: &[u8]) -> bool {
        let later = |at: usize| number(frame, at).wrapping_sub(number(before, at)) as i32;
        headers_of(frame) == Some(self.len)
            && frame[FLAGS] == ACK
            && same_flow(frame, before)
            && number(frame, NUMBER) == number(before, NUMBER)
            && later(ACKNOWLEDGED) > 0
            && (self.len == STAMPS_AT || (has_stamps(frame) && later(VALUE) >= 0))
            // One that is not right must not stand for one that is.
            && checksums_are_right(frame, &[])
    }
}

fn has_stamps(frame: &[u8]) -> bool {
    frame.len() == WITH_STAMPS && frame[STAMPS_AT..VALUE] == STAMPS
}

fn number(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
}

#[cfg(test)]
mod tests;

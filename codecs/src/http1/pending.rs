//! What is remembered of requests until they are answered.

use super::facts::Facts;

/// Requests a client may send ahead of their answers; what follows them waits in the buffer.
const PIPELINED_MAX: usize = 32;

/// The requests not answered yet, oldest first: a ring of one byte each.
#[derive(Debug, Default)]
pub(super) struct Pending {
    facts: [Facts; PIPELINED_MAX],
    first: u8,
    len: u8,
}

impl Pending {
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(super) const fn is_full(&self) -> bool {
        self.len as usize == PIPELINED_MAX
    }

    #[inline]
    pub(super) fn push(&mut self, facts: Facts) {
        debug_assert!(!self.is_full(), "nothing is decoded while the queue is full");
        let at = (usize::from(self.first) + usize::from(self.len)) % PIPELINED_MAX;
        self.facts[at] = facts;
        self.len += 1;
    }

    #[inline]
    pub(super) fn front(&mut self) -> Option<&mut Facts> {
        (self.len > 0).then(|| &mut self.facts[usize::from(self.first)])
    }

    pub(super) fn back(&mut self) -> Option<&mut Facts> {
        let last = usize::from(self.len.checked_sub(1)?);
        Some(&mut self.facts[(usize::from(self.first) + last) % PIPELINED_MAX])
    }

    #[inline]
    pub(super) fn pop(&mut self) {
        if self.len > 0 {
            self.first = (self.first + 1) % PIPELINED_MAX as u8;
            self.len -= 1;
        }
    }
}

//! The bytes that sockets hold, together: a bound that no number of connections gets around.
//!
//! Each buffer has its own limit, but a million of them do not. So what sockets hold is counted, and
//! the count decides (as Linux's `tcp_mem` does):
//!
//! | held, of the limit | then |
//! |---|---|
//! | three quarters | *tight*: buffers do not grow, windows and send buffers are a few segments |
//! | all of it | *full*: new connections are refused; text is taken by who has none only; who holds bytes for a peer that takes none ends, the longest stalled first |
//!
//! What was offered to a peer stays offered, so that the sum can pass the limit by a segment for each
//! connection, and by one write.

use alloc::collections::VecDeque;

/// Entries of the queue that may be stale before it is looked through.
const STALE_FREE: usize = 64;

/// What sockets hold.
#[derive(Debug)]
pub(crate) struct Memory {
    held: usize,
    max: usize,
    /// Connections by index and generation that hold bytes for a peer that takes none, the longest
    /// first. Those that have recovered since, or are gone, are dropped when they are met.
    stalled: VecDeque<(u32, u32)>,
}

impl Memory {
    pub(crate) fn new(max: usize) -> Self {
        Self { held: 0, max, stalled: VecDeque::new() }
    }

    /// Bytes that sockets hold.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// A socket that held `before` bytes holds `after` now.
    #[inline]
    pub(crate) fn change(&mut self, before: usize, after: usize) {
        self.held = self.held.wrapping_add(after).wrapping_sub(before);
    }

    /// Whether buffers must stay small.
    #[inline]
    pub(crate) fn is_tight(&self) -> bool {
        self.held >= self.max - self.max / 4
    }

    /// Whether nothing more may be kept.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.held >= self.max
    }

    /// A connection has stalled.
    pub(crate) fn push_stalled(&mut self, index: u32, generation: u32) {
        self.stalled.push_back((index, generation));
    }

    /// The connection that stalled first.
    pub(crate) fn pop_stalled(&mut self) -> Option<(u32, u32)> {
        self.stalled.pop_front()
    }

    /// Whether the queue is to be looked through, because most of it may be stale: `sockets` are
    /// there in all.
    pub(crate) fn is_overgrown(&self, sockets: usize) -> bool {
        self.stalled.len() > 2 * sockets + STALE_FREE
    }

    /// Keeps those for which `keep` says so.
    pub(crate) fn retain_stalled(&mut self, keep: impl FnMut(&(u32, u32)) -> bool) {
        self.stalled.retain(keep);
        self.stalled.shrink_to(2 * self.stalled.len() + STALE_FREE);
    }
}

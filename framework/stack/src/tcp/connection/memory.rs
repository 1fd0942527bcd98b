//! What a connection holds, and what it does when its host is short of memory: buffers that were
//! offered are kept (the right edge never shrinks), but no more is offered than a trickle needs.

use super::{Connection, Receive, Send};
use crate::tcp::{CloseReason, SeqNum};

/// What a connection may hold in each direction while memory is short; two segments, when these are
/// more. Enough that something always moves: a connection that holds nothing has room.
const TIGHT_BYTES: u32 = 4096;

/// Time-outs or probes in a row after which a connection counts as stalled.
const STALLED_ATTEMPTS: u8 = 2;

impl Send {
    /// How much may be written and not acknowledged.
    pub(super) fn limit(&self) -> u32 {
        if self.tight { self.capacity.min(TIGHT_BYTES) } else { self.capacity }
    }
}

impl Receive {
    /// How much may be received and not read.
    pub(super) fn limit(&self) -> u32 {
        let tight = TIGHT_BYTES.max(2 * u32::from(self.segment));
        if self.tight { self.buffer.min(tight) } else { self.buffer }
    }
}

impl Connection {
    /// Whether the host is short of memory: windows and send buffers stay small until it is not.
    pub fn set_tight(&mut self, tight: bool) {
        self.send.tight = tight;
        self.receive.tight = tight;
    }

    /// Bytes that are kept for either side: unread, out of order, not acknowledged. What a peer can
    /// make much more expensive than its bytes is counted for what it costs: holes, and what it
    /// acknowledges in bits.
    #[must_use]
    pub fn held(&self) -> usize {
        let receive = &self.receive;
        receive.inbox.len() + receive.assembler.cost() + self.send.cost()
    }

    /// Whether a segment at `seq` is the next, and nothing was received that is still here.
    #[must_use]
    pub fn is_waiting_for(&self, seq: SeqNum) -> bool {
        let receive = &self.receive;
        let empty = receive.inbox.is_empty() && receive.assembler.is_empty();
        empty && seq.is_at_most(receive.assembler.next())
    }

    /// Whether it holds bytes for a peer that takes none of them: its window stays closed, it does
    /// not answer, or nobody but the peer is left to care.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        let send = &self.send;
        // Who answers each time-out with a closed window is waited for, and makes none of them one in a
        // row; what counts on is how often the time-out has doubled.
        let closed = send.wnd == 0 && self.rtt.back_offs() >= u32::from(STALLED_ATTEMPTS);
        send.kept() > 0 && (self.orphan || send.attempts >= STALLED_ATTEMPTS || closed)
    }

    /// Ends the connection because its memory is needed.
    pub fn evict(&mut self) {
        self.reset_with(CloseReason::OutOfMemory);
        self.receive.inbox.clear();
    }
}

//! What changed for one side, and whom to wake.
//!
//! Flags gather until the side's loop has collected them; only the first one costs a notice, so
//! a fast writer cannot fill the inbox of a slow loop.

use fyke_core::LoopHandle;
use fyke_core::driver::TransportId;

/// A set of changes that have not become events yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const NONE: Self = Self(0);
    pub(super) const CONNECTED: Self = Self(1);
    pub(super) const ACCEPTABLE: Self = Self(1 << 1);
    pub(super) const READABLE: Self = Self(1 << 2);
    pub(super) const WRITABLE: Self = Self(1 << 3);
    pub(super) const PEER_CLOSED: Self = Self(1 << 4);
    pub(super) const RESET: Self = Self(1 << 5);

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// `self` when `condition` holds.
    pub(super) const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }
}

/// Where a side lives: which key of which transport of which loop.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) handle: LoopHandle,
    pub(super) transport: TransportId,
    pub(super) key: u64,
}

/// The changes of one side, and its seat once it has one.
#[derive(Debug, Default)]
pub(super) struct Signal {
    seat: Option<Seat>,
    pending: Flags,
}

impl Signal {
    /// Notes changes. What it answers is to be sent when the lock has been released.
    pub(super) fn raise(&mut self, flags: Flags) -> Wake {
        let first = self.pending.is_none() && !flags.is_none();
        self.pending = self.pending.with(flags);
        Wake(if first { self.seat.clone() } else { None })
    }

    /// Takes a change back that the loop need not hear of any more.
    pub(super) fn lower(&mut self, flags: Flags) {
        self.pending = self.pending.without(flags);
    }

    /// The changes since the last call.
    pub(super) fn take(&mut self) -> Flags {
        std::mem::take(&mut self.pending)
    }

    /// Gives the side its place; what has gathered before is announced there.
    pub(super) fn seat(&mut self, seat: Seat) -> Wake {
        self.seat = Some(seat);
        Wake(if self.pending.is_none() { None } else { self.seat.clone() })
    }
}

/// A notice to be sent after the lock has been released.
#[derive(Debug)]
#[must_use = "the side would sleep for ever"]
pub(super) struct Wake(Option<Seat>);

impl Wake {
    pub(super) const NONE: Self = Self(None);

    /// Wakes the side's loop. One that has ended needs no waking.
    pub(super) fn send(self) {
        if let Some(seat) = self.0 {
            announce(seat);
        }
    }
}

/// Tells a loop that something of its transport has changed.
pub(super) fn announce(seat: Seat) {
    let _ = seat.handle.notify(seat.transport, seat.key);
}

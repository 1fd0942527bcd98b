//! What a caller wants to hear about one descriptor.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of the conditions to report for one descriptor.
///
/// A hang-up (both directions closed) and an error are always reported, whatever the set says; that is
/// how every system call behind a [`Poller`](crate::Poller) behaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interest(u8);

impl Interest {
    /// Nothing but hang-up and error.
    pub const NONE: Interest = Interest(0);
    /// There is something to read or to accept. The peer's close is always reported with it, so this
    /// contains [`Interest::PEER_CLOSE`].
    pub const READ: Interest = Interest(0b101);
    /// There is room to write, or a connect has ended.
    pub const WRITE: Interest = Interest(0b010);
    /// The peer has closed its sending side. Separate from [`Interest::READ`] so that a channel that has
    /// paused reading still learns of it.
    pub const PEER_CLOSE: Interest = Interest(0b100);

    /// Whether `self` has everything that `other` has.
    pub const fn contains(self, other: Interest) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether reading is asked for.
    pub const fn is_read(self) -> bool {
        self.contains(Interest::READ)
    }

    /// Whether writing is asked for.
    pub const fn is_write(self) -> bool {
        self.contains(Interest::WRITE)
    }

    /// Whether the peer's close is asked for (also true whenever reading is).
    pub const fn is_peer_close(self) -> bool {
        self.contains(Interest::PEER_CLOSE)
    }

    /// Whether nothing is asked for.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The union of both sets; `|` in a constant.
    #[must_use]
    pub const fn union(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.union(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Interest) {
        *self = self.union(other);
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::with_capacity(2);
        match (self.is_read(), self.is_peer_close()) {
            (true, _) => names.push("READ"),
            (false, true) => names.push("PEER_CLOSE"),
            (false, false) => {}
        }
        if self.is_write() {
            names.push("WRITE");
        }
        if names.is_empty() {
            names.push("NONE");
        }
        f.write_str(&names.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_includes_the_peers_close_but_not_the_other_way_round() {
        assert!(Interest::READ.is_peer_close());
        assert!(!Interest::PEER_CLOSE.is_read());
        assert!((Interest::PEER_CLOSE | Interest::READ).is_read());
        assert!(!(Interest::PEER_CLOSE | Interest::WRITE).is_read());
        assert!(Interest::NONE.is_none() && !Interest::WRITE.is_none());
    }

    #[test]
    fn a_set_prints_its_members() {
        assert_eq!(format!("{:?}", Interest::NONE), "NONE");
        assert_eq!(format!("{:?}", Interest::READ | Interest::WRITE), "READ | WRITE");
        assert_eq!(format!("{:?}", Interest::PEER_CLOSE | Interest::WRITE), "PEER_CLOSE | WRITE");
    }
}

//! The lower half of the waist: what waits for the world and can be woken.
//!
//! A [`Driver`] is epoll, poll, select, mio, later io_uring, or the virtual one of a simulation.
//! It knows nothing of channels: it hands back the tokens that transports registered.

use std::any::Any;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Which transport of a loop a token belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TransportId(pub(crate) u8);

/// What a transport registers with a driver: itself in the upper eight bits, its own key below.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token(pub u64);

impl Token {
    const KEY_BITS: u32 = 56;

    /// The token of `key` (at most 56 bits, asserted in debug builds) in the transport `id`.
    #[must_use]
    pub const fn new(id: TransportId, key: u64) -> Self {
        debug_assert!(key >> Self::KEY_BITS == 0);
        Self(((id.0 as u64) << Self::KEY_BITS) | key)
    }

    /// The transport that made this token.
    #[must_use]
    pub const fn transport(self) -> TransportId {
        TransportId((self.0 >> Self::KEY_BITS) as u8)
    }

    /// The transport's own key.
    #[must_use]
    pub const fn key(self) -> u64 {
        self.0 & ((1 << Self::KEY_BITS) - 1)
    }
}

/// What became of a registered token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// Whose it is.
    pub token: Token,
    /// There are bytes, a connection, or an end to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The peer has sent its last byte (unread bytes may still be there).
    pub peer_closed: bool,
    /// Both directions are over, or an error is pending.
    pub hangup: bool,
}

/// Interrupts a [`Driver::wait`] from any thread.
pub trait Wakeup: Send + Sync {
    /// Makes the current or the next wait return at once. Several calls may count as one.
    fn wake(&self);
}

/// Waits, and wakes.
pub trait Driver {
    /// Waits until something registered is ready, the waker is used, or `timeout` has passed
    /// (`None`: for ever), and appends what is ready.
    ///
    /// # Errors
    /// When the operating system refuses to wait; the loop cannot go on then.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Readiness>) -> io::Result<()>;

    /// The handle that interrupts [`wait`](Self::wait).
    fn waker(&self) -> Arc<dyn Wakeup>;

    /// What transports register with. A transport downcasts it to the registry it knows, and
    /// refuses to be built on a driver that is not its own.
    fn registry(&self) -> &dyn Any;
}

impl fmt::Debug for dyn Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

impl fmt::Debug for dyn Wakeup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wakeup")
    }
}

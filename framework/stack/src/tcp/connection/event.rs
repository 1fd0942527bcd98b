//! What the application is told: a set of things that happened, each at most once until it is
//! taken, so that nothing is lost and nothing piles up.

use core::fmt;

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The handshake is complete.
    Connected,
    /// There is data to read that was not there when this was last told.
    Readable,
    /// After a write that did not take everything: there is room again.
    Writable,
    /// The peer has sent its last byte. What came before it can still be read.
    PeerFin,
    /// The connection is over; it sends nothing more and can be dropped, except that in TIME_WAIT
    /// it still answers the peer.
    Closed(CloseReason),
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Both ends said they were done, and both know it.
    Finished,
    /// We aborted it.
    Aborted,
    /// We closed it while the peer still had data for us (RFC 2525, section 2.17).
    ClosedWithUnreadData,
    /// The peer reset it.
    Reset,
    /// The peer answered our SYN with a reset.
    Refused,
    /// Nothing came back for a SYN, for data or for a FIN, however often it was sent.
    TimedOut,
    /// Data was unacknowledged for longer than the user time-out.
    UserTimeout,
    /// A silent peer did not answer our probes.
    KeepAliveTimeout,
    /// We closed it and the peer's FIN did not come in time.
    FinWait2Timeout,
    /// An ICMP error said that the peer cannot be reached.
    Unreachable,
    /// An ICMP error said that nobody listens.
    PortUnreachable,
    /// The host was short of memory, and the peer took nothing of what was kept for it.
    OutOfMemory,
}

impl CloseReason {
    /// Whether time ran out.
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        matches!(
            self,
            Self::TimedOut | Self::UserTimeout | Self::KeepAliveTimeout | Self::FinWait2Timeout
        )
    }

    /// Whether the peer reset the connection.
    #[must_use]
    pub const fn is_reset(self) -> bool {
        matches!(self, Self::Reset | Self::Refused)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "both ends finished",
            Self::Aborted => "aborted",
            Self::ClosedWithUnreadData => "closed with unread data",
            Self::Reset => "reset by peer",
            Self::Refused => "connection refused",
            Self::TimedOut => "timed out",
            Self::UserTimeout => "user time-out",
            Self::KeepAliveTimeout => "no answer to keep-alive probes",
            Self::FinWait2Timeout => "the peer did not finish in time",
            Self::Unreachable => "unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::OutOfMemory => "ended because memory was short",
        })
    }
}

/// Events that wait to be taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Events {
    pub(super) connected: bool,
    pub(super) readable: bool,
    pub(super) peer_fin: bool,
    pub(super) writable: bool,
    pub(super) closed: Option<CloseReason>,
}

impl Events {
    /// The next one, in the order in which they make sense.
    pub(super) fn take(&mut self) -> Option<Event> {
        let taken = [
            (&mut self.connected, Event::Connected),
            (&mut self.readable, Event::Readable),
            (&mut self.peer_fin, Event::PeerFin),
            (&mut self.writable, Event::Writable),
        ];
        for (set, event) in taken {
            if core::mem::take(set) {
                return Some(event);
            }
        }
        self.closed.take().map(Event::Closed)
    }
}

//! What a call can be refused for.

use core::error::Error;
use core::fmt;

use crate::tcp::CloseReason;

/// Why a call on a [`Stack`](crate::Stack) was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StackError {
    /// The id names no socket of this stack any more.
    NoSuchSocket,
    /// The id names no tunnel of this stack any more.
    NoSuchTunnel,
    /// The local address and port are taken.
    AddressInUse,
    /// The address is none of this stack's.
    AddressNotAvailable,
    /// The address is of no use here: unspecified, broadcast, multicast or of the other family.
    InvalidAddress,
    /// No route leads there.
    Unreachable,
    /// Every source port towards that address is taken.
    NoPorts,
    /// A limit of the configuration was reached.
    LimitReached,
    /// There is nothing or no room now; an event, or the call's own words, tell when there is.
    WouldBlock,
    /// The connection is not established, or not yet.
    NotConnected,
    /// This direction of the connection was shut down.
    Shutdown,
    /// The connection is over.
    Closed(CloseReason),
    /// The datagram is longer than the protocol or the path permits.
    MessageTooLong,
    /// The answer to an earlier datagram was an ICMP error: nobody listens there.
    ConnectionRefused,
    /// The option has no such value.
    InvalidOption,
    /// Another of the stacks that are one host owns this: the loop with that index.
    OtherShard(u16),
}

impl StackError {
    /// Whether the same call can succeed later, without anything being wrong.
    #[must_use]
    pub const fn is_would_block(&self) -> bool {
        matches!(self, Self::WouldBlock)
    }

    /// Whether the peer did not answer in time.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Closed(reason) if reason.is_timeout())
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(reason) => return write!(f, "the connection is over: {reason}"),
            Self::OtherShard(owner) => return write!(f, "it belongs to loop {owner}"),
            Self::NoSuchSocket => "no such socket",
            Self::NoSuchTunnel => "no such tunnel",
            Self::AddressInUse => "the local address is in use",
            Self::AddressNotAvailable => "the local address is not available",
            Self::InvalidAddress => "the address is of no use here",
            Self::Unreachable => "no route leads there",
            Self::NoPorts => "no source port is free",
            Self::LimitReached => "a configured limit is reached",
            Self::WouldBlock => "there is no room now",
            Self::NotConnected => "the connection is not established",
            Self::Shutdown => "this direction was shut down",
            Self::MessageTooLong => "the datagram is too long",
            Self::ConnectionRefused => "nobody listens at the peer's port",
            Self::InvalidOption => "the option has no such value",
        })
    }
}

impl Error for StackError {}

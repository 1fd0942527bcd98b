//! The one error of codecs: what is wrong with the bytes or the message, and whose fault it is.

use alloc::boxed::Box;
use core::error::Error;
use core::fmt;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The other side sent something it must not send.
    Peer,
    /// A defect in fyke or in a handler.
    Us,
    /// The caller of this API asked for something impossible.
    Caller,
    /// The machine or the network: no memory, no descriptor, a broken link.
    World,
}

/// Why bytes could not be decoded, or a message not be encoded.
#[derive(Debug)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes break the protocol (fault of the peer).
    Malformed {
        /// What is wrong, in words.
        what: &'static str,
    },
    /// A message is larger than the limit allows (fault of the peer).
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes, as far as it is known.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The stream ended inside a message (fault of the peer).
    Truncated {
        /// Bytes that were left over.
        left: usize,
    },
    /// The message cannot be encoded (fault of the caller).
    Unencodable {
        /// Why, in words.
        what: &'static str,
    },
    /// An error type of one protocol, with its own details.
    Protocol {
        /// Whose fault it is.
        fault: Fault,
        /// The protocol's own error; downcast it to learn more.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl CodecError {
    /// Shorthand for [`CodecError::Malformed`].
    #[must_use]
    pub const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }

    /// Wraps a protocol's own error that the peer is to blame for.
    #[must_use]
    pub fn peer(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Protocol { fault: Fault::Peer, source: Box::new(source) }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Malformed { .. } | Self::TooLarge { .. } | Self::Truncated { .. } => Fault::Peer,
            Self::Unencodable { .. } => Fault::Caller,
            Self::Protocol { fault, .. } => *fault,
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what } => write!(f, "malformed input: {what}"),
            Self::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} bytes is over the limit of {limit} bytes")
            }
            Self::Truncated { left } => {
                write!(f, "the stream ended inside a message, {left} bytes are left over")
            }
            Self::Unencodable { what } => write!(f, "cannot be encoded: {what}"),
            Self::Protocol { source, .. } => source.fmt(f),
        }
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Protocol { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

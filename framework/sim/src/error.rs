//! What can go wrong in a world, apart from what the network is told to do.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use fyke_clock::Instant;
use fyke_stack::StackError;

/// What can go wrong in a world.
#[derive(Debug)]
#[non_exhaustive]
pub enum SimError {
    /// A host turns for ever at one instant.
    Stall {
        /// Its name.
        host: String,
        /// When.
        at: Instant,
        /// How often it turned without time passing.
        turns: u32,
    },
    /// Nothing will ever happen again, and what was waited for has not happened.
    AtRest {
        /// When the last thing happened.
        at: Instant,
    },
    /// So much time has passed, and what was waited for has not happened.
    Patience {
        /// The limit; see [`World::set_patience`](crate::World::set_patience).
        limit: Duration,
    },
    /// Somebody waits on a host's loop for something that needs the world to go on.
    OnLoop {
        /// The host whose turn it is.
        host: String,
    },
    /// Two parts have one name.
    NameTaken(String),
    /// An address that cannot be parsed or used.
    Address(String),
    /// No port of the router is in the network of this gateway.
    NoSuchNetwork(IpAddr),
    /// A named limit is reached.
    Limit(&'static str),
    /// A port has its link already.
    PortTaken(String),
    /// A host's stack refuses.
    Stack(StackError),
    /// A host's loop cannot wait, or its transport cannot be made.
    Loop(io::Error),
    /// The capture could not be written.
    Capture(io::Error),
}

impl fmt::Display for SimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stall { host, at, turns } => {
                write!(f, "the host {host:?} has turned {turns} times at {at}, and would go on")
            }
            Self::AtRest { at } => {
                write!(f, "the world came to rest at {at}, and what was waited for did not happen")
            }
            Self::Patience { limit } => {
                write!(f, "what was waited for did not happen within {limit:?}")
            }
            Self::OnLoop { host } => {
                write!(f, "a wait on the loop of the host {host:?}, which could never end")
            }
            Self::NameTaken(name) => write!(f, "the name {name:?} is taken"),
            Self::Address(text) => write!(f, "{text:?} is no address of a host with its network"),
            Self::NoSuchNetwork(gateway) => {
                write!(f, "no port of the router is in a network with {gateway}")
            }
            Self::Limit(what) => write!(f, "too many {what}"),
            Self::PortTaken(name) => write!(f, "{name:?} has a link already"),
            Self::Stack(_) => f.write_str("a host's stack refuses"),
            Self::Loop(_) => f.write_str("a host's loop cannot go on"),
            Self::Capture(_) => f.write_str("the capture cannot be written"),
        }
    }
}

impl std::error::Error for SimError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stack(error) => Some(error),
            Self::Loop(error) | Self::Capture(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StackError> for SimError {
    fn from(error: StackError) -> Self {
        Self::Stack(error)
    }
}

impl From<SimError> for io::Error {
    fn from(error: SimError) -> Self {
        let kind = match &error {
            SimError::AtRest { .. } | SimError::OnLoop { .. } => io::ErrorKind::Deadlock,
            SimError::Stall { .. } | SimError::Patience { .. } => io::ErrorKind::TimedOut,
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

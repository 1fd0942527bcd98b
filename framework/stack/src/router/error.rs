//! What a call can be refused for.

use core::error::Error;
use core::fmt;
use core::net::IpAddr;

/// Why a call on a [`Router`](crate::router::Router) was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouterError {
    /// There is no such port.
    NoSuchPort,
    /// No port is in a network with this gateway.
    NoSuchNetwork(IpAddr),
    /// The address is of no use here.
    InvalidAddress(IpAddr),
    /// A limit of the configuration was reached.
    LimitReached,
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPort => f.write_str("no such port"),
            Self::NoSuchNetwork(gateway) => write!(f, "no port is in a network with {gateway}"),
            Self::InvalidAddress(address) => write!(f, "{address} is of no use here"),
            Self::LimitReached => f.write_str("a configured limit is reached"),
        }
    }
}

impl Error for RouterError {}

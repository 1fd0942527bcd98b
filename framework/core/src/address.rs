//! Where a channel is bound or connected: an IP address and port, a path, or a name in memory.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// An address of any transport.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Address {
    /// IPv4 or IPv6, and a port.
    Inet(SocketAddr),
    /// A Unix socket's path; `None` is an unnamed end.
    Unix(Option<Arc<Path>>),
    /// A name in this process.
    Local(Arc<str>),
}

impl Address {
    /// A Unix path.
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::Unix(Some(path.into().into()))
    }

    /// A name in this process.
    #[must_use]
    pub fn local(name: &str) -> Self {
        Self::Local(name.into())
    }

    /// The IP address and port, if it is one.
    #[must_use]
    pub fn as_inet(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(address) => Some(*address),
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Inet(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Self::Unix(None) => f.write_str("unix:(unnamed)"),
            Self::Local(name) => write!(f, "local:{name}"),
        }
    }
}

/// A text that is no address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseAddressError(String);

impl fmt::Display for ParseAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address: expected IP:PORT, unix:PATH or local:NAME", self.0)
    }
}

impl std::error::Error for ParseAddressError {}

impl FromStr for Address {
    type Err = ParseAddressError;

    /// `127.0.0.1:80`, `[::1]:80`, `unix:/run/x.sock` or `local:name`. Host names are not
    /// looked up here.
    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::unix(path));
        }
        if let Some(name) = text.strip_prefix("local:") {
            return Ok(Self::local(name));
        }
        text.parse().map(Self::Inet).map_err(|_| ParseAddressError(text.to_owned()))
    }
}

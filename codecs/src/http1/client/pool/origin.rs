//! Where a request goes: a host and a port.

use std::fmt;

use crate::http1::client::RequestError;
use crate::http1::target::{authority_start, check_authority, target_len};

/// A host and a port, the key of a pool's connections. Host names are compared in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    host: String,
    port: u16,
}

const HTTP_PORT: u16 = 80;

impl Origin {
    /// A host (a name, an IPv4 address, or an IPv6 address in brackets) and a port.
    ///
    /// # Errors
    /// When that is no host.
    pub fn new(host: &str, port: u16) -> Result<Self, RequestError> {
        let origin = Self { host: host.to_ascii_lowercase(), port };
        let well_formed = check_authority(origin.authority().as_bytes()).is_ok();
        if well_formed && !host.ends_with(':') { Ok(origin) } else { Err(RequestError::Host) }
    }

    /// The host; an IPv6 address has its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The host without the brackets of an IPv6 address, as resolvers take it.
    #[must_use]
    pub fn host_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host[:port]` for the Host field; the default port is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.port == HTTP_PORT { self.host.clone() } else { self.to_string() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Takes `http://host[:port]/path?query` apart: the origin, and the target of the request. A fragment
/// is left out, as it is not sent.
///
/// ```
/// use fyke_codecs::http1::client::split_url;
///
/// let (origin, target) = split_url("http://Example.org:8080/a?b=c#d")?;
/// assert_eq!((origin.to_string().as_str(), target.as_str()), ("example.org:8080", "/a?b=c"));
/// # Ok::<(), fyke_codecs::http1::client::RequestError>(())
/// ```
///
/// # Errors
/// When it is not such a URL; a user name in it counts as none, and so does `https`.
pub fn split_url(url: &str) -> Result<(Origin, String), RequestError> {
    let url = url.split('#').next().unwrap_or_default();
    if authority_start(url.as_bytes()) != Some("http://".len()) {
        return Err(RequestError::Target);
    }
    let rest = url.get("http://".len()..).unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    check_authority(authority.as_bytes()).map_err(|_| RequestError::Host)?;
    let colon = authority.rfind(':').filter(|&at| !authority[at..].contains(']'));
    let (host, port) = match colon.map(|at| (&authority[..at], &authority[at + 1..])) {
        None => (authority, HTTP_PORT),
        Some((host, "")) => (host, HTTP_PORT),
        Some((host, port)) => (host, port.parse().map_err(|_| RequestError::Host)?),
    };
    // RFC 9112 section 3.2.1: an empty path is sent as `/`.
    let target = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    if target_len(target.as_bytes()) != target.len() {
        return Err(RequestError::Target);
    }
    Ok((Origin::new(host, port)?, target))
}

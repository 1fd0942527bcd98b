//! `ws:` and `wss:` (RFC 6455 section 3).

use core::fmt;
use core::str::FromStr;

/// Where a WebSocket is: `ws://host[:port]/path?query`, or `wss:` for one behind TLS.
///
/// ```
/// use fyke_codecs::websocket::WebSocketUrl;
///
/// let url: WebSocketUrl = "ws://[::1]:9001/chat?room=1".parse()?;
/// assert_eq!((url.host(), url.port(), url.is_secure()), ("::1", 9001, false));
/// assert_eq!((url.authority(), url.target()), ("[::1]:9001", "/chat?room=1"));
/// # Ok::<(), fyke_codecs::websocket::UrlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    target: String,
}

/// Why a text is no URL of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlError(&'static str);

impl WebSocketUrl {
    /// Whether TLS is meant (`wss:`).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to: a name or an IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 80 or 443 where the URL names none.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands in `Host`: the default port is left out.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query; never empty.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }
}

impl FromStr for WebSocketUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError("it begins with ws://"))?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("ws") => false,
            _ if scheme.eq_ignore_ascii_case("wss") => true,
            _ => return Err(UrlError("its scheme is ws or wss")),
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError(
                "spaces, control characters and letters beyond ASCII are escaped",
            ));
        }
        if rest.contains('#') {
            return Err(UrlError("a fragment has no meaning in it"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError("it has no user name"));
        }
        let default = if secure { 443 } else { 80 };
        let (host, port) = host_and_port(authority, default)?;
        let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
        let mut authority = format!("{}{host}{}", brackets.0, brackets.1);
        if port != default {
            authority.push_str(&format!(":{port}"));
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        let (host, target) = (host.to_owned(), format!("{slash}{target}"));
        Ok(Self { secure, host, port, authority, target })
    }
}

fn host_and_port(authority: &str, default: u16) -> Result<(&str, u16), UrlError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError("a bracket is missing"))?;
            if host.parse::<core::net::Ipv6Addr>().is_err() {
                return Err(UrlError("an IPv6 address stands in brackets"));
            }
            match rest.strip_prefix(':') {
                None if !rest.is_empty() => return Err(UrlError("a port follows a colon")),
                port => (host, port),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err(UrlError("it names a host"));
    }
    let port = match port {
        None | Some("") => default,
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            port.parse().map_err(|_| UrlError("a port is at most 65535"))?
        }
        Some(_) => return Err(UrlError("a port is a number")),
    };
    Ok((host, port))
}

impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no URL of a WebSocket: {}", self.0)
    }
}

impl core::error::Error for UrlError {}

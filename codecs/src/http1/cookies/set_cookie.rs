//! The `Set-Cookie` field of a response (RFC 6265 sections 4.1 and 5.2).

use core::fmt;
use core::str;
use core::time::Duration;

use super::date::cookie_date;
use crate::http1::DateText;
use crate::http1::chars::{decimal, is_token, trim};

/// Which requests from other sites a cookie goes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SameSite {
    /// None.
    Strict,
    /// Those that follow a link.
    Lax,
    /// All; only with `Secure`.
    None,
}

/// A cookie that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token.
    Name,
    /// The value holds what no value may hold: white space, `"`, `,`, `;`, `\` or a control character.
    Value,
    /// The domain is not a host name.
    Domain,
    /// The path does not begin with `/`, or holds a `;` or a control character.
    Path,
    /// `SameSite=None`, `Partitioned`, and names with `__Secure-` need `Secure`.
    Insecure,
    /// A name with `__Host-` needs `Secure`, `Path=/` and no domain.
    HostPrefix,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the name of a cookie is not a token",
            Self::Value => "the value of a cookie holds a forbidden character",
            Self::Domain => "the domain of a cookie is no host name",
            Self::Path => "the path of a cookie is malformed",
            Self::Insecure => "a cookie like this needs the attribute Secure",
            Self::HostPrefix => "a cookie with __Host- needs Secure, Path=/ and no domain",
        })
    }
}

impl core::error::Error for CookieError {}

/// A cookie to set, or one that a server has set.
///
/// ```
/// use fyke_codecs::http1::cookies::{CookieError, SameSite, SetCookie};
///
/// let cookie = SetCookie::new("__Host-sid", "31d4d96e").secure().http_only().path("/");
/// assert_eq!(
///     cookie.same_site(SameSite::Lax).to_value()?,
///     "__Host-sid=31d4d96e; Path=/; Secure; HttpOnly; SameSite=Lax"
/// );
/// # Ok::<(), CookieError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct SetCookie {
    name: String,
    value: String,
    domain: Option<String>,
    path: Option<String>,
    /// Seconds since 1970.
    expires: Option<u64>,
    /// Seconds; 0 removes the cookie.
    max_age: Option<u64>,
    same_site: Option<SameSite>,
    secure: bool,
    http_only: bool,
    partitioned: bool,
}

impl SetCookie {
    /// A cookie for the session and for the host that sets it.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            domain: None,
            path: None,
            expires: None,
            max_age: None,
            same_site: None,
            secure: false,
            http_only: false,
            partitioned: false,
        }
    }

    /// Sends it to this host and those below it.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends it with requests for this path and those below it.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Keeps it up to this second since 1970.
    pub fn expires(mut self, unix_seconds: u64) -> Self {
        self.expires = Some(unix_seconds);
        self
    }

    /// Keeps it for so long; zero removes it. It goes before `expires`.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs());
        self
    }

    /// Sends it over encrypted connections only.
    pub fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Hides it from the scripts of a page.
    pub fn http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Which requests from other sites it goes with.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// Keeps it apart for each site that embeds this one.
    pub fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The domain it was set for.
    #[must_use]
    pub fn domain_of(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The path it was set for.
    #[must_use]
    pub fn path_of(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// When it ends if it is received at `now`, in seconds since 1970; `None` with the session.
    #[must_use]
    pub fn ends(&self, now: u64) -> Option<u64> {
        self.max_age.map(|age| if age == 0 { 0 } else { now.saturating_add(age) }).or(self.expires)
    }

    /// Whether it is for encrypted connections only.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is hidden from scripts.
    #[must_use]
    pub fn is_http_only(&self) -> bool {
        self.http_only
    }

    /// The value of the field, every part of it checked.
    ///
    /// # Errors
    /// When the cookie would be refused by clients, or could smuggle attributes in.
    pub fn to_value(&self) -> Result<String, CookieError> {
        self.check()?;
        let mut text = format!("{}={}", self.name, self.value);
        let mut attribute = |name: &str, value: Option<&str>| {
            text.extend(["; ", name]);
            text.extend(value.iter().flat_map(|value| ["=", value]));
        };
        if let Some(second) = self.expires {
            let date = DateText::new(second);
            attribute("Expires", str::from_utf8(date.as_bytes()).ok());
        }
        if let Some(age) = self.max_age {
            attribute("Max-Age", Some(&age.to_string()));
        }
        if let Some(domain) = &self.domain {
            attribute("Domain", Some(domain));
        }
        if let Some(path) = &self.path {
            attribute("Path", Some(path));
        }
        if self.secure {
            attribute("Secure", None);
        }
        if self.http_only {
            attribute("HttpOnly", None);
        }
        match self.same_site {
            Some(SameSite::Strict) => attribute("SameSite", Some("Strict")),
            Some(SameSite::Lax) => attribute("SameSite", Some("Lax")),
            Some(SameSite::None) => attribute("SameSite", Some("None")),
            None => {}
        }
        if self.partitioned {
            attribute("Partitioned", None);
        }
        Ok(text)
    }

    fn check(&self) -> Result<(), CookieError> {
        if !is_token(self.name.as_bytes()) {
            return Err(CookieError::Name);
        }
        let value = self.value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if !value.unwrap_or(&self.value).bytes().all(is_cookie_octet) {
            return Err(CookieError::Value);
        }
        let is_host = |domain: &String| {
            !domain.is_empty()
                && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        };
        if !self.domain.as_ref().is_none_or(is_host) {
            return Err(CookieError::Domain);
        }
        let is_path = |path: &String| {
            path.starts_with('/') && path.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b';')
        };
        if !self.path.as_ref().is_none_or(is_path) {
            return Err(CookieError::Path);
        }
        let prefixed = |prefix: &str| {
            self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let needs_secure = self.same_site == Some(SameSite::None) || self.partitioned;
        if !self.secure && (needs_secure || prefixed("__Secure-")) {
            return Err(CookieError::Insecure);
        }
        let of_host = self.secure && self.domain.is_none() && self.path.as_deref() == Some("/");
        if prefixed("__Host-") && !of_host {
            return Err(CookieError::HostPrefix);
        }
        Ok(())
    }

    /// Reads the value of one `Set-Cookie` field as clients do (RFC 6265 section 5.2): attributes that
    /// are unknown or malformed are passed over. `None` when there is no name, or a character that no
    /// field may hold.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        if text.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f) {
            return None;
        }
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (trimmed(name), trimmed(value));
        if name.is_empty() {
            return None;
        }
        Some(parts.fold(Self::new(name, value), Self::attribute))
    }

    fn attribute(mut self, part: &str) -> Self {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = trimmed(value);
        match trimmed(name).to_ascii_lowercase().as_str() {
            "expires" => self.expires = cookie_date(value.as_bytes()).or(self.expires),
            "max-age" => {
                let negative = value.strip_prefix('-');
                let age = decimal(negative.unwrap_or(value).as_bytes());
                // What is not above zero ends the cookie now.
                let age = age.map(|age| if negative.is_some() { 0 } else { age });
                self.max_age = age.or(self.max_age);
            }
            "domain" if !value.is_empty() => {
                let domain = value.strip_prefix('.').unwrap_or(value);
                self.domain = Some(domain.to_ascii_lowercase());
            }
            "path" => self.path = value.starts_with('/').then(|| value.to_owned()),
            "secure" => self.secure = true,
            "httponly" => self.http_only = true,
            "partitioned" => self.partitioned = true,
            "samesite" => {
                self.same_site = match value.to_ascii_lowercase().as_str() {
                    "strict" => Some(SameSite::Strict),
                    "lax" => Some(SameSite::Lax),
                    "none" => Some(SameSite::None),
                    _ => None,
                };
            }
            _ => {}
        }
        self
    }
}

/// RFC 6265 section 4.1.1.
const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
}

fn trimmed(text: &str) -> &str {
    str::from_utf8(trim(text.as_bytes())).unwrap_or_default()
}

//! The `Cookie` field of a request (RFC 6265 section 4.2).

use core::str;

use crate::http1::chars::{is_token, trim};

/// A cookie as a client sent it. Nothing says who set it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// The name, a token.
    pub name: &'a str,
    /// The value as it came, quotes included.
    pub value: &'a str,
}

impl<'a> Cookie<'a> {
    /// The value without the quotes around it, if it has them.
    #[must_use]
    pub fn unquoted(&self) -> &'a str {
        let inner = self.value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.unwrap_or(self.value)
    }
}

/// The cookies in the values of all `Cookie` fields, in order. Of several with one name the first is
/// the one for the most specific path (RFC 6265 section 5.4).
///
/// Pairs that are none, and those that are not UTF-8, are passed over.
///
/// ```
/// use fyke_codecs::http1::cookies::cookies;
///
/// let all: Vec<_> = cookies([&b"sid=31d4d96e; lang=en-GB"[..]]).collect();
/// assert_eq!((all[1].name, all[1].value), ("lang", "en-GB"));
/// ```
pub fn cookies<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> impl Iterator<Item = Cookie<'a>> {
    values.into_iter().flat_map(|value| value.split(|&b| b == b';')).filter_map(|pair| {
        let at = pair.iter().position(|&b| b == b'=')?;
        let (name, value) = (trim(&pair[..at]), trim(&pair[at + 1..]));
        if !is_token(name) {
            return None;
        }
        Some(Cookie { name: str::from_utf8(name).ok()?, value: str::from_utf8(value).ok()? })
    })
}

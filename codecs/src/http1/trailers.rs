//! The fields behind a chunked body (RFC 9112 section 7.1.2).

use core::fmt;
use fyke_buffer::ByteBuf;

use super::request::{Headers, find};

/// Trailer fields: what a sender had to say once its content was through, a checksum, say.
///
/// They are kept apart from the header fields, with which they must not be mixed (RFC 9110 section
/// 6.5.1). A field that would say how a message is framed, routed or authenticated has no meaning
/// here and is left out, so that nobody can be misled by it.
pub struct Trailers {
    lines: ByteBuf,
}

impl Trailers {
    /// `lines` have been checked, and each ends in CRLF.
    pub(crate) const fn new(lines: ByteBuf) -> Self {
        Self { lines }
    }

    /// All fields in order of arrival.
    #[must_use]
    pub fn iter(&self) -> Headers<'_> {
        Headers { rest: &self.lines }
    }

    /// The value of the first field of that name, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        find(&self.lines, name.as_bytes()).map(|(value, _)| value)
    }

    /// The lines as they came, each with its CRLF.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.lines
    }
}

impl<'a> IntoIterator for &'a Trailers {
    type Item = super::Header<'a>;
    type IntoIter = Headers<'a>;

    fn into_iter(self) -> Headers<'a> {
        self.iter()
    }
}

impl fmt::Debug for Trailers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Whether a field may stand in a trailer section: framing, routing, authentication, modifiers of
/// the request and fields about the content itself may not (RFC 9110 section 6.5.1).
pub(crate) fn may_trail(name: &[u8]) -> bool {
    const NEVER: &[&str] = &[
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "max-forwards",
        "proxy-authorization",
        "range",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    let conditional = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"if-"));
    !conditional && !NEVER.iter().any(|never| never.as_bytes().eq_ignore_ascii_case(name))
}

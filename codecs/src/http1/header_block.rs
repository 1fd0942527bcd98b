//! Header lines that are the same in many responses.

use bytes::Bytes;

use super::HeaderError;
use super::chars::{TOKEN, is_plain};
use super::response::{check, own_field};

/// Header lines checked and written once, to be used in many responses; cloning copies nothing.
///
/// For what is the same in each answer, `Server` and `Content-Type` say. `Date`, `Connection` and
/// framing fields have no place in it.
#[derive(Clone, Debug, Default)]
pub struct HeaderBlock {
    lines: Lines,
}

/// Lines that are there for ever are not counted, not even by a call that does nothing.
#[derive(Clone, Debug)]
enum Lines {
    Static(&'static [u8]),
    Shared(Bytes),
}

impl Default for Lines {
    #[inline]
    fn default() -> Self {
        Self::Static(b"")
    }
}

impl HeaderBlock {
    /// Checks the fields and writes them down.
    ///
    /// # Errors
    /// When a field cannot be sent, or is one that the encoder decides about.
    pub fn new(fields: &[(&str, &str)]) -> Result<Self, HeaderError> {
        let mut lines = Vec::new();
        for (name, value) in fields {
            check(name.as_bytes(), value.as_bytes())?;
            if own_field(name.as_bytes()).is_some() {
                return Err(HeaderError::Framing);
            }
            for piece in [name, ": ", value, "\r\n"] {
                lines.extend_from_slice(piece.as_bytes());
            }
        }
        Ok(Self { lines: Lines::Shared(lines.into()) })
    }

    /// Uses lines that are written down already, each ended by CRLF. Cloning such a block costs
    /// nothing at all, not even a count that threads would share.
    ///
    /// ```
    /// use fyke_codecs::http1::HeaderBlock;
    ///
    /// static TEXT: HeaderBlock =
    ///     HeaderBlock::from_static("Server: fyke\r\nContent-Type: text/plain\r\n");
    /// ```
    ///
    /// # Panics
    /// When a field cannot be sent, or is one that the encoder decides about. For a `static` or a
    /// `const` that is an error of the compiler.
    #[must_use]
    pub const fn from_static(lines: &'static str) -> Self {
        check_lines(lines.as_bytes());
        Self { lines: Lines::Static(lines.as_bytes()) }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.lines {
            Lines::Static(lines) => lines,
            Lines::Shared(lines) => lines,
        }
    }
}

/// The checks of [`HeaderBlock::new`], as far as the compiler can run them.
const fn check_lines(mut rest: &[u8]) {
    while !rest.is_empty() {
        let mut colon = 0;
        while colon < rest.len() && TOKEN[rest[colon] as usize] {
            colon += 1;
        }
        let (name, value) = rest.split_at(colon);
        assert!(matches!(value, [b':', ..]) && colon > 0, "a field has no name, or no colon");
        assert!(own_field(name).is_none(), "framing fields are written by the encoder");
        let mut end = 1;
        while end < value.len() && is_plain(value[end]) {
            end += 1;
        }
        let (_, behind) = value.split_at(end);
        let [b'\r', b'\n', next @ ..] = behind else {
            panic!("a value holds a control character, or CRLF is missing");
        };
        rest = next;
    }
}

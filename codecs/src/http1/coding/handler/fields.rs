//! What the fields of a head say about its content coding, and heads without some fields.

use fyke_buffer::ByteBuf;
use memchr::memchr;

use crate::http1::chars::list;
use crate::http1::coding::ContentCoding;

/// What `Content-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coded {
    /// There is no coding.
    Plain,
    /// This one, which can be decoded.
    By(ContentCoding),
    /// Another one, or several.
    Unknown,
}

impl Coded {
    /// Reads the values of all `Content-Encoding` fields (RFC 9110 section 8.4).
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let codings = values.flat_map(list).filter(|name| !name.eq_ignore_ascii_case(b"identity"));
        codings.fold(Self::Plain, |before, name| match (before, ContentCoding::parse(name)) {
            (Self::Plain, Some(coding)) if coding.is_supported() => Self::By(coding),
            _ => Self::Unknown,
        })
    }
}

/// A head without the fields of these names; `lines_len` is the length of its field lines, which the
/// empty line follows.
pub(super) fn without(raw: &[u8], lines_len: usize, names: &[&str]) -> ByteBuf {
    let start = raw.len().saturating_sub(lines_len + 2);
    let (first, mut lines) = raw.split_at(start);
    let mut head = ByteBuf::with_capacity(raw.len());
    head.write_slice(first);
    while let Some(at) = memchr(b'\n', lines) {
        let (line, rest) = lines.split_at(at + 1);
        let name = &line[..memchr(b':', line).unwrap_or(0)];
        if !names.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) {
            head.write_slice(line);
        }
        lines = rest;
    }
    head
}

//! Reads a head that is there whole, in one pass: what nearly every request is.
//!
//! Nothing is explained here: whatever is not right, or not complete, is left to the reader that goes
//! line by line, and can tell what it is. What nearly all requests have in the same letters is compared
//! with them in a few words instead of letter by letter.

use super::chars::{field_value_len, token_len};
use super::fields::Fields;
use super::head::{CRLF, Parsed};
use super::marks::Names;
use super::request_line::{RequestLine, RequestLineSplit};
use super::target::{plain_authority, target_len};
use super::{Limits, Method, Version};

/// The head that `bytes` begin with; `None` unless it is whole and without a fault.
#[inline]
pub(super) fn whole_head(bytes: &[u8], limits: &Limits) -> Option<Parsed> {
    let window = &bytes[..bytes.len().min(limits.head_bytes_max as usize)];
    let (line, line_len) = request_line(window)?;
    if line_len - CRLF.len() > limits.request_line_bytes_max as usize {
        return None;
    }
    let mut rest = window.get(line_len..)?;
    let mut fields = Fields::default();
    loop {
        rest = match rest {
            [b'H', b'o', b's', b't', b':', b' ', value @ ..]
                if let Some(len) = plain_authority(value) =>
            {
                fields.add_host(limits).ok()?;
                value.get(len + CRLF.len()..)?
            }
            [b'\r', b'\n', behind @ ..] => {
                return fields.finish(line, window.len() - behind.len(), limits).ok();
            }
            _ => {
                if let Some(behind) = rest.strip_prefix(b"Connection: keep-alive\r\n") {
                    fields.add_keep_alive(limits).ok()?;
                    behind
                } else if let Some((name, behind)) = no_matter(rest) {
                    fields.count(name, limits).ok()?;
                    value_of(behind)?.1
                } else {
                    any_field(rest, &mut fields, limits)?
                }
            }
        };
    }
}

/// A field of any name; what follows it.
#[inline(never)]
fn any_field<'a>(rest: &'a [u8], fields: &mut Fields, limits: &Limits) -> Option<&'a [u8]> {
    let (name, behind) = rest.split_at(token_len(rest));
    let (value, behind) = value_of(behind.strip_prefix(b":")?)?;
    if name.is_empty() {
        return None;
    }
    fields.add(name, value, limits).ok()?;
    Some(behind)
}

/// A field's value, and what follows its line.
#[inline]
fn value_of(behind: &[u8]) -> Option<(&[u8], &[u8])> {
    let (value, behind) = behind.split_at(field_value_len(behind));
    Some((value, behind.strip_prefix(CRLF)?))
}

/// Names that most requests have, and that say nothing about framing or the connection; with what
/// follows the colon.
#[inline]
fn no_matter(rest: &[u8]) -> Option<(Names, &[u8])> {
    macro_rules! first_of {
        ($($name:literal),*) => {
            None$(.or_else(|| {
                const NAME: Names = Names::of($name.as_bytes());
                let behind = rest.strip_prefix(concat!($name, ":").as_bytes())?;
                Some((NAME, behind))
            }))*
        };
    }
    match rest.first()? {
        b'A' => first_of!("Accept", "Accept-Encoding", "Accept-Language"),
        b'C' => first_of!("Cookie", "Cache-Control", "Content-Type"),
        b'R' => first_of!("Referer"),
        b'S' => first_of!("Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site"),
        b'U' => first_of!("User-Agent"),
        _ => None,
    }
}

/// The request line, and its length with its CRLF.
#[inline]
fn request_line(bytes: &[u8]) -> Option<(RequestLine, usize)> {
    const METHOD: &[u8] = b"GET /";
    const END: &[u8] = b" HTTP/1.1\r\n";
    if let Some(behind) = bytes.strip_prefix(METHOD) {
        let target_end = METHOD.len() + target_len(behind);
        let line = RequestLine {
            method: Method::Get,
            version: Version::Http11,
            target_end: u32::try_from(target_end).ok()?,
            path_start: METHOD.len() as u32 - 1,
        };
        return bytes.get(target_end..)?.starts_with(END).then_some((line, target_end + END.len()));
    }
    let split = RequestLineSplit::of_clean(bytes)?;
    Some((split.check_meaning(bytes).ok()?, split.line_len))
}

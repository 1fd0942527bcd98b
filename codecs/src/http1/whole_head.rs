//! Reads a head that is there whole, in one pass: what nearly every request is.
//!
//! Nothing is explained here: whatever is not right, or not complete, is left to the reader that goes
//! line by line, and can tell what it is.

use super::Limits;
use super::chars::{field_value_len, token_len};
use super::fields::Fields;
use super::head::{CRLF, Parsed};
use super::request_line::{RequestLine, RequestLineSplit};
use super::target::plain_authority;

/// The head that `bytes` begin with; `None` unless it is whole and without a fault.
#[inline]
pub(super) fn whole_head(bytes: &[u8], limits: &Limits) -> Option<Parsed> {
    let (line, line_len) = request_line(bytes, limits)?;
    let window = &bytes[..bytes.len().min(limits.head_bytes_max as usize)];
    let mut rest = window.get(line_len..)?;
    let mut fields = Fields::default();
    loop {
        let name_len = token_len(rest);
        let (name, behind) = rest.split_at(name_len);
        let [b':', behind @ ..] = behind else {
            let [b'\r', b'\n', behind @ ..] = behind else { return None };
            // A field without a colon is no end.
            let whole = name.is_empty().then_some(window.len() - behind.len())?;
            return fields.finish(line, whole, limits).ok();
        };
        if let Some(behind) = plain_host(name, behind) {
            fields.add_host(name, limits).ok()?;
            rest = behind;
            continue;
        }
        let (value, behind) = behind.split_at(field_value_len(behind));
        let [b'\r', b'\n', behind @ ..] = behind else { return None };
        if name.is_empty() {
            return None;
        }
        fields.add(name, value, limits).ok()?;
        rest = behind;
    }
}

#[inline]
fn request_line(bytes: &[u8], limits: &Limits) -> Option<(RequestLine, usize)> {
    let split = RequestLineSplit::of_clean(bytes)?;
    let max = limits.request_line_bytes_max.saturating_add(CRLF.len() as u32);
    if split.line_len > max.min(limits.head_bytes_max) as usize {
        return None;
    }
    Some((split.check_meaning(bytes).ok()?, split.line_len))
}

/// What follows the line, when it is a `Host` in the form nearly all have, so that its value need not be
/// looked at twice.
#[inline]
fn plain_host<'a>(name: &[u8], behind: &'a [u8]) -> Option<&'a [u8]> {
    let ([b'H' | b'h', b'o', b's', b't'], [b' ', value @ ..]) = (name, behind) else { return None };
    value.get(plain_authority(value)? + CRLF.len()..)
}

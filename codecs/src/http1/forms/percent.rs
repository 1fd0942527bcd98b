//! Percent-encoding (RFC 3986 section 2.1), leniently: what is no escape stays as it is.

use std::borrow::Cow;

use memchr::memchr2;

/// Decodes `%XX`, and `+` as a space where `plus` says so.
pub(crate) fn decode(text: &[u8], plus: bool) -> Cow<'_, [u8]> {
    let special = if plus { b'+' } else { b'%' };
    if memchr2(b'%', special, text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        (rest, _) = match (first, behind) {
            (b'%', [high, low, behind @ ..]) if digit(*high).is_some() && digit(*low).is_some() => {
                let byte = digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0);
                (behind, decoded.push(byte))
            }
            (b'+', _) if plus => (behind, decoded.push(b' ')),
            (byte, _) => (behind, decoded.push(*byte)),
        };
    }
    Cow::Owned(decoded)
}

/// The same as text; what is not UTF-8 is replaced.
pub(crate) fn decode_text(text: &[u8], plus: bool) -> Cow<'_, str> {
    match decode(text, plus) {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cow::Owned(text),
            Err(error) => Cow::Owned(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        },
    }
}

const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

//! Which bytes may stand where: tokens, field values, decimal numbers.
//!
//! Everything is a table or plain word arithmetic; nothing here allocates or knows a message.

/// `tchar` of RFC 9110 section 5.6.2, as a table.
pub(crate) static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
            || matches!(b, b'^' | b'_' | b'`' | b'|' | b'~');
        byte += 1;
    }
    table
};

/// Length of the token at the start of `bytes`.
#[inline]
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    prefix_len(bytes, &TOKEN)
}

/// How many bytes at the start of `bytes` the table names.
///
/// Eight at a time, so that the end of the slice is looked for once in eight bytes.
#[inline]
pub(crate) fn prefix_len(bytes: &[u8], table: &[bool; 256]) -> usize {
    let mut len = 0;
    while let Some(block) = bytes[len..].first_chunk::<8>() {
        for &b in block {
            if !table[usize::from(b)] {
                return len;
            }
            len += 1;
        }
    }
    len + bytes[len..].iter().position(|&b| !table[usize::from(b)]).unwrap_or(bytes.len() - len)
}

/// Whether all of `bytes` is one token (RFC 9110 section 5.6.2): not empty, only `tchar`.
#[inline]
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_len(bytes) == bytes.len()
}

/// Whether `bytes` may be a field value (RFC 9110 section 5.5): no control characters but HTAB.
///
/// Bytes from 0x80 up are `obs-text` and allowed.
#[inline]
pub(crate) fn is_field_value(bytes: &[u8]) -> bool {
    field_value_len(bytes) == bytes.len()
}

/// Length of what may be a field value at the start of `bytes`: up to the first control character
/// that is not HTAB.
#[inline]
pub(crate) fn field_value_len(bytes: &[u8]) -> usize {
    const BLOCK: usize = 32;
    const SHORT: usize = 24;
    let mut len = 0;
    while let Some(word) = bytes[len..].first_chunk::<8>() {
        match controls(u64::from_le_bytes(*word)) {
            0 => len += 8,
            found => {
                len += found.trailing_zeros() as usize / 8;
                if bytes[len] != b'\t' {
                    return len;
                }
                len += 1;
            }
        }
        // Most values are short. Of the long ones whole blocks without any control character are
        // passed over, as the compiler makes vectors of that.
        if len >= SHORT {
            while let Some(block) = bytes[len..].first_chunk::<BLOCK>() {
                if has_control(block) {
                    break;
                }
                len += BLOCK;
            }
        }
    }
    len + bytes[len..].iter().position(|&b| !is_plain(b)).unwrap_or(bytes.len() - len)
}

/// Whether there is a control character among these bytes, HTAB included.
#[inline]
fn has_control<const N: usize>(bytes: &[u8; N]) -> bool {
    bytes.iter().fold(false, |found, &b| found | (b < 0x20) | (b == 0x7f))
}

/// Whether this byte may stand in a field value; HTAB passes.
#[inline]
pub(crate) const fn is_plain(b: u8) -> bool {
    (b >= 0x20 && b != 0x7f) || b == b'\t'
}

/// Marks the bytes of a word that are below 0x20 or are 0x7f with their highest bit.
///
/// The lowest mark is exact; a borrow may invent further ones above it.
#[inline]
const fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let low = word.wrapping_sub(ONES * 0x20) & !word;
    let del = word ^ (ONES * 0x7f);
    let del = del.wrapping_sub(ONES) & !del;
    (low | del) & HIGH
}

/// Strips optional white space (SP and HTAB) on both sides.
#[inline]
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    // One space in front and none behind is what nearly everybody sends.
    match bytes {
        [b' ', rest @ ..] if !is_edge(rest) => rest,
        _ if is_edge(bytes) => trim_all(bytes),
        _ => bytes,
    }
}

/// Whether there is white space to trim.
#[inline]
fn is_edge(bytes: &[u8]) -> bool {
    matches!(bytes, [b' ' | b'\t', ..] | [.., b' ' | b'\t'])
}

#[inline(never)]
fn trim_all(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The members of a comma-separated list, trimmed; empty members are passed over.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(trim).filter(|member| !member.is_empty())
}

/// Reads `1*DIGIT`; `None` for anything else and for what does not fit in 63 bits.
pub(crate) fn decimal(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    let mut n: u64 = 0;
    for &b in bytes {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (n <= i64::MAX as u64).then_some(n)
}

/// A number as decimal digits, without the formatting machinery.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    text: [u8; 20],
    start: usize,
}

impl Digits {
    /// `n` in decimal.
    #[inline]
    pub(crate) const fn decimal(mut n: u64) -> Self {
        let mut text = [0; 20];
        let mut start = text.len();
        loop {
            start -= 1;
            text[start] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                return Self { text, start };
            }
        }
    }

    /// `n` in lower-case hexadecimal.
    #[inline]
    pub(crate) const fn hex(mut n: u64) -> Self {
        let mut text = [0; 20];
        let mut start = text.len();
        loop {
            start -= 1;
            text[start] = b"0123456789abcdef"[(n & 15) as usize];
            n >>= 4;
            if n == 0 {
                return Self { text, start };
            }
        }
    }

    /// No digits at all.
    #[inline]
    pub(crate) const fn none() -> Self {
        Self { text: [0; 20], start: 20 }
    }

    /// The digits.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.text[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_search_agrees_with_the_byte_test_everywhere() {
        for byte in 0..=255u8 {
            for at in 0..67 {
                let mut text = [b'a'; 67];
                text[1] = b'\t';
                text[2] = 0xff;
                text[40] = b'\t';
                text[at] = byte;
                let expected = text.iter().position(|&b| !is_plain(b));
                let len = field_value_len(&text);
                assert_eq!(len, expected.unwrap_or(text.len()), "byte {byte:#x} at {at}");
            }
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"00012"), Some(12));
        assert_eq!(decimal(b"9223372036854775807"), Some(i64::MAX as u64));
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "1,1", "9223372036854775808"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad:?}");
        }
        for n in [0, 7, 10, 255, 4096, u64::MAX] {
            assert_eq!(Digits::decimal(n).as_slice(), n.to_string().as_bytes());
            assert_eq!(Digits::hex(n).as_slice(), format!("{n:x}").as_bytes());
        }
    }

    #[test]
    fn lists_are_trimmed() {
        let members: Vec<_> = list(b" a,\tb ,, c").collect();
        assert_eq!(members, [&b"a"[..], b"b", b"c"]);
        assert!(is_token(b"X-y") && !is_token(b"") && !is_token(b"a b"));
    }
}

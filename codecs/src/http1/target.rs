//! Request targets (RFC 9112 section 3.2) and authorities (RFC 9110 section 7.2).

use super::chars::prefix_len;
use super::{HttpError, Method};
use core::net::Ipv6Addr;

/// What may stand in a target: visible ASCII but what no client may send unescaped.
///
/// Browsers send `|`, `{` and the like as they are; `"`, `<`, `>` they always escape, and `#` starts
/// a fragment, which never belongs into a request. `\` is for [`is_target`].
static TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'"' | b'#' | b'<' | b'>' | b'\\');
        byte += 1;
    }
    table
};

/// Length of what may be a target at the start of `bytes`.
#[inline]
pub(crate) fn target_len(bytes: &[u8]) -> usize {
    prefix_len(bytes, &TARGET)
}

/// Whether all of `bytes` may be a target, `\` included where it can do no harm: in a query, where
/// browsers send it as it is. In a path some would take it for a slash.
pub(crate) fn is_target(bytes: &[u8]) -> bool {
    let mut in_query = false;
    bytes.iter().all(|&b| {
        in_query |= b == b'?';
        TARGET[usize::from(b)] || (in_query && b == b'\\')
    })
}

/// Checks the form of a target, whose characters have been checked, and finds its path: the offset
/// where path and query begin.
///
/// CONNECT, whose target is an authority alone, has been refused before.
#[inline]
pub(crate) fn path_start(method: Method, target: &[u8]) -> Result<usize, HttpError> {
    match target {
        [b'/', ..] => Ok(0),
        [b'*'] if method == Method::Options => Ok(0),
        _ => absolute(target),
    }
}

/// The absolute form, `http://authority/path?query`.
fn absolute(target: &[u8]) -> Result<usize, HttpError> {
    let Some(start) = authority_start(target) else {
        return Err(HttpError::bad("request target is neither a path nor an http URI"));
    };
    let end = target[start..].iter().position(|&b| b == b'/' || b == b'?');
    let end = end.map_or(target.len(), |at| start + at);
    check_authority(&target[start..end])?;
    Ok(end)
}

/// Where the authority of an absolute target begins; `None` in front of any other scheme.
pub(crate) fn authority_start(target: &[u8]) -> Option<usize> {
    ["http://", "https://"].iter().map(|scheme| scheme.len()).find(|&len| {
        target.get(..len).is_some_and(|start| {
            start.eq_ignore_ascii_case(if len == 7 { b"http://" } else { b"https://" })
        })
    })
}

/// What may stand in a `reg-name` but for escapes: unreserved, and the sub-delimiters without the comma.
static NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'')
            || matches!(b, b'(' | b')' | b'*' | b'+' | b';' | b'=');
        byte += 1;
    }
    table
};

/// Checks `host [":" port]`: not empty, no user, no path, no list.
pub(crate) fn check_authority(authority: &[u8]) -> Result<(), HttpError> {
    let name_len = match authority {
        [b'[', rest @ ..] => {
            let close = rest.iter().position(|&b| b == b']');
            let literal = close.and_then(|at| core::str::from_utf8(&rest[..at]).ok());
            match literal.map(|text| (text.len(), text.parse::<Ipv6Addr>())) {
                Some((len, Ok(_))) => len + 2,
                _ => return Err(HttpError::bad("malformed IPv6 address as host")),
            }
        }
        _ => reg_name_len(authority)?,
    };
    if name_len == 0 {
        return Err(HttpError::bad("empty or malformed host"));
    }
    match &authority[name_len..] {
        [] => Ok(()),
        [b':', port @ ..] if is_port(port) => Ok(()),
        _ => Err(HttpError::bad("malformed host")),
    }
}

/// The length of a plain authority, a name and perhaps a port of up to four digits, when one stands
/// at the start of `bytes` and a line's end behind it. Anything else is for [`check_authority`].
#[inline]
pub(crate) fn plain_authority(bytes: &[u8]) -> Option<usize> {
    let name_len = prefix_len(bytes, &NAME);
    let mut len = name_len;
    if bytes.get(len)? == &b':' {
        len += 1;
        while len <= name_len + 4 && bytes.get(len)?.is_ascii_digit() {
            len += 1;
        }
    }
    (name_len > 0 && bytes.get(len..len + 2)? == b"\r\n").then_some(len)
}

/// Length of the name at the start; each `%` in it is followed by two hexadecimal digits (RFC 3986
/// section 2.1).
fn reg_name_len(authority: &[u8]) -> Result<usize, HttpError> {
    let mut len = prefix_len(authority, &NAME);
    while authority.get(len) == Some(&b'%') {
        let digits = authority.get(len + 1..len + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            return Err(HttpError::bad("broken escape in the host"));
        }
        len += 3;
        len += prefix_len(&authority[len..], &NAME);
    }
    Ok(len)
}

/// Whether this is a port number; an empty one means the default (RFC 3986 section 3.2.3).
fn is_port(port: &[u8]) -> bool {
    let is_number = port.iter().all(u8::is_ascii_digit);
    let value = || port.iter().fold(0_u64, |n, b| (n * 10 + u64::from(b - b'0')).min(1 << 16));
    is_number && (port.len() < 5 || value() <= u64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for good in
            ["a", "a:80", "A-b.c_d:", "127.0.0.1:8080", "[::1]", "[::1]:9", "a%20b", "%c3%A4:1"]
        {
            assert_eq!(check_authority(good.as_bytes()), Ok(()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "u@h",
            "u:p@h",
            "h/p",
            "h?q",
            "h,h",
            "h h",
            "h:x",
            "h:65536",
            "[::1",
            "[]",
            "[::1]x",
            "[fe80::1%25en0]",
            "h:80:80",
            "\u{e4}",
            "h#f",
            "::1",
            "h\\x",
            "a%zz",
            "a%",
            "a%4",
            "a%4:80",
            "%%41",
        ] {
            assert!(check_authority(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    /// What is found plain is an authority, whole; and most of what clients send is plain.
    #[test]
    fn plain_authorities() {
        for (text, plain) in [
            ("localhost:8080", true),
            ("a", true),
            ("a:", true),
            ("127.0.0.1:9", true),
            ("a.very-long.name.that.needs.more.than.a.block.example:8443", true),
            ("a:65535", false),
            ("a_b", true),
            ("a%20b", false),
            ("[::1]:80", false),
            (":80", false),
            ("", false),
            ("a:b", false),
            ("a b", false),
        ] {
            let line = [text, "\r\nAccept: */*\r\n\r\n"].concat();
            let expected = plain.then_some(text.len());
            assert_eq!(plain_authority(line.as_bytes()), expected, "{text}");
            assert!(!plain || check_authority(text.as_bytes()).is_ok(), "{text}");
        }
        assert_eq!(plain_authority(b"localhost:80"), None);
        assert_eq!(plain_authority(b"localhost:80\r"), None);
    }

    #[test]
    fn characters() {
        assert_eq!(target_len(b"/a?b=c|{}^`[]~ HTTP"), 14);
        assert!(is_target(b"/a?b\\c") && !is_target(b"/a\\c") && !is_target(b"/a?b\\ c"));
        for bad in [b'#', b'"', b'<', b'>', b' ', b'\t', b'\r', 0, 0x7f, 0x80, 0xff] {
            assert_eq!(target_len(&[b'/', bad, b'/']), 1, "{bad:#x}");
        }
    }

    #[test]
    fn targets() {
        for (good, start) in [
            ("/", 0),
            ("//x", 0),
            ("/a?b=c|d", 0),
            ("http://h", 8),
            ("HTTP://h/p", 8),
            ("https://h:1?q", 11),
        ] {
            assert_eq!(path_start(Method::Get, good.as_bytes()), Ok(start), "{good}");
        }
        assert_eq!(path_start(Method::Options, b"*"), Ok(0));
        for bad in ["", "*", "a", "h:80", "ftp://h/", "http:/h", "http://", "http://u@h/"] {
            assert!(path_start(Method::Get, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

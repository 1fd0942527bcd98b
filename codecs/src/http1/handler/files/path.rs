//! What a request's path means below a root, and what a name says about the content.

use std::path::{Path, PathBuf};

/// The path below the root that a request's path means; `None` for what no file here is called.
pub(super) fn relative(encoded: &str) -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let mut path = PathBuf::new();
    let mut names = encoded.split('/').peekable();
    while let Some(name) = names.next() {
        if name.is_empty() && names.peek().is_none() {
            path.push("index.html");
            continue;
        }
        let name = percent_decode(name)?;
        // A separator that was encoded is part of a name, and no file has such a name.
        if matches!(name[..], [] | [b'.'] | [b'.', b'.'])
            || name.contains(&b'/')
            || name.contains(&0)
        {
            return None;
        }
        path.push(OsString::from_vec(name));
    }
    Some(path)
}

/// Decodes `%XX`; `None` when a `%` is followed by anything else.
fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first != b'%' {
            decoded.push(*first);
            continue;
        }
        let [high, low, behind @ ..] = rest else { return None };
        decoded.push(digit(*high)? << 4 | digit(*low)?);
        rest = behind;
    }
    Some(decoded)
}

/// The media type by the name, with the encoding of text, which is UTF-8 nearly everywhere.
pub(super) fn media_type(path: &Path) -> &'static str {
    match mime_guess::from_path(path).first_raw().unwrap_or("application/octet-stream") {
        "text/html" => "text/html; charset=utf-8",
        "text/plain" => "text/plain; charset=utf-8",
        "text/css" => "text/css; charset=utf-8",
        "text/javascript" | "application/javascript" => "text/javascript; charset=utf-8",
        "text/markdown" => "text/markdown; charset=utf-8",
        "text/csv" => "text/csv; charset=utf-8",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_root() {
        for (encoded, path) in [
            ("a", "a"),
            ("a/b.txt", "a/b.txt"),
            ("a%20b", "a b"),
            ("%e2%82%ac", "\u{20ac}"),
            ("...", "..."),
            ("a/", "a/index.html"),
            ("", "index.html"),
            ("a\\..\\b", "a\\..\\b"),
        ] {
            assert_eq!(relative(encoded).as_deref(), Some(Path::new(path)), "{encoded}");
        }
        for refused in [
            "..",
            "../a",
            "a/../b",
            "a/..",
            "./a",
            ".",
            "%2e%2e/a",
            "%2E%2e",
            ".%2e/",
            "a%2fb",
            "%2fetc/passwd",
            "/etc/passwd",
            "//a",
            "a//b",
            "a%00",
            "%00",
            "a%",
            "a%2",
            "a%zz",
            "%c0%ae%c0%ae%2fa",
        ] {
            assert_eq!(relative(refused), None, "{refused}");
        }
    }
}

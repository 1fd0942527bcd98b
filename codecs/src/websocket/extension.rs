//! `Sec-WebSocket-Extensions`: a list of extensions with parameters (RFC 6455 section 9.1).
//!
//! ```text
//! extension-list = 1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )
//! ```

use core::fmt;
use std::borrow::Cow;

/// One element of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extension<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) params: Vec<Param<'a>>,
}

/// A parameter, with its value if it has one.
pub(crate) type Param<'a> = (&'a [u8], Option<Cow<'a, [u8]>>);

/// What is wrong with the extensions of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionError(&'static str);

const MALFORMED: ExtensionError = ExtensionError("malformed Sec-WebSocket-Extensions");

impl ExtensionError {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(what)
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for ExtensionError {}

/// The extensions of all fields of that name, in order. No field is an empty list.
pub(crate) fn parse<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Extension<'a>>, ExtensionError> {
    let mut extensions = Vec::new();
    for value in values {
        let before = extensions.len();
        let mut rest = Rest(value);
        while !rest.0.is_empty() {
            rest.skip_space();
            // Empty elements of a list are to be skipped (RFC 9110 section 5.6.1).
            if rest.take(b',') || rest.0.is_empty() {
                continue;
            }
            extensions.push(rest.extension()?);
            rest.skip_space();
            if !rest.0.is_empty() && !rest.take(b',') {
                return Err(MALFORMED);
            }
        }
        if extensions.len() == before {
            return Err(MALFORMED);
        }
    }
    Ok(extensions)
}

/// Whether this byte may stand in a token (RFC 9110 section 5.6.2).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(byte, b'^'..=b'`' | b'|' | b'~')
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn token(&mut self) -> Result<&'a [u8], ExtensionError> {
        let len = self.0.iter().take_while(|byte| is_token_byte(**byte)).count();
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        if token.is_empty() { Err(MALFORMED) } else { Ok(token) }
    }

    fn extension(&mut self) -> Result<Extension<'a>, ExtensionError> {
        let name = self.token()?;
        let mut params = Vec::new();
        loop {
            self.skip_space();
            if !self.take(b';') {
                return Ok(Extension { name, params });
            }
            self.skip_space();
            let param = self.token()?;
            self.skip_space();
            let value = if self.take(b'=') {
                self.skip_space();
                Some(self.value()?)
            } else {
                None
            };
            params.push((param, value));
        }
    }

    /// A token, or a quoted string that is a token once its quotes and escapes are gone.
    fn value(&mut self) -> Result<Cow<'a, [u8]>, ExtensionError> {
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = Vec::new();
        loop {
            let [byte, rest @ ..] = self.0 else { return Err(MALFORMED) };
            self.0 = rest;
            let byte = match byte {
                b'"' if value.is_empty() => return Err(MALFORMED),
                b'"' => return Ok(Cow::Owned(value)),
                b'\\' => {
                    let [escaped, rest @ ..] = self.0 else { return Err(MALFORMED) };
                    self.0 = rest;
                    *escaped
                }
                byte => *byte,
            };
            if !is_token_byte(byte) {
                return Err(MALFORMED);
            }
            value.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> Result<String, ExtensionError> {
        let mut text = String::new();
        for Extension { name, params } in parse([value.as_bytes()].into_iter())? {
            text.push_str(&String::from_utf8_lossy(name));
            for (param, value) in params {
                text.push(';');
                text.push_str(&String::from_utf8_lossy(param));
                if let Some(value) = value {
                    text.push('=');
                    text.push_str(&String::from_utf8_lossy(&value));
                }
            }
            text.push(',');
        }
        Ok(text)
    }

    #[test]
    fn lists() {
        let table = [
            ("foo", "foo,"),
            ("foo,bar", "foo,bar,"),
            (" foo ;\ta , bar; b=c ;d = \"e\" ", "foo;a,bar;b=c;d=e,"),
            (",foo,,bar,", "foo,bar,"),
            ("foo; a=\"\\1\\2\"", "foo;a=12,"),
            ("foo; a; a", "foo;a;a,"),
        ];
        for (value, expected) in table {
            assert_eq!(shown(value).as_deref(), Ok(expected), "{value}");
        }
        let bad = [
            "",
            " ",
            ",",
            "foo bar",
            "foo;",
            "foo; a=",
            "foo; =a",
            "foo; a=\"",
            "foo; a=\"\"",
            "foo; a=\"b c\"",
            "foo; a=\"b\\",
            "foo/bar",
            "foo; a=b=c",
            "foo; a=\"b\"c",
            "\"foo\"",
            "foo;;a",
            "f\u{e4}",
        ];
        for value in bad {
            assert_eq!(shown(value), Err(MALFORMED), "{value}");
        }
    }
}

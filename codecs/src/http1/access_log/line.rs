//! One line of an access log.

use core::fmt::{self, Write};

use crate::http1::DateText;

/// What a line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessFormat {
    /// `host ident user [date] "request" status bytes`
    #[default]
    Common,
    /// The same, and `"referer" "user agent"`.
    Combined,
}

/// What is known of a request and of its answer.
///
/// Whatever a client has sent is escaped on its way into a line: quotes and backslashes with a
/// backslash, and what is not visible ASCII as `\xHH`, so that no request can forge another line or a
/// terminal's commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessEntry {
    /// The address of the client, without its port.
    pub host: String,
    /// The user, if somebody has found out.
    pub user: Option<String>,
    /// When the request came, in seconds since 1970.
    pub unix_seconds: u64,
    /// Method, target and version.
    pub request: Vec<u8>,
    /// The status; `None` when the connection ended before there was one.
    pub status: Option<u16>,
    /// Bytes of content that were sent.
    pub bytes: u64,
    /// The field `Referer`.
    pub referer: Option<Vec<u8>>,
    /// The field `User-Agent`.
    pub user_agent: Option<Vec<u8>>,
}

impl AccessEntry {
    /// The line, without a line end.
    #[must_use]
    pub fn line(&self, format: AccessFormat) -> String {
        let mut line = String::with_capacity(128 + self.request.len());
        // A string takes whatever is written into it.
        let _ = self.write(format, &mut line);
        line
    }

    fn write(&self, format: AccessFormat, line: &mut String) -> fmt::Result {
        word(line, self.host.as_bytes())?;
        line.push_str(" - ");
        word(line, self.user.as_deref().unwrap_or_default().as_bytes())?;
        let date = DateText::new(self.unix_seconds);
        // `Sun, 06 Nov 1994 08:49:37 GMT`
        let date = core::str::from_utf8(date.as_bytes()).unwrap_or_default();
        let part = |from, to| date.get(from..to).unwrap_or_default();
        write!(line, " [{}/{}/{}:{} +0000] ", part(5, 7), part(8, 11), part(12, 16), part(17, 25))?;
        quoted(line, Some(&self.request))?;
        match self.status {
            Some(status) => write!(line, " {status} ")?,
            None => line.push_str(" - "),
        }
        match self.bytes {
            0 => line.push('-'),
            bytes => write!(line, "{bytes}")?,
        }
        if format == AccessFormat::Combined {
            for field in [&self.referer, &self.user_agent] {
                line.push(' ');
                quoted(line, field.as_deref())?;
            }
        }
        Ok(())
    }
}

/// A word that is not in quotes: spaces are escaped, too.
fn word(line: &mut String, text: &[u8]) -> fmt::Result {
    if text.is_empty() {
        line.push('-');
        return Ok(());
    }
    escape(line, text, true)
}

fn quoted(line: &mut String, text: Option<&[u8]>) -> fmt::Result {
    line.push('"');
    match text {
        Some(text) => escape(line, text, false)?,
        None => line.push('-'),
    }
    line.push('"');
    Ok(())
}

fn escape(line: &mut String, text: &[u8], spaces: bool) -> fmt::Result {
    for &byte in text {
        match byte {
            b'"' | b'\\' => line.extend(['\\', char::from(byte)]),
            b' ' if !spaces => line.push(' '),
            0x21..=0x7e => line.push(char::from(byte)),
            _ => write!(line, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}

//! The head of a part (RFC 7578 sections 4.2 to 4.7).

use super::FormError;
use super::boundary::Parameters;
use crate::http1::chars::{is_field_value, token_len, trim};

/// What a part says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    name: String,
    file_name: Option<String>,
    content_type: Option<String>,
}

impl PartHead {
    /// The name of the form's field.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the file, when the part is one, as the client likes to call it: it may hold `/`,
    /// `..` and anything else, and is no path to open.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// The media type; `text/plain` when there is none (RFC 7578 section 4.4).
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Reads the field lines, each with its CRLF, without the empty line behind them.
    pub(super) fn parse(lines: &[u8], fields_max: u16) -> Result<Self, FormError> {
        let mut head = Self::default();
        let mut disposed = false;
        let mut fields = 0_u16;
        for line in lines.split_inclusive(|&b| b == b'\n') {
            let Some(line) = line.strip_suffix(b"\r\n") else {
                return Err(FormError::Malformed("line feed without a carriage return"));
            };
            fields += 1;
            if fields > fields_max {
                return Err(FormError::TooLarge("fields of a part"));
            }
            let (name, rest) = line.split_at(token_len(line));
            let [b':', value @ ..] = rest else {
                return Err(FormError::Malformed("header line of a part"));
            };
            let value = trim(value);
            if name.is_empty() || !is_field_value(value) {
                return Err(FormError::Malformed("header line of a part"));
            }
            if name.eq_ignore_ascii_case(b"content-disposition") {
                if std::mem::replace(&mut disposed, true) {
                    return Err(FormError::Malformed("two dispositions of a part"));
                }
                head.disposition(value)?;
            } else if name.eq_ignore_ascii_case(b"content-type") {
                head.content_type = Some(text(value));
            } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
                check_encoding(value)?;
            }
        }
        if disposed { Ok(head) } else { Err(FormError::Malformed("part without a disposition")) }
    }

    /// RFC 7578 section 4.2: `form-data` with a name. `filename*` is not for forms and passed over.
    fn disposition(&mut self, value: &[u8]) -> Result<(), FormError> {
        let end = value.iter().position(|&b| b == b';').unwrap_or(value.len());
        let (kind, rest) = value.split_at(end);
        if !trim(kind).eq_ignore_ascii_case(b"form-data") {
            return Err(FormError::Malformed("disposition other than form-data"));
        }
        let mut name = None;
        for parameter in Parameters::new(rest) {
            let (key, value) = parameter?;
            let place = if key.eq_ignore_ascii_case(b"name") {
                &mut name
            } else if key.eq_ignore_ascii_case(b"filename") {
                &mut self.file_name
            } else {
                continue;
            };
            if place.replace(text(&value)).is_some() {
                return Err(FormError::Malformed("two names of a part"));
            }
        }
        self.name = name.ok_or(FormError::Malformed("part without a name"))?;
        Ok(())
    }
}

/// RFC 7578 section 4.7: those that change nothing.
fn check_encoding(value: &[u8]) -> Result<(), FormError> {
    let plain = ["7bit", "8bit", "binary"];
    if plain.iter().any(|name| value.eq_ignore_ascii_case(name.as_bytes())) {
        return Ok(());
    }
    Err(FormError::Malformed("transfer encoding of a part"))
}

/// As text, with the escapes that browsers use for what would end a quoted string (the form-data
/// encoding of HTML): `%22`, `%0D`, `%0A`.
fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    if !text.contains('%') {
        return text.into_owned();
    }
    text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

//! The boundary between parts, and parameters of fields in general.

use super::FormError;
use crate::http1::chars::{token_len, trim};

/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// The boundary that a `Content-Type` names, or `None` when it is not `multipart/form-data`.
///
/// # Errors
/// When the boundary is missing, or is not what RFC 2046 section 5.1.1 allows.
pub fn boundary_of(content_type: &[u8]) -> Result<Option<Vec<u8>>, FormError> {
    let end = content_type.iter().position(|&b| b == b';').unwrap_or(content_type.len());
    let (essence, rest) = content_type.split_at(end);
    if !trim(essence).eq_ignore_ascii_case(b"multipart/form-data") {
        return Ok(None);
    }
    let mut boundary = None;
    for parameter in Parameters::new(rest) {
        let (name, value) = parameter?;
        if name.eq_ignore_ascii_case(b"boundary") && boundary.replace(value).is_some() {
            return Err(FormError::Malformed("two boundaries"));
        }
    }
    let boundary = boundary.ok_or(FormError::Malformed("no boundary"))?;
    check(&boundary)?;
    Ok(Some(boundary))
}

/// RFC 2046 section 5.1.1: 1 to 70 characters of a few kinds, and no space at the end.
pub(super) fn check(boundary: &[u8]) -> Result<(), FormError> {
    let is_bchar = |b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(b);
    let fits = (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len());
    if !fits || !boundary.iter().all(is_bchar) || boundary.ends_with(b" ") {
        return Err(FormError::Malformed("boundary of forbidden characters or length"));
    }
    Ok(())
}

/// A name as it was sent, and a value without quotes.
type Parameter<'a> = (&'a [u8], Vec<u8>);

/// `; name=value` over and over, values as tokens or quoted strings (RFC 9110 section 5.6.6).
pub(super) struct Parameters<'a>(&'a [u8]);

impl<'a> Parameters<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    fn parse(&mut self) -> Result<Option<Parameter<'a>>, FormError> {
        const MALFORMED: FormError = FormError::Malformed("parameters of a field");
        let mut rest = trim(self.0);
        while let [b';', behind @ ..] = rest {
            rest = trim(behind);
        }
        if rest.is_empty() {
            return Ok(None);
        }
        let (name, behind) = rest.split_at(token_len(rest));
        let [b'=', value @ ..] = behind else { return Err(MALFORMED) };
        if name.is_empty() {
            return Err(MALFORMED);
        }
        let (value, behind) = match value {
            [b'"', quoted @ ..] => quoted_string(quoted).ok_or(MALFORMED)?,
            _ => {
                let (token, behind) = value.split_at(token_len(value));
                (token.to_vec(), behind)
            }
        };
        if !matches!(trim(behind), [] | [b';', ..]) {
            return Err(MALFORMED);
        }
        self.0 = behind;
        Ok(Some((name, value)))
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, FormError>;

    fn next(&mut self) -> Option<Self::Item> {
        let parameter = self.parse();
        if parameter.is_err() {
            self.0 = &[];
        }
        parameter.transpose()
    }
}

/// What is between the quotes, and what follows them. A backslash escapes a quote or another
/// backslash, and stands for itself in front of anything else: browsers send file names of Windows
/// unescaped.
fn quoted_string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [] => return None,
            [b'"', behind @ ..] => return Some((value, behind)),
            [b'\\', escaped @ (b'"' | b'\\'), behind @ ..] => {
                value.push(*escaped);
                rest = behind;
            }
            [byte, behind @ ..] => {
                value.push(*byte);
                rest = behind;
            }
        }
    }
}

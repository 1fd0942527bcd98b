//! Values of the little Python.

use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number; wide enough for every field of `tcp_info`.
    Integer(i128),
    /// A fraction.
    Float(f64),
    /// A text.
    Text(String),
    /// Several values.
    Tuple(Vec<Value>),
}

impl Value {
    /// What `if` would take it for.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::Integer(n) => *n != 0,
            Self::Float(x) => *x != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Tuple(values) => !values.is_empty(),
        }
    }

    pub(super) fn float(&self) -> Option<f64> {
        match self {
            Self::Integer(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Text(text) => f.write_str(text),
            Self::Tuple(values) => {
                f.write_str("(")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str(")")
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(i128::from(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(i128::from(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(i128::from(value))
    }
}

/// `text % values`, for the directives d, s, u, x and f; others stay as they are.
pub(super) fn format(text: &str, values: &Value) -> String {
    let one = std::slice::from_ref(values);
    let mut values = match values {
        Value::Tuple(values) => values.iter(),
        _ => one.iter(),
    };
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = rest.next();
        while directive.is_some_and(|d| d.is_ascii_digit() || d == '.') {
            directive = rest.next();
        }
        match (directive, values.as_slice().first()) {
            (Some('%'), _) => out.push('%'),
            (Some('x'), Some(Value::Integer(n))) => {
                out.push_str(&format!("{n:x}"));
                values.next();
            }
            (Some(_), Some(value)) => {
                out.push_str(&value.to_string());
                values.next();
            }
            (d, None) => {
                out.push('%');
                out.extend(d);
            }
            (None, Some(_)) => out.push('%'),
        }
    }
    out
}

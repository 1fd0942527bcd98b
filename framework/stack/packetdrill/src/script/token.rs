//! The words of the language.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One token and the line it begins on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) line: u32,
}

/// A token.
///
/// Numbers keep their text: in `<FO 0102030405060708>` the digits are bytes, not a number, and only
/// the parser knows which.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// `--name` or `--name=value`.
    Option { name: String, value: Option<String> },
    /// Letters, digits and underscores, also `gen-30` and `exp-f989`.
    Word(String),
    /// `-12`, `010203`.
    Integer(String),
    /// `0x1f`, without its prefix.
    Hex(String),
    /// `1.5`, `.010`.
    Float(String),
    /// What stood between double quotes, escapes as written.
    String(String),
    /// What stood between backticks.
    Shell(String),
    /// What stood between `%{` and `}%`.
    Code(String),
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// `...`
    Ellipsis,
    /// Any other character.
    Symbol(char),
    /// The end of the script.
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option { name, .. } => write!(f, "option --{name}"),
            Self::Word(word) => write!(f, "'{word}'"),
            Self::Integer(text) | Self::Float(text) => f.write_str(text),
            Self::Hex(text) => write!(f, "0x{text}"),
            Self::String(text) => write!(f, "\"{text}\""),
            Self::Shell(_) => f.write_str("a command in backticks"),
            Self::Code(_) => f.write_str("code in %{ }%"),
            Self::Ipv4(address) => write!(f, "{address}"),
            Self::Ipv6(address) => write!(f, "{address}"),
            Self::Ellipsis => f.write_str("'...'"),
            Self::Symbol(c) => write!(f, "'{c}'"),
            Self::End => f.write_str("the end of the script"),
        }
    }
}

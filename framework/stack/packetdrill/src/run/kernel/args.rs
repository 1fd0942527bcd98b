//! What the arguments of a call mean.

use std::net::SocketAddr;

use super::super::system::System;
use super::{Attempt, Kernel};
use crate::script::{Expr, Field};

/// The argument at `index`.
pub(super) fn at(arguments: &[Expr], index: usize) -> Result<&Expr, Attempt> {
    arguments.get(index).ok_or_else(|| Attempt::Unknown("a call with fewer arguments".to_owned()))
}

/// A number, or a constant that has one.
pub(super) fn number(expression: &Expr, system: System) -> Option<i64> {
    match expression {
        Expr::Integer(n) => Some(*n),
        Expr::Word(word) => system.constant(word),
        Expr::Or(left, right) => Some(number(left, system)? | number(right, system)?),
        Expr::List(list) => list.first().and_then(|first| number(first, system)),
        Expr::Apply(name, list) if name == "htonl" || name == "htons" => {
            list.first().and_then(|first| number(first, system))
        }
        _ => None,
    }
}

/// The descriptor a call is about.
pub(super) fn descriptor(arguments: &[Expr]) -> Result<i64, Attempt> {
    match at(arguments, 0)? {
        Expr::Integer(n) => Ok(*n),
        other => Err(Attempt::Unknown(format!("the descriptor {other:?}"))),
    }
}

/// Whether a constant is among those joined by `|`.
pub(super) fn has_word(expression: &Expr, word: &str) -> bool {
    match expression {
        Expr::Word(w) => w == word,
        Expr::Or(left, right) => has_word(left, word) || has_word(right, word),
        _ => false,
    }
}

/// The constants joined by `|`.
pub(super) fn words(expression: &Expr) -> Vec<&str> {
    match expression {
        Expr::Word(word) => vec![word],
        Expr::Or(left, right) => [words(left), words(right)].concat(),
        _ => Vec::new(),
    }
}

/// A constant, or one that is the only element of a list.
pub(super) fn word(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Word(word) => Some(word),
        Expr::List(list) => list.first().and_then(word),
        _ => None,
    }
}

/// A member of a structure, by name.
pub(super) fn field<'a>(structure: &'a Expr, name: &str) -> Option<&'a Expr> {
    let Expr::Struct(fields) = structure else { return None };
    fields.iter().find(|f| f.name.as_deref() == Some(name)).map(|f| &f.value)
}

/// The lengths of the pieces in `[{..., 10}, {..., 20}]`.
pub(super) fn pieces(list: &Expr) -> Option<Vec<(&Expr, usize)>> {
    let Expr::List(list) = list else { return None };
    let piece = |item| match fields(item)? {
        [base, Field { value: Expr::Integer(length), .. }] => {
            Some((&base.value, usize::try_from(*length).ok()?))
        }
        _ => None,
    };
    list.iter().map(piece).collect()
}

/// An address of no family: the word, or a structure with it.
pub(super) fn is_unspecified(address: &Expr) -> bool {
    let family = field(address, "sa_family").unwrap_or(address);
    word(family) == Some("AF_UNSPEC")
}

fn fields(structure: &Expr) -> Option<&[Field]> {
    match structure {
        Expr::Struct(fields) => Some(fields),
        _ => None,
    }
}

impl Kernel {
    /// The number of an argument.
    pub(super) fn number_at(&self, arguments: &[Expr], index: usize) -> Result<i64, Attempt> {
        let argument = at(arguments, index)?;
        number(argument, self.settings.system)
            .ok_or_else(|| Attempt::Unknown(format!("the argument {argument:?}")))
    }

    /// A length.
    pub(super) fn length_at(&self, arguments: &[Expr], index: usize) -> Result<usize, Attempt> {
        let length = self.number_at(arguments, index)?;
        usize::try_from(length).map_err(|_| Attempt::Error("EINVAL"))
    }

    /// A socket address; `...` is the one that `otherwise` says.
    pub(super) fn address(
        &self,
        argument: &Expr,
        otherwise: SocketAddr,
    ) -> Result<SocketAddr, Attempt> {
        if let Expr::Struct(_) = argument {
            let port = match field(argument, "sin_port") {
                Some(Expr::Apply(_, list)) => list.first().and_then(|n| match n {
                    Expr::Integer(n) => u16::try_from(*n).ok(),
                    _ => None,
                }),
                _ => None,
            };
            let ip = match field(argument, "sin_addr") {
                Some(Expr::Apply(_, list)) => list.first().and_then(|text| match text {
                    Expr::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
                    _ => None,
                }),
                _ => None,
            };
            let both = ip.zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
            return both.ok_or_else(|| Attempt::Unknown(format!("the address {argument:?}")));
        }
        match argument {
            Expr::Ellipsis => Ok(otherwise),
            Expr::Word(word) if word == "NULL" => Err(Attempt::Error("EFAULT")),
            other => Err(Attempt::Unknown(format!("the address {other:?}"))),
        }
    }
}

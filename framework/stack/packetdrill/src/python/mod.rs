//! As much of Python as scripts use in `%{ }%`: assertions about `tcp_info`.
//!
//! Statements (`assert`, assignment, a call of `print`), separated by lines or semicolons; numbers,
//! texts, tuples, names; arithmetic, comparison chains, `and`, `or`, `not`, `%` on texts. A line that
//! ends with a backslash goes on. Everything else is an error, which fails the script.

mod lexer;
mod parser;
mod value;

use std::collections::BTreeMap;

use parser::{Operator, Statement, Term};
pub use value::Value;

/// Names and what they mean, kept from one piece of code to the next.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    names: BTreeMap<String, Value>,
}

/// What running a piece of code came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodeError {
    /// An assertion does not hold: its text, and what it says behind the comma.
    Assertion(String),
    /// A name that is not defined: a feature of `tcp_info` that is not there.
    Name(String),
    /// Anything else that is wrong.
    Invalid(String),
}

impl std::fmt::Display for CodeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Assertion(text) => write!(f, "assertion failed: {text}"),
            Self::Name(name) => write!(f, "the name {name} is not defined"),
            Self::Invalid(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CodeError {}

impl Scope {
    /// Gives a name a meaning.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.names.insert(name.into(), value.into());
    }

    /// The whole numbers among the names.
    pub fn integers(&self) -> impl Iterator<Item = (&str, i128)> {
        self.names.iter().filter_map(|(name, value)| match value {
            Value::Integer(n) => Some((name.as_str(), *n)),
            _ => None,
        })
    }

    /// Runs a piece of code; says how many assertions held.
    ///
    /// # Errors
    ///
    /// The first assertion that does not hold, and anything that is not understood.
    pub fn run(&mut self, code: &str) -> Result<usize, CodeError> {
        let mut held = 0;
        for statement in parser::statements(code)? {
            match statement {
                Statement::Assert { test, message, text } => {
                    if !self.value(&test)?.is_true() {
                        let detail = match message {
                            Some(message) => format!("{text} ({})", self.value(&message)?),
                            None => text,
                        };
                        return Err(CodeError::Assertion(detail));
                    }
                    held += 1;
                }
                Statement::Assign { name, operator, value } => {
                    let mut value = self.value(&value)?;
                    if let Some(operator) = operator {
                        value = operator.apply(&self.name(&name)?, &value)?;
                    }
                    self.names.insert(name, value);
                }
                Statement::Expression(term) => {
                    self.value(&term)?;
                }
            }
        }
        Ok(held)
    }

    fn name(&self, name: &str) -> Result<Value, CodeError> {
        self.names.get(name).cloned().ok_or_else(|| CodeError::Name(name.to_owned()))
    }

    fn value(&self, term: &Term) -> Result<Value, CodeError> {
        Ok(match term {
            Term::Constant(value) => value.clone(),
            Term::Name(name) => self.name(name)?,
            Term::Tuple(terms) => {
                Value::Tuple(terms.iter().map(|term| self.value(term)).collect::<Result<_, _>>()?)
            }
            Term::Not(term) => Value::from(!self.value(term)?.is_true()),
            Term::Negate(term) => {
                Operator::Subtract.apply(&Value::Integer(0), &self.value(term)?)?
            }
            Term::Invert(term) => match self.value(term)? {
                Value::Integer(n) => Value::Integer(!n),
                other => return Err(CodeError::Invalid(format!("~ of {other}"))),
            },
            Term::And(left, right) => match self.value(left)? {
                left if left.is_true() => self.value(right)?,
                left => left,
            },
            Term::Or(left, right) => match self.value(left)? {
                left if left.is_true() => left,
                _ => self.value(right)?,
            },
            Term::Binary(operator, left, right) => {
                operator.apply(&self.value(left)?, &self.value(right)?)?
            }
            Term::Compare(first, rest) => self.compare(first, rest)?,
            Term::Call(name, arguments) => self.call(name, arguments)?,
        })
    }

    /// `a < b <= c`: every neighbouring pair must hold.
    fn compare(
        &self,
        first: &Term,
        rest: &[(parser::Comparison, Term)],
    ) -> Result<Value, CodeError> {
        let mut left = self.value(first)?;
        for (comparison, term) in rest {
            let right = self.value(term)?;
            if !comparison.holds(&left, &right)? {
                return Ok(Value::from(false));
            }
            left = right;
        }
        Ok(Value::from(true))
    }

    fn call(&self, name: &str, arguments: &[Term]) -> Result<Value, CodeError> {
        let values =
            arguments.iter().map(|term| self.value(term)).collect::<Result<Vec<_>, _>>()?;
        match (name, values.as_slice()) {
            ("print", _) => Ok(Value::Integer(0)),
            ("abs", [Value::Integer(n)]) => Ok(Value::Integer(n.abs())),
            ("int", [Value::Integer(n)]) => Ok(Value::Integer(*n)),
            ("int", [Value::Float(x)]) => Ok(Value::Integer(*x as i128)),
            ("min" | "max", [first, rest @ ..]) => {
                let mut best = first;
                for value in rest {
                    if parser::Comparison::Less.holds(value, best)? == (name == "min") {
                        best = value;
                    }
                }
                Ok(best.clone())
            }
            _ => Err(CodeError::Invalid(format!("the function {name} is not known"))),
        }
    }
}

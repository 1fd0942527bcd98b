//! What is wrong with a script, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A script that is not written in the language.
///
/// Printed as `file:line: message`, the form editors and terminals make clickable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    path: PathBuf,
    line: u32,
    message: String,
    dialect: Option<Dialect>,
}

/// A dialect of the language that is told apart from ours and not read: what its scripts test is not
/// there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// Scripts about multipath TCP (RFC 8684).
    Multipath,
}

impl ScriptError {
    pub(crate) fn new(path: &Path, line: u32, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into(), dialect: None }
    }

    pub(crate) fn foreign(path: &Path, line: u32, word: &str, dialect: Dialect) -> Self {
        let message = format!("'{word}' belongs to another dialect: {dialect:?}");
        Self { dialect: Some(dialect), ..Self::new(path, line, message) }
    }

    /// The dialect the script is written in, when it is one that is not read.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// The script.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The line, counted from one.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

impl std::error::Error for ScriptError {}

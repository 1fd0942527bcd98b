//! Walking over tokens, and the small things every part of the grammar needs.

use std::path::Path;
use std::time::Duration;

use super::error::ScriptError;
use super::token::{Spanned, Token};

/// A position in a script's tokens.
pub(crate) struct Cursor<'a> {
    path: &'a Path,
    tokens: &'a [Spanned],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// `tokens` ends with [`Token::End`].
    pub(crate) fn new(path: &'a Path, tokens: &'a [Spanned]) -> Self {
        Self { path, tokens, at: 0 }
    }

    fn nth(&self, n: usize) -> &'a Token {
        self.tokens.get(self.at + n).map_or(&Token::End, |spanned| &spanned.token)
    }

    pub(crate) fn peek(&self) -> &'a Token {
        self.nth(0)
    }

    pub(crate) fn peek_second(&self) -> &'a Token {
        self.nth(1)
    }

    pub(crate) fn line(&self) -> u32 {
        let last = self.tokens.last();
        self.tokens.get(self.at).or(last).map_or(1, |spanned| spanned.line)
    }

    pub(crate) fn next(&mut self) -> &'a Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    pub(crate) fn error<T>(&self, message: impl Into<String>) -> Result<T, ScriptError> {
        Err(ScriptError::new(self.path, self.line(), message))
    }

    /// An error that says what was wanted and what stands there.
    pub(crate) fn expected<T>(&self, what: &str) -> Result<T, ScriptError> {
        self.error(format!("expected {what}, found {}", self.peek()))
    }

    pub(crate) fn is_symbol(&self, symbol: char) -> bool {
        *self.peek() == Token::Symbol(symbol)
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(w) if w == word)
    }

    pub(crate) fn take_symbol(&mut self, symbol: char) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn symbol(&mut self, symbol: char) -> Result<(), ScriptError> {
        if self.take_symbol(symbol) { Ok(()) } else { self.expected(&format!("'{symbol}'")) }
    }

    pub(crate) fn keyword(&mut self, word: &str) -> Result<(), ScriptError> {
        if self.take_word(word) { Ok(()) } else { self.expected(&format!("'{word}'")) }
    }

    pub(crate) fn word(&mut self, what: &str) -> Result<&'a str, ScriptError> {
        match self.peek() {
            Token::Word(word) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.expected(what),
        }
    }

    /// A number, decimal or hexadecimal, that fits `T`.
    pub(crate) fn integer<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, ScriptError> {
        let parsed = match self.peek() {
            Token::Integer(text) => text.parse::<i64>().ok(),
            Token::Hex(text) => i64::from_str_radix(text, 16).ok(),
            _ => return self.expected(what),
        };
        match parsed.and_then(|value| T::try_from(value).ok()) {
            Some(value) => {
                self.at += 1;
                Ok(value)
            }
            None => self.error(format!("{what} is out of range: {}", self.peek())),
        }
    }

    /// A time in seconds.
    pub(crate) fn seconds(&mut self) -> Result<Duration, ScriptError> {
        let time = match self.peek() {
            Token::Integer(text) | Token::Float(text) => seconds(text),
            _ => return self.expected("a time"),
        };
        match time {
            Some(time) => {
                self.at += 1;
                Ok(time)
            }
            None => self.error(format!("not a time: {}", self.peek())),
        }
    }
}

/// `1.25` as a duration, exactly; digits beyond nanoseconds are cut off.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let mut nanos = 0;
    for i in 0..9 {
        let digit = fraction.as_bytes().get(i).map_or(0, |b| u32::from(b - b'0'));
        nanos = nanos * 10 + digit;
    }
    Some(Duration::new(whole, nanos))
}

//! What a pattern's parameters stand for.

use std::borrow::Cow;

use crate::http1::forms::percent;

/// The parameters of a route that was found.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    names: &'a [Box<str>],
    values: Vec<&'a str>,
}

impl<'a> Params<'a> {
    pub(super) fn new(names: &'a [Box<str>], values: Vec<&'a str>) -> Self {
        Self { names, values }
    }

    /// The value of that name, percent-decoded; what is not UTF-8 in it is replaced.
    ///
    /// It may hold anything, slashes that were escaped as well: it is no path to open.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw(name).map(|value| percent::decode_text(value.as_bytes(), false))
    }

    /// The value of that name as it was sent.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// All of them, as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.names.iter().map(|name| &**name).zip(self.values.iter().copied())
    }
}

//! Where a request goes, and the answers when it goes nowhere.

use std::fmt;

use super::params::Params;
use crate::http1::{Method, Response, Status};

/// What [`Router::find`](super::Router::find) found.
#[derive(Debug)]
#[non_exhaustive]
pub enum Found<'a, T> {
    /// A route.
    Route {
        /// What it leads to.
        target: &'a T,
        /// What its parameters stand for.
        params: Params<'a>,
    },
    /// OPTIONS, of a path with routes for other methods, or of `*`.
    Options(Allow),
    /// The path has routes, but none for this method.
    MethodNotAllowed(Allow),
    /// The path has no routes.
    NotFound,
}

impl<T> Found<'_, T> {
    /// The answer to a request that no route takes: 204, 405 or 404. `None` when there is a route.
    #[must_use]
    pub fn refusal(&self) -> Option<Response> {
        let text = |status: Status| {
            Response::new(status).header("Content-Type", "text/plain; charset=utf-8")
        };
        Some(match self {
            Self::Route { .. } => return None,
            Self::Options(allow) => {
                Response::new(Status::NO_CONTENT).header("Allow", allow.to_string())
            }
            // RFC 9110 section 15.5.6.
            Self::MethodNotAllowed(allow) => text(Status::METHOD_NOT_ALLOWED)
                .header("Allow", allow.to_string())
                .body("method not allowed"),
            Self::NotFound => text(Status::NOT_FOUND).body("not found"),
        })
    }
}

/// The methods of a resource, as an `Allow` field shows them (RFC 9110 section 10.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allow(u16);

/// In the order in which they are shown.
const METHODS: [Method; 7] = [
    Method::Get,
    Method::Head,
    Method::Post,
    Method::Put,
    Method::Delete,
    Method::Patch,
    Method::Options,
];

impl Allow {
    /// All methods that a server of fyke takes.
    #[must_use]
    pub fn all() -> Self {
        let mut all = Self::default();
        METHODS.into_iter().for_each(|method| all.add(method));
        all
    }

    pub(super) fn add(&mut self, method: Method) {
        self.0 |= 1 << method as u16;
        // HEAD comes with GET, and OPTIONS with anything.
        if method == Method::Get {
            self.add(Method::Head);
        }
        self.0 |= 1 << Method::Options as u16;
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this method is among them.
    #[must_use]
    pub fn contains(self, method: Method) -> bool {
        self.0 & 1 << method as u16 != 0
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for method in METHODS.into_iter().filter(|method| self.contains(*method)) {
            write!(f, "{separator}{method}")?;
            separator = ", ";
        }
        Ok(())
    }
}

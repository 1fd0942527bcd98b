//! A small router: method and path to whatever should be there.
//!
//! | pattern | takes |
//! |---|---|
//! | `/about` | that path |
//! | `/users/:id` | one segment, whatever it is but empty |
//! | `/files/*path` | the rest, slashes included; also none of it |
//!
//! A fixed segment goes before a parameter, and a parameter before a tail. Segments are compared after
//! percent-decoding, so that `/%61bout` is `/about`, and an escaped slash never ends a segment.

mod found;
mod params;
#[cfg(feature = "pipeline")]
mod service;

use std::fmt;

use super::Method;
use super::forms::percent;

pub use found::{Allow, Found};
pub use params::Params;
#[cfg(feature = "pipeline")]
pub use service::RouteService;

/// A pattern that cannot be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// A pattern begins with `/`.
    Relative,
    /// A parameter or a tail needs a name.
    Nameless,
    /// Two parameters of a pattern have one name.
    Repeated,
    /// A tail is the last segment.
    BehindTail,
    /// Another route takes the same requests.
    Taken,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Relative => "a pattern begins with a slash",
            Self::Nameless => "a parameter of a pattern has no name",
            Self::Repeated => "two parameters of a pattern have one name",
            Self::BehindTail => "nothing can follow the tail of a pattern",
            Self::Taken => "another route takes the same requests",
        })
    }
}

impl core::error::Error for RouteError {}

/// What a route leads to, and the names of its parameters in order.
struct Route<T> {
    method: Method,
    names: Vec<Box<str>>,
    target: T,
}

/// A segment's place in the tree.
struct Node<T> {
    fixed: Vec<(Box<str>, Self)>,
    parameter: Option<Box<Self>>,
    tail: Vec<Route<T>>,
    routes: Vec<Route<T>>,
}

/// Routes requests to values: to functions, say; see [`RouteService`] for those.
///
/// HEAD goes where GET goes when it has no route of its own, and OPTIONS is answered from the routes.
///
/// ```
/// use fyke_codecs::http1::Method;
/// use fyke_codecs::http1::router::{Found, RouteError, Router};
///
/// let mut router = Router::new();
/// router.add(Method::Get, "/users/:id/posts/*rest", "posts")?;
/// let Found::Route { target, params } = router.find(Method::Get, "/users/ada%20l/posts/1/2") else {
///     panic!("it is there");
/// };
/// assert_eq!(*target, "posts");
/// assert_eq!(params.get("id").as_deref(), Some("ada l"));
/// assert_eq!(params.get("rest").as_deref(), Some("1/2"));
/// assert!(matches!(router.find(Method::Put, "/users/1/posts/"), Found::MethodNotAllowed(_)));
/// # Ok::<(), RouteError>(())
/// ```
pub struct Router<T> {
    root: Node<T>,
    routes: usize,
}

impl<T> Node<T> {
    const fn new() -> Self {
        Self { fixed: Vec::new(), parameter: None, tail: Vec::new(), routes: Vec::new() }
    }
}

impl<T> Router<T> {
    /// A router without routes.
    #[must_use]
    pub const fn new() -> Self {
        Self { root: Node::new(), routes: 0 }
    }

    /// Adds a route.
    ///
    /// # Errors
    /// When the pattern is malformed, or another route takes the same requests.
    pub fn add(&mut self, method: Method, pattern: &str, target: T) -> Result<(), RouteError> {
        let Some(path) = pattern.strip_prefix('/') else { return Err(RouteError::Relative) };
        let names = names_of(path)?;
        let mut node = &mut self.root;
        let mut has_tail = false;
        for segment in path.split('/') {
            match segment.as_bytes() {
                [b'*', ..] => has_tail = true,
                [b':', ..] => node = node.parameter.get_or_insert_with(|| Box::new(Node::new())),
                _ => node = node.fixed_segment(segment),
            }
        }
        let routes = if has_tail { &mut node.tail } else { &mut node.routes };
        if routes.iter().any(|route| route.method == method) {
            return Err(RouteError::Taken);
        }
        routes.push(Route { method, names, target });
        self.routes += 1;
        Ok(())
    }

    /// Number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes == 0
    }

    /// Where a request goes; `path` is what [`RequestHead::path`](super::RequestHead::path) says.
    ///
    /// The work is bounded by the number of routes and the length of the path.
    pub fn find<'a>(&'a self, method: Method, path: &'a str) -> Found<'a, T> {
        if path == "*" {
            return Found::Options(Allow::all());
        }
        let Some(rest) = path.strip_prefix('/') else { return Found::NotFound };
        let mut values = Vec::new();
        let mut allow = Allow::default();
        if let Some(route) = self.root.find(method, Some(rest), &mut values, &mut allow) {
            let params = Params::new(&route.names, values);
            return Found::Route { target: &route.target, params };
        }
        match method {
            _ if allow.is_empty() => Found::NotFound,
            Method::Options => Found::Options(allow),
            _ => Found::MethodNotAllowed(allow),
        }
    }
}

/// The names of a pattern's parameters.
fn names_of(path: &str) -> Result<Vec<Box<str>>, RouteError> {
    let mut names: Vec<Box<str>> = Vec::new();
    let mut has_tail = false;
    for segment in path.split('/') {
        if has_tail {
            return Err(RouteError::BehindTail);
        }
        let Some(name) = segment.strip_prefix([':', '*']) else { continue };
        has_tail = segment.starts_with('*');
        if name.is_empty() {
            return Err(RouteError::Nameless);
        }
        if names.iter().any(|other| **other == *name) {
            return Err(RouteError::Repeated);
        }
        names.push(name.into());
    }
    Ok(names)
}

impl<T> Node<T> {
    fn fixed_segment(&mut self, segment: &str) -> &mut Self {
        let at = self.fixed.iter().position(|(name, _)| **name == *segment);
        let at = at.unwrap_or_else(|| {
            self.fixed.push((segment.into(), Self::new()));
            self.fixed.len() - 1
        });
        &mut self.fixed[at].1
    }

    /// Looks for a route below this node; `rest` is `None` behind the last segment. Each node is
    /// visited once at most, as its depth tells its place in the path.
    fn find<'a>(
        &'a self,
        method: Method,
        rest: Option<&'a str>,
        values: &mut Vec<&'a str>,
        allow: &mut Allow,
    ) -> Option<&'a Route<T>> {
        let Some(rest) = rest else { return pick(&self.routes, method, allow) };
        let (segment, behind) = match rest.split_once('/') {
            Some((segment, behind)) => (segment, Some(behind)),
            None => (rest, None),
        };
        let decoded = percent::decode(segment.as_bytes(), false);
        let fixed = self.fixed.iter().find(|(name, _)| *name.as_bytes() == *decoded);
        if let Some((_, node)) = fixed
            && let Some(route) = node.find(method, behind, values, allow)
        {
            return Some(route);
        }
        if let Some(node) = &self.parameter
            && !segment.is_empty()
        {
            values.push(segment);
            if let Some(route) = node.find(method, behind, values, allow) {
                return Some(route);
            }
            values.pop();
        }
        let route = pick(&self.tail, method, allow)?;
        values.push(rest);
        Some(route)
    }
}

/// The route of that method; what other methods there are is noted.
fn pick<'a, T>(routes: &'a [Route<T>], method: Method, allow: &mut Allow) -> Option<&'a Route<T>> {
    let of = |method| routes.iter().find(|route| route.method == method);
    let found = of(method);
    let found = if method == Method::Head { found.or_else(|| of(Method::Get)) } else { found };
    if found.is_none() {
        routes.iter().for_each(|route| allow.add(route.method));
    }
    found
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Router<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("routes", &self.routes).finish_non_exhaustive()
    }
}

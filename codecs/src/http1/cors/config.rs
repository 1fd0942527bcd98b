//! Which origins may do what, and the fields that say so.

use core::fmt;
use core::time::Duration;

use crate::http1::chars::{is_field_value, is_token, list};
use crate::http1::{Method, RequestHead, Response, ResponseHead, Status};

/// A configuration that no browser would accept, or nobody can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsError {
    /// Credentials for any origin: every site could act as any user.
    AnyWithCredentials,
    /// An origin is `scheme://host[:port]`, or `null`; a name of a field is a token.
    Malformed,
}

impl fmt::Display for CorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AnyWithCredentials => "any origin cannot be allowed to use credentials",
            Self::Malformed => "an origin or the name of a field is malformed",
        })
    }
}

impl core::error::Error for CorsError {}

/// Which origins may do what.
///
/// ```
/// use fyke_codecs::http1::Method;
/// use fyke_codecs::http1::cors::{CorsConfig, CorsError};
///
/// let config = CorsConfig::origins(&["https://app.example"])
///     .methods(&[Method::Get, Method::Put])
///     .headers(&["Content-Type"])
///     .credentials();
/// assert_eq!(config.check(), Ok(()));
/// assert_eq!(CorsConfig::any().credentials().check(), Err(CorsError::AnyWithCredentials));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct CorsConfig {
    /// `None` is any.
    origins: Option<Vec<String>>,
    methods: Vec<Method>,
    /// `None` is whatever is asked for.
    headers: Option<Vec<String>>,
    exposed: Vec<String>,
    credentials: bool,
    max_age: Option<Duration>,
}

impl CorsConfig {
    /// Any origin, without credentials.
    pub fn any() -> Self {
        Self::of(None)
    }

    /// These origins, as `https://app.example:8443`. `null` is the origin of files and of sandboxed
    /// frames, which anybody can make.
    pub fn origins(origins: &[&str]) -> Self {
        Self::of(Some(origins.iter().map(|origin| origin.to_ascii_lowercase()).collect()))
    }

    fn of(origins: Option<Vec<String>>) -> Self {
        let methods = vec![Method::Get, Method::Head, Method::Post];
        let (headers, exposed) = (Some(Vec::new()), Vec::new());
        Self { origins, methods, headers, exposed, credentials: false, max_age: None }
    }

    /// The methods allowed. GET, HEAD and POST, which need no permission.
    pub fn methods(mut self, methods: &[Method]) -> Self {
        self.methods = methods.to_vec();
        self
    }

    /// The request fields allowed, besides those that need no permission. None.
    pub fn headers(mut self, names: &[&str]) -> Self {
        self.headers = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Allows whatever fields are asked for.
    pub fn any_headers(mut self) -> Self {
        self.headers = None;
        self
    }

    /// The response fields that pages may read, besides those that need no permission. None.
    pub fn exposed_headers(mut self, names: &[&str]) -> Self {
        self.exposed = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Lets requests carry cookies and passwords.
    pub fn credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    /// How long a browser need not ask again.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), CorsError> {
        if self.origins.is_none() && self.credentials {
            return Err(CorsError::AnyWithCredentials);
        }
        let is_origin = |origin: &String| {
            let host = origin.split_once("://").map(|(_, host)| host);
            origin == "null"
                || host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ',', ' ']))
        };
        let origins = self.origins.iter().flatten();
        let names = self.headers.iter().flatten().chain(&self.exposed);
        let well_formed = origins.clone().all(is_origin)
            && origins.clone().all(|origin| is_field_value(origin.as_bytes()))
            && names.clone().all(|name| is_token(name.as_bytes()));
        if well_formed { Ok(()) } else { Err(CorsError::Malformed) }
    }

    /// Whether the answer to a request depends on who asks.
    fn varies(&self) -> bool {
        self.origins.is_some()
    }

    /// What the answer says of the origin, if that may see it.
    #[must_use]
    pub fn allowed(&self, head: &RequestHead) -> Option<Vec<u8>> {
        let mut origins = head.header_all("origin");
        let origin = origins.next()?;
        if origins.next().is_some() {
            return None;
        }
        match &self.origins {
            None => Some(b"*".to_vec()),
            Some(allowed) => {
                let lower = origin.to_ascii_lowercase();
                allowed.iter().any(|other| other.as_bytes() == lower).then(|| origin.to_vec())
            }
        }
    }

    /// Whether it is a question and no request.
    #[must_use]
    pub fn is_preflight(head: &RequestHead) -> bool {
        head.method() == Method::Options
            && head.header("origin").is_some()
            && head.header("access-control-request-method").is_some()
    }

    /// The answer to a question: 204 with what is allowed, or 403.
    pub fn preflight(&self, head: &RequestHead) -> Response {
        let method = head.header("access-control-request-method").unwrap_or_default();
        let method = Method::parse(method).filter(|method| self.methods.contains(method));
        let asked: Vec<&[u8]> =
            head.header_all("access-control-request-headers").flat_map(list).collect();
        let (Some(origin), Some(_), true) = (self.allowed(head), method, self.takes(&asked)) else {
            return Response {
                head: self.vary_preflight(ResponseHead::new(Status::FORBIDDEN)),
                body: "".into(),
            };
        };
        let methods: Vec<_> = self.methods.iter().map(|method| method.as_str()).collect();
        let mut answer = self
            .vary_preflight(self.allow(ResponseHead::new(Status::NO_CONTENT), &origin))
            .header("Access-Control-Allow-Methods", methods.join(", "));
        if !asked.is_empty() {
            answer = answer.header("Access-Control-Allow-Headers", asked.join(&b", "[..]));
        }
        if let Some(age) = self.max_age {
            answer = answer.header("Access-Control-Max-Age", age.as_secs().to_string());
        }
        Response { head: answer, body: "".into() }
    }

    /// Whether all these fields are allowed.
    fn takes(&self, asked: &[&[u8]]) -> bool {
        asked.iter().all(|name| match &self.headers {
            None => is_token(name),
            Some(allowed) => {
                allowed.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name))
            }
        })
    }

    fn vary_preflight(&self, head: ResponseHead) -> ResponseHead {
        let head = if self.varies() { head.header("Vary", "Origin") } else { head };
        head.header("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
    }

    fn allow(&self, head: ResponseHead, origin: &[u8]) -> ResponseHead {
        let head = head.header("Access-Control-Allow-Origin", origin);
        if self.credentials {
            head.header("Access-Control-Allow-Credentials", "true")
        } else {
            head
        }
    }

    /// The head of an answer to a request, `origin` being what [`allowed`](Self::allowed) said of it.
    pub fn answer(&self, head: ResponseHead, origin: Option<&[u8]>) -> ResponseHead {
        // A cache must not show one origin's answer to another one.
        let mut head = if self.varies() { head.header("Vary", "Origin") } else { head };
        if let Some(origin) = origin {
            head = self.allow(head, origin);
            if !self.exposed.is_empty() {
                head = head.header("Access-Control-Expose-Headers", self.exposed.join(", "));
            }
        }
        head
    }
}

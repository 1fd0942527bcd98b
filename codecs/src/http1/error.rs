//! What is wrong with a request, and the status that says so.

use super::{Response, Status};
use core::fmt;
use fyke_codec::CodecError;

/// A request that cannot be served: the answer's status, and why.
///
/// Travels as [`CodecError::Protocol`]. Where the next request would begin is not known after
/// such an error, so the connection is closed once the answer is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpError {
    status: Status,
    what: &'static str,
}

impl HttpError {
    /// An error to be answered with `status`.
    #[must_use]
    pub const fn new(status: Status, what: &'static str) -> Self {
        Self { status, what }
    }

    /// 400 with a reason.
    pub(crate) const fn bad(what: &'static str) -> Self {
        Self::new(Status::BAD_REQUEST, what)
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        self.what
    }

    /// The `HttpError` inside a codec's error, if there is one.
    #[must_use]
    pub fn of(error: &CodecError) -> Option<&Self> {
        match error {
            CodecError::Protocol { source, .. } => source.downcast_ref(),
            _ => None,
        }
    }

    /// The answer: the status, the reason as text, `Connection: close`, and `Allow` with a 405.
    pub fn response(&self) -> Response {
        let response = Response::new(self.status)
            .header("Content-Type", "text/plain; charset=utf-8")
            .close()
            .body(self.what);
        if self.status == Status::METHOD_NOT_ALLOWED {
            return response.header("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
        }
        response
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.what)
    }
}

impl core::error::Error for HttpError {}

impl From<HttpError> for CodecError {
    #[cold]
    fn from(error: HttpError) -> Self {
        Self::peer(error)
    }
}

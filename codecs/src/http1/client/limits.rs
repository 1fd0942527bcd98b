//! How much of each thing a server may send, and how long it is waited for.

use core::time::Duration;

use crate::http1::Limits;

/// The limits of a client's connection, each with a safe default.
///
/// What head, trailers and chunks have in common with requests is a [`Limits`]. Bodies are not limited
/// by default, as they stream; what collects them has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClientLimits {
    pub(crate) message: Limits,
    pub(crate) status_line_bytes_max: u32,
    pub(crate) interim_responses_max: u16,
    pub(crate) pipelined_requests_max: u16,
    pub(crate) continue_wait_max: Duration,
    pub(crate) held_bytes_max: u64,
}

impl ClientLimits {
    /// The defaults.
    pub const fn new() -> Self {
        Self::of(Limits::new().body_bytes_max(u64::MAX))
    }

    /// Limits with these for heads, bodies, trailers and chunks; those of the request line are not
    /// looked at.
    pub const fn of(message: Limits) -> Self {
        Self {
            message,
            status_line_bytes_max: 8 * 1024,
            interim_responses_max: 16,
            pipelined_requests_max: 32,
            continue_wait_max: Duration::from_secs(1),
            held_bytes_max: 16 * 1024 * 1024,
        }
    }

    /// Longest status line, without its CRLF. 8 KiB.
    pub const fn status_line_bytes_max(mut self, bytes: u32) -> Self {
        self.status_line_bytes_max = bytes;
        self
    }

    /// Most interim responses (1xx) before a final one. 16.
    pub const fn interim_responses_max(mut self, responses: u16) -> Self {
        self.interim_responses_max = responses;
        self
    }

    /// Most requests that may be sent ahead of their answers; a further one fails. 32.
    pub const fn pipelined_requests_max(mut self, requests: u16) -> Self {
        self.pipelined_requests_max = requests;
        self
    }

    /// Longest wait for `100 Continue`; the body is sent then all the same (RFC 9110 section 10.1.1).
    /// One second.
    pub const fn continue_wait_max(mut self, wait: Duration) -> Self {
        self.continue_wait_max = wait;
        self
    }

    /// Bytes that may be held back while `100 Continue` is waited for; a further part fails once so
    /// many are. 16 MiB.
    pub const fn held_bytes_max(mut self, bytes: u64) -> Self {
        self.held_bytes_max = bytes;
        self
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Limits> for ClientLimits {
    fn from(message: Limits) -> Self {
        Self::of(message)
    }
}

//! What servers need beside the protocol: routes, cookies, CORS, events, an access log.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[cfg(feature = "pipeline")]
mod access_log;
mod cookies;
#[cfg(feature = "pipeline")]
mod cors;
mod router;
#[cfg(feature = "pipeline")]
mod sse;
#[cfg(feature = "pipeline")]
mod support;

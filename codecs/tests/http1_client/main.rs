//! HTTP/1.1, the client's side: responses read, requests written, connections kept.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[cfg(feature = "pipeline")]
mod calls;
mod conformance;
#[cfg(feature = "pipeline")]
mod pipeline;
#[cfg(feature = "pipeline")]
mod pool;
mod properties;
mod refused;
mod requests;
mod responses;
#[cfg(feature = "pipeline")]
mod server;
mod support;

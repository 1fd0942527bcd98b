//! Every channel scenario on every transport: kernel TCP over each poller, Unix streams, blocking
//! threads, memory, and memory that answers late and in parts. See `support` for how.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod closing;
mod connecting;
mod echo;
mod failures;
mod files;
mod handles;
mod layouts;
mod pipeline;
mod reading;
mod relay;
mod shutdown;
mod support;
mod udp;
mod writing;

//! TLS between two embedded channels: a client and a server whose bytes the test carries.
#![cfg(any(feature = "tls-ring", feature = "tls-aws-lc-rs"))]
#![allow(missing_docs, reason = "a test")]

mod bulk;
mod certs;
mod ends;
mod files;
mod handshake;
mod limits;
mod refused;
mod starttls;
mod support;
mod waiting;

//! TLS 1.2 and 1.3 by rustls, as a stage of bytes in front of any protocol.
//!
//! | file | idea |
//! |---|---|
//! | `identity` | a certificate chain with its key, and whom to trust |
//! | `certificates` | which certificate a server shows for which name, exchanged without a restart |
//! | `server`, `client` | what a connection is to be like, shared by all of them |
//! | `common` | what the builders of both sides have |
//! | `options` | limits and times of a connection |
//! | `provider` | cryptography, the loop's date, and the log of keys |
//! | `session` | one connection without a network: records in, plain bytes out, and back |
//! | `engine` | how rustls is driven |
//! | `record` | just enough of the record layer to tell where a record ends, and what is no TLS |
//! | `info` | what a handshake came to |
//! | `error` | what went wrong, and whose fault it is |
//! | `handler` | the stage, with feature `pipeline` |
//!
//! rustls does the cryptography, the handshake and the records. Its types appear in no signature
//! but those of the functions that are named after it.
//!
//! Certificates are judged at the loop's date, so a simulation may let them expire. Keys and nonces
//! come from the cryptography's own source of randomness, not from the loop's seed.

mod certificates;
mod client;
mod common;
mod engine;
mod error;
#[cfg(feature = "pipeline")]
mod handler;
mod identity;
mod info;
mod options;
mod provider;
mod record;
mod server;
mod session;

pub use certificates::TlsCertificates;
pub use client::{TlsClientBuilder, TlsClientConfig};
pub use error::{TlsConfigError, TlsError};
#[cfg(feature = "pipeline")]
pub use handler::TlsHandler;
pub use identity::{TlsIdentity, TlsRoots};
pub use info::{TlsHandshakeCompleted, TlsVersion};
pub use options::TlsOptions;
/// The crate whose types `from_rustls` takes.
pub use rustls;
pub use server::{ClientAuth, Resumption, TlsServerBuilder, TlsServerConfig};

//! Protocols for fyke: frames, HTTP/1.1, WebSocket, TLS, the PROXY protocol, captures.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `pipeline` | yes | handlers for fyke's pipelines; without it only the parsers and encoders are built |
//! | `br` | yes | the content coding br |
//! | `zstd` | no | the content coding zstd, by a library in C |
//! | `http-types` | no | to and from the types of the crate `http` |
//! | `tls` | no | TLS by rustls, with a cryptography provider of the program's own |
//! | `tls-ring` | no | `tls` with the cryptography of ring |
//! | `tls-aws-lc-rs` | no | `tls` with the cryptography of AWS-LC, a library in C |
#![forbid(unsafe_code)]

pub mod frames;
pub mod http1;
mod payload;
pub mod pcap;
pub mod proxy_protocol;
#[cfg(feature = "tls")]
#[cfg_attr(not(feature = "pipeline"), allow(dead_code, reason = "sessions run in pipelines only"))]
pub mod tls;
pub mod websocket;

pub use payload::Payload;

//! Protocols for fyke: frames, HTTP/1.1, WebSocket.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `pipeline` | yes | handlers for fyke's pipelines; without it only the parsers and encoders are built |
//! | `br` | yes | the content coding br |
//! | `zstd` | no | the content coding zstd, by a library in C |
//! | `http-types` | no | to and from the types of the crate `http` |
#![forbid(unsafe_code)]

pub mod frames;
pub mod http1;
mod payload;
pub mod websocket;

pub use payload::Payload;

//! Protocols for fyke: frames, HTTP/1.1, WebSocket.
#![forbid(unsafe_code)]

pub mod frames;
pub mod http1;
mod payload;
pub mod websocket;

pub use payload::Payload;

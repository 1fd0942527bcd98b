//! WebSocket against RFC 6455: frames, messages, text, closes, the handshake.

mod closes;
mod frames;
mod handshake;
mod messages;
mod properties;
mod sending;
mod support;
mod text;

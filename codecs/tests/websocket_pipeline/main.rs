//! WebSocket through the whole pipeline, from the handshake to the last close frame, in virtual
//! time.
#![cfg(feature = "pipeline")]

mod client;
mod closing;
mod control;
mod extensions;
mod heartbeat;
mod splits;
mod support;
mod upgrade;

//! Any bytes, any options, any cut, for WebSocket.
#![no_main]

#[path = "../cases/websocket.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

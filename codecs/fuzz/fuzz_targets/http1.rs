//! Any stream, any limits, any cut, for the HTTP/1.1 server codec.
#![no_main]

#[path = "../cases/http1.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

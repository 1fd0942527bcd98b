//! Any responses, any limits, any cut, for the HTTP/1.1 client's decoder.
#![no_main]

#[path = "../cases/http1_client.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

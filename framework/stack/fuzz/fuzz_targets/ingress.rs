//! A whole stack, and the input is what the wire and the application do to it.
#![no_main]

#[path = "../cases/ingress.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

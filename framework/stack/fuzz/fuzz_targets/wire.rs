//! Any bytes to every parser of the wire module.
#![no_main]

#[path = "../cases/wire.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

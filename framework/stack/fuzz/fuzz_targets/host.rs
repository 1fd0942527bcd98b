//! Any frames, calls and times to a whole host.
#![no_main]

#[path = "../cases/host.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

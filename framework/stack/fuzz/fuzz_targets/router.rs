//! Any frames, packets and times to a router.
#![no_main]

#[path = "../cases/router.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

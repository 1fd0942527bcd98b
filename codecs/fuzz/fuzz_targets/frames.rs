//! Any bytes, any options, any cut, for every frame codec.
#![no_main]

#[path = "../cases/frames.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

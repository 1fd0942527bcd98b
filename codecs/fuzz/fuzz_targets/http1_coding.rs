//! Any compressed content and any content, in any cut.
#![no_main]

#[path = "../cases/http1_coding.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

//! Any form, cookie or preference, any cut.
#![no_main]

#[path = "../cases/http1_forms.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

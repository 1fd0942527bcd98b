//! Two connections, and the input is what happens between them.
#![no_main]

#[path = "../cases/two_peers.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|input: &[u8]| case::check(input));

//! What many connections cost: bytes, allocations and steps, all counted, nothing timed.
//!
//! The set by default is small; any number by a command, a million in an optimised build:
//!
//! ```text
//! FYKE_SCALE=1000000 cargo test --release -p fyke-stack --test scale -- --nocapture
//! ```
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod counting;
#[allow(dead_code, reason = "the bench `stack` uses more of it")]
mod crowd;
mod flood;
mod forwarding;
#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/frames.rs"]
mod frames;
mod hostile;
mod idle;
mod remains;
#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/world.rs"]
mod world;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// Connections, entries or SYNs of a test.
fn scale(usual: u32) -> u32 {
    let asked = std::env::var("FYKE_SCALE").ok();
    asked.map_or(usual, |text| text.parse().expect("FYKE_SCALE: a number"))
}

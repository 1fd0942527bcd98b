//! Servers and clients as they are, in a simulated network: loss, partitions, NAT boxes, restarts,
//! pauses, and blocking calls that let virtual time pass.
//!
//! `SIM_SEEDS=2000 cargo test -p fyke --features sim --test sim --release` tries so many seeds.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod blocking;
mod faults;
mod heartbeats;
mod lines;
mod loops;
mod seeds;
mod support;

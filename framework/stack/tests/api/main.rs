//! What transports and tools ask of a stack beyond streams and datagrams.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod echo;
#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/frames.rs"]
mod frames;
mod gateway;
mod reading;
mod shards;
#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/world.rs"]
mod world;
mod writing;

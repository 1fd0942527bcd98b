//! The edges of loop, channel and pipeline: what happens when things happen inside of others, too
//! late, half, or not at all. Scripts in virtual time.

#[path = "../support/mod.rs"]
mod support;

mod close;
mod datagrams;
mod edit;
mod errors;
mod events;
mod flow;
mod handles;
mod offload;
mod panics;
mod promises;
mod read_complete;
mod reentrancy;
mod shutdown;
mod timers;

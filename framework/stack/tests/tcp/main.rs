//! The connection against a scripted peer: every state with every event, and what each RFC wants
//! beyond it. No sleeps: time is an argument.
#![forbid(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod attempts;
mod closing;
mod counted;
mod disorder;
mod flow;
mod habits;
mod holes;
mod loss;
mod mtu_chance;
mod mtu_path;
mod mtu_peers;
mod mtu_probing;
mod offload;
mod opening;
mod pacing;
mod probes;
mod rig;
mod scaled_windows;
mod security;
mod states;
mod wrap;

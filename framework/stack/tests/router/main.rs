//! The router as a value: forwarding, NAT, a tunnel port, and a stack of its own behind it.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod conservation;
mod forwarding;
mod fragments;
mod local;
mod model;
mod nat;
mod neighbors;
mod refused;
mod rig;
mod station;
mod tunnel;

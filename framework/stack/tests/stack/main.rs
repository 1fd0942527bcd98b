//! The whole stack in virtual time: hosts joined by wires, frames made by hand, floods.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod anycast;
mod attacks;
#[path = "../../fuzz/cases/host.rs"]
mod case;
mod connections;
mod conservation;
mod corpus;
mod determinism;
mod devices;
mod discovery;
mod driving;
mod ethernet;
mod fast_open;
mod flood;
mod fragments;
mod frames;
mod garbage;
mod handshake_rtt;
mod icmp;
mod listeners;
mod listening;
mod martians;
mod memory;
mod path_mtu;
mod routers;
mod strays;
mod time_wait;
mod told;
mod tunnel;
mod tunnel_hostile;
mod udp;
mod work;
mod world;

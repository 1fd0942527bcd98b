//! A userspace TCP/IP stack as a value: frames in, frames out, time as an argument.
//!
//! Nothing here knows a socket, a device, a thread or a clock of the machine. The same code runs on
//! a TAP device, on a simulated link and in a unit test; the same seed and the same calls give the
//! same bytes.
//!
//! | module | what it is |
//! |---|---|
//! | [`wire`] | how every protocol looks on the wire: views over bytes, values to emit, checksums |
//! | [`tcp`] | TCP as a pure state machine: segments in, segments out, no addresses, no bytes |
//!
//! `tcp` does not know `wire`: bytes and behaviour meet in the interface's ingress and egress.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod tcp;
pub mod wire;

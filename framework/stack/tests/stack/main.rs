//! The whole stack in virtual time: hosts joined by wires, frames made by hand, floods.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod connections;
mod frames;
mod listeners;
mod world;

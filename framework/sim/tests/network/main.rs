//! The network by itself: bare hosts, links, boxes, and what captures say of them.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod capture;
mod hairpin;
mod hosts;
mod links;
mod nat;
mod partitions;
mod router;
mod support;

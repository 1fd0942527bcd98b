//! The wire module: samples from a real network, round trips, cut and flipped bytes, other people's
//! parsers.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[path = "../../fuzz/cases/wire.rs"]
mod case;
mod checksum;
mod corpus;
mod ipv4;
mod samples;
mod tcp;

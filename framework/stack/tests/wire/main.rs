//! The wire module: samples from real networks, round trips, cut and flipped bytes, other people's
//! parsers.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

mod checksum;
mod ipv4;
mod tcp;

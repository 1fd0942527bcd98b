//! The wire module: samples from a real network, round trips, cut and flipped bytes, other people's
//! parsers.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "a test")]

#[path = "../../fuzz/cases/wire.rs"]
mod case;
mod checksum;
mod corpus;
mod ethernet;
mod groups;
mod icmp;
mod imports;
mod ipv4;
mod ipv6;
mod ndp;
mod oracle;
mod pcapng;
mod pretty;
mod roundtrip;
mod samples;
mod tcp;
mod truncation;
mod virtio;

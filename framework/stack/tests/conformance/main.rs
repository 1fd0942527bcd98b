//! RFC 9293 requirement by requirement: `table.txt` names a test for each row of its appendix B, the
//! other files are the tests that no other place had a reason to have.
//!
//! `hurt.txt` does the same for what has hurt other stacks, protection by protection.
//!
//! `framework/stack/CONFORMANCE.md` and `HARDENING.md` are made from these tables. After a change:
//!
//! ```text
//! FYKE_WRITE=1 cargo test -p fyke-stack --test conformance document
//! ```
#![allow(missing_docs, reason = "a test")]

mod closing;
mod document;
mod failures;
mod hurt;
mod network;
mod opening;
mod options;
mod sending;
mod table;
mod urgent;
mod windows;

#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/frames.rs"]
mod frames;
#[allow(dead_code, unreachable_pub, reason = "shared with the tests of TCP alone")]
#[path = "../tcp/rig.rs"]
mod rig;
#[allow(dead_code, reason = "shared with the tests of the whole stack")]
#[path = "../stack/world.rs"]
mod world;

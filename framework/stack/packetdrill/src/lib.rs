//! Runs packetdrill scripts against fyke-stack in virtual time.
//!
//! | module | what it is |
//! |---|---|
//! | [`script`] | the language: text to a value |
//! | [`python`] | the assertions in `%{ }%` |
//! | [`packet`] | packets to bytes and back, independent of the stack under test |
//! | [`run`] | scripts against the stack: calls, settings, packets, time, results |
#![forbid(unsafe_code)]

pub mod packet;
pub mod python;
pub mod run;
pub mod script;

//! Runs packetdrill scripts against fyke-stack in virtual time.
//!
//! | module | what it is |
//! |---|---|
//! | [`script`] | the language: text to a value |
//! | [`python`] | the assertions in `%{ }%` |
#![forbid(unsafe_code)]

pub mod python;
pub mod script;

//! The rules learned from others' scars, one by one. Their words stand at each test; each is a
//! script in virtual time. (Rule 11, which counts allocations, is in `../allocations.rs`.)

#[path = "../support/mod.rs"]
mod support;

mod end;
mod flow;
mod order;
mod past;
mod same_core;

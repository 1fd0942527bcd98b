//! What is measured, in one place: criterion times it, the bin `instructions` counts it.

pub mod frames;
pub mod http;
pub mod kernel;
pub mod stack;
pub mod websocket;

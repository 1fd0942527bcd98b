//! TCP (RFC 9293) as a pure state machine: segments in, segments out, time as an argument.
//!
//! No address and no byte of a header is known here, so that a connection can be fuzzed and checked
//! alone; the interface turns headers into [`Segment`]s and back.

pub mod assembler;
pub mod congestion;
pub mod rtt;
mod segment;
pub mod send_buffer;
mod seq;

pub use segment::{Ecn, Flags, Options, SackBlocks, Segment, Timestamp};
pub use seq::SeqNum;

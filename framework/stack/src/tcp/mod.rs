//! TCP (RFC 9293) as a pure state machine: segments in, segments out, time as an argument.
//!
//! No address and no byte of a header is known here, so that a connection can be fuzzed and checked
//! alone; the interface turns headers into [`Segment`]s and back.

mod answer;
pub mod assembler;
mod config;
pub mod congestion;
mod connection;
mod handshake;
mod mtu;
pub mod rtt;
pub mod scoreboard;
mod segment;
pub mod send_buffer;
mod seq;
mod sink;

pub use answer::{ListenAnswer, listen, reset_for};
pub use config::{Config, EcnMode, KeepAlive, Pacing};
pub use connection::{
    CloseReason, Connection, ConnectionOption, Counted, Event, FastOpen, FastOpenOutcome,
    IcmpError, IcmpKind, Info, Limit, MtuSearch, State,
};
pub use handshake::{Handshake, Initial, Mss};
pub use mtu::{MtuConfig, MtuOrder, MtuProbing};
pub use segment::{Ecn, Flags, Options, SackBlocks, Segment, Timestamp};
pub use seq::SeqNum;
pub use sink::{Payload, SegmentSink};

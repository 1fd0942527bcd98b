//! The way out: whose turn it is, and how behaviour becomes bytes.
//!
//! ```text
//!  outbox (resets, SYN-ACKs, ICMP) ─┐
//!  dirty connections, in turns ─────┼─> segment -> header -> IP -> link -> TxSink
//!  UDP sockets, in turns ───────────┘                         └──> loopback -> input
//! ```

mod ip;
mod segment;
mod turn;

pub(crate) use ip::{Outgoing, Transport};
pub(crate) use segment::Reply;
pub(crate) use turn::Dirty;

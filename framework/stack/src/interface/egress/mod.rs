//! The way out: whose turn it is, and how behaviour becomes bytes.
//!
//! ```text
//!  outbox (resets, SYN-ACKs, ICMP, ARP) ─┐
//!  dirty connections, in turns ──────────┼─> segment -> header -> IP -> link -> TxSink
//!  UDP sockets, in turns ────────────────┘         fragments ┘ └ tunnel └──> loopback -> input
//! ```

mod fragment;
mod icmp;
mod ip;
mod link;
mod prepared;
mod queue;
mod segment;
mod settle;
mod tunnel;
mod turn;
mod udp;

pub(crate) use icmp::ErrorKind;
pub(crate) use ip::Outgoing;
pub(crate) use queue::{Datagram, Queued, Waiting};
pub(crate) use segment::{Look, Reply};
pub(crate) use turn::Dirty;

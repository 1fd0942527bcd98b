//! A userspace TCP/IP stack as a value: frames in, frames out, time as an argument.
//!
//! Nothing here knows a socket, a device, a thread or a clock of the machine. The same code runs on
//! a TAP device, on a simulated link and in a unit test; the same seed and the same calls give the
//! same bytes.
//!
//! | module | what it is |
//! |---|---|
//! | [`Stack`] | the host: addresses, routes, sockets, and the calls about them |
//! | [`Tunnel`] | IPv6 through IPv4 to another host (6in4), an interface of its own |
//! | [`router`], [`nat`] | forwarding between ports, with and without a NAT box, for gateways |
//! | [`TxSink`], [`Segmenter`] | where frames go, and what a device without offload needs before it |
//! | [`Shards`] | several stacks, one for each event loop, that are one host |
//! | [`Capture`], [`PcapngCapture`] | every frame, with remarks on what was dropped and why |
//! | [`wire`] | how every protocol looks on the wire: views over bytes, values to emit, checksums |
//! | [`tcp`] | TCP as a pure state machine: segments in, segments out, no addresses, no bytes |
//!
//! `tcp` does not know `wire`: bytes and behaviour meet in the interface's ingress and egress.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod interface;
pub mod nat;
pub mod router;
mod stack;
pub mod tcp;
pub mod wire;

pub use interface::addresses::{AddressState, OwnAddress};
pub use interface::cidr::{Cidr, ParseCidrError};
pub use interface::icmp_table::{
    EchoRequest, IcmpContent, IcmpFailure, IcmpOptions, IcmpReport, QuotedFlow,
};
pub use interface::listener::{ForwardDecision, ForwardRequest, ListenOptions};
pub use interface::neighbor::{Neighbor, NeighborState};
pub use interface::routes::Route;
pub use interface::tunnels::{Tunnel, TunnelCounters};
pub use interface::udp_table::{UdpDatagram, UdpOptions, UdpSendOptions};
pub use stack::capture::{Capture, Direction};
pub use stack::config::{Limits, Medium, Personality, StackConfig};
pub use stack::counters::{Counters, DropReason, Drops, Work};
pub use stack::error::StackError;
pub use stack::event::Event;
pub use stack::frame::{Gso, GsoKind, Offload, RxChecksum, RxMeta, TxChecksum, TxFrame, TxSink};
pub use stack::ids::{IcmpId, ListenerId, TcpId, TunnelId, UdpId};
pub use stack::introspection::{Line, UdpLine, Usage};
pub use stack::pcapng::PcapngCapture;
pub use stack::secrets::Seed;
pub use stack::segmenter::Segmenter;
pub use stack::shard::{Shard, Shards, Steer};
pub use stack::tunnel_calls::TunnelLine;
pub use stack::{ConnectOptions, Stack};

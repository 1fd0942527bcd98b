//! A simulated network in virtual time: hosts with fyke's own TCP/IP stack, links, switches,
//! routers and NAT boxes. One thread, one seed, the same bytes every time.
//!
//! | part | what it is |
//! |---|---|
//! | [`World`] | time, and everything in it |
//! | [`Host`] | an event loop with a stack: servers and clients run on it as they are |
//! | [`BareHost`] | a stack alone, for crowds and tests |
//! | [`Link`], [`LinkConfig`] | delay, jitter, rate, queue, loss, bursts, reordering, duplicates, corruption, MTU |
//! | [`Switch`], [`Router`], [`Nat`] | boxes between them |
//! | [`World::partition`] | sets of hosts that do not hear each other |
//! | [`World::capture_to`] | pcapng, with comments on why a frame was dropped or sent again |
//!
//! Users get to it by `fyke::sim`, behind the feature `sim`. Not here: links other than Ethernet,
//! queues other than drop-tail, and clocks of hosts that differ.
#![forbid(unsafe_code)]

mod boxes;
mod capture;
mod drops;
mod error;
mod frame;
mod host;
mod ids;
mod link;
mod outputs;
mod random;
mod router;
mod switch;
mod world;

pub use boxes::{Link, Nat, Port, Router, Switch};
pub use capture::CaptureBuffer;
pub use drops::{DropReason, Drops};
pub use error::SimError;
pub use host::{
    Application, BareContext, BareHost, Host, HostBuilder, NoApplication, SimTransport,
};
pub use ids::{End, LinkId, NodeId};
pub use link::{BurstLoss, LinkConfig, LinkCounters};
pub use random::Random;
pub use router::{NatConfig, NatFiltering, NatMapping, NatUnknown, RouterConfig};
pub use switch::SwitchConfig;
pub use world::{Attach, Ended, PartitionHandle, World};

pub use fyke_clock::Instant;
pub use fyke_stack as stack;

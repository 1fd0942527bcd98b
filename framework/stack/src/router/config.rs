//! How a router behaves, and what its ports are.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::interface::cidr::Cidr;
use crate::stack::config::Medium;

/// How a router behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouterConfig {
    /// Whether it says why it drops packets, and answers pings. Without it, it is one of those boxes
    /// that make path MTU discovery fail.
    pub icmp: bool,
    /// ICMP errors a second at most (1000).
    pub icmp_errors_per_second: u32,
    /// ICMP errors a second to one destination (100).
    pub icmp_errors_per_second_each: u32,
    /// Routes at most (4096).
    pub routes_max: usize,
    /// Ports at most (64).
    pub ports_max: usize,
    /// Neighbours of one port that are known or asked for (4096).
    pub neighbors_max: usize,
    /// Packets that wait for one neighbour (16).
    pub neighbor_queue_packets_max: usize,
    /// Packets that wait for neighbours of one port, all together (1024).
    pub waiting_packets_max: usize,
    /// TTL or hop limit of its own packets (64).
    pub hop_limit: u8,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            icmp: true,
            icmp_errors_per_second: 1000,
            icmp_errors_per_second_each: 100,
            routes_max: 4096,
            ports_max: 64,
            neighbors_max: 4096,
            neighbor_queue_packets_max: 16,
            waiting_packets_max: 1024,
            hop_limit: 64,
        }
    }
}

impl RouterConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it says why it drops packets.
    #[must_use]
    pub fn icmp(mut self, on: bool) -> Self {
        self.icmp = on;
        self
    }
}

/// A port of a router, by the order in which they were added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub(crate) u16);

impl PortId {
    /// Its place in the order, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port#{}", self.0)
    }
}

/// What a port is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PortConfig {
    /// What its frames look like.
    pub medium: Medium,
    /// The router's addresses there, with their networks.
    pub addresses: Vec<Cidr>,
    /// The longest IP packet that leaves (1500).
    pub mtu: u16,
    /// Free bytes in front of each frame that comes in (0). With 14 a packet of a raw IP port leaves
    /// through an Ethernet port without being copied, with 20 more through a tunnel.
    pub headroom_bytes: u16,
}

impl PortConfig {
    /// A port without addresses, for packets of 1500 bytes.
    #[must_use]
    pub const fn new(medium: Medium) -> Self {
        Self { medium, addresses: Vec::new(), mtu: 1500, headroom_bytes: 0 }
    }

    /// Gives it an address.
    #[must_use]
    pub fn address(mut self, address: Cidr) -> Self {
        self.addresses.push(address);
        self
    }
}

/// Where a packet leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub(super) port: u16,
    pub(super) gateway: Option<IpAddr>,
}

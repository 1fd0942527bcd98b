//! What a stack is made of: its medium, its habits, and every limit by name.

use core::ops::RangeInclusive;
use core::time::Duration;

use super::frame::Offload;
use super::shard::Shard;
use crate::tcp;
use crate::wire::MacAddress;

/// What frames look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// Ethernet II, with this station's address.
    Ethernet(MacAddress),
    /// IP packets without a link header: TUN devices, tunnels, scripts.
    RawIp,
}

/// Whose habits are visible on the wire, beyond [`tcp::Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Personality {
    /// Linux: the order of its options, source ports from 32768.
    #[default]
    Linux,
    /// FreeBSD: the order of its options, source ports from 49152.
    FreeBsd,
}

/// Limits of everything that a peer or a program can make grow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// TCP connections with a socket; those in the SYN cache and in TIME-WAIT are apart.
    pub connections_max: usize,
    /// TCP listeners.
    pub listeners_max: usize,
    /// UDP sockets.
    pub udp_sockets_max: usize,
    /// Bytes that TCP and UDP sockets hold in all: unread, out of order, not acknowledged. From three
    /// quarters of it on buffers stay small; at it, new connections are refused, and those that hold
    /// bytes for a peer that takes none end, the longest stalled first
    /// ([`CloseReason::OutOfMemory`](crate::tcp::CloseReason::OutOfMemory)). Each of several stacks
    /// that are one host has its own.
    pub socket_bytes_max: usize,
    /// Embryonic connections, 64 bytes each; beyond that come cookies.
    pub syn_cache_entries_max: usize,
    /// Answer with SYN cookies when the cache is full, instead of not at all (RFC 4987).
    pub syn_cookies: bool,
    /// Connections in TIME-WAIT without a socket, at most 96 bytes each; the oldest makes room.
    pub time_wait_entries_max: usize,
    /// Packets of the stack's own (resets, SYN-ACKs, ICMP) that wait to be sent.
    pub outbox_packets_max: usize,
    /// Bytes of these.
    pub outbox_bytes_max: usize,
    /// Packets that wait on the own loopback.
    pub loopback_packets_max: usize,
    /// Bytes of these.
    pub loopback_bytes_max: usize,
    /// Segments a connection may send before it is the next one's turn.
    pub segments_per_turn: usize,
    /// Datagrams that wait in the receive queue of a UDP socket.
    pub udp_receive_datagrams_max: usize,
    /// Bytes of the payloads in it.
    pub udp_receive_bytes_max: usize,
    /// Datagrams for nobody that wait for the application in forwarder mode.
    pub udp_forward_datagrams_max: usize,
    /// Bytes of the payloads of these.
    pub udp_forward_bytes_max: usize,
    /// Datagrams that wait in the send queue of a UDP socket.
    pub udp_send_datagrams_max: usize,
    /// Addresses of the interface.
    pub addresses_max: usize,
    /// Routes.
    pub routes_max: usize,
    /// Tunnels.
    pub tunnels_max: usize,
    /// Multicast groups that sockets join; those of own addresses are apart.
    pub groups_max: usize,
    /// Neighbours whose link address is known; the least recently used makes room.
    pub neighbors_max: usize,
    /// Neighbours being asked for theirs; they never displace known ones.
    pub neighbors_pending_max: usize,
    /// Packets that wait for one neighbour's link address.
    pub neighbor_queue_packets_max: usize,
    /// Bytes of the packets that wait for the link addresses of all of them.
    pub neighbor_queues_bytes_max: usize,
    /// Bytes of fragments kept; the oldest datagram makes room.
    pub reassembly_bytes_max: usize,
    /// Fragments of one datagram.
    pub reassembly_fragments_max: usize,
    /// How long the fragments of an IPv4 datagram are waited for.
    pub reassembly_timeout: Duration,
    /// How long those of an IPv6 datagram are (RFC 8200, section 4.5).
    pub reassembly_timeout_v6: Duration,
    /// IPv6 extension headers in a row.
    pub extension_headers_max: usize,
    /// ICMP errors in a second, to all destinations together.
    pub icmp_errors_per_second: u32,
    /// ICMP errors in a second to one destination.
    pub icmp_errors_per_second_each: u32,
    /// ICMP endpoints.
    pub icmp_endpoints_max: usize,
    /// Answers and errors that wait in the receive queue of an ICMP endpoint.
    pub icmp_receive_reports_max: usize,
    /// Bytes of the payloads in it.
    pub icmp_receive_bytes_max: usize,
    /// Paths whose MTU is remembered.
    pub path_mtus_max: usize,
    /// How long a path's MTU is remembered (RFC 8201, section 4).
    pub path_mtu_timeout: Duration,
    /// SYNs that wait for a decision in forwarder mode.
    pub forward_requests_max: usize,
    /// Peers whose Fast Open cookies are kept; the least recently used makes room.
    pub fast_open_peers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1 << 21,
            listeners_max: 1 << 16,
            udp_sockets_max: 1 << 16,
            socket_bytes_max: 1 << 30,
            syn_cache_entries_max: 4096,
            syn_cookies: true,
            time_wait_entries_max: 1 << 16,
            outbox_packets_max: 1024,
            outbox_bytes_max: 4 << 20,
            loopback_packets_max: 1024,
            loopback_bytes_max: 32 << 20,
            segments_per_turn: 16,
            udp_receive_datagrams_max: 256,
            udp_receive_bytes_max: 256 << 10,
            udp_forward_datagrams_max: 256,
            udp_forward_bytes_max: 256 << 10,
            udp_send_datagrams_max: 64,
            addresses_max: 64,
            routes_max: 1024,
            tunnels_max: 64,
            groups_max: 256,
            neighbors_max: 1024,
            neighbors_pending_max: 512,
            neighbor_queue_packets_max: 3,
            neighbor_queues_bytes_max: 1 << 20,
            reassembly_bytes_max: 4 << 20,
            reassembly_fragments_max: 64,
            reassembly_timeout: Duration::from_secs(30),
            reassembly_timeout_v6: Duration::from_secs(60),
            extension_headers_max: 8,
            icmp_errors_per_second: 1000,
            icmp_errors_per_second_each: 6,
            icmp_endpoints_max: 64,
            icmp_receive_reports_max: 256,
            icmp_receive_bytes_max: 256 << 10,
            path_mtus_max: 4096,
            path_mtu_timeout: Duration::from_secs(600),
            forward_requests_max: 256,
            fast_open_peers_max: 256,
        }
    }
}

/// What a [`Stack`](crate::Stack) is made of.
///
/// ```
/// use fyke_stack::{Medium, StackConfig};
///
/// let mut config = StackConfig::new(Medium::RawIp);
/// config.mtu = 9000;
/// config.limits.syn_cache_entries_max = 100_000;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackConfig {
    /// What frames look like.
    pub medium: Medium,
    /// The longest IP packet of the link.
    pub mtu: u16,
    /// What the device can do by itself.
    pub offload: Offload,
    /// Whose habits are visible on the wire.
    pub personality: Personality,
    /// The habits of TCP connections, unless a listener or a connect says otherwise.
    pub tcp: tcp::Config,
    /// TTL or hop limit of what is sent, unless a router wants another one for IPv6.
    pub hop_limit: u8,
    /// Where source ports come from.
    pub ports: RangeInclusive<u16>,
    /// Take packets for any address, not only for the interface's own.
    pub any_address: bool,
    /// Answer echo requests.
    pub echo_reply: bool,
    /// Answer ARP requests for addresses that a route leads to elsewhere (RFC 1027).
    pub proxy_arp: bool,
    /// It is a router, or the routers' own host: it says so to neighbours, and has the subnet-router
    /// anycast address of each IPv6 network that it has an address in (RFC 4291, section 2.6.1).
    pub is_router: bool,
    /// Make IPv6 addresses from the prefixes of routers (RFC 4862).
    pub slaac: bool,
    /// Neighbour solicitations before an own IPv6 address counts as ours alone; 0 trusts.
    pub duplicate_address_probes: u8,
    /// ARP probes before an own IPv4 address counts as ours alone (RFC 5227); 0 trusts.
    pub arp_probes: u8,
    /// Hand datagrams for ports that nobody has bound to the application, instead of answering that
    /// nobody is there: what a gateway does, together with
    /// [`any_address`](Self::any_address). See [`Event::UdpForward`](crate::Event::UdpForward).
    pub udp_forward: bool,
    /// Tell how much of what was written was acknowledged, by
    /// [`Event::Acked`](crate::Event::Acked).
    pub report_acks: bool,
    /// Answer TCP segments that belong to nothing with a reset.
    pub reset_unknown: bool,
    /// A hard ICMP error about our SYN ends the open; otherwise only time does (RFC 5927, section
    /// 5.2, is about both).
    pub icmp_ends_open: bool,
    /// Its place when several stacks, one for each event loop, are one host; see
    /// [`Shards`](crate::Shards).
    pub shard: Option<Shard>,
    /// Limits of everything that can grow.
    pub limits: Limits,
}

impl StackConfig {
    /// Linux's habits on this medium, with an MTU of 1500.
    #[must_use]
    pub fn new(medium: Medium) -> Self {
        Self {
            medium,
            mtu: 1500,
            offload: Offload::default(),
            personality: Personality::Linux,
            tcp: tcp::Config::default(),
            hop_limit: 64,
            ports: 32_768..=60_999,
            any_address: false,
            echo_reply: true,
            proxy_arp: false,
            is_router: false,
            slaac: false,
            duplicate_address_probes: 1,
            arp_probes: 0,
            udp_forward: false,
            report_acks: false,
            reset_unknown: true,
            icmp_ends_open: true,
            shard: None,
            limits: Limits::default(),
        }
    }

    /// FreeBSD's habits on this medium, with an MTU of 1500.
    #[must_use]
    pub fn freebsd(medium: Medium) -> Self {
        Self {
            personality: Personality::FreeBsd,
            tcp: tcp::Config::freebsd(),
            ports: 49_152..=u16::MAX,
            ..Self::new(medium)
        }
    }
}

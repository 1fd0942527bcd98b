//! What lies below the transports and belongs to none of them: addresses, routes, the wheel, the
//! counters, the capture. Ingress and egress borrow it while a socket is borrowed, too.

use alloc::boxed::Box;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use fyke_clock::{Instant, TimerWheel};

use super::addresses::Addresses;
use super::autoconf::Autoconf;
use super::bounded::Bounded;
use super::egress::{Queued, Waiting};
use super::groups::Groups;
use super::hashed::Hashed;
use super::icmp_limit::IcmpLimit;
use super::memory::Memory;
use super::neighbor::Neighbors;
use super::reassembly::Reassembly;
use super::routes::{Route, Routes};
use super::steer::Flow;
use super::timer::{Lazy, Timer};
use super::tunnels::{Tunnel, Tunnels};
use crate::stack::capture::{Capture, Direction};
use crate::stack::config::{Medium, StackConfig};
use crate::stack::counters::{Counters, DropReason};
use crate::stack::frame::{RxChecksum, RxMeta};
use crate::stack::ids::TunnelId;
use crate::stack::secrets::Secrets;

/// Less than these no path is believed to carry (RFC 1122, section 3.3.3; RFC 8200, section 5).
const PATH_MTU_MIN_V4: u16 = 576;
const PATH_MTU_MIN_V6: u16 = 1280;

pub(crate) const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Below the transports.
pub(crate) struct Net {
    /// The time of the last call.
    pub(crate) now: Instant,
    pub(crate) config: StackConfig,
    pub(crate) secrets: Secrets,
    pub(crate) addresses: Addresses,
    pub(crate) routes: Routes,
    pub(crate) tunnels: Tunnels,
    pub(crate) wheel: TimerWheel<Timer>,
    pub(crate) counters: Counters,
    pub(crate) capture: Option<Box<dyn Capture>>,
    /// Packets from us to us.
    pub(crate) loopback: Bounded<(Bytes, RxMeta)>,
    /// What the stack itself has to say.
    pub(crate) outbox: Bounded<Queued>,
    pub(crate) neighbors: Neighbors<Waiting>,
    pub(crate) reassembly: Reassembly,
    pub(crate) reassembly_timer: Lazy,
    pub(crate) groups: Groups,
    pub(crate) memory: Memory,
    pub(crate) icmp_limit: IcmpLimit,
    /// MTUs that ICMP told, and until when they are believed.
    path_mtus: Hashed<(u16, Instant)>,
    /// Packets that were fragmented.
    pub(crate) fragmented: u32,
    pub(crate) autoconf: Autoconf,
}

/// How a packet leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Path {
    /// It does not: it is for us.
    Loopback,
    /// To this neighbour, which is the destination or a gateway.
    Neighbor(IpAddr),
    /// To everybody on the link.
    Broadcast,
    /// To a group on the link.
    Multicast,
    /// To the other end of a tunnel.
    Tunnel(TunnelId),
}

impl Net {
    pub(crate) fn new(config: StackConfig, secrets: Secrets, now: Instant) -> Self {
        let limits = &config.limits;
        let key = secrets.table;
        Self {
            outbox: Bounded::new(limits.outbox_packets_max, limits.outbox_bytes_max),
            loopback: Bounded::new(limits.loopback_packets_max, limits.loopback_bytes_max),
            neighbors: Neighbors::new(
                limits.neighbors_max,
                limits.neighbors_pending_max,
                (limits.neighbor_queue_packets_max, limits.neighbor_queues_bytes_max),
            ),
            reassembly: Reassembly::new(
                limits.reassembly_bytes_max,
                limits.reassembly_fragments_max,
                (limits.reassembly_timeout, limits.reassembly_timeout_v6),
            ),
            reassembly_timer: Lazy::default(),
            groups: Groups::default(),
            memory: Memory::new(limits.socket_bytes_max),
            icmp_limit: IcmpLimit::new(
                limits.icmp_errors_per_second,
                limits.icmp_errors_per_second_each,
                key,
                now,
            ),
            path_mtus: Hashed::new(limits.path_mtus_max, key),
            fragmented: 0,
            autoconf: Autoconf::default(),
            config,
            secrets,
            addresses: Addresses::default(),
            routes: Routes::default(),
            tunnels: Tunnels::new(),
            wheel: TimerWheel::new(now),
            counters: Counters::default(),
            capture: None,
            now,
        }
    }

    /// Counts a drop and tells the capture why.
    pub(crate) fn drop_packet(&mut self, now: Instant, direction: Direction, reason: DropReason) {
        self.counters.drops.add(reason);
        if let Some(capture) = &mut self.capture {
            capture.remark(now, direction, reason.text());
        }
    }

    /// Counts a drop of what came in.
    pub(crate) fn drop_in(&mut self, now: Instant, reason: DropReason) {
        self.drop_packet(now, Direction::In, reason);
    }

    /// Counts a drop of what should go out.
    pub(crate) fn drop_out(&mut self, now: Instant, reason: DropReason) {
        self.drop_packet(now, Direction::Out, reason);
    }

    /// Whether this stack answers what is nobody's and what all hear.
    pub(crate) fn is_first(&self) -> bool {
        self.config.shard.as_ref().is_none_or(|shard| shard.index() == 0)
    }

    /// Whether this stack answers what belongs to a flow.
    pub(crate) fn owns(&self, flow: &Flow) -> bool {
        self.config.shard.as_ref().is_none_or(|shard| shard.owns(flow))
    }

    pub(crate) fn is_ethernet(&self) -> bool {
        matches!(self.config.medium, Medium::Ethernet(_))
    }

    /// How a packet for a destination leaves; `None` without a route.
    pub(crate) fn path(&self, destination: IpAddr) -> Option<Path> {
        if self.addresses.is_local(destination) {
            return Some(Path::Loopback);
        }
        if destination.is_multicast() {
            return Some(Path::Multicast);
        }
        if let IpAddr::V4(v4) = destination
            && self.addresses.is_broadcast(v4)
        {
            return Some(Path::Broadcast);
        }
        let (route, link) = self.route_to(destination);
        if let Some(route) = route {
            return Some(match route.tunnel {
                Some(tunnel) => Path::Tunnel(tunnel),
                None => Path::Neighbor(route.gateway.unwrap_or(destination)),
            });
        }
        let on_link = link || !self.is_ethernet();
        on_link.then_some(Path::Neighbor(destination))
    }

    /// The route to a destination, if one leads there, and whether that is in a network of ours. The
    /// network of an address of ours is a route like any other: the longer prefix wins.
    fn route_to(&self, destination: IpAddr) -> (Option<&Route>, bool) {
        let link = self.addresses.on_link_prefix(destination);
        let route = self.routes.lookup(destination);
        let longer = |route: &&Route| link.is_none_or(|prefix| prefix <= route.network.prefix());
        (route.filter(longer), link.is_some())
    }

    /// The source address for a destination: that of the route, or over IPv4 the one in the network of
    /// its gateway (RFC 1122, section 3.3.4.3), or the one that fits best.
    pub(crate) fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        if self.addresses.is_local(destination) {
            return Some(destination);
        }
        let route = self.route_to(destination).0;
        let beside = |route: &Route| match route.gateway? {
            IpAddr::V4(gateway) => self.addresses.beside(gateway.into()),
            IpAddr::V6(_) => None,
        };
        let by_route = route.and_then(|route| route.source.or_else(|| beside(route)));
        by_route.or_else(|| self.addresses.source_for(destination))
    }

    /// How far packets to a destination go. Routers know IPv6's way only (RFC 4861, section 6.3.4).
    pub(crate) fn hop_limit(&self, destination: IpAddr) -> u8 {
        let told = self.autoconf.hop_limit.filter(|_| destination.is_ipv6());
        told.unwrap_or(self.config.hop_limit)
    }

    /// Whether packets for an address are for us.
    pub(crate) fn accepts(&self, address: IpAddr) -> bool {
        self.config.any_address || self.addresses.is_local(address)
    }

    /// The longest IP packet on the way to a destination, as far as is known.
    pub(crate) fn path_mtu(&self, destination: IpAddr) -> u16 {
        if self.addresses.is_local(destination) {
            return u16::MAX;
        }
        let link = self.link_mtu(destination);
        let told = self.path_mtus.get(destination).filter(|(_, until)| *until > self.now);
        told.map_or(link, |(mtu, _)| link.min(*mtu))
    }

    /// The longest IP packet that comes in from a peer: of its path nothing is known, and what is
    /// known of ours says nothing about it.
    pub(crate) fn receive_mtu(&self, peer: IpAddr) -> u16 {
        if self.addresses.is_local(peer) {
            return u16::MAX;
        }
        self.tunnel_to(peer).map_or(self.config.mtu, |tunnel| self.tunnel_link_mtu(&tunnel))
    }

    /// The tunnel that packets to a destination go through.
    fn tunnel_to(&self, destination: IpAddr) -> Option<Tunnel> {
        if self.tunnels.len() == 0 {
            return None;
        }
        let Some(Path::Tunnel(id)) = self.path(destination) else { return None };
        self.tunnels.get(id).map(|entry| entry.tunnel)
    }

    /// The longest IP packet that leaves towards a destination.
    pub(crate) fn link_mtu(&self, destination: IpAddr) -> u16 {
        self.tunnel_to(destination).map_or(self.config.mtu, |tunnel| self.tunnel_mtu(&tunnel).0)
    }

    /// A router said what the next link of a path carries. It is never believed to be more than
    /// before, nor less than every link carries (RFC 5927, section 7.2).
    pub(crate) fn lower_path_mtu(&mut self, destination: IpAddr, mtu: u16) -> u16 {
        let floor = if destination.is_ipv4() { PATH_MTU_MIN_V4 } else { PATH_MTU_MIN_V6 };
        let (told, known) = (mtu.max(floor), self.path_mtu(destination));
        // More than is known is no news of what is, which grows old all the same.
        if told <= known && told < self.config.mtu {
            let until = self.now + self.config.limits.path_mtu_timeout;
            self.path_mtus.insert(destination, (told, until));
        }
        told.min(known)
    }

    /// Whether packets to a group are for us.
    pub(crate) fn hears(&self, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(v4) => v4 == ALL_HOSTS || self.groups.contains(group),
            IpAddr::V6(v6) => {
                v6 == ALL_NODES || self.groups.contains(group) || self.addresses.is_solicited(v6)
            }
        }
    }

    /// Puts a packet of ours for us where it is found by the next turn.
    pub(crate) fn push_loopback(&mut self, now: Instant, packet: Bytes, gso_size: u16) {
        // It never left this machine's memory: there is nothing to verify.
        let meta = RxMeta { checksum: RxChecksum::Partial, gso_size };
        if !self.loopback.push_back((packet, meta)) {
            self.drop_out(now, DropReason::LoopbackFull);
        }
    }
}

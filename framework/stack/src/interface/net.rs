//! What lies below the transports and belongs to none of them: addresses, routes, the wheel, the
//! counters, the capture. Ingress and egress borrow it while a socket is borrowed, too.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::{Instant, TimerWheel};

use super::addresses::{AddressState, Addresses};
use super::routes::Routes;
use super::timer::Timer;
use crate::stack::capture::{Capture, Direction};
use crate::stack::config::{Medium, StackConfig};
use crate::stack::counters::{Counters, DropReason};
use crate::stack::frame::{RxChecksum, RxMeta};
use crate::stack::secrets::Secrets;

/// Below the transports.
pub(crate) struct Net {
    pub(crate) config: StackConfig,
    pub(crate) secrets: Secrets,
    pub(crate) addresses: Addresses,
    pub(crate) routes: Routes,
    pub(crate) wheel: TimerWheel<Timer>,
    pub(crate) counters: Counters,
    pub(crate) capture: Option<Box<dyn Capture>>,
    /// Packets from us to us.
    pub(crate) loopback: VecDeque<(Bytes, RxMeta)>,
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
}

impl Net {
    pub(crate) fn new(config: StackConfig, secrets: Secrets, now: Instant) -> Self {
        Self {
            config,
            secrets,
            addresses: Addresses::default(),
            routes: Routes::default(),
            wheel: TimerWheel::new(now),
            counters: Counters::default(),
            capture: None,
            loopback: VecDeque::new(),
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
        if let Some(route) = self.routes.lookup(destination) {
            return Some(Path::Neighbor(route.gateway.unwrap_or(destination)));
        }
        let on_link = self.addresses.is_on_link(destination) || !self.is_ethernet();
        on_link.then_some(Path::Neighbor(destination))
    }

    /// The source address for a destination.
    pub(crate) fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        let chosen = self.routes.lookup(destination).and_then(|route| route.source);
        chosen.or_else(|| self.addresses.source_for(destination))
    }

    /// Whether packets for an address are for us.
    pub(crate) fn accepts(&self, address: IpAddr) -> bool {
        self.config.any_address || self.addresses.is_local(address)
    }

    /// The longest IP packet on the way to a destination, as far as is known.
    pub(crate) fn path_mtu(&self, destination: IpAddr) -> u16 {
        if self.addresses.is_local(destination) { u16::MAX } else { self.config.mtu }
    }

    /// Puts a packet of ours for us where it is found by the next turn.
    pub(crate) fn push_loopback(&mut self, now: Instant, packet: Bytes, gso_size: u16) {
        if self.loopback.len() >= self.config.limits.loopback_packets_max {
            return self.drop_out(now, DropReason::LoopbackFull);
        }
        // It never left this machine's memory: there is nothing to verify.
        self.loopback.push_back((packet, RxMeta { checksum: RxChecksum::Partial, gso_size }));
    }

    /// The state of an address of ours.
    pub(crate) fn address_state(&self, address: IpAddr) -> Option<AddressState> {
        self.addresses.get(address).map(|own| own.state)
    }
}

//! A router's ports and routes, and the calls about them.

use core::net::IpAddr;

use super::config::{Hop, PortConfig, PortId};
use super::error::RouterError;
use super::neighbors::Neighbors;
use super::{Router, RouterError as Error};
use crate::interface::addresses::{AddressState, Addresses, OwnAddress};
use crate::interface::cidr::Cidr;
use crate::interface::tunnels::{TUNNEL_MTU_MIN, Tunnel};
use crate::nat::Nat;
use crate::stack::config::Medium;
use crate::wire::MacAddress;

/// What is behind a port.
#[derive(Debug, Clone, Copy)]
pub(super) enum PortKind {
    Ethernet(MacAddress),
    RawIp,
    Tunnel(Tunnel),
}

/// A port of a router.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) kind: PortKind,
    pub(super) addresses: Addresses,
    pub(super) mtu: u16,
    pub(super) headroom: u16,
    pub(super) neighbors: Neighbors,
    /// Of a tunnel.
    pub(super) packets_in: u64,
    pub(super) packets_out: u64,
}

impl Port {
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.addresses.get(address).is_some()
    }

    /// An address of the port of the same family.
    pub(super) fn address_like(&self, other: IpAddr) -> Option<IpAddr> {
        let mut same = self.addresses.iter().map(|own| own.cidr.address());
        same.find(|own| own.is_ipv4() == other.is_ipv4())
    }

    pub(super) const fn mac(&self) -> Option<MacAddress> {
        match self.kind {
            PortKind::Ethernet(mac) => Some(mac),
            _ => None,
        }
    }
}

/// How full a port's tables are, and what a tunnel has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortUsage {
    /// Neighbours that are known or asked for.
    pub neighbors: usize,
    /// Packets that wait for one.
    pub waiting_packets: usize,
    /// Packets that came out of the tunnel that the port is.
    pub tunnel_packets_in: u64,
    /// Packets that went into it.
    pub tunnel_packets_out: u64,
}

impl Router {
    /// Adds a port, with the routes to its networks.
    ///
    /// # Errors
    /// [`RouterError::InvalidAddress`], [`RouterError::LimitReached`].
    pub fn add_port(&mut self, config: PortConfig) -> Result<PortId, RouterError> {
        let kind = match config.medium {
            Medium::Ethernet(mac) => PortKind::Ethernet(mac),
            Medium::RawIp => PortKind::RawIp,
        };
        self.insert_port(kind, &config.addresses, config.mtu, config.headroom_bytes)
    }

    /// Adds a port that is a tunnel: IPv6 that is routed to it leaves in IPv4 packets by the routes
    /// to the other end. The near end is an address of a port that is there.
    ///
    /// # Errors
    /// As [`add_port`](Self::add_port); [`RouterError::InvalidAddress`], too, for ends that are
    /// none.
    pub fn add_tunnel(
        &mut self,
        tunnel: Tunnel,
        addresses: &[Cidr],
    ) -> Result<PortId, RouterError> {
        let (local, remote) = (IpAddr::V4(tunnel.local), IpAddr::V4(tunnel.remote));
        if !self.is_own(local) {
            return Err(Error::InvalidAddress(local));
        }
        let nobody = remote.is_multicast() || remote.is_unspecified() || remote.is_loopback();
        if nobody || tunnel.remote.is_broadcast() || self.is_own(remote) {
            return Err(Error::InvalidAddress(remote));
        }
        if let Some(v4) = addresses.iter().find(|own| own.address().is_ipv4()) {
            return Err(Error::InvalidAddress(v4.address()));
        }
        let mtu = tunnel.mtu.max(TUNNEL_MTU_MIN);
        let port = self.insert_port(PortKind::Tunnel(tunnel), addresses, mtu, 0)?;
        self.has_tunnels = true;
        Ok(port)
    }

    fn insert_port(
        &mut self,
        kind: PortKind,
        list: &[Cidr],
        mtu: u16,
        headroom: u16,
    ) -> Result<PortId, RouterError> {
        let room = self.ports.len() < self.config.ports_max.min(usize::from(u16::MAX))
            && self.routes.len() + list.len() <= self.config.routes_max;
        if !room {
            return Err(Error::LimitReached);
        }
        let port = self.ports.len() as u16;
        let mut addresses = Addresses::default();
        for cidr in list {
            let address = cidr.address();
            let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
            if address.is_unspecified() || address.is_multicast() || broadcast {
                return Err(Error::InvalidAddress(address));
            }
            addresses.insert(OwnAddress::new(*cidr, AddressState::Preferred));
        }
        for network in list {
            self.routes.set(network, Hop { port, gateway: None });
        }
        let neighbors = Neighbors::default();
        let (packets_in, packets_out) = (0, 0);
        let port_state =
            Port { kind, addresses, mtu, headroom, neighbors, packets_in, packets_out };
        self.ports.push(port_state);
        Ok(PortId(port))
    }

    /// Adds a route through the port whose network the gateway is in, or replaces the one to the
    /// same network.
    ///
    /// # Errors
    /// [`RouterError::NoSuchNetwork`], [`RouterError::LimitReached`].
    pub fn add_route(&mut self, network: Cidr, gateway: IpAddr) -> Result<(), RouterError> {
        let has = |port: &Port| port.addresses.is_on_link(gateway);
        let port = self.ports.iter().position(has).ok_or(Error::NoSuchNetwork(gateway))?;
        if network.address().is_ipv4() != gateway.is_ipv4() {
            return Err(Error::InvalidAddress(gateway));
        }
        self.insert_route(network, Hop { port: port as u16, gateway: Some(gateway) })
    }

    /// Adds a route to destinations that are behind a port without a gateway: a point-to-point link,
    /// a tunnel, or neighbours that answer for themselves.
    ///
    /// # Errors
    /// [`RouterError::NoSuchPort`], [`RouterError::LimitReached`]; [`RouterError::InvalidAddress`]
    /// for IPv4 through a tunnel.
    pub fn add_link_route(&mut self, network: Cidr, port: PortId) -> Result<(), RouterError> {
        let Some(own) = self.ports.get(port.index()) else { return Err(Error::NoSuchPort) };
        if matches!(own.kind, PortKind::Tunnel(_)) && network.address().is_ipv4() {
            return Err(Error::InvalidAddress(network.address()));
        }
        self.insert_route(network, Hop { port: port.0, gateway: None })
    }

    fn insert_route(&mut self, network: Cidr, hop: Hop) -> Result<(), RouterError> {
        if self.routes.len() >= self.config.routes_max {
            return Err(Error::LimitReached);
        }
        self.routes.set(&network, hop);
        Ok(())
    }

    /// Takes the route to a network away; says whether it was there.
    pub fn remove_route(&mut self, network: &Cidr) -> bool {
        self.routes.remove(network).is_some()
    }

    /// The longest packet that leaves through a port.
    pub fn set_mtu(&mut self, port: PortId, mtu: u16) {
        if let Some(port) = self.ports.get_mut(port.index()) {
            port.mtu = mtu;
        }
    }

    /// Makes a raw IP port the one behind which the router's own stack is: it gets what is for the
    /// router's addresses and what all on a link hear, and what comes from it is the router's own.
    /// Packets of that stack are not translated by a NAT box; the ports of
    /// [`StackConfig`](crate::StackConfig) and [`NatConfig`](crate::nat::NatConfig) should be apart.
    ///
    /// # Errors
    /// [`RouterError::NoSuchPort`] when there is none of that kind.
    pub fn set_local(&mut self, port: PortId) -> Result<(), RouterError> {
        let own = self.ports.get(port.index()).filter(|own| matches!(own.kind, PortKind::RawIp));
        own.ok_or(Error::NoSuchPort)?;
        self.local = Some(port.0);
        Ok(())
    }

    /// Puts a NAT box before a port, which has the box's outside address.
    ///
    /// # Errors
    /// [`RouterError::NoSuchPort`]; [`RouterError::InvalidAddress`] when it is not the port's.
    pub fn set_nat(&mut self, nat: Nat, outside: PortId) -> Result<(), RouterError> {
        let own = self.ports.get(outside.index()).ok_or(Error::NoSuchPort)?;
        let address = IpAddr::V4(nat.outside());
        if !own.has(address) {
            return Err(Error::InvalidAddress(address));
        }
        self.nat = Some(alloc::boxed::Box::new((nat, outside.0)));
        Ok(())
    }

    /// How full a port's tables are.
    #[must_use]
    pub fn port_usage(&self, port: PortId) -> Option<PortUsage> {
        let port = self.ports.get(port.index())?;
        let (neighbors, waiting_packets) = port.neighbors.usage();
        let (tunnel_packets_in, tunnel_packets_out) = (port.packets_in, port.packets_out);
        Some(PortUsage { neighbors, waiting_packets, tunnel_packets_in, tunnel_packets_out })
    }

    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.ports.iter().any(|port| port.has(address))
    }

    pub(super) fn is_local(&self, port: u16) -> bool {
        self.local == Some(port)
    }
}

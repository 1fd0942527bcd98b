//! Calls about the interface: addresses and routes.

use core::net::{IpAddr, Ipv6Addr};

use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use crate::interface::addresses::OwnAddress;
use crate::interface::cidr::{Cidr, masked};
use crate::interface::neighbor::Neighbor;
use crate::interface::routes::Route;
use crate::wire::MacAddress;

/// The address that all routers of a network have: its prefix, and zeros (RFC 4291, section 2.6.1).
/// A link between two has none (RFC 6164).
fn subnet_router(cidr: &Cidr) -> Option<Cidr> {
    let IpAddr::V6(address) = cidr.address() else { return None };
    let all = Ipv6Addr::from(masked(address.octets(), cidr.prefix()));
    (!all.is_unspecified() && cidr.prefix() < 127).then(|| Cidr::new(all.into(), cidr.prefix()))
}

impl crate::interface::net::Net {
    /// A router has the subnet-router address of each network it is in.
    fn join_routers(&mut self, now: Instant, address: IpAddr) {
        let own = self.addresses.get(address).map(|own| own.cidr);
        let Some(all) = own.and_then(|cidr| subnet_router(&cidr)) else { return };
        let room = self.addresses.len() < self.config.limits.addresses_max;
        if self.config.is_router && room && self.addresses.get(all.address()).is_none() {
            self.addresses.insert(OwnAddress::anycast(all));
            self.listen_for(now, all.address());
        }
    }

    fn take_address(&mut self, address: IpAddr) -> Option<OwnAddress> {
        let removed = self.addresses.remove(address)?;
        self.listen_no_more(self.now, &removed);
        Some(removed)
    }
}

impl Stack {
    /// Gives the interface an address, and with it the route to its network.
    ///
    /// On Ethernet it is used once nobody else turned out to have it, which
    /// [`Event::AddressReady`](crate::Event::AddressReady) tells; see
    /// [`duplicate_address_probes`](crate::StackConfig::duplicate_address_probes) and
    /// [`arp_probes`](crate::StackConfig::arp_probes).
    ///
    /// # Errors
    /// When the address cannot be one host's, or there are too many.
    pub fn add_address(&mut self, now: Instant, cidr: Cidr) -> Result<(), StackError> {
        let address = cidr.address();
        let group =
            address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        if group || address.is_unspecified() {
            return Err(StackError::InvalidAddress);
        }
        let known = self.net.addresses.get(address).is_some();
        if !known && self.net.addresses.len() >= self.net.config.limits.addresses_max {
            return Err(StackError::LimitReached);
        }
        self.begin_address(now, cidr);
        self.net.join_routers(now, address);
        Ok(())
    }

    /// Gives the interface an address that other hosts have, too (RFC 4291, section 2.6): whoever is
    /// nearest gets the packets.
    ///
    /// Nobody is asked whether the address is free, it is not announced and not defended, and
    /// neighbours that ask for it hear of it after a short while of chance (RFC 4861, section
    /// 7.2.7). A connection or a datagram that comes to it is answered from it; nothing begins with
    /// it unless it is named, so the interface needs another address to speak first, to ask for
    /// neighbours say.
    ///
    /// # Errors
    /// When the address cannot be a host's, or there are too many; `AddressInUse` when it is ours
    /// alone; `InvalidAddress`, too, for the subnet-router address of a network, which only
    /// [routers](crate::StackConfig::is_router) have.
    pub fn add_anycast(&mut self, now: Instant, cidr: Cidr) -> Result<(), StackError> {
        self.net.now = now;
        let address = cidr.address();
        let group =
            address.is_multicast() || matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        let of_routers = !self.net.config.is_router && subnet_router(&cidr) == Some(cidr);
        if group || address.is_unspecified() || address.is_loopback() || of_routers {
            return Err(StackError::InvalidAddress);
        }
        match self.net.addresses.get(address) {
            Some(own) if !own.anycast => return Err(StackError::AddressInUse),
            None if self.net.addresses.len() >= self.net.config.limits.addresses_max => {
                return Err(StackError::LimitReached);
            }
            _ => {}
        }
        self.net.addresses.insert(OwnAddress::anycast(cidr));
        self.net.listen_for(now, address);
        Ok(())
    }

    /// Takes an address away; says whether it was there. Connections that use it live on and are
    /// not heard any more.
    pub fn remove_address(&mut self, address: IpAddr) -> bool {
        self.net.autoconf.forget(address);
        let removed = self.net.take_address(address);
        if let Some(all) = removed.and_then(|own| subnet_router(&own.cidr)) {
            let in_it = |own: &OwnAddress| !own.anycast && all.contains(own.cidr.address());
            if self.net.config.is_router && !self.net.addresses.iter().any(in_it) {
                self.net.take_address(all.address());
            }
        }
        removed.is_some()
    }

    /// The interface's addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &OwnAddress> {
        self.net.addresses.iter()
    }

    /// Adds a route, or replaces the one to the same network.
    ///
    /// # Errors
    /// When the gateway is of the other family, or there are too many routes; `InvalidAddress`, too,
    /// when it is to lead through a tunnel and has a gateway or is not IPv6's, `NoSuchTunnel`.
    pub fn add_route(&mut self, route: Route) -> Result<(), StackError> {
        let ipv4 = route.network.address().is_ipv4();
        let others = [route.gateway, route.source];
        if others.iter().flatten().any(|address| address.is_ipv4() != ipv4) {
            return Err(StackError::InvalidAddress);
        }
        if let Some(tunnel) = route.tunnel {
            self.net.tunnels.get(tunnel).ok_or(StackError::NoSuchTunnel)?;
            if ipv4 || route.gateway.is_some() {
                return Err(StackError::InvalidAddress);
            }
        }
        if self.net.routes.len() >= self.net.config.limits.routes_max {
            return Err(StackError::LimitReached);
        }
        self.net.autoconf.forget_told_route(&route.network);
        self.net.routes.insert(route);
        Ok(())
    }

    /// Takes the route to a network away; says whether it was there.
    pub fn remove_route(&mut self, network: &Cidr) -> bool {
        self.net.autoconf.forget_told_route(network);
        self.net.routes.remove(network).is_some()
    }

    /// The routes, the longest prefixes first.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.net.routes.iter()
    }

    /// The address of ours that packets to a destination get as their source; `None` when no route
    /// leads there.
    #[must_use]
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        self.net.path(destination)?;
        self.net.source_for(destination)
    }

    /// The neighbours whose link addresses are known or asked for.
    pub fn neighbors(&self) -> impl Iterator<Item = Neighbor> {
        self.net.neighbors.iter()
    }

    /// Sets a neighbour's link address by hand: nobody is asked for it, and nobody changes it.
    pub fn set_neighbor(&mut self, now: Instant, address: IpAddr, mac: MacAddress) {
        let effects = self.net.neighbors.set(now, address, mac);
        self.net.apply(now, effects);
    }

    /// Forgets a neighbour; says whether it was there.
    pub fn remove_neighbor(&mut self, address: IpAddr) -> bool {
        let effects = self.net.neighbors.remove(address);
        let there = effects.is_some();
        self.net.apply(self.net.now, effects.unwrap_or_default());
        there
    }

    /// The multicast groups that sockets have joined, and those of own IPv6 addresses (RFC 4861,
    /// section 7.2.1).
    pub fn groups(&self) -> impl Iterator<Item = IpAddr> {
        self.net.groups.iter()
    }
}

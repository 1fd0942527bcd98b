//! Where packets go: longest-prefix match over both families.
//!
//! Prefixes stand in their 16-byte form, so that IPv4's is 96 bits longer. A lookup tries each
//! prefix length in use, from the longest on: at most 129 and in practice three or four.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::cidr::{Cidr, masked};
use super::tuple::octets;
use crate::stack::ids::TunnelId;

/// Where a route leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The destinations.
    pub network: Cidr,
    /// Whom to hand packets; `None` when the destinations are on the link.
    pub gateway: Option<IpAddr>,
    /// Which source address packets get; `None` chooses by rule.
    pub source: Option<IpAddr>,
    /// The tunnel that they go through; there is no gateway then.
    pub tunnel: Option<TunnelId>,
}

impl Route {
    /// Destinations that are on the link.
    #[must_use]
    pub const fn link(network: Cidr) -> Self {
        Self { network, gateway: None, source: None, tunnel: None }
    }

    /// Destinations behind a gateway.
    #[must_use]
    pub const fn via(network: Cidr, gateway: IpAddr) -> Self {
        Self { network, gateway: Some(gateway), source: None, tunnel: None }
    }

    /// IPv6 destinations behind a tunnel.
    #[must_use]
    pub const fn through(network: Cidr, tunnel: TunnelId) -> Self {
        Self { network, gateway: None, source: None, tunnel: Some(tunnel) }
    }
}

/// The routes of a host.
pub(crate) type Routes = Prefixes<Route>;

/// Something for each of so many networks.
#[derive(Debug)]
pub(crate) struct Prefixes<V> {
    table: BTreeMap<(u8, [u8; 16]), V>,
    /// Prefix lengths in use, and how many networks have each.
    lengths: BTreeMap<u8, u32>,
}

impl<V> Default for Prefixes<V> {
    fn default() -> Self {
        Self { table: BTreeMap::new(), lengths: BTreeMap::new() }
    }
}

impl<V> Prefixes<V> {
    fn key(network: &Cidr) -> (u8, [u8; 16]) {
        let prefix = network.mapped_prefix();
        (prefix, masked(octets(network.address()), prefix))
    }

    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Sets what a network has.
    pub(crate) fn set(&mut self, network: &Cidr, value: V) {
        let key = Self::key(network);
        if self.table.insert(key, value).is_none() {
            *self.lengths.entry(key.0).or_default() += 1;
        }
    }

    /// What just this network has.
    pub(crate) fn get(&self, network: &Cidr) -> Option<&V> {
        self.table.get(&Self::key(network))
    }

    pub(crate) fn remove(&mut self, network: &Cidr) -> Option<V> {
        let key = Self::key(network);
        let value = self.table.remove(&key)?;
        if let Some(count) = self.lengths.get_mut(&key.0) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&key.0);
            }
        }
        Some(value)
    }

    /// What the narrowest network has that the destination is in.
    pub(crate) fn lookup(&self, destination: IpAddr) -> Option<&V> {
        let octets = octets(destination);
        // A default route of IPv6 is shorter than any IPv4-mapped prefix and must not match one.
        let shortest = if destination.is_ipv4() { 96 } else { 0 };
        let lengths = self.lengths.range(shortest..).rev();
        let found = lengths.map(|(prefix, _)| self.table.get(&(*prefix, masked(octets, *prefix))));
        found.flatten().next()
    }

    /// All, the longest prefixes first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &V> {
        self.table.values().rev()
    }
}

impl Routes {
    /// Adds a route, or replaces the one of the same network.
    pub(crate) fn insert(&mut self, route: Route) {
        self.set(&route.network, route);
    }

    /// Removes the routes through a tunnel.
    pub(crate) fn remove_through(&mut self, tunnel: TunnelId) {
        let through = self.table.values().filter(|route| route.tunnel == Some(tunnel));
        let networks: Vec<Cidr> = through.map(|route| route.network).collect();
        networks.iter().for_each(|network| _ = self.remove(network));
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn routes(networks: &[(&str, Option<&str>)]) -> Routes {
        let mut routes = Routes::default();
        for (network, gateway) in networks {
            let network = network.parse().unwrap();
            let gateway = gateway.map(|gateway| gateway.parse().unwrap());
            routes.insert(Route { network, gateway, source: None, tunnel: None });
        }
        routes
    }

    fn found(routes: &Routes, destination: &str) -> Option<alloc::string::String> {
        routes.lookup(destination.parse().unwrap()).map(|route| route.network.to_string())
    }

    #[test]
    fn the_longest_prefix_wins_within_its_family() {
        let mut routes = routes(&[
            ("0.0.0.0/0", Some("10.0.0.1")),
            ("10.0.0.0/8", None),
            ("10.1.0.0/16", Some("10.0.0.2")),
            ("::/0", Some("fe80::1")),
            ("2001:db8::/32", None),
        ]);
        for (destination, network) in [
            ("10.1.2.3", "10.1.0.0/16"),
            ("10.2.2.3", "10.0.0.0/8"),
            ("192.0.2.1", "0.0.0.0/0"),
            ("2001:db8::1", "2001:db8::/32"),
            ("2001:db9::1", "::/0"),
        ] {
            assert_eq!(found(&routes, destination).as_deref(), Some(network), "{destination}");
        }
        assert!(routes.remove(&"0.0.0.0/0".parse().unwrap()).is_some());
        assert!(routes.remove(&"0.0.0.0/0".parse().unwrap()).is_none());
        assert_eq!(found(&routes, "192.0.2.1"), None);
        assert_eq!(routes.len(), 4);
    }
}

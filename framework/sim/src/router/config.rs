//! How a router behaves.

use std::net::IpAddr;

use fyke_stack::Cidr;

/// How a router behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouterConfig {
    /// Whether it says why it drops packets, and answers pings. Without it, it is one of those boxes
    /// that make path MTU discovery fail.
    pub icmp: bool,
    /// ICMP errors a second at most (1000).
    pub icmp_errors_per_second: u32,
    /// Routes at most (4096).
    pub routes_max: usize,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self { icmp: true, icmp_errors_per_second: 1000, routes_max: 4096 }
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

/// Where a packet leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Hop {
    pub(super) port: u16,
    pub(super) gateway: Option<IpAddr>,
}

/// The longest prefix wins. There are few, so they stand in a list, the longest first.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<(Cidr, Hop)>);

impl Routes {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a route, or replaces the one to the same network.
    pub(super) fn insert(&mut self, network: Cidr, hop: Hop) {
        let same = |other: &Cidr| {
            other.prefix() == network.prefix()
                && other.contains(network.address())
                && network.contains(other.address())
        };
        self.0.retain(|(other, _)| !same(other));
        let at = self.0.partition_point(|(other, _)| other.prefix() >= network.prefix());
        self.0.insert(at, (network, hop));
    }

    pub(super) fn lookup(&self, destination: IpAddr) -> Option<Hop> {
        self.0.iter().find(|(network, _)| network.contains(destination)).map(|(_, hop)| *hop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let mut routes = Routes::default();
        for (port, network) in
            ["0.0.0.0/0", "10.1.0.0/16", "10.0.0.0/8", "::/0", "10.1.2.0/24"].iter().enumerate()
        {
            let hop = Hop { port: port as u16, gateway: None };
            routes.insert(network.parse().unwrap(), hop);
        }
        let port = |address: &str| routes.lookup(address.parse().unwrap()).map(|hop| hop.port);
        assert_eq!(port("10.1.2.3"), Some(4));
        assert_eq!(port("10.1.3.3"), Some(1));
        assert_eq!(port("10.2.3.4"), Some(2));
        assert_eq!(port("192.0.2.1"), Some(0));
        assert_eq!(port("2001:db8::1"), Some(3));
        routes.insert("10.1.0.0/16".parse().unwrap(), Hop { port: 9, gateway: None });
        assert_eq!(routes.len(), 5);
        assert_eq!(routes.lookup("10.1.9.9".parse().unwrap()).unwrap().port, 9);
    }
}

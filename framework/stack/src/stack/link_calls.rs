//! Calls about the interface: addresses and routes.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use crate::interface::addresses::{AddressState, OwnAddress};
use crate::interface::cidr::Cidr;
use crate::interface::routes::Route;

impl Stack {
    /// Gives the interface an address and the route to its network.
    ///
    /// # Errors
    /// When the address cannot be one host's, or there are too many.
    pub fn add_address(&mut self, _now: Instant, cidr: Cidr) -> Result<(), StackError> {
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
        self.net.addresses.insert(OwnAddress { cidr, state: AddressState::Preferred });
        Ok(())
    }

    /// Takes an address away; says whether it was there. Connections that use it live on and are
    /// not heard any more.
    pub fn remove_address(&mut self, address: IpAddr) -> bool {
        self.net.addresses.remove(address).is_some()
    }

    /// The interface's addresses.
    pub fn addresses(&self) -> impl Iterator<Item = &OwnAddress> {
        self.net.addresses.iter()
    }

    /// Adds a route, or replaces the one to the same network.
    ///
    /// # Errors
    /// When the gateway is of the other family, or there are too many routes.
    pub fn add_route(&mut self, route: Route) -> Result<(), StackError> {
        let ipv4 = route.network.address().is_ipv4();
        let others = [route.gateway, route.source];
        if others.iter().flatten().any(|address| address.is_ipv4() != ipv4) {
            return Err(StackError::InvalidAddress);
        }
        if self.net.routes.len() >= self.net.config.limits.routes_max {
            return Err(StackError::LimitReached);
        }
        self.net.routes.insert(route);
        Ok(())
    }

    /// Takes the route to a network away; says whether it was there.
    pub fn remove_route(&mut self, network: &Cidr) -> bool {
        self.net.routes.remove(network).is_some()
    }

    /// The routes, the longest prefixes first.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.net.routes.iter()
    }
}

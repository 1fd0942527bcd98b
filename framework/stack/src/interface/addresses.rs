//! The interface's own addresses, and which of them a packet gets as its source.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cidr::Cidr;
use super::tuple::octets;
use crate::stack::ids::TunnelId;
use crate::wire::ndp::solicited_node;

/// How far an address may be used (RFC 4862, section 2; RFC 5227).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressState {
    /// Whether somebody else has it is being found out: it is not used yet.
    Tentative,
    /// It may be used for everything.
    Preferred,
    /// It still works, but nothing new should begin with it.
    Deprecated,
    /// Somebody else has it: it is not used.
    Duplicate,
}

/// An address of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnAddress {
    /// The address and its network.
    pub cidr: Cidr,
    /// How far it may be used.
    pub state: AddressState,
    /// The tunnel whose link-local address it is.
    pub tunnel: Option<TunnelId>,
    /// Others may have it, too, and whoever is nearest gets the packets (RFC 4291, section 2.6).
    pub anycast: bool,
    /// The host is in its solicited-node group because of it.
    pub(crate) listens: bool,
    /// It was made of a router's prefix. Whether that is on the link the router says apart from it (RFC
    /// 5942, section 4).
    pub(crate) of_prefix: bool,
}

impl OwnAddress {
    /// An address of the link.
    pub(crate) const fn new(cidr: Cidr, state: AddressState) -> Self {
        let (tunnel, anycast, listens, of_prefix) = (None, false, false, false);
        Self { cidr, state, tunnel, anycast, listens, of_prefix }
    }

    /// An address that others may have, too: there is nothing to find out about it.
    pub(crate) const fn anycast(cidr: Cidr) -> Self {
        Self { anycast: true, ..Self::new(cidr, AddressState::Preferred) }
    }

    fn usable(&self) -> bool {
        matches!(self.state, AddressState::Preferred | AddressState::Deprecated)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Addresses {
    list: Vec<OwnAddress>,
}

impl Addresses {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &OwnAddress> {
        self.list.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Adds an address, or changes the network and state of one that is there.
    pub(crate) fn insert(&mut self, address: OwnAddress) {
        match self.get_mut(address.cidr.address()) {
            Some(there) => *there = OwnAddress { listens: there.listens, ..address },
            None => self.list.push(address),
        }
    }

    pub(crate) fn remove(&mut self, address: IpAddr) -> Option<OwnAddress> {
        let at = self.list.iter().position(|own| own.cidr.address() == address)?;
        Some(self.list.remove(at))
    }

    pub(crate) fn get(&self, address: IpAddr) -> Option<&OwnAddress> {
        self.list.iter().find(|own| own.cidr.address() == address)
    }

    pub(crate) fn get_mut(&mut self, address: IpAddr) -> Option<&mut OwnAddress> {
        self.list.iter_mut().find(|own| own.cidr.address() == address)
    }

    /// Whether it is an address of ours that may be used, or one of the loopback's.
    pub(crate) fn is_local(&self, address: IpAddr) -> bool {
        is_loopback(address) || self.get(address).is_some_and(OwnAddress::usable)
    }

    /// Whether it is the limited broadcast address or that of a network of ours.
    pub(crate) fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast() || self.list.iter().any(|own| own.cidr.broadcast() == Some(address))
    }

    /// Whether a group is that of an address of ours, one we may not have yet included: it is heard
    /// before it is joined, too (RFC 4862, section 5.4.2).
    pub(crate) fn is_solicited(&self, group: Ipv6Addr) -> bool {
        self.list.iter().any(|own| match own.cidr.address() {
            IpAddr::V6(address) => own.tunnel.is_none() && solicited_node(address) == group,
            IpAddr::V4(_) => false,
        })
    }

    /// Whether it is in a network of ours.
    pub(crate) fn is_on_link(&self, address: IpAddr) -> bool {
        self.on_link_prefix(address).is_some()
    }

    /// The prefix of the narrowest network of ours that an address is in.
    pub(crate) fn on_link_prefix(&self, address: IpAddr) -> Option<u8> {
        let tells = |own: &&OwnAddress| own.usable() && own.tunnel.is_none() && !own.of_prefix;
        let usable = self.list.iter().filter(tells);
        let around = usable.filter(|own| own.cidr.contains(address));
        around.map(|own| own.cidr.prefix()).max()
    }

    /// Removes the addresses of a tunnel, or gives them to another that begins at the same address.
    pub(crate) fn remove_of_tunnel(&mut self, tunnel: TunnelId, heir: Option<TunnelId>) {
        self.list.retain_mut(|own| {
            let of_tunnel = own.tunnel == Some(tunnel);
            if of_tunnel {
                own.tunnel = heir;
            }
            !of_tunnel || heir.is_some()
        });
    }

    /// The source address for a destination (RFC 6724, section 5, as far as one interface has a
    /// choice): the destination itself when it is ours, then the right scope, then not deprecated,
    /// then the longest common prefix. A tunnel's own address is not for the link, and one that
    /// others have, too, is nobody's name.
    pub(crate) fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        if is_loopback(destination) || self.is_local(destination) {
            return Some(destination);
        }
        let candidates = self
            .list
            .iter()
            .filter(|own| own.usable() && own.tunnel.is_none() && !own.anycast)
            .filter(|own| own.cidr.address().is_ipv4() == destination.is_ipv4());
        let best = candidates.max_by_key(|own| {
            let address = own.cidr.address();
            let same_scope = is_link_local(address) == is_link_local(destination);
            let fresh = own.state == AddressState::Preferred;
            (same_scope, fresh, common_prefix(address, destination))
        });
        best.map(|own| own.cidr.address())
    }

    /// The address of ours that is in the narrowest network with a neighbour.
    pub(crate) fn beside(&self, neighbor: IpAddr) -> Option<IpAddr> {
        let speaks = |own: &&OwnAddress| own.usable() && own.tunnel.is_none() && !own.anycast;
        let around = self.list.iter().filter(speaks).filter(|own| own.cidr.contains(neighbor));
        around.max_by_key(|own| own.cidr.prefix()).map(|own| own.cidr.address())
    }

    /// Whether it is an address of ours that others may have, too.
    pub(crate) fn is_anycast(&self, address: IpAddr) -> bool {
        self.get(address).is_some_and(|own| own.anycast)
    }

    /// A link-local IPv6 address of ours.
    pub(crate) fn link_local(&self) -> Option<Ipv6Addr> {
        let of_link = |own: &&OwnAddress| own.usable() && own.tunnel.is_none() && !own.anycast;
        self.list.iter().filter(of_link).find_map(|own| match own.cidr.address() {
            IpAddr::V6(address) if is_link_local(address.into()) => Some(address),
            _ => None,
        })
    }
}

fn common_prefix(a: IpAddr, b: IpAddr) -> u32 {
    let difference = u128::from_be_bytes(octets(a)) ^ u128::from_be_bytes(octets(b));
    difference.leading_zeros()
}

pub(crate) fn is_loopback(address: IpAddr) -> bool {
    address.is_loopback()
}

/// 169.254/16 and fe80::/10, and groups that do not leave the link.
pub(crate) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || (v6.is_multicast() && v6.octets()[1] & 0xf <= 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Addresses {
        let mut addresses = Addresses::default();
        for cidr in list {
            let cidr = cidr.parse().unwrap();
            addresses.insert(OwnAddress::new(cidr, AddressState::Preferred));
        }
        addresses
    }

    #[test]
    fn the_source_fits_the_destination() {
        let mut own = addresses(&["10.0.0.1/8", "192.0.2.9/24", "fe80::1/64", "2001:db8::1/64"]);
        for (destination, source) in [
            ("10.9.9.9", Some("10.0.0.1")),
            ("192.0.2.77", Some("192.0.2.9")),
            ("127.0.0.5", Some("127.0.0.5")),
            ("fe80::99", Some("fe80::1")),
            ("ff02::1", Some("fe80::1")),
            ("2001:db8:1::1", Some("2001:db8::1")),
            ("10.0.0.1", Some("10.0.0.1")),
        ] {
            let source: Option<IpAddr> = source.map(|source| source.parse().unwrap());
            assert_eq!(own.source_for(destination.parse().unwrap()), source, "{destination}");
        }
        own.get_mut("2001:db8::1".parse().unwrap()).unwrap().state = AddressState::Tentative;
        let chosen = own.source_for("2001:db8:1::1".parse().unwrap());
        assert_eq!(chosen, Some("fe80::1".parse().unwrap()));
        assert!(!own.is_local("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn broadcast_addresses_of_ours() {
        let own = addresses(&["10.0.0.1/8"]);
        assert!(own.is_broadcast([255; 4].into()) && own.is_broadcast([10, 255, 255, 255].into()));
        assert!(!own.is_broadcast([10, 0, 0, 1].into()));
    }
}

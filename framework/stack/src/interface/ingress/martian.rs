//! Addresses that no packet from the wire may have, whatever is behind them (RFC 1122, section
//! 3.2.1.3; RFC 4291, section 2.5; RFC 6890). They are dropped before any table is asked.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::interface::addresses::Addresses;

/// Whether an IPv4 packet has a source that cannot be one host's, or a destination that is not for
/// the wire.
pub(crate) fn is_martian_v4(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    addresses: &Addresses,
) -> bool {
    let [first, ..] = source.octets();
    // "This host" speaks only while it asks for an address, and then to everybody.
    let nameless = source.is_unspecified() && destination.is_broadcast();
    let bad_source = (first == 0 && !nameless)
        || source.is_loopback()
        || source.is_multicast()
        || first >= 240
        || addresses.is_broadcast(source);
    let [first, ..] = destination.octets();
    let bad_destination =
        first == 0 || destination.is_loopback() || (first >= 240 && !destination.is_broadcast());
    bad_source || bad_destination
}

/// The same for IPv6. The unspecified source is for address resolution only, and goes to groups.
pub(crate) fn is_martian_v6(source: Ipv6Addr, destination: Ipv6Addr) -> bool {
    let mapped = |address: Ipv6Addr| address.to_ipv4_mapped().is_some();
    // Scope 0 is reserved and scope 1 does not leave the interface (RFC 4291, section 2.7).
    let inner_group = destination.is_multicast() && destination.octets()[1] & 0xf <= 1;
    source.is_multicast()
        || source.is_loopback()
        || mapped(source)
        || (source.is_unspecified() && !destination.is_multicast())
        || destination.is_unspecified()
        || destination.is_loopback()
        || mapped(destination)
        || inner_group
}

/// Whether a packet from the wire says that we sent it (LAND). A tentative address is not ours yet:
/// what says so is the other host with it.
pub(super) fn is_source_of_ours(source: IpAddr, addresses: &Addresses) -> bool {
    addresses.is_local(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::addresses::{AddressState, OwnAddress};

    #[test]
    fn sources_that_cannot_be() {
        let mut own = Addresses::default();
        let cidr = "10.0.0.1/8".parse().unwrap();
        own.insert(OwnAddress::new(cidr, AddressState::Preferred));
        for (source, destination, martian) in [
            ("192.0.2.1", "10.0.0.1", false),
            ("0.0.0.0", "10.0.0.1", true),
            ("0.0.0.0", "255.255.255.255", false),
            ("0.1.2.3", "255.255.255.255", true),
            ("127.0.0.1", "10.0.0.1", true),
            ("224.0.0.1", "10.0.0.1", true),
            ("255.255.255.255", "10.0.0.1", true),
            ("240.0.0.1", "10.0.0.1", true),
            ("10.255.255.255", "10.0.0.1", true),
            ("192.0.2.1", "127.0.0.1", true),
            ("192.0.2.1", "0.0.0.0", true),
        ] {
            let found = is_martian_v4(source.parse().unwrap(), destination.parse().unwrap(), &own);
            assert_eq!(found, martian, "{source} -> {destination}");
        }
        for (source, destination, martian) in [
            ("2001:db8::1", "2001:db8::2", false),
            ("::", "ff02::1:ff00:1", false),
            ("::", "2001:db8::2", true),
            ("::1", "2001:db8::2", true),
            ("ff02::1", "2001:db8::2", true),
            ("::ffff:10.0.0.1", "2001:db8::2", true),
            ("2001:db8::1", "::1", true),
            ("2001:db8::1", "ff01::1", true),
            ("2001:db8::1", "::", true),
        ] {
            let found = is_martian_v6(source.parse().unwrap(), destination.parse().unwrap());
            assert_eq!(found, martian, "{source} -> {destination}");
        }
    }
}

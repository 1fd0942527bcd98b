//! An address with the length of its network's prefix.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

use super::tuple::octets;

/// An address and how many of its leading bits name the network.
///
/// ```
/// use fyke_stack::Cidr;
///
/// let cidr: Cidr = "192.0.2.7/24".parse().unwrap();
/// assert!(cidr.contains([192, 0, 2, 200].into()));
/// assert_eq!(cidr.broadcast(), Some([192, 0, 2, 255].into()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// An address in a network; a prefix longer than the address counts as the address's length.
    #[must_use]
    pub const fn new(address: IpAddr, prefix: u8) -> Self {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        Self { address, prefix: if prefix > longest { longest } else { prefix } }
    }

    /// The address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits name the network.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether an address is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && masked(octets(self.address), self.mapped_prefix())
                == masked(octets(address), self.mapped_prefix())
    }

    /// The network's broadcast address; none for IPv6 and for networks of one or two addresses
    /// (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) if self.prefix < 31 => {
                Some(Ipv4Addr::from(u32::from(address) | u32::MAX >> self.prefix))
            }
            _ => None,
        }
    }

    /// The network alone, whichever of its addresses this is.
    pub(crate) fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                Ipv4Addr::from(u32::from(v4) & mask).into()
            }
            IpAddr::V6(v6) => IpAddr::from(masked(v6.octets(), self.prefix)),
        };
        Self { address, ..*self }
    }

    /// The prefix of the address as 16 bytes, IPv4 mapped.
    pub(crate) const fn mapped_prefix(&self) -> u8 {
        if self.address.is_ipv4() { self.prefix + 96 } else { self.prefix }
    }
}

/// The leading bits of an address, the rest zero.
pub(crate) fn masked(octets: [u8; 16], prefix: u8) -> [u8; 16] {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
    (u128::from_be_bytes(octets) & mask).to_be_bytes()
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text is no address with a prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseCidrError;

impl fmt::Display for ParseCidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address, a slash and a prefix length")
    }
}

impl core::error::Error for ParseCidrError {}

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let (address, prefix) = text.split_once('/').ok_or(ParseCidrError)?;
        let address: IpAddr = address.parse().map_err(|_| ParseCidrError)?;
        let prefix: u8 = prefix.parse().map_err(|_| ParseCidrError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix > longest { Err(ParseCidrError) } else { Ok(Self::new(address, prefix)) }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn networks_contain_their_own_family_only() {
        let cidr: Cidr = "10.1.2.3/8".parse().unwrap();
        assert!(cidr.contains("10.255.0.1".parse().unwrap()));
        assert!(!cidr.contains("11.0.0.1".parse().unwrap()));
        assert!(!cidr.contains("::ffff:10.0.0.1".parse().unwrap()));
        let all: Cidr = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("203.0.113.9".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
        let six: Cidr = "2001:db8::/33".parse().unwrap();
        assert!(six.contains("2001:db8:7fff::1".parse().unwrap()));
        assert!(!six.contains("2001:db8:8000::1".parse().unwrap()));
    }

    #[test]
    fn broadcast_addresses_and_text() {
        let broadcast = |text: &str| text.parse::<Cidr>().unwrap().broadcast();
        assert_eq!(broadcast("10.1.2.3/8"), Some([10, 255, 255, 255].into()));
        assert_eq!(broadcast("10.1.2.3/31"), None);
        assert_eq!(broadcast("::1/64"), None);
        for wrong in ["10.0.0.1", "10.0.0.1/33", "::1/129", "x/1", "::1/"] {
            assert_eq!(wrong.parse::<Cidr>(), Err(ParseCidrError), "{wrong}");
        }
        assert_eq!("::1/64".parse::<Cidr>().unwrap().to_string(), "::1/64");
    }
}

//! Which addresses may connect: networks in CIDR notation (RFC 4632), the longest prefix wins.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and how many of its bits count. Bits behind those are ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseCidrError(String);

impl fmt::Display for ParseCidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no network like 192.0.2.0/24 or 2001:db8::/32", self.0)
    }
}

impl std::error::Error for ParseCidrError {}

impl Cidr {
    /// The network of the first `prefix` bits of `address`; `None` when it has not so many.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether `ip` is in it. An IPv4 address that is mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.address.is_ipv4() && Key::of(ip, self.prefix) == self.key()
    }

    fn key(&self) -> Key {
        Key::of(self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, ParseCidrError> {
        let wrong = || ParseCidrError(text.to_owned());
        let Some((address, prefix)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| wrong())?;
            return Self::new(address, if address.is_ipv4() { 32 } else { 128 }).ok_or_else(wrong);
        };
        if prefix.starts_with('+') {
            return Err(wrong());
        }
        let prefix = prefix.parse().map_err(|_| wrong())?;
        Self::new(address.parse().map_err(|_| wrong())?, prefix).ok_or_else(wrong)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// The bits of a network that count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    v4: bool,
    prefix: u8,
    bits: u128,
}

impl Key {
    fn of(ip: IpAddr, prefix: u8) -> Self {
        let (bits, width) = match ip {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128_u32),
        };
        let dropped = width.saturating_sub(u32::from(prefix));
        let bits = bits.checked_shr(dropped).unwrap_or(0);
        Self { v4: ip.is_ipv4(), prefix, bits }
    }
}

/// Rules for addresses. Of several networks that an address is in, the one with the longest prefix
/// decides, in whatever order they were given; without any, the default does.
///
/// ```
/// use fyke_core::event_loop::IpRules;
///
/// let rules = IpRules::deny_all().allow("10.0.0.0/8".parse()?).deny("10.1.0.0/16".parse()?);
/// assert!(rules.allows("10.2.3.4".parse()?));
/// assert!(!rules.allows("10.1.3.4".parse()?));
/// assert!(!rules.allows("2001:db8::1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct IpRules {
    allowed: HashMap<Key, bool>,
    /// The prefixes in use, the longest first: so many lookups at most.
    prefixes_v4: Vec<u8>,
    prefixes_v6: Vec<u8>,
    default: bool,
}

impl IpRules {
    /// Everybody, but for what is denied.
    pub fn allow_all() -> Self {
        Self::with_default(true)
    }

    /// Nobody, but for what is allowed.
    pub fn deny_all() -> Self {
        Self::with_default(false)
    }

    fn with_default(default: bool) -> Self {
        Self { allowed: HashMap::new(), prefixes_v4: Vec::new(), prefixes_v6: Vec::new(), default }
    }

    /// Allows a network.
    pub fn allow(self, network: Cidr) -> Self {
        self.rule(network, true)
    }

    /// Denies a network.
    pub fn deny(self, network: Cidr) -> Self {
        self.rule(network, false)
    }

    fn rule(mut self, network: Cidr, allow: bool) -> Self {
        let key = network.key();
        let prefixes = if key.v4 { &mut self.prefixes_v4 } else { &mut self.prefixes_v6 };
        if let Err(at) = prefixes.binary_search_by(|prefix| key.prefix.cmp(prefix)) {
            prefixes.insert(at, key.prefix);
        }
        self.allowed.insert(key, allow);
        self
    }

    /// Whether an address may connect. An IPv4 address that is mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let prefixes = if ip.is_ipv4() { &self.prefixes_v4 } else { &self.prefixes_v6 };
        let found = prefixes.iter().find_map(|&prefix| self.allowed.get(&Key::of(ip, prefix)));
        found.copied().unwrap_or(self.default)
    }
}

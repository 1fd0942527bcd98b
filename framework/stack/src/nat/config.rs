//! How a NAT box behaves, in the words of RFC 4787 (UDP), RFC 5382 (TCP) and RFC 5508 (ICMP).

use core::ops::RangeInclusive;
use core::time::Duration;

/// Which packets of an inside endpoint share an outside port (RFC 4787, section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum NatMapping {
    /// All of them, whoever they go to.
    #[default]
    EndpointIndependent,
    /// Those to one address and port: what people call symmetric NAT.
    AddressAndPortDependent,
}

/// Whose packets come in through a mapping (RFC 4787, section 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum NatFiltering {
    /// Anybody's.
    EndpointIndependent,
    /// Those of addresses that were written to.
    AddressDependent,
    /// Those of addresses and ports that were written to.
    #[default]
    AddressAndPortDependent,
}

/// What becomes of a TCP segment that has no mapping and is no beginning of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum NatUnknown {
    /// It vanishes, and its sender finds out by time alone.
    #[default]
    Drop,
    /// Its sender gets a reset.
    Reset,
}

/// How a NAT box behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct NatConfig {
    /// How long a UDP mapping lives without packets (two minutes; RFC 4787, REQ-5).
    pub udp_timeout: Duration,
    /// How long an established TCP connection lives without packets (2 hours 4 minutes; RFC 5382,
    /// REQ-5). Many boxes that people have at home are far more impatient.
    pub tcp_timeout: Duration,
    /// The same for a TCP connection that is being opened or closed (4 minutes).
    pub tcp_transitory_timeout: Duration,
    /// The same for pings (one minute; RFC 5508, REQ-1).
    pub icmp_timeout: Duration,
    /// Which packets share an outside port.
    pub mapping: NatMapping,
    /// Whose packets come in.
    pub filtering: NatFiltering,
    /// What becomes of TCP segments without a mapping.
    pub unknown: NatUnknown,
    /// Whether packets from outside keep a mapping alive, too. On by default.
    pub incoming_refreshes: bool,
    /// Whether two that are inside reach each other by the outside address (RFC 4787, REQ-9; RFC
    /// 5382, REQ-8). On by default; there are many boxes at home that cannot.
    pub hairpinning: bool,
    /// The outside ports (1024 to 65535).
    pub ports: RangeInclusive<u16>,
    /// Pairs of an inside and an outside endpoint at most (262 144).
    pub sessions_max: usize,
    /// The same of one inside address (65 536): one host does not use up the box.
    pub sessions_per_host_max: usize,
    /// Outside ports that one inside address has at most, those of all protocols together (16 384).
    pub mappings_per_host_max: usize,
    /// How long fragments of a datagram are waited for that has lost some (RFC 4787, REQ-14; 5 s).
    pub fragment_timeout: Duration,
    /// Datagrams in fragments whose translation is remembered; the oldest makes room (256).
    pub fragment_datagrams_max: usize,
    /// Fragments that came before the first of their datagram and wait for it (64).
    pub fragments_held_max: usize,
}

impl Default for NatConfig {
    fn default() -> Self {
        Self {
            udp_timeout: Duration::from_secs(120),
            tcp_timeout: Duration::from_secs(7440),
            tcp_transitory_timeout: Duration::from_secs(240),
            icmp_timeout: Duration::from_secs(60),
            mapping: NatMapping::default(),
            filtering: NatFiltering::default(),
            unknown: NatUnknown::default(),
            incoming_refreshes: true,
            hairpinning: true,
            ports: 1024..=u16::MAX,
            sessions_max: 1 << 18,
            sessions_per_host_max: 1 << 16,
            mappings_per_host_max: 1 << 14,
            fragment_timeout: Duration::from_secs(5),
            fragment_datagrams_max: 256,
            fragments_held_max: 64,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident : $type:ty,)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, value: $type) -> Self {
            self.$name = value;
            self
        }
    )*};
}

impl NatConfig {
    /// What the RFCs ask for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// How long a UDP mapping lives without packets.
        udp_timeout: Duration,
        /// How long an established TCP connection lives without packets.
        tcp_timeout: Duration,
        /// The same for one that is being opened or closed.
        tcp_transitory_timeout: Duration,
        /// The same for pings.
        icmp_timeout: Duration,
        /// Which packets share an outside port.
        mapping: NatMapping,
        /// Whose packets come in.
        filtering: NatFiltering,
        /// What becomes of TCP segments without a mapping.
        unknown: NatUnknown,
        /// Whether packets from outside keep a mapping alive.
        incoming_refreshes: bool,
        /// Whether two that are inside reach each other by the outside address.
        hairpinning: bool,
        /// The outside ports.
        ports: RangeInclusive<u16>,
        /// Pairs of endpoints at most.
        sessions_max: usize,
        /// Pairs of endpoints of one inside address at most.
        sessions_per_host_max: usize,
        /// Outside ports of one inside address at most.
        mappings_per_host_max: usize,
        /// How long fragments are waited for.
        fragment_timeout: Duration,
        /// Datagrams in fragments at most.
        fragment_datagrams_max: usize,
        /// Fragments that wait for the first at most.
        fragments_held_max: usize,
    }
}

//! What a stack is made from: its addresses, its routes, its habits.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use fyke_clock::Instant;
use fyke_stack::wire::MacAddress;
use fyke_stack::{
    Capture, Cidr, Medium, Offload, Route, Seed, Shard, Stack, StackConfig, StackError, Tunnel,
};

use super::forward::{Offer, Policy};

/// Makes a capture for a loop's stack: of the loop's number, and of what frames look like.
type MakeCapture = dyn Fn(u32, Medium) -> io::Result<Box<dyn Capture>> + Send + Sync;

/// What a stack is made from.
///
/// ```
/// use fyke_transport::userspace::StackOptions;
///
/// let options = StackOptions::new()
///     .address("10.7.0.2/24".parse().unwrap())
///     .address("fd00:7::2/64".parse().unwrap())
///     .gateway([10, 7, 0, 1].into())
///     .mtu(9000)
///     .configure(|config| config.tcp.receive_buffer_bytes_max = 1 << 20);
/// # let _ = options;
/// ```
#[derive(Clone)]
#[must_use]
pub struct StackOptions {
    config: StackConfig,
    raw_ip: bool,
    mac: Option<MacAddress>,
    addresses: Vec<Cidr>,
    anycasts: Vec<Cidr>,
    routes: Vec<Route>,
    tunnels: Vec<(Tunnel, Vec<Cidr>)>,
    seed: Option<Seed>,
    capture: Option<Arc<MakeCapture>>,
    policy: Option<Policy>,
}

impl Default for StackOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl StackOptions {
    /// Linux's habits on Ethernet, without addresses.
    pub fn new() -> Self {
        let mut config = StackConfig::new(Medium::RawIp);
        config.report_acks = true;
        Self {
            config,
            raw_ip: false,
            mac: None,
            addresses: Vec::new(),
            anycasts: Vec::new(),
            routes: Vec::new(),
            tunnels: Vec::new(),
            seed: None,
            capture: None,
            policy: None,
        }
    }

    /// Frames are IP packets without a link header. Otherwise they are Ethernet's.
    pub fn raw_ip(mut self) -> Self {
        self.raw_ip = true;
        self
    }

    /// The station's Ethernet address. Without one it has a local one that is made up.
    pub fn mac(mut self, mac: MacAddress) -> Self {
        self.mac = Some(mac);
        self
    }

    /// Adds an address, and with it the route to its network.
    pub fn address(mut self, address: Cidr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Everything that no other route leads to goes there. One for each family.
    pub fn gateway(self, gateway: IpAddr) -> Self {
        let any = match gateway {
            IpAddr::V4(_) => Cidr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            IpAddr::V6(_) => Cidr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        };
        self.route(Route::via(any, gateway))
    }

    /// Adds a route.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Adds an address that other hosts have, too (RFC 4291, section 2.6).
    pub fn anycast(mut self, address: Cidr) -> Self {
        self.anycasts.push(address);
        self
    }

    /// Carries IPv6 packets for `networks` to another host inside IPv4 packets (RFC 4213).
    pub fn tunnel(mut self, tunnel: Tunnel, networks: &[Cidr]) -> Self {
        self.tunnels.push((tunnel, networks.to_vec()));
        self
    }

    /// The longest IP packet of the link (1500).
    pub fn mtu(mut self, mtu: u16) -> Self {
        self.config.mtu = mtu;
        self
    }

    /// Changes whatever else a stack can be told. The medium and the device's offload are set when
    /// it is made.
    pub fn configure(mut self, change: impl FnOnce(&mut StackConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// Addresses are used at once, without asking whether somebody else has them: for links whose
    /// other end is known, where a second of waiting is wasted.
    pub fn trust_addresses(mut self) -> Self {
        self.config.duplicate_address_probes = 0;
        self.config.arp_probes = 0;
        self
    }

    /// Where the stack's secrets come from. Without it they come from the loop: from the operating
    /// system's randomness, or from the seed of a simulated loop.
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Every frame is captured from the beginning on. `make` is called on each loop, with its
    /// number.
    pub fn capture(
        mut self,
        make: impl Fn(u32, Medium) -> io::Result<Box<dyn Capture>> + Send + Sync + 'static,
    ) -> Self {
        self.capture = Some(Arc::new(make));
        self
    }

    /// Takes packets for any address, as a gateway does, and offers every connection that somebody
    /// wants to make to `policy`, on the loop: it is accepted, reset or ignored there, or later. What
    /// is accepted comes to who listens on [`Offer::address`]; the channel's local address is the one
    /// that the peer asked for.
    ///
    /// Addresses and ports that somebody listens on are not offered.
    pub fn forward(mut self, policy: impl Fn(Offer) + Send + Sync + 'static) -> Self {
        self.config.any_address = true;
        self.policy = Some(Arc::new(policy));
        self
    }

    /// Takes datagrams for any address. Those for ports that nobody has bound come to the endpoint
    /// that is bound to [`Offer::address`], with the address they were sent to
    /// ([`Datagram::local`](fyke_core::Datagram::local)); an answer that has the same leaves from
    /// there.
    pub fn forward_datagrams(mut self) -> Self {
        (self.config.any_address, self.config.udp_forward) = (true, true);
        self
    }

    pub(super) fn policy(&self) -> Option<Policy> {
        self.policy.clone()
    }

    pub(super) fn own_seed(&self) -> Option<Seed> {
        self.seed
    }

    /// The configuration so far.
    #[must_use]
    pub fn config(&self) -> &StackConfig {
        &self.config
    }

    /// What frames look like, when `made_up` is the address of those who have none.
    pub(super) fn medium(&self, made_up: MacAddress) -> Medium {
        match self.raw_ip {
            true => Medium::RawIp,
            false => Medium::Ethernet(self.mac.unwrap_or(made_up)),
        }
    }

    /// Makes the stack of a loop.
    pub(super) fn build(&self, site: Site) -> io::Result<Stack> {
        let Site { medium, offload, seed, shard, now, loop_id } = site;
        let mut config = self.config.clone();
        (config.medium, config.offload, config.shard) = (medium, offload, shard);
        let mut stack = Stack::new(config, seed, now);
        if let Some(make) = &self.capture {
            stack.set_capture(Some(make(loop_id, medium)?));
        }
        for address in &self.addresses {
            let added = stack.add_address(now, *address);
            added.map_err(|error| refused(&format!("the address {address}"), error))?;
        }
        for address in &self.anycasts {
            let added = stack.add_anycast(now, *address);
            added.map_err(|error| refused(&format!("the anycast address {address}"), error))?;
        }
        let mut routes = self.routes.clone();
        for (tunnel, networks) in &self.tunnels {
            let added = stack.add_tunnel(now, *tunnel);
            let what = || format!("the tunnel to {}", tunnel.remote);
            let id = added.map_err(|error| refused(&what(), error))?;
            routes.extend(networks.iter().map(|network| Route::through(*network, id)));
        }
        for route in &routes {
            let added = stack.add_route(*route);
            added.map_err(|error| refused(&format!("the route to {}", route.network), error))?;
        }
        Ok(stack)
    }
}

/// Where a stack is made.
pub(super) struct Site {
    pub(super) medium: Medium,
    pub(super) offload: Offload,
    pub(super) seed: Seed,
    pub(super) shard: Option<Shard>,
    pub(super) now: Instant,
    pub(super) loop_id: u32,
}

fn refused(what: &str, error: StackError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what} cannot be had: {error}"))
}

impl fmt::Debug for StackOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackOptions")
            .field("addresses", &self.addresses)
            .field("routes", &self.routes)
            .field("mac", &self.mac)
            .field("mtu", &self.config.mtu)
            .finish_non_exhaustive()
    }
}

//! Handles of switches, routers, NAT boxes and links.

use std::time::Duration;

use fyke_stack::Cidr;

use crate::error::SimError;
use crate::ids::{LinkId, NodeId, Side};
use crate::link::{LinkConfig, LinkCounters};
use crate::router::{NatConfig, RouterConfig, RouterState};
use crate::world::cidr;
use crate::world::{Kind, World};

/// A switch.
#[derive(Clone, Debug)]
pub struct Switch {
    pub(crate) world: World,
    pub(crate) id: NodeId,
}

impl Switch {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Stations that it remembers.
    #[must_use]
    pub fn stations(&self) -> usize {
        match &self.world.0.state.borrow().node(self.id).kind {
            Kind::Switch(switch) => switch.stations(),
            _ => 0,
        }
    }
}

/// A router.
#[derive(Clone, Debug)]
pub struct Router {
    pub(crate) world: World,
    pub(crate) id: NodeId,
}

/// A port of a router or of a NAT box, to be linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Port {
    pub(crate) node: NodeId,
    pub(crate) number: u16,
}

impl Router {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut RouterState) -> T) -> Option<T> {
        match &mut self.world.0.state.borrow_mut().node_mut(self.id).kind {
            Kind::Router(router) => Some(work(router)),
            _ => None,
        }
    }

    /// Adds a port with these addresses, with their networks: `["10.0.0.1/24", "2001:db8::1/64"]`.
    /// Packets leave it with at most 1500 bytes, unless [`set_mtu`](Self::set_mtu) says otherwise.
    ///
    /// # Errors
    /// [`SimError::Address`].
    pub fn port(&self, addresses: &[&str]) -> Result<Port, SimError> {
        let addresses = addresses.iter().map(|text| cidr(text)).collect::<Result<Vec<_>, _>>()?;
        self.add_port(addresses)
    }

    pub(crate) fn add_port(&self, addresses: Vec<Cidr>) -> Result<Port, SimError> {
        let number = self.with(|router| router.add_port(addresses, 1500)).unwrap_or(Ok(0))?;
        self.world.0.state.borrow_mut().node_mut(self.id).ports.push(None);
        Ok(Port { node: self.id, number })
    }

    /// Adds a route: `router.route("0.0.0.0/0", "10.0.0.254")`.
    ///
    /// # Errors
    /// [`SimError::Address`], [`SimError::NoSuchNetwork`].
    pub fn route(&self, network: &str, gateway: &str) -> Result<(), SimError> {
        let network = cidr(network)?;
        let gateway = gateway.parse().map_err(|_| SimError::Address(gateway.to_owned()))?;
        self.with(|router| router.add_route(network, gateway)).unwrap_or(Ok(()))
    }

    /// The longest packet that leaves through a port.
    pub fn set_mtu(&self, port: Port, mtu: usize) {
        self.with(|router| router.set_mtu(port.number, mtu));
    }

    /// Changes how it behaves.
    pub fn set_config(&self, config: RouterConfig) {
        self.with(|router| router.router.set_config(config));
    }

    /// How it behaves.
    #[must_use]
    pub fn config(&self) -> RouterConfig {
        self.with(|router| router.router.config().clone()).unwrap_or_default()
    }
}

/// A NAT box.
#[derive(Clone, Debug)]
pub struct Nat {
    pub(crate) router: Router,
    pub(crate) inside: Port,
    pub(crate) outside: Port,
}

impl Nat {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.router.id
    }

    /// Where the hosts are whose addresses it hides.
    #[must_use]
    pub fn inside(&self) -> Port {
        self.inside
    }

    /// Where the rest of the world is.
    #[must_use]
    pub fn outside(&self) -> Port {
        self.outside
    }

    /// It is a router, too.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Changes how it behaves; what is mapped stays mapped.
    pub fn update(&self, change: impl FnOnce(NatConfig) -> NatConfig) {
        self.router.with(|router| {
            if let Some(nat) = router.router.nat_mut() {
                nat.set_config(change(nat.config().clone()));
            }
        });
    }

    /// Pairs of endpoints that are mapped now.
    #[must_use]
    pub fn sessions(&self) -> usize {
        let now = self.router.world.now();
        let sessions =
            |router: &mut RouterState| router.router.nat_mut().map(|nat| nat.sessions(now));
        self.router.with(sessions).flatten().unwrap_or_default()
    }

    /// Switches it off and on: it forgets every mapping.
    pub fn restart(&self) {
        let now = self.router.world.now();
        self.router.with(|router| {
            if let Some(nat) = router.router.nat_mut() {
                nat.clear(now);
            }
        });
    }
}

/// A link. Its first direction is from the part that was named first.
#[derive(Clone, Debug)]
pub struct Link {
    pub(crate) world: World,
    pub(crate) id: LinkId,
}

impl Link {
    /// Changes the conditions of both directions. They hold for what is sent from now on.
    pub fn update(&self, change: impl Fn(LinkConfig) -> LinkConfig) {
        self.update_there(&change);
        self.update_back(&change);
    }

    /// Changes the conditions of the first direction.
    pub fn update_there(&self, change: impl FnOnce(LinkConfig) -> LinkConfig) {
        self.change(Side::First, change);
    }

    /// Changes the conditions of the second direction.
    pub fn update_back(&self, change: impl FnOnce(LinkConfig) -> LinkConfig) {
        self.change(Side::Second, change);
    }

    fn change(&self, side: Side, change: impl FnOnce(LinkConfig) -> LinkConfig) {
        let state = self.world.0.state.borrow();
        let config = state.links[self.id.index()].directions[side.index()].config.clone();
        drop(state);
        let config = change(config);
        let mut state = self.world.0.state.borrow_mut();
        state.links[self.id.index()].directions[side.index()].config = config;
    }

    /// Takes it down, or up again.
    pub fn set_up(&self, up: bool) {
        self.update(|config| config.up(up));
    }

    /// What the first direction has counted.
    #[must_use]
    pub fn there(&self) -> LinkCounters {
        self.counters(Side::First)
    }

    /// What the second direction has counted.
    #[must_use]
    pub fn back(&self) -> LinkCounters {
        self.counters(Side::Second)
    }

    fn counters(&self, side: Side) -> LinkCounters {
        let state = self.world.0.state.borrow();
        state.links[self.id.index()].directions[side.index()].counters.clone()
    }

    /// Frames and bytes that wait in the first direction now, the one under transmission included.
    #[must_use]
    pub fn queued_there(&self) -> (usize, usize) {
        self.queued(Side::First)
    }

    /// The same of the second direction.
    #[must_use]
    pub fn queued_back(&self) -> (usize, usize) {
        self.queued(Side::Second)
    }

    fn queued(&self, side: Side) -> (usize, usize) {
        let mut state = self.world.0.state.borrow_mut();
        let now = state.now;
        state.links[self.id.index()].directions[side.index()].queued(now)
    }

    /// How long a frame that is sent in the first direction now would wait.
    #[must_use]
    pub fn waiting_there(&self) -> Duration {
        let (_, bytes) = self.queued_there();
        let state = self.world.0.state.borrow();
        let rate = state.links[self.id.index()].directions[0].config.rate_bits_per_s;
        let nanos = rate.map_or(0, |rate| bytes as u128 * 8_000_000_000 / u128::from(rate.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

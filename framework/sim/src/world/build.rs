//! Adding parts to a world.

use std::net::Ipv4Addr;

use fyke_stack::nat::Nat as NatBox;
use fyke_stack::{Cidr, Seed};

use super::state::{Kind, Node};
use super::{Ring, World};
use crate::boxes::{Link, Nat, Port, Router, Switch};
use crate::error::SimError;
use crate::host::HostBuilder;
use crate::ids::{End, LinkId, NodeId, Side};
use crate::link::{Direction, LinkConfig, LinkState};
use crate::random::Random;
use crate::router::{NatConfig, RouterConfig, RouterState};
use crate::switch::{SwitchConfig, SwitchState};

/// What a link can be plugged into: a host, a switch, a port of a router or a NAT box.
pub trait Attach {
    /// A port that is free.
    ///
    /// # Errors
    /// [`SimError::PortTaken`].
    fn end(&self, world: &World) -> Result<End, SimError>;
}

/// Ports of a switch, of which a number has 16 bits.
const SWITCH_PORTS_MAX: usize = 1 << 15;

impl World {
    pub(crate) fn take_name(&self, name: &str) -> Result<(), SimError> {
        if self.0.state.borrow_mut().names.insert(name.to_owned()) {
            Ok(())
        } else {
            Err(SimError::NameTaken(name.to_owned()))
        }
    }

    pub(crate) fn add_node(&self, name: &str, ports: usize, kind: Kind, ring: Ring) -> NodeId {
        let mut state = self.0.state.borrow_mut();
        let id = NodeId(state.nodes.len() as u32);
        let mut node = Node::new(name.to_owned(), ports, kind);
        node.ring = ring;
        state.nodes.push(node);
        id
    }

    /// The number of the node that is added next.
    pub(crate) fn next_node(&self) -> NodeId {
        NodeId(self.0.state.borrow().nodes.len() as u32)
    }

    /// A generator for the part `name`, of which there is only one.
    pub(crate) fn random(&self, name: &str) -> Random {
        Random::of(self.0.seed, name)
    }

    /// Begins a host, or a bare one ([`HostBuilder::start_bare`]).
    pub fn host(&self, name: &str) -> HostBuilder {
        HostBuilder::new(self.clone(), name)
    }

    /// Adds a switch. Every link that is plugged into it gets a port of its own.
    ///
    /// # Errors
    /// [`SimError::NameTaken`].
    pub fn switch(&self, name: &str) -> Result<Switch, SimError> {
        self.switch_with(name, SwitchConfig::default())
    }

    /// Adds a switch that behaves as told.
    ///
    /// # Errors
    /// [`SimError::NameTaken`].
    pub fn switch_with(&self, name: &str, config: SwitchConfig) -> Result<Switch, SimError> {
        self.take_name(name)?;
        let kind = Kind::Switch(SwitchState::new(config));
        Ok(Switch { world: self.clone(), id: self.add_node(name, 0, kind, Ring::default()) })
    }

    /// Adds a router without ports.
    ///
    /// # Errors
    /// [`SimError::NameTaken`].
    pub fn router(&self, name: &str, config: RouterConfig) -> Result<Router, SimError> {
        self.take_name(name)?;
        let kind = Kind::Router(self.router_state(name, config));
        Ok(Router { world: self.clone(), id: self.add_node(name, 0, kind, Ring::default()) })
    }

    /// Adds a NAT box: a router with a port inside and a port outside, which translates between the
    /// two. Both addresses are with their networks: `"192.168.1.1/24"`.
    ///
    /// # Errors
    /// [`SimError::NameTaken`]; [`SimError::Address`] when one is no IPv4 address.
    pub fn nat(
        &self,
        name: &str,
        inside: &str,
        outside: &str,
        config: NatConfig,
    ) -> Result<Nat, SimError> {
        let (inside, outside) = (cidr(inside)?, cidr(outside)?);
        let address: Ipv4Addr = match (inside.address(), outside.address()) {
            (std::net::IpAddr::V4(_), std::net::IpAddr::V4(outside)) => outside,
            _ => return Err(SimError::Address(format!("{inside}, {outside}"))),
        };
        self.take_name(name)?;
        let nat = NatBox::new(config, address, self.box_seed(name), self.now());
        let router = self.router_state(name, RouterConfig::default());
        let id = self.add_node(name, 0, Kind::Router(router), Ring::default());
        let router = Router { world: self.clone(), id };
        let inside = router.add_port(vec![inside])?;
        let outside = router.add_port(vec![outside])?;
        let install = |state: &mut RouterState| match state.port(outside.number) {
            Some(port) => state.router.set_nat(nat, port).map_err(SimError::from),
            None => Ok(()),
        };
        router.with(install).unwrap_or(Ok(()))?;
        Ok(Nat { router, inside, outside })
    }

    /// What a box draws from: its own numbers, by its name.
    fn box_seed(&self, name: &str) -> Seed {
        Seed::from(self.random(name).next_u64())
    }

    fn router_state(&self, name: &str, config: RouterConfig) -> RouterState {
        RouterState::new(self.next_node(), config, self.box_seed(name), self.now())
    }

    /// Links two parts, with the same conditions in both directions.
    ///
    /// # Errors
    /// [`SimError::PortTaken`].
    pub fn link(
        &self,
        one: &impl Attach,
        other: &impl Attach,
        config: LinkConfig,
    ) -> Result<Link, SimError> {
        self.link_with(one, other, config.clone(), config)
    }

    /// Links two parts: the first conditions hold from `one` to `other`, the second ones back.
    ///
    /// # Errors
    /// [`SimError::PortTaken`].
    pub fn link_with(
        &self,
        one: &impl Attach,
        other: &impl Attach,
        there: LinkConfig,
        back: LinkConfig,
    ) -> Result<Link, SimError> {
        let ends = [one.end(self)?, other.end(self)?];
        let mut state = self.0.state.borrow_mut();
        let id = LinkId(state.links.len() as u32);
        // Its ends name a link, not its number: others may come before it.
        let name = |from: End, to: End| {
            let (a, b) = (&state.node(from.node).name, &state.node(to.node).name);
            format!("{a}:{}>{b}:{}", from.port, to.port)
        };
        let directions = [
            Direction::new(there, self.random(&name(ends[0], ends[1]))),
            Direction::new(back, self.random(&name(ends[1], ends[0]))),
        ];
        state.links.push(LinkState { ends, directions });
        for (end, side) in ends.into_iter().zip([Side::First, Side::Second]) {
            let ports = &mut state.node_mut(end.node).ports;
            if ports.len() <= usize::from(end.port) {
                ports.resize(usize::from(end.port) + 1, None);
            }
            ports[usize::from(end.port)] = Some((id, side));
        }
        Ok(Link { world: self.clone(), id })
    }

    /// The port `port` of a node, when it is free.
    pub(crate) fn free_end(&self, node: NodeId, port: u16) -> Result<End, SimError> {
        let state = self.0.state.borrow();
        let taken = state.node(node).ports.get(usize::from(port)).copied().flatten().is_some();
        if taken {
            return Err(SimError::PortTaken(state.node(node).name.clone()));
        }
        Ok(End { node, port })
    }
}

impl Attach for Switch {
    fn end(&self, world: &World) -> Result<End, SimError> {
        let mut state = world.0.state.borrow_mut();
        let node = state.node_mut(self.id);
        if node.ports.len() >= SWITCH_PORTS_MAX {
            return Err(SimError::Limit("ports of a switch"));
        }
        node.ports.push(None);
        let Kind::Switch(switch) = &mut node.kind else { return Err(SimError::Limit("switches")) };
        Ok(End { node: self.id, port: switch.add_port() })
    }
}

impl Attach for Port {
    fn end(&self, world: &World) -> Result<End, SimError> {
        world.free_end(self.node, self.number)
    }
}

/// An address with its network.
pub(crate) fn cidr(text: &str) -> Result<Cidr, SimError> {
    text.parse().map_err(|_| SimError::Address(text.to_owned()))
}

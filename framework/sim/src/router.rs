//! A router of the world: the stack's, with ports that all are Ethernet's. A NAT box is a router
//! with a translation between two of its ports.

use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use fyke_clock::Instant;
use fyke_stack::router::{self, PortConfig, PortId, Router, RouterError, RouterSink};
use fyke_stack::wire::MacAddress;
use fyke_stack::{Cidr, Medium, Seed};

pub use fyke_stack::nat::{NatConfig, NatFiltering, NatMapping, NatUnknown};
pub use fyke_stack::router::RouterConfig;

use crate::drops::DropReason;
use crate::error::SimError;
use crate::frame::Frame;
use crate::ids::NodeId;
use crate::outputs::Outputs;

#[derive(Debug)]
pub(crate) struct RouterState {
    id: NodeId,
    pub(crate) router: Box<Router>,
    ports: Vec<PortId>,
}

/// A frame's mark is the host it began at.
impl RouterSink for Outputs {
    fn transmit(&mut self, port: PortId, frame: BytesMut, mark: u32) {
        self.send(port.index() as u16, Frame::new(frame.freeze(), NodeId(mark)));
    }

    fn dropped(&mut self, _: PortId, reason: router::DropReason, frame: BytesMut, mark: u32) {
        self.drop(reason.into(), Frame::new(frame.freeze(), NodeId(mark)));
    }
}

impl RouterState {
    pub(crate) fn new(id: NodeId, config: RouterConfig, seed: Seed, now: Instant) -> Self {
        let mut router = Router::new(config, seed, now);
        router.set_mark(id.0);
        Self { id, router: Box::new(router), ports: Vec::new() }
    }

    /// A new port, with the routes to its networks.
    pub(crate) fn add_port(&mut self, addresses: Vec<Cidr>, mtu: u16) -> Result<u16, SimError> {
        let port = self.ports.len() as u16;
        let mut config = PortConfig::new(Medium::Ethernet(mac_of(self.id, port)));
        config.addresses = addresses;
        config.mtu = mtu;
        self.ports.push(self.router.add_port(config)?);
        Ok(port)
    }

    /// A route through the port whose network the gateway is in.
    pub(crate) fn add_route(&mut self, network: Cidr, gateway: IpAddr) -> Result<(), SimError> {
        Ok(self.router.add_route(network, gateway)?)
    }

    pub(crate) fn set_mtu(&mut self, port: u16, mtu: usize) {
        if let Some(port) = self.ports.get(usize::from(port)) {
            self.router.set_mtu(*port, u16::try_from(mtu).unwrap_or(u16::MAX));
        }
    }

    pub(crate) fn port(&self, port: u16) -> Option<PortId> {
        self.ports.get(usize::from(port)).copied()
    }

    pub(crate) fn receive(&mut self, now: Instant, port: u16, frame: Frame, out: &mut Outputs) {
        let Some(port) = self.port(port) else { return };
        self.router.input(now, port, owned(frame.bytes), frame.origin.0, out);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.router.poll_timeout()
    }

    pub(crate) fn on_time(&mut self, now: Instant, out: &mut Outputs) {
        self.router.handle_timeout(now, out);
    }
}

/// The frame's own buffer, unless somebody else has it, too.
fn owned(bytes: Bytes) -> BytesMut {
    bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}

impl From<router::DropReason> for DropReason {
    fn from(reason: router::DropReason) -> Self {
        use router::DropReason as Reason;
        match reason {
            Reason::OtherStation => Self::OtherStation,
            Reason::Malformed | Reason::SourceRoute => Self::Malformed,
            Reason::Martian => Self::Martian,
            Reason::TimeExceeded => Self::TimeExceeded,
            Reason::NoRoute => Self::NoRoute,
            Reason::FragmentationNeeded => Self::FragmentationNeeded,
            Reason::NeighborUnreachable => Self::NeighborUnreachable,
            Reason::NeighborQueueFull => Self::NeighborQueueFull,
            Reason::NatNoMapping => Self::NatNoMapping,
            Reason::NatFiltered => Self::NatFiltered,
            Reason::NatExhausted | Reason::NatHostLimit => Self::NatExhausted,
            Reason::NatUntranslatable => Self::NatUntranslatable,
            Reason::NatFragment => Self::NatFragment,
            _ => Self::NotForwarded,
        }
    }
}

impl From<RouterError> for SimError {
    fn from(error: RouterError) -> Self {
        match error {
            RouterError::NoSuchNetwork(gateway) => Self::NoSuchNetwork(gateway),
            RouterError::InvalidAddress(address) => Self::Address(address.to_string()),
            _ => Self::Limit("ports or routes of a router"),
        }
    }
}

/// The link address of a node's port: locally administered, and the same in every run.
pub(crate) fn mac_of(node: NodeId, port: u16) -> MacAddress {
    let [a, b, c, d] = node.0.to_be_bytes();
    // A node has at most as many ports as fit; the third byte keeps both apart.
    let [e, f] = port.to_be_bytes();
    MacAddress([2, e ^ a, f, b, c, d])
}

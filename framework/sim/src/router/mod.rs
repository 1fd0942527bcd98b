//! A router: ports with addresses, longest-prefix routes, TTL, and the ICMP errors of RFC 1812 and
//! RFC 4443. A NAT box is a router with a translation between two of its ports.
//!
//! | file | idea |
//! |---|---|
//! | `config` | options and routes |
//! | `neighbors` | who is where on a port |
//! | `resolution` | ARP and neighbour discovery: questions and answers |
//! | `forward` | from a packet to the port and neighbour it goes to |
//! | `packet` | packets that the router makes or changes |

mod config;
mod forward;
mod neighbors;
mod packet;
mod resolution;

use std::net::IpAddr;

use fyke_clock::Instant;
use fyke_stack::Cidr;
use fyke_stack::wire::ethernet::{self, EtherType};
use fyke_stack::wire::{MacAddress, arp, ipv4, ipv6};

pub use config::RouterConfig;

use crate::drops::DropReason;
use crate::error::SimError;
use crate::frame::Frame;
use crate::ids::NodeId;
use crate::nat::NatState;
use crate::outputs::Outputs;
use config::{Hop, Routes};
use neighbors::Neighbors;

/// A port of a router.
#[derive(Debug)]
struct Port {
    mac: MacAddress,
    addresses: Vec<Cidr>,
    mtu: usize,
    neighbors: Neighbors,
}

impl Port {
    fn has(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address() == address)
    }

    /// An address of the port of the same family.
    fn address_like(&self, other: IpAddr) -> Option<IpAddr> {
        let mut same = self.addresses.iter().map(Cidr::address);
        same.find(|own| own.is_ipv4() == other.is_ipv4())
    }
}

#[derive(Debug)]
pub(crate) struct RouterState {
    id: NodeId,
    config: RouterConfig,
    ports: Vec<Port>,
    routes: Routes,
    pub(crate) nat: Option<Box<NatState>>,
    /// The second of the clock, and how many errors were sent in it.
    errors: (u64, u32),
    identification: u16,
}

impl RouterState {
    pub(crate) fn new(id: NodeId, config: RouterConfig, nat: Option<NatState>) -> Self {
        Self {
            id,
            config,
            ports: Vec::new(),
            routes: Routes::default(),
            nat: nat.map(Box::new),
            errors: (0, 0),
            identification: 0,
        }
    }

    /// A new port, with the routes to its networks.
    pub(crate) fn add_port(&mut self, addresses: Vec<Cidr>, mtu: usize) -> u16 {
        let port = self.ports.len() as u16;
        for network in &addresses {
            self.routes.insert(*network, Hop { port, gateway: None });
        }
        let mac = mac_of(self.id, port);
        self.ports.push(Port { mac, addresses, mtu, neighbors: Neighbors::default() });
        port
    }

    /// A route through the port whose network the gateway is in.
    pub(crate) fn add_route(&mut self, network: Cidr, gateway: IpAddr) -> Result<(), SimError> {
        if self.routes.len() >= self.config.routes_max {
            return Err(SimError::Limit("routes of a router"));
        }
        let port = self
            .ports
            .iter()
            .position(|port| port.addresses.iter().any(|own| own.contains(gateway)))
            .ok_or(SimError::NoSuchNetwork(gateway))?;
        self.routes.insert(network, Hop { port: port as u16, gateway: Some(gateway) });
        Ok(())
    }

    pub(crate) fn set_mtu(&mut self, port: u16, mtu: usize) {
        if let Some(port) = self.ports.get_mut(usize::from(port)) {
            port.mtu = mtu;
        }
    }

    pub(crate) fn set_config(&mut self, config: RouterConfig) {
        self.config = config;
    }

    pub(crate) fn config(&self) -> &RouterConfig {
        &self.config
    }

    pub(crate) fn receive(&mut self, now: Instant, port: u16, frame: Frame, out: &mut Outputs) {
        let own = self.ports[usize::from(port)].mac;
        let Ok(header) = ethernet::Frame::parse(&frame.bytes) else {
            out.drop(DropReason::Malformed, frame);
            return;
        };
        let to = header.destination();
        if to != own && !to.is_multicast() {
            out.drop(DropReason::OtherStation, frame);
            return;
        }
        let (ethertype, payload) = (header.ethertype(), header.payload());
        match ethertype {
            Some(EtherType::ARP) => match arp::Message::parse(payload) {
                Ok(message) => self.on_arp(now, port, &message, out),
                Err(_) => out.drop(DropReason::Malformed, frame),
            },
            Some(EtherType::IPV4) => match ipv4::Packet::parse(payload) {
                Ok(packet) if packet.checksum_is_valid() => {
                    let packet = packet.as_bytes().to_vec();
                    self.on_packet(now, port, frame, packet, out);
                }
                _ => out.drop(DropReason::Malformed, frame),
            },
            Some(EtherType::IPV6) => match ipv6::Packet::parse(payload) {
                Ok(packet) => {
                    let packet = packet.as_bytes().to_vec();
                    self.on_packet(now, port, frame, packet, out);
                }
                Err(_) => out.drop(DropReason::Malformed, frame),
            },
            _ => out.drop(DropReason::NotForwarded, frame),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.ports.iter().filter_map(|port| port.neighbors.next_deadline()).min()
    }

    pub(crate) fn on_time(&mut self, now: Instant, out: &mut Outputs) {
        for port in 0..self.ports.len() as u16 {
            let (ask, failed) = self.ports[usize::from(port)].neighbors.on_time(now);
            ask.into_iter().for_each(|address| self.ask(port, address, out));
            for (_, waited) in failed {
                let complaint = packet::Complaint::HostUnreachable;
                let packet = waited.bytes.to_vec();
                self.complain(now, port, &waited, &packet, complaint, out);
                let frame = self.in_frame(port, &waited, &packet);
                out.drop(DropReason::NeighborUnreachable, frame);
            }
        }
    }

    /// A packet that never got its Ethernet header, as a frame for the capture.
    fn in_frame(&self, port: u16, way: &Frame, packet: &[u8]) -> Frame {
        let from = self.ports[usize::from(port)].mac;
        way.with(packet::framed(MacAddress::UNSPECIFIED, from, packet))
    }
}

/// The link address of a node's port: locally administered, and the same in every run.
pub(crate) fn mac_of(node: NodeId, port: u16) -> MacAddress {
    let [a, b, c, d] = node.0.to_be_bytes();
    // A node has at most as many ports as fit; the third byte keeps both apart.
    let [e, f] = port.to_be_bytes();
    MacAddress([2, e ^ a, f, b, c, d])
}

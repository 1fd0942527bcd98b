//! A router as a value: frames in by its ports, frames out through a sink, time as an argument.
//!
//! It forwards IPv4 and IPv6 between ports of either medium and through tunnels, with
//! longest-prefix routes, TTL, fragmentation of IPv4, and the ICMP errors of RFC 1812 and RFC 4443
//! within limits. A [`Nat`] may stand before one of its ports. What must not be
//! forwarded is not: martians, link-local sources and destinations, groups, broadcasts, source
//! routes. It speaks no routing protocol and sends no router advertisements.
//!
//! The box itself answers pings. With a [local port](Router::set_local) a whole
//! [`Stack`](crate::Stack) stands behind its addresses:
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use fyke_clock::Instant;
//! use fyke_stack::router::{PortConfig, PortId, Router, RouterConfig, RouterSink};
//! use fyke_stack::{Medium, RxMeta, Seed, Stack, StackConfig};
//!
//! /// What leaves, by port: a gateway would write it to its devices.
//! #[derive(Default)]
//! struct Sent(Vec<(PortId, BytesMut)>);
//!
//! impl RouterSink for Sent {
//!     fn transmit(&mut self, port: PortId, frame: BytesMut, _mark: u32) {
//!         self.0.push((port, frame));
//!     }
//! }
//!
//! let now = Instant::from_nanos(1);
//! let mut router = Router::new(RouterConfig::new(), Seed::from(1), now);
//! let lan = PortConfig::new(Medium::RawIp).address("192.168.1.1/24".parse().unwrap());
//! let lan = router.add_port(lan).unwrap();
//! let wan = PortConfig::new(Medium::RawIp).address("198.51.100.2/24".parse().unwrap());
//! let wan = router.add_port(wan).unwrap();
//! router.add_route("0.0.0.0/0".parse().unwrap(), "198.51.100.1".parse().unwrap()).unwrap();
//!
//! // The gateway's own stack has the router's addresses, and is one more port of it.
//! let inner = router.add_port(PortConfig::new(Medium::RawIp)).unwrap();
//! router.set_local(inner).unwrap();
//! let mut own = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(2), now);
//! own.add_address(now, "192.168.1.1/24".parse().unwrap()).unwrap();
//! own.listen("192.168.1.1:80".parse().unwrap(), Default::default()).unwrap();
//!
//! // A host in the LAN opens a connection to the gateway.
//! let mut host = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(3), now);
//! host.add_address(now, "192.168.1.9/24".parse().unwrap()).unwrap();
//! host.connect(now, "192.168.1.1:80".parse().unwrap(), Default::default()).unwrap();
//! let mut frames: Vec<Bytes> = Vec::new();
//! host.poll_transmit(now, &mut frames, 64);
//! let mut sent = Sent::default();
//! router.input(now, lan, BytesMut::from(&frames[0][..]), 0, &mut sent);
//! let (port, frame) = sent.0.pop().unwrap();
//! assert_eq!(port, inner);
//! own.input(now, frame.freeze(), RxMeta::default());
//!
//! // And the answer takes the same way back.
//! frames.clear();
//! own.poll_transmit(now, &mut frames, 64);
//! router.input(now, inner, BytesMut::from(&frames[0][..]), 0, &mut sent);
//! assert_eq!(sent.0.pop().unwrap().0, lan);
//! # let _ = wan;
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `config` | options, ports and routes |
//! | `neighbors` | who is where on a port |
//! | `resolution` | ARP and neighbour discovery: questions and answers |
//! | `forward` | from a packet to the port and neighbour it goes to |
//! | `own` | what is for the router, and what it says itself |
//! | `tunnel` | a port that leads through IPv4 |
//! | `packet` | packets under way, in the buffer they came in |

mod config;
mod counters;
mod error;
mod forward;
mod neighbors;
mod own;
pub(crate) mod packet;
mod ports;
mod resolution;
mod tunnel;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::BytesMut;
use fyke_clock::Instant;

pub use config::{PortConfig, PortId, RouterConfig};
pub use counters::{DropReason, Drops, RouterCounters};
pub use error::RouterError;

use crate::interface::icmp_limit::IcmpLimit;
use crate::interface::routes::Prefixes;
use crate::nat::Nat;
use crate::stack::secrets::{Secrets, Seed};
use crate::wire::arp;
use crate::wire::ethernet::{EtherType, Frame, HEADER_LEN};
use config::Hop;
use packet::{Complaint, Packet};
pub use ports::PortUsage;
use ports::{Port, PortKind};

/// Takes what a router sends, and what it drops.
pub trait RouterSink {
    /// A frame leaves by a port. `mark` is that of the frame it was, or the router's own.
    fn transmit(&mut self, port: PortId, frame: BytesMut, mark: u32);

    /// A frame that came in by a port, or wanted to leave by one, goes no further. It may have been
    /// changed already.
    fn dropped(&mut self, port: PortId, reason: DropReason, frame: BytesMut, mark: u32) {
        let _ = (port, reason, frame, mark);
    }
}

/// A router, perhaps with a NAT box in it.
pub struct Router {
    config: RouterConfig,
    ports: Vec<Port>,
    routes: Prefixes<Hop>,
    /// The box, and the port before which it stands.
    nat: Option<Box<(Nat, u16)>>,
    /// The port behind which the router's own stack is.
    local: Option<u16>,
    has_tunnels: bool,
    limit: IcmpLimit,
    identification: u16,
    mark: u32,
    counters: RouterCounters,
}

impl Router {
    /// A router without ports. What must not be guessed comes from the seed.
    #[must_use]
    pub fn new(config: RouterConfig, seed: Seed, now: Instant) -> Self {
        let limit = Self::limit_of(&config, &seed, now);
        Self {
            config,
            ports: Vec::new(),
            routes: Prefixes::default(),
            nat: None,
            local: None,
            has_tunnels: false,
            limit,
            identification: 0,
            mark: 0,
            counters: RouterCounters::default(),
        }
    }

    fn limit_of(config: &RouterConfig, seed: &Seed, now: Instant) -> IcmpLimit {
        let (all, each) = (config.icmp_errors_per_second, config.icmp_errors_per_second_each);
        IcmpLimit::new(all, each, Secrets::new(seed).table, now)
    }

    /// How it behaves.
    #[must_use]
    pub const fn config(&self) -> &RouterConfig {
        &self.config
    }

    /// Changes how it behaves.
    pub fn set_config(&mut self, config: RouterConfig) {
        self.limit.set(config.icmp_errors_per_second, config.icmp_errors_per_second_each);
        self.config = config;
    }

    /// The mark of the router's own frames; 0 unless it is set.
    pub fn set_mark(&mut self, mark: u32) {
        self.mark = mark;
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &RouterCounters {
        &self.counters
    }

    /// The NAT box.
    #[must_use]
    pub fn nat(&self) -> Option<&Nat> {
        self.nat.as_ref().map(|nat| &nat.0)
    }

    /// The NAT box, to change or empty it.
    pub fn nat_mut(&mut self) -> Option<&mut Nat> {
        self.nat.as_mut().map(|nat| &mut nat.0)
    }

    /// Takes a frame that came in by a port.
    ///
    /// The buffer is the router's: a packet that is taken further leaves in it. `mark` is a number
    /// of the caller's that goes with the frame and with what is made of it.
    pub fn input(
        &mut self,
        now: Instant,
        port: PortId,
        frame: BytesMut,
        mark: u32,
        out: &mut dyn RouterSink,
    ) {
        let Some(own) = self.ports.get(port.index()) else { return };
        let (kind, headroom) = (own.kind, usize::from(own.headroom));
        self.counters.frames_in += 1;
        self.counters.bytes_in += frame.len().saturating_sub(headroom) as u64;
        let mut packet = Packet::received(frame, headroom, mark);
        match kind {
            PortKind::RawIp => self.on_ip(now, port.0, packet, false, out),
            // A tunnel has no frames of its own.
            PortKind::Tunnel(_) => self.drop_packet(port.0, DropReason::Malformed, packet, out),
            PortKind::Ethernet(mac) => {
                let Ok(header) = Frame::parse(packet.ip()) else {
                    return self.drop_packet(port.0, DropReason::Malformed, packet, out);
                };
                let to = header.destination();
                if to != mac && !to.is_multicast() {
                    return self.drop_packet(port.0, DropReason::OtherStation, packet, out);
                }
                let ethertype = header.ethertype().filter(|_| header.vlan().is_none());
                match ethertype {
                    Some(EtherType::ARP) => match arp::Message::parse(header.payload()) {
                        Ok(message) => self.on_arp(now, port.0, mac, &message, out),
                        Err(_) => self.drop_packet(port.0, DropReason::Malformed, packet, out),
                    },
                    Some(EtherType::IPV4 | EtherType::IPV6) => {
                        packet.strip(HEADER_LEN);
                        self.on_ip(now, port.0, packet, to.is_multicast(), out);
                    }
                    _ => self.drop_packet(port.0, DropReason::NotForwarded, packet, out),
                }
            }
        }
        while let Some((port, packet)) = self.nat.as_mut().and_then(|nat| nat.0.take_released()) {
            self.on_ip(now, port, packet, false, out);
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest; `None` when nothing
    /// waits for time to pass.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let neighbors = self.ports.iter().filter_map(|port| port.neighbors.next_deadline());
        let nat = self.nat.as_ref().and_then(|nat| nat.0.next_deadline());
        neighbors.chain(nat).min()
    }

    /// Does what time has brought up to `now`.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut dyn RouterSink) {
        for port in 0..self.ports.len() as u16 {
            let (ask, failed) = self.ports[usize::from(port)].neighbors.on_time(now);
            ask.into_iter().for_each(|address| self.ask(port, address, out));
            for waited in failed {
                self.complain(now, port, waited.ip(), Complaint::HostUnreachable, out);
                self.drop_packet(port, DropReason::NeighborUnreachable, waited, out);
            }
        }
        while let Some((port, packet)) = self.nat.as_mut().and_then(|nat| nat.0.take_expired(now)) {
            self.drop_packet(port, DropReason::NatFragment, packet, out);
        }
    }

    /// Hands a packet to the sink as it is.
    fn send_bare(&mut self, port: u16, packet: Packet, out: &mut dyn RouterSink) {
        let mark = packet.mark;
        let frame = packet.into_bytes();
        self.counters.frames_out += 1;
        self.counters.bytes_out += frame.len() as u64;
        out.transmit(PortId(port), frame, mark);
    }

    fn drop_packet(
        &mut self,
        port: u16,
        reason: DropReason,
        packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        self.counters.drops.add(reason);
        let mark = packet.mark;
        out.dropped(PortId(port), reason, packet.into_buffer(), mark);
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("ports", &self.ports.len())
            .field("routes", &self.routes.len())
            .field("nat", &self.nat.is_some())
            .field("local", &self.local)
            .field("next_deadline", &self.poll_timeout())
            .finish_non_exhaustive()
    }
}

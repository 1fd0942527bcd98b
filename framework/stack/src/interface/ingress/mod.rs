//! The way in: bytes become behaviour, one layer a file.
//!
//! ```text
//!  input -> (ethernet) -> ipv4 | ipv6 -> martians -> tcp -> demux -> Connection::on_segment
//!        ^      \> arp        \> fragments            |       \> passive: listeners, SYN cache
//!        └───────────────────────────── tunnel <────┤
//!                                                     |-> udp
//!                                                     \-> icmp -> errors, ndp, mld
//! ```
//! Nothing is sent here: what is to be answered waits for `poll_transmit`.

mod autoconf;
mod ethernet;
mod fast_open;
mod fragments;
mod groups;
mod icmp;
mod ipv4;
mod ipv6;
pub(crate) mod martian;
mod ndp;
mod passive;
mod reports;
mod routers;
mod segment;
mod tcp;
mod tunnel;
mod udp;

use core::net::IpAddr;

use bytes::{Buf, Bytes};
use fyke_clock::Instant;

use tunnel::Through;

use crate::interface::egress::ErrorKind;
use crate::stack::Stack;
use crate::stack::capture::Direction;
use crate::stack::config::Medium;
use crate::stack::counters::DropReason;
use crate::stack::frame::{RxChecksum, RxMeta};
use crate::wire::IpProtocol;

/// What the link says about a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) meta: RxMeta,
    /// It came to everybody or to a group.
    pub(crate) to_group: bool,
    /// It came over the own loopback.
    pub(crate) loopback: bool,
    /// It was put together from fragments.
    pub(crate) reassembled: bool,
    /// The tunnel it came through.
    pub(crate) through: Option<Through>,
}

impl Link {
    /// A packet from the device, for this station.
    const fn new(meta: RxMeta) -> Self {
        Self { meta, to_group: false, loopback: false, reassembled: false, through: None }
    }
}

/// More padding than this no link needs.
const PADDING_MAX: usize = 128;

/// A packet without what its link put behind it. A frame that is mostly padding is not kept for the sake
/// of a small packet.
fn without_padding(mut packet: Bytes, len: usize) -> Bytes {
    if packet.len() > len + PADDING_MAX {
        return Bytes::copy_from_slice(&packet[..len]);
    }
    packet.truncate(len);
    packet
}

/// An IP packet for us, whole.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    /// Where in the packet the protocol's number stands.
    pub(crate) protocol_at: u32,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// From the IP header on: what an ICMP error quotes.
    pub(crate) packet: Bytes,
    /// What is behind all IP headers.
    pub(crate) body: Body,
    /// It came to everybody or to a group, by its link or IP address.
    pub(crate) to_group: bool,
    pub(crate) loopback: bool,
    /// It came through a tunnel.
    pub(crate) tunneled: bool,
    /// It had a fragment header of IPv6, or was put together.
    pub(crate) fragmented: bool,
    pub(crate) meta: RxMeta,
}

/// Where the payload of a packet is. The usual case has no handle of its own: taking and dropping
/// one costs more than reading a header.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// Behind so many bytes of the packet.
    Behind(usize),
    /// Apart from it, because it was put together.
    Apart(Bytes),
}

impl Inbound {
    /// What is behind all IP headers.
    pub(crate) fn payload(&self) -> &[u8] {
        match &self.body {
            Body::Behind(headers) => self.packet.get(*headers..).unwrap_or_default(),
            Body::Apart(bytes) => bytes,
        }
    }

    /// A part of the payload, to be kept.
    pub(crate) fn share(&self, part: &[u8]) -> Bytes {
        match &self.body {
            Body::Behind(_) => self.packet.slice_ref(part),
            Body::Apart(bytes) => bytes.slice_ref(part),
        }
    }

    /// The payload without its first `front` bytes, and nothing else of the packet.
    pub(crate) fn into_payload(self, front: usize) -> Bytes {
        let (mut bytes, headers) = match self.body {
            Body::Behind(headers) => (self.packet, headers),
            Body::Apart(bytes) => (bytes, 0),
        };
        bytes.advance((headers + front).min(bytes.len()));
        bytes
    }

    /// Just enough of a packet to quote it.
    fn quoted(source: IpAddr, destination: IpAddr, packet: &Bytes) -> Self {
        Self {
            source,
            destination,
            protocol: IpProtocol::NO_NEXT,
            protocol_at: 0,
            hop_limit: 0,
            traffic_class: 0,
            packet: packet.clone(),
            body: Body::Apart(Bytes::new()),
            to_group: false,
            loopback: false,
            tunneled: false,
            fragmented: false,
            meta: RxMeta::default(),
        }
    }

    /// Whether the transport checksum must be verified.
    pub(crate) fn checksum_is_open(&self) -> bool {
        self.meta.checksum == RxChecksum::None
    }
}

impl Stack {
    pub(crate) fn frame_input(&mut self, now: Instant, frame: Bytes, meta: RxMeta) {
        self.net.counters.frames_in += 1;
        self.net.counters.bytes_in += frame.len() as u64;
        if let Some(capture) = &mut self.net.capture {
            capture.frame(now, Direction::In, &[&frame]);
        }
        let link = Link::new(meta);
        match self.net.config.medium {
            Medium::RawIp => self.ip_input(now, frame, link),
            Medium::Ethernet(own) => self.ethernet_input(now, own, frame, meta),
        }
    }

    /// A packet from us to us.
    pub(crate) fn loopback_input(&mut self, now: Instant, packet: Bytes, meta: RxMeta) {
        let link = Link { loopback: true, ..Link::new(meta) };
        self.ip_input(now, packet, link);
    }

    fn ip_input(&mut self, now: Instant, packet: Bytes, link: Link) {
        match packet.first().map(|first| first >> 4) {
            Some(4) => self.ipv4_input(now, packet, link),
            Some(6) => self.ipv6_input(now, packet, link),
            _ => self.net.drop_in(now, DropReason::Malformed),
        }
    }

    /// A whole packet for us, of either family.
    fn deliver(&mut self, now: Instant, inbound: Inbound) {
        match inbound.protocol {
            IpProtocol::TCP => self.tcp_input(now, inbound),
            IpProtocol::UDP => self.udp_input(now, &inbound),
            IpProtocol::ICMPV4 if inbound.source.is_ipv4() => self.icmpv4_input(now, &inbound),
            IpProtocol::ICMPV6 if inbound.source.is_ipv6() => self.icmpv6_input(now, &inbound),
            IpProtocol::IGMP if inbound.source.is_ipv4() => self.igmp_input(now, &inbound),
            IpProtocol::IPV6 if self.ends_tunnel(&inbound) => self.tunnel_input(now, inbound),
            IpProtocol::NO_NEXT if inbound.source.is_ipv6() => {
                self.net.drop_in(now, DropReason::UnknownProtocol)
            }
            _ => {
                self.net.drop_in(now, DropReason::UnknownProtocol);
                let at = inbound.protocol_at;
                self.net.send_error(now, &inbound, ErrorKind::ProtocolUnreachable { at });
            }
        }
    }
}

//! The way in: bytes become behaviour, one layer a file.
//!
//! ```text
//!  input -> (ethernet) -> ipv4 | ipv6 -> martians -> tcp -> demux -> Connection::on_segment
//!                                                         \> passive: listeners, SYN cache
//! ```
//! Nothing is sent here: what is to be answered waits for `poll_transmit`.

mod ipv4;
mod ipv6;
mod martian;
mod passive;
mod segment;
mod tcp;

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

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
}

/// An IP packet for us, whole.
#[derive(Debug, Clone)]
pub(crate) struct Inbound {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) protocol: IpProtocol,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
    /// Behind all IP headers.
    pub(crate) payload: Bytes,
    /// From the IP header on: what an ICMP error quotes.
    pub(crate) packet: Bytes,
    /// It came to everybody or to a group, by its link or IP address.
    pub(crate) to_group: bool,
    pub(crate) loopback: bool,
    pub(crate) meta: RxMeta,
}

impl Inbound {
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
        let link = Link { meta, to_group: false, loopback: false };
        match self.net.config.medium {
            Medium::RawIp => self.ip_input(now, frame, link),
            Medium::Ethernet(_) => self.net.drop_in(now, DropReason::UnknownEtherType),
        }
    }

    /// A packet from us to us.
    pub(crate) fn loopback_input(&mut self, now: Instant, packet: Bytes, meta: RxMeta) {
        let link = Link { meta, to_group: false, loopback: true };
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
            IpProtocol::TCP => self.tcp_input(now, &inbound),
            _ => self.net.drop_in(now, DropReason::UnknownProtocol),
        }
    }
}

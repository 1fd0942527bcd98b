//! A NAT box: many addresses inside, one outside. TCP, UDP, pings and the ICMP errors about them,
//! over IPv4.
//!
//! It stands in a router, between two of its ports. Not here: fragments behind the first, and looking
//! into what protocols say.

mod config;
mod rewrite;
mod table;

use std::net::{IpAddr, Ipv4Addr};

use fyke_clock::Instant;
use fyke_stack::wire::{IpProtocol, icmpv4, ipv4, tcp};

pub use config::{NatConfig, NatFiltering, NatMapping, NatUnknown};

use crate::drops::DropReason;
use rewrite::{Which, ends_of, reset_for, rewrite, rewrite_address, rewrite_quote};
use table::{Protocol, Table};

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Translation {
    /// It was translated, or need not be.
    Done,
    /// It is for the box itself.
    Own,
    /// It ends here.
    Refused(DropReason),
    /// It ends here, and its sender is answered with this packet.
    Answered(DropReason, Vec<u8>),
}

#[derive(Debug)]
pub(crate) struct NatState {
    table: Table,
    outside_port: u16,
    outside_address: Ipv4Addr,
}

impl NatState {
    /// A box whose router's port `outside_port` has the address `outside_address`.
    pub(crate) fn new(
        config: NatConfig,
        outside_port: u16,
        outside_address: Ipv4Addr,
        now: Instant,
    ) -> Self {
        Self { table: Table::new(config, now), outside_port, outside_address }
    }

    pub(crate) fn config(&self) -> &NatConfig {
        &self.table.config
    }

    /// Changes how it behaves; what is mapped stays mapped.
    pub(crate) fn set_config(&mut self, config: NatConfig) {
        self.table.set_config(config);
    }

    pub(crate) fn clear(&mut self, now: Instant) {
        self.table.clear(now);
    }

    /// Pairs of endpoints that are mapped now.
    pub(crate) fn sessions(&mut self, now: Instant) -> usize {
        self.table.expire(now);
        self.table.len()
    }

    pub(crate) fn is_for_outside(&self, port: u16, destination: IpAddr) -> bool {
        port == self.outside_port && destination == IpAddr::V4(self.outside_address)
    }

    pub(crate) fn is_outgoing(&self, from: u16, to: u16, destination: IpAddr) -> bool {
        destination.is_ipv4() && to == self.outside_port && from != self.outside_port
    }

    /// Whether a packet from inside is for somebody who is inside, too, by the outside address.
    pub(crate) fn is_hairpin(&self, from: u16, destination: IpAddr) -> bool {
        self.table.config.hairpinning
            && from != self.outside_port
            && destination == IpAddr::V4(self.outside_address)
    }

    /// A packet from inside that turns around in the box: it goes out and comes in, and its receiver
    /// sees the sender's outside address and port (RFC 4787, REQ-9a), as a peer outside would.
    pub(crate) fn hairpin(&mut self, now: Instant, packet: &mut [u8]) -> Translation {
        if is_ping(packet) {
            return Translation::Own;
        }
        let original = packet.to_vec();
        match self.outgoing(now, packet) {
            Translation::Done => {}
            other => return other,
        }
        match self.incoming(now, packet) {
            // The sender is inside, and is answered there.
            Translation::Answered(reason, _) => self.unknown(&original, reason),
            other => other,
        }
    }

    /// A packet from inside to outside.
    pub(crate) fn outgoing(&mut self, now: Instant, packet: &mut [u8]) -> Translation {
        self.table.expire(now);
        let Ok(view) = ipv4::Packet::parse(packet) else {
            return Translation::Refused(DropReason::Malformed);
        };
        let Some(ends) = ends_of(&view) else { return self.outgoing_error(packet) };
        let begins = ends.protocol != Protocol::Tcp
            || (ends.flags & tcp::SYN != 0 && ends.flags & tcp::ACK == 0);
        let (protocol, flags) = (ends.protocol, ends.flags);
        let found =
            self.table.outgoing(now, protocol, ends.source, ends.destination, flags, begins);
        match found {
            Ok(Some(port)) => {
                rewrite(packet, Which::Source, (self.outside_address, port));
                Translation::Done
            }
            Ok(None) => self.unknown(packet, DropReason::NatNoMapping),
            Err(reason) => Translation::Refused(reason),
        }
    }

    /// A packet from outside to the box's address.
    pub(crate) fn incoming(&mut self, now: Instant, packet: &mut [u8]) -> Translation {
        self.table.expire(now);
        let Ok(view) = ipv4::Packet::parse(packet) else {
            return Translation::Refused(DropReason::Malformed);
        };
        let Some(ends) = ends_of(&view) else { return self.incoming_error(packet) };
        if is_ping(packet) {
            return Translation::Own;
        }
        let (port, peer) = (ends.destination.1, ends.source);
        match self.table.incoming(now, ends.protocol, port, peer, ends.flags) {
            Ok(inside) => {
                rewrite(packet, Which::Destination, inside);
                Translation::Done
            }
            Err(reason) if ends.protocol == Protocol::Tcp => self.unknown(packet, reason),
            Err(reason) => Translation::Refused(reason),
        }
    }

    fn unknown(&self, packet: &[u8], reason: DropReason) -> Translation {
        let answer = match self.table.config.unknown {
            NatUnknown::Reset => reset_for(packet),
            NatUnknown::Drop => None,
        };
        match answer {
            Some(answer) => Translation::Answered(reason, answer),
            None => Translation::Refused(reason),
        }
    }

    /// An error from outside about a packet of ours (RFC 5508, section 4.2): path MTU discovery
    /// needs it to arrive.
    fn incoming_error(&mut self, packet: &mut [u8]) -> Translation {
        let refused = Translation::Refused(DropReason::NatUntranslatable);
        let Some(quote) = quote_of(packet) else { return refused };
        if quote.source.0 != self.outside_address {
            return refused;
        }
        let inside = self.table.quoted(quote.protocol, quote.source.1, quote.destination);
        let Some(inside) = inside else { return Translation::Refused(DropReason::NatNoMapping) };
        rewrite_quote(packet, Which::Source, inside);
        rewrite_address(packet, Which::Destination, inside.0);
        Translation::Done
    }

    /// An error from inside about a packet that came in.
    fn outgoing_error(&mut self, packet: &mut [u8]) -> Translation {
        let refused = Translation::Refused(DropReason::NatUntranslatable);
        let Some(quote) = quote_of(packet) else { return refused };
        let port = self.table.port_of(quote.protocol, quote.destination, quote.source);
        let Some(port) = port else { return Translation::Refused(DropReason::NatNoMapping) };
        rewrite_quote(packet, Which::Destination, (self.outside_address, port));
        rewrite_address(packet, Which::Source, self.outside_address);
        Translation::Done
    }
}

/// Whether it asks whoever has its destination address for an answer.
fn is_ping(packet: &[u8]) -> bool {
    let Ok(ip) = ipv4::Packet::parse(packet) else { return false };
    ip.protocol() == IpProtocol::ICMPV4
        && icmpv4::Packet::parse(ip.payload())
            .is_ok_and(|icmp| matches!(icmp.message(), icmpv4::Message::EchoRequest { .. }))
}

/// The ends of the packet that an ICMP error quotes.
fn quote_of(packet: &[u8]) -> Option<rewrite::Ends> {
    let ip = ipv4::Packet::parse(packet).ok()?;
    if ip.protocol() != IpProtocol::ICMPV4 || ip.is_fragment() {
        return None;
    }
    let icmp = icmpv4::Packet::parse(ip.payload()).ok()?;
    if !icmp.message().is_error() {
        return None;
    }
    ends_of(&ipv4::Packet::parse_quoted(icmp.payload()).ok()?)
}

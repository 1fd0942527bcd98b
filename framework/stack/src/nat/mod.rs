//! A NAT box as a value: many addresses inside, one outside. TCP, UDP, pings and the ICMP errors
//! about them, over IPv4.
//!
//! It stands in a [`Router`](crate::router::Router), before one of its ports. It decides first and
//! changes a packet, in place, when nothing speaks against sending it. Not here: looking into what
//! protocols say, and identifications of fragments that two inside hosts choose alike.

mod change;
mod config;
mod fragments;
mod keys;
mod ports;
mod rewrite;
mod table;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use fyke_clock::Instant;

pub use config::{NatConfig, NatFiltering, NatMapping, NatUnknown};

use crate::router::DropReason;
use crate::router::packet::Packet;
use crate::stack::secrets::{Secrets, Seed};
use crate::wire::{IpProtocol, icmpv4, ipv4, tcp};
pub(crate) use change::Change;
use fragments::{Addresses, Fragments, Key};
use keys::Protocol;
use rewrite::{Ends, ends_of, reset_for};
use table::Table;

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Translation {
    /// It goes on, changed like that.
    Change(Change),
    /// It is for the box itself.
    Own,
    /// It is a fragment that has to wait for the first of its datagram.
    Wait,
    /// It ends here.
    Refused(DropReason),
    /// It ends here, and its sender is answered with this packet.
    Answered(DropReason, Vec<u8>),
}

/// A NAT box.
#[derive(Debug)]
pub struct Nat {
    table: Table,
    fragments: Fragments,
    outside: Ipv4Addr,
}

impl Nat {
    /// A box that shows this address outside. What must not be guessed comes from the seed.
    #[must_use]
    pub fn new(config: NatConfig, outside: Ipv4Addr, seed: Seed, now: Instant) -> Self {
        let table = Table::new(config, Secrets::new(&seed).table, now);
        Self { table, fragments: Fragments::default(), outside }
    }

    /// The address that others see.
    #[must_use]
    pub const fn outside(&self) -> Ipv4Addr {
        self.outside
    }

    /// How it behaves.
    #[must_use]
    pub const fn config(&self) -> &NatConfig {
        &self.table.config
    }

    /// Changes how it behaves; what is mapped stays mapped.
    pub fn set_config(&mut self, config: NatConfig) {
        self.table.set_config(config);
    }

    /// Forgets every mapping, as a box does that is switched off and on.
    pub fn clear(&mut self, now: Instant) {
        self.table.clear(now);
        self.fragments = Fragments::default();
    }

    /// Pairs of endpoints that are mapped now.
    pub fn sessions(&mut self, now: Instant) -> usize {
        self.table.expire(now);
        self.table.len()
    }

    /// Outside ports that are mapped now, those of all protocols together.
    pub fn mappings(&mut self, now: Instant) -> usize {
        self.table.expire(now);
        self.table.mappings()
    }

    /// Datagrams in fragments that are remembered, and fragments that wait for a first one.
    #[must_use]
    pub fn fragments(&self) -> (usize, usize) {
        self.fragments.usage()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.fragments.next_deadline()
    }

    /// When [`sessions`](Self::sessions) may become fewer without anything being sent.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.table.next_deadline()
    }

    /// Whether a packet from inside is for somebody who is inside, too, by the outside address.
    pub(crate) fn is_hairpin(&self, destination: IpAddr) -> bool {
        self.table.config.hairpinning && destination == IpAddr::V4(self.outside)
    }

    /// A packet from inside that turns around in the box: it goes out and comes in, and its receiver
    /// sees the sender's outside address and port (RFC 4787, REQ-9a), as a peer outside would.
    pub(crate) fn hairpin(&mut self, now: Instant, packet: &[u8]) -> Translation {
        if is_ping(packet) {
            return Translation::Own;
        }
        let out = match self.outgoing(now, packet) {
            Translation::Change(change) => change,
            other => return other,
        };
        // What comes in is the packet as it would have gone out.
        let (source, ends) = match (out, ends_in(packet), quote_of(packet)) {
            (Change::Ends { source: Some(source), .. }, Some(ends), _) => (source, ends),
            (Change::Quote { outside: Some(outside), .. }, _, Some(quote)) => {
                return self.hairpin_error(&quote, outside);
            }
            _ => return Translation::Change(out),
        };
        match self.table.incoming(now, ends.protocol, ends.destination.1, source, ends.flags) {
            Ok(inside) => {
                let change = Change::Ends { source: Some(source), destination: Some(inside) };
                if let Ok(view) = ipv4::Packet::parse(packet) {
                    self.remember(now, &view, &change);
                }
                Translation::Change(change)
            }
            // The sender is inside, and is answered there.
            Err(reason) if ends.protocol == Protocol::Tcp => self.unknown(packet, reason),
            Err(reason) => Translation::Refused(reason),
        }
    }

    /// An error about a packet that has turned around turns around, too.
    fn hairpin_error(&mut self, quote: &Ends, outside: (Ipv4Addr, u16)) -> Translation {
        let inside = self.table.quoted(quote.protocol, quote.source.1, outside);
        if quote.source.0 != self.outside || inside.is_none() {
            return Translation::Refused(DropReason::NatNoMapping);
        }
        Translation::Change(Change::Quote { inside, outside: Some(outside) })
    }

    /// A packet from inside to outside.
    pub(crate) fn outgoing(&mut self, now: Instant, packet: &[u8]) -> Translation {
        self.table.expire(now);
        let Ok(view) = ipv4::Packet::parse(packet) else {
            return Translation::Refused(DropReason::Malformed);
        };
        if view.fragment_offset() != 0 {
            return self.later_fragment(now, &view);
        }
        let Some(ends) = ends_of(&view) else { return self.outgoing_error(packet) };
        let begins = ends.protocol != Protocol::Tcp
            || (ends.flags & tcp::SYN != 0 && ends.flags & tcp::ACK == 0);
        let (protocol, flags) = (ends.protocol, ends.flags);
        let found =
            self.table.outgoing(now, protocol, ends.source, ends.destination, flags, begins);
        match found {
            Ok(Some(port)) => {
                let change = Change::Ends { source: Some((self.outside, port)), destination: None };
                self.remember(now, &view, &change);
                Translation::Change(change)
            }
            Ok(None) => self.unknown(packet, DropReason::NatNoMapping),
            Err(reason) => Translation::Refused(reason),
        }
    }

    /// A packet from outside to the box's address.
    pub(crate) fn incoming(&mut self, now: Instant, packet: &[u8]) -> Translation {
        self.table.expire(now);
        let Ok(view) = ipv4::Packet::parse(packet) else {
            return Translation::Refused(DropReason::Malformed);
        };
        if view.fragment_offset() != 0 {
            return self.later_fragment(now, &view);
        }
        // What the box does not translate nobody inside has asked for, but the box itself may have: a
        // tunnel of its own, say.
        if is_ping(packet) || !is_translated(view.protocol()) {
            return Translation::Own;
        }
        let Some(ends) = ends_of(&view) else { return self.incoming_error(packet) };
        let (port, peer) = (ends.destination.1, ends.source);
        match self.table.incoming(now, ends.protocol, port, peer, ends.flags) {
            Ok(inside) => {
                let change = Change::Ends { source: None, destination: Some(inside) };
                self.remember(now, &view, &change);
                Translation::Change(change)
            }
            Err(reason) if ends.protocol == Protocol::Tcp => self.unknown(packet, reason),
            Err(reason) => Translation::Refused(reason),
        }
    }

    /// What is behind the first fragment of a datagram goes where that went.
    fn remember(&mut self, now: Instant, view: &ipv4::Packet<'_>, change: &Change) {
        if view.more_fragments()
            && let Change::Ends { source, destination } = change
        {
            let source = source.map(|(address, _)| address);
            let destination = destination.map(|(address, _)| address);
            let to = Addresses { source, destination };
            self.fragments.remember(now, Key::of(view), to, &self.table.config);
        }
    }

    /// A packet is for the box itself: later fragments of it are, too.
    pub(crate) fn pass(&mut self, now: Instant, packet: &[u8]) {
        if let Ok(view) = ipv4::Packet::parse(packet)
            && view.fragment_offset() == 0
        {
            self.remember(now, &view, &Change::Ends { source: None, destination: None });
        }
    }

    fn later_fragment(&mut self, now: Instant, view: &ipv4::Packet<'_>) -> Translation {
        match self.fragments.way(now, Key::of(view)) {
            Some(to) => Translation::Change(Change::Fragment(to)),
            None => Translation::Wait,
        }
    }

    /// Keeps a fragment until the first of its datagram comes; gives it back when it cannot.
    pub(crate) fn hold(&mut self, now: Instant, port: u16, packet: Packet) -> Result<(), Packet> {
        let key = match ipv4::Packet::parse(packet.ip()) {
            Ok(view) => Key::of(&view),
            Err(_) => return Err(packet),
        };
        self.fragments.hold(now, port, key, packet, &self.table.config)
    }

    /// A fragment whose datagram's first one has come, with the port it came in by.
    pub(crate) fn take_released(&mut self) -> Option<(u16, Packet)> {
        self.fragments.take_released()
    }

    /// A fragment that has waited in vain.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<(u16, Packet)> {
        self.fragments.take_expired(now)
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
    fn incoming_error(&mut self, packet: &[u8]) -> Translation {
        let refused = Translation::Refused(DropReason::NatUntranslatable);
        let Some(quote) = quote_of(packet) else { return refused };
        if quote.source.0 != self.outside {
            return refused;
        }
        match self.table.quoted(quote.protocol, quote.source.1, quote.destination) {
            Some(inside) => {
                Translation::Change(Change::Quote { inside: Some(inside), outside: None })
            }
            None => Translation::Refused(DropReason::NatNoMapping),
        }
    }

    /// An error from inside about a packet that came in.
    fn outgoing_error(&mut self, packet: &[u8]) -> Translation {
        let refused = Translation::Refused(DropReason::NatUntranslatable);
        let Some(quote) = quote_of(packet) else { return refused };
        match self.table.port_of(quote.protocol, quote.destination, quote.source) {
            Some(port) => {
                let outside = Some((self.outside, port));
                Translation::Change(Change::Quote { inside: None, outside })
            }
            None => Translation::Refused(DropReason::NatNoMapping),
        }
    }
}

fn ends_in(packet: &[u8]) -> Option<Ends> {
    ends_of(&ipv4::Packet::parse(packet).ok()?)
}

/// Whether the box has mappings for a protocol.
fn is_translated(protocol: IpProtocol) -> bool {
    matches!(protocol, IpProtocol::TCP | IpProtocol::UDP | IpProtocol::ICMPV4)
}

/// Whether it asks whoever has its destination address for an answer.
fn is_ping(packet: &[u8]) -> bool {
    let Ok(ip) = ipv4::Packet::parse(packet) else { return false };
    ip.protocol() == IpProtocol::ICMPV4
        && ip.fragment_offset() == 0
        && icmpv4::Packet::parse(ip.payload())
            .is_ok_and(|icmp| matches!(icmp.message(), icmpv4::Message::EchoRequest { .. }))
}

/// The ends of the packet that an ICMP error quotes.
fn quote_of(packet: &[u8]) -> Option<Ends> {
    let ip = ipv4::Packet::parse(packet).ok()?;
    if ip.protocol() != IpProtocol::ICMPV4 || ip.is_fragment() {
        return None;
    }
    let icmp = icmpv4::Packet::parse(ip.payload()).ok()?;
    // The box works the sum out anew: what was damaged on the way would be made to look sound (RFC
    // 5508, REQ-3 and 3 a).
    if !icmp.message().is_error() || !icmp.checksum_is_valid() {
        return None;
    }
    let quoted = ipv4::Packet::parse_quoted(icmp.payload()).ok()?;
    ends_of(&quoted).filter(|_| quoted.checksum_is_valid())
}

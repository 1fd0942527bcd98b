//! What the router says itself: answers to pings, errors about packets, and what its own stack gets.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::packet::{Complaint, Packet, addresses, error_about, icmp_v4, icmp_v6};
use super::{DropReason, Router, RouterSink};
use crate::nat::{Change, Translation};
use crate::wire::{Emit, IpProtocol, PseudoHeader, icmpv4, icmpv6, ipv4, ipv6};

impl Router {
    /// A packet for the router itself: tunnels end here, it answers pings and questions of
    /// neighbours, and the stack behind the local port gets the rest.
    pub(super) fn on_own(
        &mut self,
        now: Instant,
        port: u16,
        packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let Some(packet) = self.take_tunneled(now, port, packet, out) else { return };
        let discovery =
            ipv6::Packet::parse(packet.ip()).is_ok_and(|v6| self.on_ndp(now, port, &v6, out));
        if discovery {
            return;
        }
        if let Some(local) = self.local.filter(|local| *local != port) {
            self.counters.delivered += 1;
            return self.send_bare(local, packet, out);
        }
        let answered = match ipv6::Packet::parse(packet.ip()) {
            Ok(v6) => self.answer_v6(now, port, &v6, out),
            Err(_) => self.answer_v4(now, port, packet.ip(), out),
        };
        if !answered {
            self.drop_packet(port, DropReason::NotForwarded, packet, out);
        }
    }

    /// A packet that does not leave its link: the router is a station there, too.
    pub(super) fn on_group(
        &mut self,
        now: Instant,
        port: u16,
        packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let discovery =
            ipv6::Packet::parse(packet.ip()).is_ok_and(|v6| self.on_ndp(now, port, &v6, out));
        if discovery {
            return;
        }
        match self.local.filter(|local| *local != port) {
            Some(local) => {
                self.counters.delivered += 1;
                self.send_bare(local, packet, out);
            }
            None => self.drop_packet(port, DropReason::NotForwarded, packet, out),
        }
    }

    fn answer_v4(
        &mut self,
        now: Instant,
        port: u16,
        packet: &[u8],
        out: &mut dyn RouterSink,
    ) -> bool {
        let Ok(v4) = ipv4::Packet::parse(packet) else { return false };
        if v4.protocol() != IpProtocol::ICMPV4 || v4.is_fragment() || !self.config.icmp {
            return false;
        }
        // The answer has a checksum of its own: what was damaged on the way would be made to look sound.
        let icmp = icmpv4::Packet::parse(v4.payload()).ok().filter(|it| it.checksum_is_valid());
        let Some(icmp) = icmp else { return false };
        let icmpv4::Message::EchoRequest { identifier, sequence } = icmp.message() else {
            return false;
        };
        let reply = icmpv4::Message::EchoReply { identifier, sequence };
        let answer = icmp_v4(v4.destination(), v4.source(), reply, icmp.payload());
        self.send_own(now, port, Packet::own(&[&answer], self.mark), out);
        true
    }

    fn answer_v6(
        &mut self,
        now: Instant,
        port: u16,
        v6: &ipv6::Packet<'_>,
        out: &mut dyn RouterSink,
    ) -> bool {
        if v6.next_header() != IpProtocol::ICMPV6 || !self.config.icmp {
            return false;
        }
        let (source, destination) = (v6.source(), v6.destination());
        let addresses = PseudoHeader::V6 { source, destination };
        let icmp = icmpv6::Packet::parse(v6.payload()).ok();
        let Some(icmp) = icmp.filter(|it| it.checksum_is_valid(&addresses)) else { return false };
        let icmpv6::Message::EchoRequest { identifier, sequence } = icmp.message() else {
            return false;
        };
        let reply = icmpv6::Message::EchoReply { identifier, sequence }.to_vec();
        let answer = icmp_v6(destination, source, self.config.hop_limit, &reply, icmp.payload());
        self.send_own(now, port, Packet::own(&[&answer], self.mark), out);
        true
    }

    /// Tells the sender of `packet` why it goes no further, as often as the limits allow.
    pub(super) fn complain(
        &mut self,
        now: Instant,
        port: u16,
        packet: &[u8],
        what: Complaint,
        out: &mut dyn RouterSink,
    ) {
        let Some((source, _)) = addresses(packet).filter(|_| self.config.icmp) else { return };
        // It comes from the port it leaves by (RFC 1812, section 4.3.2.4), if that has an address.
        let leaves = self.routes.lookup(source).map_or(port, |hop| hop.port);
        let of_port = |port: u16| self.ports[usize::from(port)].address_like(source);
        let own = of_port(leaves).or_else(|| of_port(port));
        let own = own.or_else(|| self.ports.iter().find_map(|it| it.address_like(source)));
        let Some(error) = own.and_then(|own| error_about(packet, own, what)) else { return };
        if !self.limit.allows(now, source) {
            self.counters.errors_limited += 1;
            return;
        }
        self.counters.errors_out += 1;
        let mut error = Packet::own(&[&error], self.mark);
        if let Some((nat, outside)) = self.nat.as_deref_mut() {
            // A packet that had waited was translated before: who sent it knows it as it was.
            let translated = match source {
                source if source == IpAddr::V4(nat.outside()) => nat.incoming(now, error.ip()),
                IpAddr::V4(_) if leaves == *outside => nat.outgoing(now, error.ip()),
                _ => Translation::Own,
            };
            if let Translation::Change(change @ Change::Quote { .. }) = translated {
                change.apply(error.ip_mut());
            }
        }
        self.send_own(now, port, error, out);
    }

    /// Sends a packet of the router's own, by its routes.
    pub(super) fn send_own(
        &mut self,
        now: Instant,
        port: u16,
        mut packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let Some((_, destination)) = addresses(packet.ip()) else { return };
        if self.is_own(destination) {
            match self.local {
                Some(local) => self.send_bare(local, packet, out),
                None => self.drop_packet(port, DropReason::NotForwarded, packet, out),
            }
            return;
        }
        let own = &self.ports[usize::from(port)];
        let arrived = own.addresses.is_on_link(destination);
        let hop = self.routes.lookup(destination);
        let (port, neighbor) = match hop {
            _ if arrived => (port, destination),
            Some(hop) => (hop.port, hop.gateway.unwrap_or(destination)),
            None => return self.drop_packet(port, DropReason::NoRoute, packet, out),
        };
        self.identification = self.identification.wrapping_add(1);
        if let Ok(v4) = ipv4::Packet::parse(packet.ip()) {
            let header = ipv4::Header { identification: self.identification, ..v4.header() };
            header.emit(packet.ip_mut());
        }
        self.send_whole_or_cut(now, port, neighbor, packet, out);
    }
}

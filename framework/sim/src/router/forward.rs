//! From a packet to the port and neighbour it goes to, or to what is said about it.

use std::net::IpAddr;

use fyke_clock::Instant;
use fyke_stack::wire::{Emit, IpProtocol, icmpv4, icmpv6, ipv4, ipv6};

use super::RouterState;
use super::packet::{Complaint, count_hop, error_about, fragments, icmp_v4, icmp_v6};
use crate::drops::DropReason;
use crate::frame::Frame;
use crate::nat::Translation;
use crate::outputs::Outputs;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Both addresses of a packet whose header was checked.
fn addresses(packet: &[u8]) -> Option<(IpAddr, IpAddr)> {
    if let Ok(packet) = ipv4::Packet::parse_quoted(packet) {
        return Some((packet.source().into(), packet.destination().into()));
    }
    let packet = ipv6::Packet::parse_quoted(packet).ok()?;
    Some((packet.source().into(), packet.destination().into()))
}

impl RouterState {
    pub(super) fn on_packet(
        &mut self,
        now: Instant,
        port: u16,
        frame: Frame,
        mut packet: Vec<u8>,
        out: &mut Outputs,
    ) {
        let Some((_, mut destination)) = addresses(&packet) else {
            out.drop(DropReason::Malformed, frame);
            return;
        };
        let original = packet.clone();
        let translated = self.nat.as_mut().and_then(|nat| {
            if nat.is_for_outside(port, destination) {
                Some(nat.incoming(now, &mut packet))
            } else if nat.is_hairpin(port, destination) {
                Some(nat.hairpin(now, &mut packet))
            } else {
                None
            }
        });
        if let Some(translated) = translated {
            match translated {
                Translation::Done => {
                    destination = addresses(&packet).map_or(destination, |(_, to)| to);
                }
                Translation::Own => {}
                other => {
                    self.refuse(now, port, frame, other, out);
                    return;
                }
            }
        }
        if self.is_own(destination) {
            self.on_own(now, port, frame, &packet, out);
            return;
        }
        let group = match destination {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => v6.is_multicast() || v6.is_unicast_link_local(),
        };
        if group {
            let ndp = ipv6::Packet::parse(&packet)
                .is_ok_and(|packet| self.on_ndp(now, port, &packet, out));
            if !ndp {
                out.drop(DropReason::NotForwarded, frame);
            }
            return;
        }
        self.forward(now, port, frame, packet, &original, destination, out);
    }

    #[expect(clippy::too_many_arguments, reason = "one packet, before and after")]
    fn forward(
        &mut self,
        now: Instant,
        port: u16,
        frame: Frame,
        mut packet: Vec<u8>,
        original: &[u8],
        destination: IpAddr,
        out: &mut Outputs,
    ) {
        if !count_hop(&mut packet) {
            self.complain(now, port, &frame, original, Complaint::TimeExceeded, out);
            out.drop(DropReason::TimeExceeded, frame);
            return;
        }
        let Some(hop) = self.routes.lookup(destination) else {
            self.complain(now, port, &frame, original, Complaint::NoRoute, out);
            out.drop(DropReason::NoRoute, frame);
            return;
        };
        if let Some(nat) = &mut self.nat
            && nat.is_outgoing(port, hop.port, destination)
        {
            match nat.outgoing(now, &mut packet) {
                Translation::Done => {}
                other => {
                    self.refuse(now, port, frame, other, out);
                    return;
                }
            }
        }
        let mtu = self.ports[usize::from(hop.port)].mtu;
        let neighbor = hop.gateway.unwrap_or(destination);
        if packet.len() <= mtu {
            self.send_to(now, hop.port, neighbor, &frame, packet, out);
            return;
        }
        let whole = ipv4::Packet::parse(&packet).is_ok_and(|packet| !packet.dont_fragment());
        if !whole {
            self.complain(now, port, &frame, original, Complaint::TooBig { mtu }, out);
            out.drop(DropReason::FragmentationNeeded, frame);
            return;
        }
        for piece in fragments(&packet, mtu) {
            self.send_to(now, hop.port, neighbor, &frame, piece, out);
        }
    }

    /// A NAT box does not let a packet through.
    fn refuse(
        &mut self,
        now: Instant,
        port: u16,
        frame: Frame,
        what: Translation,
        out: &mut Outputs,
    ) {
        let reason = match what {
            Translation::Refused(reason) => reason,
            Translation::Answered(reason, answer) => {
                self.send_own(now, port, answer, out);
                reason
            }
            Translation::Done | Translation::Own => return,
        };
        out.drop(reason, frame);
    }

    fn is_own(&self, address: IpAddr) -> bool {
        self.ports.iter().any(|port| port.has(address))
    }

    /// A packet for the router itself: it answers pings and questions of neighbours.
    fn on_own(&mut self, now: Instant, port: u16, frame: Frame, packet: &[u8], out: &mut Outputs) {
        let answered = match ipv6::Packet::parse(packet) {
            Ok(v6) => self.on_ndp(now, port, &v6, out) || self.answer_v6(now, port, &v6, out),
            Err(_) => self.answer_v4(now, port, packet, out),
        };
        if !answered {
            out.drop(DropReason::NotForwarded, frame);
        }
    }

    fn answer_v4(&mut self, now: Instant, port: u16, packet: &[u8], out: &mut Outputs) -> bool {
        let Ok(v4) = ipv4::Packet::parse(packet) else { return false };
        if v4.protocol() != IpProtocol::ICMPV4 || v4.is_fragment() || !self.config.icmp {
            return false;
        }
        let Ok(icmp) = icmpv4::Packet::parse(v4.payload()) else { return false };
        let icmpv4::Message::EchoRequest { identifier, sequence } = icmp.message() else {
            return false;
        };
        let reply = icmpv4::Message::EchoReply { identifier, sequence };
        let answer = icmp_v4(v4.destination(), v4.source(), reply, icmp.payload());
        self.send_own(now, port, answer, out);
        true
    }

    fn answer_v6(
        &mut self,
        now: Instant,
        port: u16,
        v6: &ipv6::Packet<'_>,
        out: &mut Outputs,
    ) -> bool {
        if v6.next_header() != IpProtocol::ICMPV6 || !self.config.icmp {
            return false;
        }
        let Ok(icmp) = icmpv6::Packet::parse(v6.payload()) else { return false };
        let icmpv6::Message::EchoRequest { identifier, sequence } = icmp.message() else {
            return false;
        };
        let reply = icmpv6::Message::EchoReply { identifier, sequence }.to_vec();
        let answer = icmp_v6(v6.destination(), v6.source(), 64, &reply, icmp.payload());
        self.send_own(now, port, answer, out);
        true
    }

    /// Tells the sender of `packet` why it goes no further, as often as the limit allows.
    pub(super) fn complain(
        &mut self,
        now: Instant,
        port: u16,
        _frame: &Frame,
        packet: &[u8],
        what: Complaint,
        out: &mut Outputs,
    ) {
        if !self.config.icmp || !self.may_complain(now) {
            return;
        }
        let Some((source, _)) = addresses(packet) else { return };
        let Some(own) = self.ports[usize::from(port)].address_like(source) else { return };
        if let Some(error) = error_about(packet, own, what) {
            self.send_own(now, port, error, out);
        }
    }

    fn may_complain(&mut self, now: Instant) -> bool {
        let second = now.as_nanos() / NANOS_PER_SEC;
        if self.errors.0 != second {
            self.errors = (second, 0);
        }
        self.errors.1 += 1;
        self.errors.1 <= self.config.icmp_errors_per_second
    }

    /// Sends a packet of the router's own, by its routes.
    fn send_own(&mut self, now: Instant, port: u16, mut packet: Vec<u8>, out: &mut Outputs) {
        let Some((_, destination)) = addresses(&packet) else { return };
        if self.is_own(destination) {
            return;
        }
        let on_link = |port: &super::Port| port.addresses.iter().any(|n| n.contains(destination));
        let arrived = self.ports.get(usize::from(port)).is_some_and(on_link);
        let hop = self.routes.lookup(destination);
        let (port, neighbor) = match hop {
            _ if arrived => (port, destination),
            Some(hop) => (hop.port, hop.gateway.unwrap_or(destination)),
            None => return,
        };
        self.identification = self.identification.wrapping_add(1);
        if let Ok(v4) = ipv4::Packet::parse(&packet) {
            let header = ipv4::Header { identification: self.identification, ..v4.header() };
            header.emit(&mut packet);
        }
        let way = Frame::new(Vec::new(), self.id);
        self.send_to(now, port, neighbor, &way, packet, out);
    }
}

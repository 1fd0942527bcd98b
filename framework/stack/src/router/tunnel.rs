//! A port that is a tunnel of IPv6 in IPv4 (RFC 4213): packets that leave through it are put into
//! IPv4 packets and sent by the router's own routes, and come back out of those of the other end.
//!
//! Its MTU is static (section 3.2.1): routers on the way may cut what is around. The router puts
//! nothing together, so what the other end sends has to come in one piece.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::packet::Packet;
use super::{DropReason, PortKind, Router, RouterSink};
use crate::interface::tunnels::{Tunnel, ecn_behind, is_ipv4_compatible};
use crate::wire::{Emit, IpProtocol, ipv4, ipv6};

impl Router {
    /// Puts a packet into the tunnel that a port is.
    pub(super) fn send_tunneled(
        &mut self,
        now: Instant,
        port: u16,
        tunnel: &Tunnel,
        mut packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let (length, inside) = (packet.len(), ipv6::Packet::parse(packet.ip()).ok());
        let (Ok(length), Some(inside)) = (u16::try_from(length), inside) else {
            return self.drop_packet(port, DropReason::Tunnel, packet, out);
        };
        let ecn = if tunnel.ecn { inside.ecn() } else { 0 };
        self.identification = self.identification.wrapping_add(1);
        let header = ipv4::Header::new(tunnel.local, tunnel.remote, IpProtocol::IPV6, length);
        let header = ipv4::Header {
            traffic_class: ecn,
            ttl: tunnel.ttl.unwrap_or(self.config.hop_limit),
            dont_fragment: false,
            identification: self.identification,
            ..header
        };
        header.emit(packet.grow_front(ipv4::HEADER_LEN));
        self.ports[usize::from(port)].packets_out += 1;
        self.send_own(now, port, packet, out);
    }

    /// Whether a packet for the router itself came out of a tunnel; then it goes on as one that came
    /// in by the tunnel's port. Gives back what did not.
    pub(super) fn take_tunneled(
        &mut self,
        now: Instant,
        port: u16,
        mut packet: Packet,
        out: &mut dyn RouterSink,
    ) -> Option<Packet> {
        let Ok(outer) = ipv4::Packet::parse(packet.ip()) else { return Some(packet) };
        if outer.protocol() != IpProtocol::IPV6 || outer.is_fragment() || !self.has_tunnels {
            return Some(packet);
        }
        let (local, remote) = (outer.destination(), outer.source());
        let (outer_ecn, header_len) = (outer.traffic_class() & 3, outer.header_len());
        let ends = |kind: &PortKind| match kind {
            PortKind::Tunnel(tunnel) => tunnel.local == local && tunnel.remote == remote,
            _ => false,
        };
        let Some(through) = self.ports.iter().position(|port| ends(&port.kind)) else {
            self.drop_packet(port, DropReason::Tunnel, packet, out);
            return None;
        };
        packet.strip(header_len);
        if self.is_sound(through, &mut packet, outer_ecn) {
            self.ports[through].packets_in += 1;
            self.on_ip(now, through as u16, packet, false, out);
        } else {
            self.drop_packet(port, DropReason::Tunnel, packet, out);
        }
        None
    }

    /// Whether what is inside may be there; its mark of congestion is set.
    fn is_sound(&self, through: usize, packet: &mut Packet, outer_ecn: u8) -> bool {
        let Ok(inside) = ipv6::Packet::parse(packet.ip()) else { return false };
        let (source, destination) = (inside.source(), inside.destination());
        let Some(ecn) = ecn_behind(outer_ecn, inside.ecn()) else { return false };
        // A tunnel in a tunnel has no end here.
        let nested = matches!(inside.next_header(), IpProtocol::IPV6 | IpProtocol::IPV4);
        let strict = match self.ports[through].kind {
            PortKind::Tunnel(tunnel) => tunnel.strict_source,
            _ => false,
        };
        let back = self.routes.lookup(IpAddr::V6(source)).map(|hop| usize::from(hop.port));
        let forged = strict && back != Some(through);
        if nested || forged || is_ipv4_compatible(source) || is_ipv4_compatible(destination) {
            return false;
        }
        if let Some(byte) = packet.ip_mut().get_mut(1) {
            *byte = *byte & !0x30 | ecn << 4;
        }
        true
    }
}

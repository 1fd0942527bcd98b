//! Into a tunnel: an IPv6 packet becomes the payload of an IPv4 packet (RFC 4213, section 3).
//!
//! What is too long for the tunnel does not go in: its sender is on this host and is told what a
//! router would tell it, by a "packet too big" over the loopback (section 3.2).

use alloc::vec::Vec;

use fyke_clock::Instant;

use super::fragment::Pieces;
use super::ip::{Headers, Outgoing, Transport};
use super::link::FrameRest;
use super::queue::Queued;
use crate::interface::net::Net;
use crate::interface::tunnels::{TUNNEL_MTU_MIN, Tunnel};
use crate::stack::counters::DropReason;
use crate::stack::frame::{TxChecksum, TxFrame, TxSink};
use crate::stack::ids::TunnelId;
use crate::stack::segmenter::Segmenter;
use crate::wire::{ChecksumIntent, Emit, IpProtocol, PseudoHeader, icmpv6, ipv4, ipv6};

/// Bytes of a packet that an error quotes.
const QUOTE_BYTES_MAX: usize = ipv6::MTU_MIN - ipv6::HEADER_LEN - icmpv6::HEADER_LEN;

/// The mouth of a tunnel, as a sink of IPv6 packets.
struct Mouth<'a> {
    net: &'a mut Net,
    now: Instant,
    id: TunnelId,
    out: &'a mut dyn TxSink,
}

impl TxSink for Mouth<'_> {
    fn transmit(&mut self, packet: TxFrame<'_>) {
        if self.out.ready() {
            return self.net.enter_tunnel(self.now, self.id, &packet, self.out);
        }
        // The device took a part of a super-segment and has no room for the rest of it.
        let mut pieces = Pieces::default();
        self.net.uncounted(|net| net.enter_tunnel(self.now, self.id, &packet, &mut pieces));
        for piece in pieces.0 {
            self.net.enqueue(self.now, Queued::Frame(piece));
        }
    }
}

impl Net {
    /// The longest IPv6 packet that goes through a tunnel, and whether the IPv4 packets around it
    /// may tell routers not to cut them: a path that carries less than IPv6 needs must cut (RFC
    /// 4213, section 3.2.2).
    pub(crate) fn tunnel_mtu(&self, tunnel: &Tunnel) -> (u16, bool) {
        let path = match tunnel.discover_mtu {
            true => self.path_mtu(tunnel.remote.into()),
            false => self.config.mtu,
        };
        let inner = path.saturating_sub(ipv4::HEADER_LEN as u16);
        let dont_fragment = tunnel.discover_mtu && inner >= TUNNEL_MTU_MIN;
        (tunnel.mtu.min(inner).max(TUNNEL_MTU_MIN), dont_fragment)
    }

    /// The longest IPv6 packet that comes out of a tunnel, whatever our way to its other end carries.
    pub(crate) fn tunnel_link_mtu(&self, tunnel: &Tunnel) -> u16 {
        let inner = self.config.mtu.saturating_sub(ipv4::HEADER_LEN as u16);
        tunnel.mtu.min(inner).max(TUNNEL_MTU_MIN)
    }

    /// Sends a packet, whose headers begin with the IPv6 header, through a tunnel. No device cuts a
    /// super-segment in a tunnel or finds the checksum behind two IP headers: both is done here.
    pub(super) fn encapsulate(
        &mut self,
        now: Instant,
        id: TunnelId,
        headers: &Headers,
        rest: &FrameRest<'_>,
        out: &mut dyn TxSink,
    ) {
        let packet = rest.frame(headers);
        if packet.gso.is_none() && packet.checksum == TxChecksum::Complete {
            return self.enter_tunnel(now, id, &packet, out);
        }
        Segmenter::new(&mut Mouth { net: self, now, id, out }).transmit(packet);
    }

    fn enter_tunnel(
        &mut self,
        now: Instant,
        id: TunnelId,
        packet: &TxFrame<'_>,
        out: &mut dyn TxSink,
    ) {
        let Some(tunnel) = self.tunnels.get(id).map(|entry| entry.tunnel) else {
            return self.drop_out(now, DropReason::NoRoute);
        };
        let (mtu, dont_fragment) = self.tunnel_mtu(&tunnel);
        let length = packet.len();
        if length > usize::from(mtu) {
            return self.too_big_for_tunnel(now, id, packet, mtu);
        }
        if let Some(counters) = self.tunnels.counters(id) {
            counters.packets_out += 1;
            counters.bytes_out += length as u64;
        }
        // The DSCP of the inside is not shown (RFC 4213, section 3.5); its ECN is (RFC 6040, 4.1).
        let ecn = packet.header.get(1).map_or(0, |byte| byte >> 4 & 3);
        let (source, destination) = (tunnel.local.into(), tunnel.remote.into());
        let ttl = tunnel.ttl.unwrap_or(self.config.hop_limit);
        let outer = Outgoing {
            traffic_class: if tunnel.ecn { ecn } else { 0 },
            dont_fragment,
            ..Outgoing::new(source, destination, IpProtocol::IPV6, ttl)
        };
        let (header, payload) = (packet.header, packet.payload);
        let inner = Transport { header, payload, partial_checksum: None, gso: None };
        self.send(now, &outer, &inner, out);
    }

    /// Tells the sender of a packet, which is one of our sockets, what the tunnel carries.
    fn too_big_for_tunnel(&mut self, now: Instant, id: TunnelId, packet: &TxFrame<'_>, mtu: u16) {
        self.drop_out(now, DropReason::TooLong);
        if let Some(counters) = self.tunnels.counters(id) {
            counters.too_big += 1;
        }
        let Ok(inner) = ipv6::Packet::parse_quoted(packet.header) else { return };
        let sender = inner.source();
        let mut quote = packet.header[..packet.header.len().min(QUOTE_BYTES_MAX)].to_vec();
        for piece in packet.payload {
            let room = QUOTE_BYTES_MAX - quote.len();
            quote.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        let mut body = icmpv6::Message::PacketTooBig { mtu: mtu.into() }.to_vec();
        let pseudo = PseudoHeader::V6 { source: sender, destination: sender };
        icmpv6::fill_checksum(&mut body, &pseudo, &[&quote], ChecksumIntent::Full);
        let length = (body.len() + quote.len()) as u16;
        let header = ipv6::Header::new(sender, sender, IpProtocol::ICMPV6, length);
        let mut error: Vec<u8> = header.to_vec();
        error.extend_from_slice(&body);
        error.extend_from_slice(&quote);
        self.push_loopback(now, error.into(), 0);
    }
}

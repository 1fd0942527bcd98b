//! IPv4 in (RFC 791, RFC 1122 section 3.2).

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::martian::{is_martian_v4, is_source_of_ours};
use super::{Inbound, Link};
use crate::interface::reassembly::{Key, Piece, Whole};
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::ipv4::Packet;

/// What a packet is.
enum Checked {
    Whole(Inbound),
    Fragment(Key, Piece, Inbound),
}

impl Stack {
    pub(super) fn ipv4_input(&mut self, now: Instant, packet: Bytes, link: Link) {
        match self.ipv4_checked(&packet, link) {
            Ok(Checked::Whole(inbound)) => self.deliver(now, inbound),
            Ok(Checked::Fragment(key, piece, inbound)) => {
                let Some(whole) = self.fragment_input(now, key, piece) else { return };
                let Whole { payload, packet, traffic_class, .. } = whole;
                self.deliver(now, Inbound { payload, packet, traffic_class, ..inbound });
            }
            Err(reason) => self.net.drop_in(now, reason),
        }
    }

    /// The packet when it is in order and for us.
    fn ipv4_checked(&self, bytes: &Bytes, link: Link) -> Result<Checked, DropReason> {
        let packet = Packet::parse(bytes).map_err(|_| DropReason::Malformed)?;
        if !link.loopback && !packet.checksum_is_valid() {
            return Err(DropReason::IpChecksum);
        }
        if packet.has_source_route() {
            return Err(DropReason::SourceRoute);
        }
        let (source, destination) = (packet.source(), packet.destination());
        let addresses = &self.net.addresses;
        if !link.loopback
            && (is_martian_v4(source, destination, addresses)
                || is_source_of_ours(source.into(), addresses))
        {
            return Err(DropReason::Martian);
        }
        let to_group = destination.is_multicast() || addresses.is_broadcast(destination);
        let ours = if destination.is_multicast() {
            self.net.hears(destination.into())
        } else {
            to_group || self.net.accepts(destination.into())
        };
        if !ours {
            return Err(DropReason::NotOurs);
        }
        let inbound = Inbound {
            source: IpAddr::V4(source),
            destination: IpAddr::V4(destination),
            protocol: packet.protocol(),
            protocol_at: 9,
            hop_limit: packet.ttl(),
            traffic_class: packet.traffic_class(),
            payload: bytes.slice_ref(packet.payload()),
            packet: bytes.slice_ref(packet.as_bytes()),
            to_group: to_group || link.to_group,
            loopback: link.loopback,
            meta: link.meta,
        };
        if !packet.is_fragment() {
            return Ok(Checked::Whole(inbound));
        }
        let key = Key {
            source: inbound.source,
            destination: inbound.destination,
            identification: u32::from(packet.identification()),
            protocol: packet.protocol().0,
        };
        let piece = Piece {
            offset: usize::from(packet.fragment_offset()),
            more: packet.more_fragments(),
            payload: inbound.payload.clone(),
            protocol: packet.protocol(),
            packet: inbound.packet.clone(),
            traffic_class: inbound.traffic_class,
        };
        Ok(Checked::Fragment(key, piece, inbound))
    }
}

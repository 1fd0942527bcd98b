//! IPv4 in (RFC 791, RFC 1122 section 3.2).

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::martian::{is_martian_v4, is_source_of_ours};
use super::{Body, Inbound, Link, without_padding};
use crate::interface::egress::ErrorKind;
use crate::interface::reassembly::{Key, Piece, Whole};
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::frame::RxMeta;
use crate::wire::IpProtocol;
use crate::wire::ipv4::{HEADER_LEN, Packet};

/// What matters of a header, once everything about it is in order.
struct Head {
    source: IpAddr,
    destination: IpAddr,
    protocol: IpProtocol,
    hop_limit: u8,
    traffic_class: u8,
    to_group: bool,
    header_len: usize,
    total_len: usize,
    fragment: Option<Fragment>,
}

struct Fragment {
    identification: u16,
    offset: u16,
    more: bool,
}

impl Stack {
    pub(super) fn ipv4_input(&mut self, now: Instant, mut packet: Bytes, link: Link) {
        let head = match self.ipv4_checked(&packet, link) {
            Ok(head) => head,
            Err(reason) => return self.net.drop_in(now, reason),
        };
        // What is behind is the link's padding. Not every kind of `Bytes` is cut for nothing.
        if packet.len() > head.total_len {
            packet = without_padding(packet, head.total_len);
        }
        let inbound = Inbound {
            source: head.source,
            destination: head.destination,
            protocol: head.protocol,
            protocol_at: 9,
            hop_limit: head.hop_limit,
            traffic_class: head.traffic_class,
            packet,
            body: Body::Behind(head.header_len),
            to_group: head.to_group || link.to_group,
            loopback: link.loopback,
            tunneled: false,
            fragmented: false,
            meta: link.meta,
        };
        // Nearly all packets have no options.
        if head.header_len > HEADER_LEN
            && let Some(at) = malformed_option(&inbound.packet)
        {
            self.net.drop_in(now, DropReason::Malformed);
            // None about a later fragment.
            if head.fragment.is_none_or(|fragment| fragment.offset == 0) {
                let error = ErrorKind::ParameterProblem { code: 0, at };
                self.net.send_error(now, &inbound, error);
            }
            return;
        }
        match head.fragment {
            None => self.deliver(now, inbound),
            Some(fragment) => self.ipv4_fragment(now, inbound, &fragment),
        }
    }

    /// The header when it is in order and the packet is for us.
    fn ipv4_checked(&self, bytes: &[u8], link: Link) -> Result<Head, DropReason> {
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
        // Most packets are for one address of ours, which settles everything else.
        let ours = addresses.is_local(destination.into());
        let to_group = !ours && (destination.is_multicast() || addresses.is_broadcast(destination));
        let ours = ours
            || if destination.is_multicast() {
                self.net.hears(destination.into())
            } else {
                to_group || self.net.accepts(destination.into())
            };
        if !ours {
            return Err(DropReason::NotOurs);
        }
        let fragment = packet.is_fragment().then(|| Fragment {
            identification: packet.identification(),
            offset: packet.fragment_offset(),
            more: packet.more_fragments(),
        });
        Ok(Head {
            source: source.into(),
            destination: destination.into(),
            protocol: packet.protocol(),
            hop_limit: packet.ttl(),
            traffic_class: packet.traffic_class(),
            to_group,
            header_len: packet.header_len(),
            total_len: packet.as_bytes().len(),
            fragment,
        })
    }

    fn ipv4_fragment(&mut self, now: Instant, inbound: Inbound, fragment: &Fragment) {
        // The datagram's length counts its header, too (RFC 791, section 3.1).
        if usize::from(fragment.offset) + inbound.packet.len() > usize::from(u16::MAX) {
            return self.net.drop_in(now, DropReason::FragmentBounds);
        }
        let key = Key {
            source: inbound.source,
            destination: inbound.destination,
            identification: u32::from(fragment.identification),
            protocol: inbound.protocol.0,
        };
        let piece = Piece {
            offset: usize::from(fragment.offset),
            more: fragment.more,
            payload: inbound.share(inbound.payload()),
            protocol: inbound.protocol,
            packet: inbound.packet.clone(),
            traffic_class: inbound.traffic_class,
        };
        let Some(whole) = self.fragment_input(now, key, piece) else { return };
        let Whole { payload, packet, traffic_class, .. } = whole;
        let body = Body::Apart(payload);
        // What the device says of the last fragment says nothing of the others.
        let meta = RxMeta::default();
        self.deliver(now, Inbound { body, packet, traffic_class, meta, ..inbound });
    }
}

/// Where an option begins whose length cannot be.
fn malformed_option(packet: &[u8]) -> Option<u32> {
    Packet::parse(packet).ok()?.malformed_option().map(|at| at as u32)
}

//! IPv4 in (RFC 791, RFC 1122 section 3.2).

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::martian::{is_martian_v4, is_source_of_ours};
use super::{Inbound, Link};
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::ipv4::Packet;

impl Stack {
    pub(super) fn ipv4_input(&mut self, now: Instant, packet: Bytes, link: Link) {
        match self.ipv4_checked(&packet, link) {
            Ok(Some(inbound)) => self.deliver(now, inbound),
            Ok(None) => {}
            Err(reason) => self.net.drop_in(now, reason),
        }
    }

    /// The packet when it is whole and for us.
    fn ipv4_checked(&self, bytes: &Bytes, link: Link) -> Result<Option<Inbound>, DropReason> {
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
        if !to_group && !self.net.accepts(destination.into()) {
            return Err(DropReason::NotOurs);
        }
        if packet.is_fragment() {
            return Err(DropReason::FragmentTimeout);
        }
        Ok(Some(Inbound {
            source: IpAddr::V4(source),
            destination: IpAddr::V4(destination),
            protocol: packet.protocol(),
            hop_limit: packet.ttl(),
            traffic_class: packet.traffic_class(),
            payload: bytes.slice_ref(packet.payload()),
            packet: bytes.slice_ref(packet.as_bytes()),
            to_group: to_group || link.to_group,
            loopback: link.loopback,
            meta: link.meta,
        }))
    }
}

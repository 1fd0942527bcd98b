//! IPv6 in (RFC 8200).

use core::net::IpAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::martian::{is_martian_v6, is_source_of_ours};
use super::{Inbound, Link};
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::ipv6::Packet;

impl Stack {
    pub(super) fn ipv6_input(&mut self, now: Instant, packet: Bytes, link: Link) {
        match self.ipv6_checked(&packet, link) {
            Ok(inbound) => self.deliver(now, inbound),
            Err(reason) => self.net.drop_in(now, reason),
        }
    }

    /// The packet when it is whole and for us.
    fn ipv6_checked(&self, bytes: &Bytes, link: Link) -> Result<Inbound, DropReason> {
        let packet = Packet::parse(bytes).map_err(|_| DropReason::Malformed)?;
        let (source, destination) = (packet.source(), packet.destination());
        let addresses = &self.net.addresses;
        if !link.loopback
            && (is_martian_v6(source, destination) || is_source_of_ours(source.into(), addresses))
        {
            return Err(DropReason::Martian);
        }
        let to_group = destination.is_multicast();
        if !to_group && !self.net.accepts(destination.into()) {
            return Err(DropReason::NotOurs);
        }
        Ok(Inbound {
            source: IpAddr::V6(source),
            destination: IpAddr::V6(destination),
            protocol: packet.next_header(),
            hop_limit: packet.hop_limit(),
            traffic_class: packet.traffic_class(),
            payload: bytes.slice_ref(packet.payload()),
            packet: bytes.slice_ref(packet.as_bytes()),
            to_group: to_group || link.to_group,
            loopback: link.loopback,
            meta: link.meta,
        })
    }
}

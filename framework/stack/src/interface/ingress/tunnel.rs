//! Out of a tunnel: the IPv6 packet in an IPv4 packet (RFC 4213, section 3.6), and errors about
//! packets that went in (section 3.4).

use core::net::{IpAddr, Ipv6Addr};

use fyke_clock::Instant;

use super::icmp::Report;
use super::{Inbound, Link};
use crate::interface::net::Path;
use crate::interface::tunnels::is_ipv4_compatible;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::ids::TunnelId;
use crate::wire::{Quoted, ipv6};

/// Through what a packet came that was in another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Through {
    pub(crate) id: TunnelId,
    /// What routers have marked on the outside.
    pub(crate) ecn: u8,
}

impl Stack {
    /// Whether a tunnel of ours ends where a packet was sent to.
    pub(super) fn ends_tunnel(&self, inbound: &Inbound) -> bool {
        let IpAddr::V4(local) = inbound.destination else { return false };
        !inbound.to_group && self.net.tunnels.ends_at(local)
    }

    /// An IPv4 packet that carries IPv6. What no tunnel of ours could have sent is no packet for
    /// us, and nobody is told (RFC 4213, section 3.6): the source may be forged.
    ///
    /// A tunnel in a tunnel there is none: what is inside and carries IPv6 again finds nobody who
    /// speaks that protocol.
    pub(super) fn tunnel_input(&mut self, now: Instant, outer: Inbound) {
        let (IpAddr::V4(local), IpAddr::V4(remote)) = (outer.destination, outer.source) else {
            return self.net.drop_in(now, DropReason::UnknownProtocol);
        };
        let Some(id) = self.net.tunnels.between(local, remote) else {
            return self.net.drop_in(now, DropReason::TunnelSource);
        };
        if let Err(reason) = self.inside_of_tunnel(id, outer.payload()) {
            if let Some(counters) = self.net.tunnels.counters(id) {
                counters.refused_in += 1;
            }
            return self.net.drop_in(now, reason);
        }
        if let Some(counters) = self.net.tunnels.counters(id) {
            counters.packets_in += 1;
            counters.bytes_in += outer.payload().len() as u64;
        }
        let through = Some(Through { id, ecn: outer.traffic_class & 3 });
        let (meta, loopback) = (outer.meta, outer.loopback);
        let link = Link { meta, to_group: false, loopback, reassembled: false, through };
        self.ipv6_input(now, outer.into_payload(0), link);
    }

    /// Whether what is inside may be there; what all IPv6 packets must be is looked at later.
    fn inside_of_tunnel(&self, id: TunnelId, bytes: &[u8]) -> Result<(), DropReason> {
        let packet = ipv6::Packet::parse(bytes).map_err(|_| DropReason::TunnelInner)?;
        let (source, destination) = (packet.source(), packet.destination());
        if is_ipv4_compatible(source) || is_ipv4_compatible(destination) {
            return Err(DropReason::Martian);
        }
        let strict = self.net.tunnels.get(id).is_some_and(|entry| entry.tunnel.strict_source);
        if strict && self.net.path(source.into()) != Some(Path::Tunnel(id)) {
            return Err(DropReason::TunnelInner);
        }
        // Groups are joined on the link alone.
        if destination.is_multicast() {
            return Err(DropReason::NotOurs);
        }
        Ok(())
    }

    /// Whether a link-local address is that of the way a packet came.
    pub(super) fn is_of_this_link(&self, address: Ipv6Addr, through: Option<Through>) -> bool {
        let Some(own) = self.net.addresses.get(address.into()) else { return true };
        match (own.tunnel, through) {
            (None, None) => true,
            // Tunnels that begin at the same address share it.
            (Some(_), Some(through)) => self
                .net
                .tunnels
                .get(through.id)
                .is_some_and(|entry| entry.tunnel.link_local() == address),
            _ => false,
        }
    }

    /// An error about a packet of a tunnel; says whether it was one. The path's MTU is learned, and
    /// who sent the inner packet is told as far as enough of that is quoted.
    pub(super) fn tunnel_error(
        &mut self,
        now: Instant,
        quoted: &Quoted<'_>,
        report: Report,
    ) -> bool {
        let (IpAddr::V4(local), IpAddr::V4(remote)) = (quoted.source, quoted.destination) else {
            return false;
        };
        let Some(id) = self.net.tunnels.between(local, remote) else { return false };
        if let Some(counters) = self.net.tunnels.counters(id) {
            counters.errors_in += 1;
        }
        let report = match report {
            Report::TooBig(mtu) => {
                self.net.lower_path_mtu(quoted.destination, mtu);
                let Some(entry) = self.net.tunnels.get(id) else { return true };
                let (mtu, dont_fragment) = self.net.tunnel_mtu(&entry.tunnel);
                // From now on routers cut it: the inner packet may be sent again as it was.
                if dont_fragment { Report::TooBig(mtu) } else { Report::Soft }
            }
            Report::Dead => Report::Dead,
            // What is wrong with the way through IPv4 says nothing about who is behind it.
            _ => Report::Soft,
        };
        if let Ok(inner) = Quoted::parse_v6(quoted.transport)
            && inner.source.is_ipv6()
            && !inner.is_later_fragment
            && self.net.accepts(inner.source)
        {
            self.transport_error(now, &inner, report);
        }
        true
    }
}

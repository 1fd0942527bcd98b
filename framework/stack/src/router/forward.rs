//! From a packet to the port and neighbour it goes to, or to what is said about it.
//!
//! Everything that may speak against a packet is looked at before it is changed: an error quotes
//! what its sender sent, and nothing is copied for that.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::packet::{Complaint, Packet, addresses, count_hop, fragments, has_hop};
use super::{DropReason, Router, RouterSink};
use crate::interface::addresses::is_link_local;
use crate::interface::ingress::martian::{is_martian_v4, is_martian_v6};
use crate::nat::{Change, Translation};
use crate::wire::{ipv4, ipv6};

impl Router {
    /// A packet that came in by a port; `to_group` when its frame went to several stations.
    pub(super) fn on_ip(
        &mut self,
        now: Instant,
        port: u16,
        mut packet: Packet,
        to_group: bool,
        out: &mut dyn RouterSink,
    ) {
        let (length, destination) = match self.checked(port, packet.ip()) {
            Ok(sound) => sound,
            Err(reason) => return self.drop_packet(port, reason, packet, out),
        };
        packet.truncate(length);
        let translated = self.translate_incoming(now, port, destination, packet.ip());
        let (change, destination) = match translated {
            None => (None, destination),
            Some(Translation::Own) => (self.pass_to_own(now, packet.ip()), destination),
            Some(Translation::Change(change)) => {
                (Some(change), change.destination().map_or(destination, IpAddr::V4))
            }
            // What nobody inside wants the box itself may want.
            Some(
                Translation::Refused(DropReason::NatNoMapping)
                | Translation::Answered(DropReason::NatNoMapping, _),
            ) if self.is_outside(port) && self.local.is_some() => {
                (self.pass_to_own(now, packet.ip()), destination)
            }
            Some(other) => return self.refuse(now, port, packet, other, out),
        };
        if self.is_own(destination) {
            match change {
                Some(change) => self.translate(&mut packet, change),
                // Inside addresses are no addresses outside, not even the router's.
                None if self.is_outside(port)
                    && destination.is_ipv4()
                    && !self.ports[usize::from(port)].has(destination) =>
                {
                    return self.drop_packet(port, DropReason::NatNoMapping, packet, out);
                }
                None => {}
            }
            return self.on_own(now, port, packet, out);
        }
        if self.stays_on_link(destination) {
            return self.on_group(now, port, packet, out);
        }
        let source = addresses(packet.ip()).map(|(source, _)| source);
        // What all stations got, all routers would forward (RFC 1812, section 5.3.4).
        if to_group || source.is_none_or(is_link_local) {
            return self.drop_packet(port, DropReason::NotForwarded, packet, out);
        }
        self.forward(now, port, packet, destination, change, out);
    }

    /// A packet that is for the box itself is not changed, nor is what follows it in fragments.
    fn pass_to_own(&mut self, now: Instant, packet: &[u8]) -> Option<Change> {
        let (nat, _) = self.nat.as_deref_mut()?;
        nat.pass(now, packet);
        None
    }

    /// The length and the destination of a packet whose header and addresses are in order.
    fn checked(&self, port: u16, bytes: &[u8]) -> Result<(usize, IpAddr), DropReason> {
        let own = &self.ports[usize::from(port)];
        if bytes.first().is_some_and(|first| first >> 4 == 6) {
            let packet = ipv6::Packet::parse(bytes).map_err(|_| DropReason::Malformed)?;
            let (source, destination) = (packet.source(), packet.destination());
            if is_martian_v6(source, destination) || self.is_forged(port, source.into()) {
                return Err(DropReason::Martian);
            }
            return Ok((packet.as_bytes().len(), destination.into()));
        }
        let packet = ipv4::Packet::parse(bytes).map_err(|_| DropReason::Malformed)?;
        if !packet.checksum_is_valid() {
            return Err(DropReason::Malformed);
        }
        if packet.has_source_route() {
            return Err(DropReason::SourceRoute);
        }
        let (source, destination) = (packet.source(), packet.destination());
        if is_martian_v4(source, destination, &own.addresses) || self.is_forged(port, source.into())
        {
            return Err(DropReason::Martian);
        }
        Ok((packet.as_bytes().len(), destination.into()))
    }

    /// Whether a packet that did not come from the box itself says that it did.
    fn is_forged(&self, port: u16, source: IpAddr) -> bool {
        !self.is_local(port) && self.is_own(source)
    }

    /// Whether packets for a destination stay where they are: groups, broadcasts of any network of
    /// ours (RFC 2644), link-local addresses.
    fn stays_on_link(&self, destination: IpAddr) -> bool {
        let broadcast = match destination {
            IpAddr::V4(v4) => self.ports.iter().any(|port| port.addresses.is_broadcast(v4)),
            IpAddr::V6(_) => false,
        };
        destination.is_multicast() || broadcast || is_link_local(destination)
    }

    fn is_outside(&self, port: u16) -> bool {
        self.nat.as_deref().is_some_and(|(_, outside)| *outside == port)
    }

    /// What a NAT box makes of a packet before it is routed.
    fn translate_incoming(
        &mut self,
        now: Instant,
        port: u16,
        destination: IpAddr,
        packet: &[u8],
    ) -> Option<Translation> {
        let local = self.is_local(port);
        let (nat, outside) = self.nat.as_deref_mut()?;
        if port == *outside && destination == IpAddr::V4(nat.outside()) {
            return Some(nat.incoming(now, packet));
        }
        (port != *outside && !local && nat.is_hairpin(destination))
            .then(|| nat.hairpin(now, packet))
    }

    /// What a NAT box makes of a packet whose way is known.
    fn translate_outgoing(
        &mut self,
        now: Instant,
        from: u16,
        to: u16,
        packet: &[u8],
    ) -> Option<Translation> {
        let local = self.is_local(from);
        let (nat, outside) = self.nat.as_deref_mut()?;
        let (IpAddr::V4(source), _) = addresses(packet)? else { return None };
        match (from == *outside, to == *outside) {
            // What nobody inside has asked for does not get there by an inside address either.
            (true, false) => Some(Translation::Refused(DropReason::NatNoMapping)),
            // The router's own stack may have the outside address.
            (false, true) if !(local && source == nat.outside()) => Some(nat.outgoing(now, packet)),
            _ => None,
        }
    }

    fn translate(&mut self, packet: &mut Packet, change: Change) {
        change.apply(packet.ip_mut());
        self.counters.translated += 1;
    }

    /// Sends a packet on.
    fn forward(
        &mut self,
        now: Instant,
        port: u16,
        mut packet: Packet,
        destination: IpAddr,
        mut change: Option<Change>,
        out: &mut dyn RouterSink,
    ) {
        // What the box itself sends has not passed a router yet.
        let local = self.is_local(port);
        if !local && !has_hop(packet.ip()) {
            self.complain(now, port, packet.ip(), Complaint::TimeExceeded, out);
            return self.drop_packet(port, DropReason::TimeExceeded, packet, out);
        }
        let Some(hop) = self.routes.lookup(destination).copied() else {
            self.complain(now, port, packet.ip(), Complaint::NoRoute, out);
            return self.drop_packet(port, DropReason::NoRoute, packet, out);
        };
        if change.is_none() {
            match self.translate_outgoing(now, port, hop.port, packet.ip()) {
                None => {}
                Some(Translation::Change(outgoing)) => change = Some(outgoing),
                Some(other) => return self.refuse(now, port, packet, other, out),
            }
        }
        let mtu = usize::from(self.ports[usize::from(hop.port)].mtu);
        let fits = packet.len() <= mtu;
        let may_cut = || ipv4::Packet::parse(packet.ip()).is_ok_and(|it| !it.dont_fragment());
        if !fits && !may_cut() {
            self.complain(now, port, packet.ip(), Complaint::TooBig { mtu }, out);
            return self.drop_packet(port, DropReason::FragmentationNeeded, packet, out);
        }
        if !local {
            count_hop(packet.ip_mut());
        }
        if let Some(change) = change {
            self.translate(&mut packet, change);
        }
        self.counters.forwarded += 1;
        let neighbor = hop.gateway.unwrap_or(destination);
        self.send_whole_or_cut(now, hop.port, neighbor, packet, out);
    }

    /// Sends a packet in one piece, or in as many as the port's MTU makes necessary.
    pub(super) fn send_whole_or_cut(
        &mut self,
        now: Instant,
        port: u16,
        neighbor: IpAddr,
        packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let mtu = usize::from(self.ports[usize::from(port)].mtu);
        if packet.len() <= mtu {
            return self.send_to(now, port, neighbor, packet, out);
        }
        let pieces = fragments(&packet, mtu);
        if pieces.is_empty() {
            return self.drop_packet(port, DropReason::FragmentationNeeded, packet, out);
        }
        for piece in pieces {
            self.counters.fragments_out += 1;
            self.send_to(now, port, neighbor, piece, out);
        }
    }

    /// A NAT box does not let a packet through, or not yet.
    fn refuse(
        &mut self,
        now: Instant,
        port: u16,
        packet: Packet,
        what: Translation,
        out: &mut dyn RouterSink,
    ) {
        let reason = match what {
            Translation::Refused(reason) => reason,
            Translation::Answered(reason, answer) => {
                let answer = Packet::own(&[&answer], self.mark);
                self.send_own(now, port, answer, out);
                reason
            }
            Translation::Wait => {
                let Some((nat, _)) = self.nat.as_deref_mut() else { return };
                if let Err(packet) = nat.hold(now, port, packet) {
                    self.drop_packet(port, DropReason::NatFragment, packet, out);
                }
                return;
            }
            Translation::Change(_) | Translation::Own => DropReason::NotForwarded,
        };
        self.drop_packet(port, reason, packet, out);
    }
}

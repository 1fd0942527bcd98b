//! The link header: Ethernet addresses by path, and packets that wait for one.

use core::net::IpAddr;

use fyke_clock::Instant;

use super::ip::Headers;
use super::queue::{Queued, Waiting};
use crate::interface::neighbor::{Ask, Effects, Lookup};
use crate::interface::net::{Net, Path};
use crate::interface::timer::Timer;
use crate::stack::config::Medium;
use crate::stack::counters::DropReason;
use crate::stack::frame::{TxChecksum, TxFrame, TxSink};
use crate::wire::ethernet::{EtherType, HEADER_LEN, Header};
use crate::wire::{Emit, MacAddress, arp};

/// Where a frame's link header gets its destination from.
pub(super) enum Target {
    Known(MacAddress),
    Wait(u32),
    Refused(DropReason),
}

impl Net {
    /// This station's address; none on a medium without.
    pub(crate) fn mac(&self) -> Option<MacAddress> {
        match self.config.medium {
            Medium::Ethernet(mac) => Some(mac),
            Medium::RawIp => None,
        }
    }

    /// Bytes in front of the IP header.
    pub(super) fn link_len(&self, path: Path) -> usize {
        match path {
            // The header of what is around a packet is made when it is inside.
            Path::Loopback | Path::Tunnel(_) => 0,
            _ if self.is_ethernet() => HEADER_LEN,
            _ => 0,
        }
    }

    /// Completes a frame whose link header is still blank, and sends it, or lets it wait for the
    /// link address of the next hop.
    pub(super) fn send_by(
        &mut self,
        now: Instant,
        path: Path,
        destination: IpAddr,
        headers: &mut Headers,
        rest: &FrameRest<'_>,
        out: &mut dyn TxSink,
    ) {
        if let Path::Tunnel(id) = path {
            return self.encapsulate(now, id, headers, rest, out);
        }
        let Some(source) = self.mac() else {
            return self.transmit(now, &rest.frame(headers), out);
        };
        let target = self.target(now, path, destination);
        let known = if let Target::Known(mac) = target { mac } else { MacAddress::UNSPECIFIED };
        let ipv4 = destination.is_ipv4();
        let ethertype = if ipv4 { EtherType::IPV4 } else { EtherType::IPV6 };
        let header = Header { destination: known, source, vlan: None, ethertype };
        header.emit(headers.link_mut());
        let frame = rest.frame(headers);
        match target {
            Target::Known(_) => self.transmit(now, &frame, out),
            Target::Wait(slot) => {
                if self.neighbors.park(slot, Waiting::copy(&frame)).is_some() {
                    self.drop_out(now, DropReason::NeighborQueueFull);
                }
            }
            Target::Refused(reason) => self.drop_out(now, reason),
        }
    }

    pub(super) fn target(&mut self, now: Instant, path: Path, destination: IpAddr) -> Target {
        match path {
            Path::Loopback | Path::Tunnel(_) => Target::Refused(DropReason::NoRoute),
            Path::Broadcast => Target::Known(MacAddress::BROADCAST),
            Path::Multicast => Target::Known(match destination {
                IpAddr::V4(group) => MacAddress::for_ipv4_multicast(group),
                IpAddr::V6(group) => MacAddress::for_ipv6_multicast(group),
            }),
            Path::Neighbor(next_hop) => {
                let (lookup, effects) = self.neighbors.lookup(now, next_hop);
                self.apply(now, effects);
                match lookup {
                    Lookup::Known(mac) => Target::Known(mac),
                    Lookup::Unknown(slot) => Target::Wait(slot),
                    Lookup::Failed => Target::Refused(DropReason::NeighborUnreachable),
                }
            }
        }
    }

    /// Does what a change in the neighbour table leads to.
    pub(crate) fn apply(&mut self, now: Instant, effects: Effects<Waiting>) {
        if let Some(alarm) = effects.alarm {
            let (index, generation) = (alarm.index, alarm.generation);
            if let Some(timer) = self.neighbors.timer_mut(index) {
                timer.arm(&mut self.wheel, Some(alarm.at), Timer::Neighbor { index, generation });
            }
        }
        if let Some(ask) = effects.ask {
            self.ask_neighbor(now, ask);
        }
        for mut timer in effects.dead {
            timer.cancel(&mut self.wheel);
        }
        if let Some(address) = effects.unreachable {
            self.router_is_unreachable(address);
        }
        for _ in effects.lost {
            self.drop_out(now, DropReason::NeighborUnreachable);
        }
        let Some((mac, ready)) = effects.ready else { return };
        for mut waiting in ready {
            if let Some(link) = waiting.header.get_mut(..6) {
                link.copy_from_slice(&mac.octets());
            }
            self.enqueue(now, Queued::Frame(waiting));
        }
    }

    /// A connection made progress with a peer: its next hop is alive.
    pub(super) fn vouch_for(&mut self, peer: IpAddr) {
        if self.is_ethernet()
            && let Some(Path::Neighbor(next_hop)) = self.path(peer)
        {
            self.neighbors.vouch(self.now, next_hop);
        }
    }

    /// A connection hears nothing from a peer: its next hop may be dead (RFC 9293, section 3.8.3,
    /// R1).
    pub(crate) fn doubt(&mut self, now: Instant, peer: IpAddr) {
        if self.is_ethernet()
            && let Some(Path::Neighbor(next_hop)) = self.path(peer)
        {
            let effects = self.neighbors.doubt(now, next_hop);
            self.apply(now, effects);
        }
    }

    fn ask_neighbor(&mut self, now: Instant, ask: Ask) {
        let Some(own) = self.mac() else { return };
        match (ask.address, self.addresses.source_for(ask.address)) {
            (IpAddr::V4(target), Some(IpAddr::V4(source))) => {
                let request = arp::Message::request(own, source, target);
                let to = ask.mac.unwrap_or(MacAddress::BROADCAST);
                self.enqueue(now, Queued::Arp(request, to));
            }
            (IpAddr::V6(target), Some(IpAddr::V6(source))) => {
                self.solicit(now, source, target, ask.mac.is_some());
            }
            _ => {}
        }
    }

    pub(super) fn send_arp(
        &mut self,
        now: Instant,
        message: &arp::Message,
        to: MacAddress,
        out: &mut dyn TxSink,
    ) {
        let Some(source) = self.mac() else { return };
        let header = Header { destination: to, source, vlan: None, ethertype: EtherType::ARP };
        let mut bytes = header.to_vec();
        let network_offset = bytes.len() as u16;
        message.append(&mut bytes);
        let frame = TxFrame {
            header: &bytes,
            payload: &[],
            network_offset,
            transport_offset: bytes.len() as u16,
            gso: None,
            checksum: TxChecksum::Complete,
        };
        self.transmit(now, &frame, out);
    }
}

/// What of a frame is not in its headers.
pub(super) struct FrameRest<'a> {
    pub(super) payload: &'a [&'a [u8]],
    pub(super) gso: Option<crate::stack::frame::Gso>,
    pub(super) checksum: TxChecksum,
}

impl<'a> FrameRest<'a> {
    pub(super) fn frame(&self, headers: &'a Headers) -> TxFrame<'a> {
        TxFrame {
            header: headers.as_slice(),
            payload: self.payload,
            network_offset: headers.network as u16,
            transport_offset: headers.transport as u16,
            gso: self.gso,
            checksum: self.checksum,
        }
    }
}

//! ARP (RFC 826) and neighbour discovery (RFC 4861), as far as a router's ports need them.

use core::net::{IpAddr, Ipv6Addr};

use fyke_clock::Instant;

use super::neighbors::Resolved;
use super::packet::{Packet, icmp_v6};
use super::{DropReason, PortKind, Router, RouterSink};
use crate::wire::ethernet::{EtherType, HEADER_LEN, Header};
use crate::wire::ndp::{self, NdpOption, solicited_node};
use crate::wire::{Emit, IpProtocol, MacAddress, PseudoHeader, arp, icmpv6, ipv6};

/// Neighbour discovery is for the link alone: what came over a router has less (RFC 4861, section
/// 7.1).
const HOP_LIMIT: u8 = 255;

impl Router {
    pub(super) fn on_arp(
        &mut self,
        now: Instant,
        port: u16,
        own_mac: MacAddress,
        message: &arp::Message,
        out: &mut dyn RouterSink,
    ) {
        let for_us = self.ports[usize::from(port)].has(message.target_ip.into());
        let claimed = self.ports[usize::from(port)].has(message.sender_ip.into());
        if !message.is_probe() && message.sender_mac.is_unicast() && !claimed {
            self.neighbor_is(now, port, message.sender_ip.into(), message.sender_mac, for_us, out);
        }
        if for_us && message.operation == arp::Operation::Request {
            let reply = message.reply_to(own_mac, message.target_ip).to_vec();
            let packet = Packet::own(&[&reply], self.mark);
            self.send_frame(port, EtherType::ARP, message.sender_mac, packet, out);
        }
    }

    /// Whether it was a message of neighbour discovery.
    pub(super) fn on_ndp(
        &mut self,
        now: Instant,
        port: u16,
        packet: &ipv6::Packet<'_>,
        out: &mut dyn RouterSink,
    ) -> bool {
        if packet.next_header() != IpProtocol::ICMPV6 {
            return false;
        }
        let Ok(icmp) = icmpv6::Packet::parse(packet.payload()) else { return false };
        let (source, destination) = (packet.source(), packet.destination());
        let addresses = PseudoHeader::V6 { source, destination };
        let valid = packet.hop_limit() == HOP_LIMIT && icmp.checksum_is_valid(&addresses);
        let Ok(message) = ndp::Packet::parse(&icmp) else { return false };
        let own = &self.ports[usize::from(port)];
        if !valid || own.mac().is_none() {
            return true;
        }
        let source_mac = message.options().find_map(|option| match option {
            NdpOption::SourceLinkLayer(mac) | NdpOption::TargetLinkLayer(mac) => Some(mac),
            _ => None,
        });
        let source_mac = source_mac.filter(|mac| mac.is_unicast());
        match (message.message, source_mac) {
            (ndp::Message::NeighborSolicitation { target }, mac) => {
                let for_us = own.has(target.into());
                if let Some(mac) = mac
                    && !source.is_unspecified()
                {
                    self.neighbor_is(now, port, source.into(), mac, for_us, out);
                }
                if for_us {
                    self.advertise(port, target, source, mac, out);
                }
            }
            (ndp::Message::NeighborAdvertisement { target, override_known, .. }, Some(mac))
                // The first of several that have the address is the nearest (RFC 4861, section 7.2.5).
                if override_known || own.neighbors.may_be(target.into(), mac) =>
            {
                self.neighbor_is(now, port, target.into(), mac, false, out);
            }
            _ => {}
        }
        true
    }

    fn advertise(
        &mut self,
        port: u16,
        target: Ipv6Addr,
        to: Ipv6Addr,
        mac: Option<MacAddress>,
        out: &mut dyn RouterSink,
    ) {
        let Some(own) = self.ports[usize::from(port)].mac() else { return };
        let asked_by_all = to.is_unspecified();
        let to = if asked_by_all { Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1) } else { to };
        let to_mac = match mac {
            Some(mac) if !asked_by_all => mac,
            _ => MacAddress::for_ipv6_multicast(to),
        };
        let message = ndp::Message::NeighborAdvertisement {
            target,
            router: true,
            solicited: !asked_by_all,
            override_known: true,
        };
        let mut head = message.to_vec();
        NdpOption::TargetLinkLayer(own).append(&mut head);
        let packet = Packet::own(&[&icmp_v6(target, to, HOP_LIMIT, &head, &[])], self.mark);
        self.send_frame(port, EtherType::IPV6, to_mac, packet, out);
    }

    /// Asks who has `address`.
    pub(super) fn ask(&mut self, port: u16, address: IpAddr, out: &mut dyn RouterSink) {
        let own = &self.ports[usize::from(port)];
        let (Some(source), Some(mac)) = (own.address_like(address), own.mac()) else { return };
        match (source, address) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let request = arp::Message::request(mac, source, target).to_vec();
                let packet = Packet::own(&[&request], self.mark);
                self.send_frame(port, EtherType::ARP, MacAddress::BROADCAST, packet, out);
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let group = solicited_node(target);
                let mut head = ndp::Message::NeighborSolicitation { target }.to_vec();
                NdpOption::SourceLinkLayer(mac).append(&mut head);
                let packet = icmp_v6(source, group, HOP_LIMIT, &head, &[]);
                let packet = Packet::own(&[&packet], self.mark);
                let to = MacAddress::for_ipv6_multicast(group);
                self.send_frame(port, EtherType::IPV6, to, packet, out);
            }
            _ => {}
        }
    }

    fn neighbor_is(
        &mut self,
        now: Instant,
        port: u16,
        address: IpAddr,
        mac: MacAddress,
        take_new: bool,
        out: &mut dyn RouterSink,
    ) {
        let own = &mut self.ports[usize::from(port)];
        let take_new = take_new && own.addresses.is_on_link(address);
        for waited in own.neighbors.learn(now, address, mac, take_new, &self.config) {
            self.send_frame(port, ethertype(&waited), mac, waited, out);
        }
    }

    /// Sends a packet to a neighbour, now or when its link address is known.
    pub(super) fn send_to(
        &mut self,
        now: Instant,
        port: u16,
        neighbor: IpAddr,
        packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let own = &mut self.ports[usize::from(port)];
        match own.kind {
            PortKind::RawIp => return self.send_bare(port, packet, out),
            PortKind::Tunnel(tunnel) => return self.send_tunneled(now, port, &tunnel, packet, out),
            PortKind::Ethernet(_) => {}
        }
        match own.neighbors.resolve(now, neighbor, packet, &self.config) {
            Resolved::To(mac, packet, ask) => {
                self.send_frame(port, ethertype(&packet), mac, packet, out);
                if ask {
                    self.ask(port, neighbor, out);
                }
            }
            Resolved::Waits { ask } => {
                if ask {
                    self.ask(port, neighbor, out);
                }
            }
            Resolved::Full(packet) => {
                self.drop_packet(port, DropReason::NeighborQueueFull, packet, out);
            }
        }
    }

    /// Sends what has its link header's addressee already.
    fn send_frame(
        &mut self,
        port: u16,
        ethertype: EtherType,
        destination: MacAddress,
        mut packet: Packet,
        out: &mut dyn RouterSink,
    ) {
        let Some(source) = self.ports[usize::from(port)].mac() else { return };
        let header = Header { destination, source, vlan: None, ethertype };
        header.emit(packet.grow_front(HEADER_LEN));
        self.send_bare(port, packet, out);
    }
}

fn ethertype(packet: &Packet) -> EtherType {
    match packet.ip().first().map(|byte| byte >> 4) {
        Some(6) => EtherType::IPV6,
        _ => EtherType::IPV4,
    }
}

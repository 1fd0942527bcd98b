//! ARP (RFC 826) and neighbour discovery (RFC 4861), as far as a router's ports need them.

use std::net::{IpAddr, Ipv6Addr};

use fyke_clock::Instant;
use fyke_stack::wire::ethernet::EtherType;
use fyke_stack::wire::ndp::{self, NdpOption};
use fyke_stack::wire::{Emit, MacAddress, arp, icmpv6, ipv6};

use super::packet::{framed, framed_as, icmp_v6};
use super::{RouterState, neighbors::Resolved};
use crate::drops::DropReason;
use crate::frame::Frame;
use crate::outputs::Outputs;

/// Neighbour discovery is for the link alone: what came over a router has less (RFC 4861, section
/// 7.1).
const HOP_LIMIT: u8 = 255;

impl RouterState {
    pub(super) fn on_arp(
        &mut self,
        now: Instant,
        port: u16,
        message: &arp::Message,
        out: &mut Outputs,
    ) {
        let own = &self.ports[usize::from(port)];
        let for_us = own.has(message.target_ip.into());
        let own_mac = own.mac;
        if !message.is_probe() && message.sender_mac.is_unicast() {
            self.neighbor_is(now, port, message.sender_ip.into(), message.sender_mac, for_us, out);
        }
        if for_us && message.operation == arp::Operation::Request {
            let reply = message.reply_to(own_mac, message.target_ip).to_vec();
            let bytes = framed_as(EtherType::ARP, message.sender_mac, own_mac, &reply);
            out.send(port, Frame::new(bytes, self.id));
        }
    }

    /// Whether it was a message of neighbour discovery.
    pub(super) fn on_ndp(
        &mut self,
        now: Instant,
        port: u16,
        packet: &ipv6::Packet<'_>,
        out: &mut Outputs,
    ) -> bool {
        let Ok(icmp) = icmpv6::Packet::parse(packet.payload()) else { return false };
        let addresses = fyke_stack::wire::PseudoHeader::V6 {
            source: packet.source(),
            destination: packet.destination(),
        };
        let valid = packet.hop_limit() == HOP_LIMIT && icmp.checksum_is_valid(&addresses);
        let Ok(message) = ndp::Packet::parse(&icmp) else { return false };
        if !valid {
            return true;
        }
        let source_mac = message.options().find_map(|option| match option {
            NdpOption::SourceLinkLayer(mac) | NdpOption::TargetLinkLayer(mac) => Some(mac),
            _ => None,
        });
        match (message.message, source_mac) {
            (ndp::Message::NeighborSolicitation { target }, mac) => {
                let for_us = self.ports[usize::from(port)].has(target.into());
                if let Some(mac) = mac
                    && !packet.source().is_unspecified()
                {
                    self.neighbor_is(now, port, packet.source().into(), mac, for_us, out);
                }
                if for_us {
                    self.advertise(port, target, packet.source(), mac, out);
                }
            }
            (ndp::Message::NeighborAdvertisement { target, .. }, Some(mac)) => {
                self.neighbor_is(now, port, target.into(), mac, false, out);
            }
            _ => {}
        }
        true
    }

    fn advertise(
        &self,
        port: u16,
        target: Ipv6Addr,
        to: Ipv6Addr,
        mac: Option<MacAddress>,
        out: &mut Outputs,
    ) {
        let own = self.ports[usize::from(port)].mac;
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
        let packet = icmp_v6(target, to, HOP_LIMIT, &head, &[]);
        out.send(port, Frame::new(framed(to_mac, own, &packet), self.id));
    }

    /// Asks who has `address`.
    pub(super) fn ask(&mut self, port: u16, address: IpAddr, out: &mut Outputs) {
        let own = &self.ports[usize::from(port)];
        let Some(source) = own.address_like(address) else { return };
        let bytes = match (source, address) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                let request = arp::Message::request(own.mac, source, target).to_vec();
                framed_as(EtherType::ARP, MacAddress::BROADCAST, own.mac, &request)
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let [.., a, b, c] = target.octets();
                let group = Ipv6Addr::new(
                    0xff02,
                    0,
                    0,
                    0,
                    0,
                    1,
                    0xff00 | u16::from(a),
                    u16::from_be_bytes([b, c]),
                );
                let mut head = ndp::Message::NeighborSolicitation { target }.to_vec();
                NdpOption::SourceLinkLayer(own.mac).append(&mut head);
                let packet = icmp_v6(source, group, HOP_LIMIT, &head, &[]);
                framed(MacAddress::for_ipv6_multicast(group), own.mac, &packet)
            }
            _ => return,
        };
        out.send(port, Frame::new(bytes, self.id));
    }

    fn neighbor_is(
        &mut self,
        now: Instant,
        port: u16,
        address: IpAddr,
        mac: MacAddress,
        take_new: bool,
        out: &mut Outputs,
    ) {
        let own = &mut self.ports[usize::from(port)];
        let from = own.mac;
        let on_link = own.addresses.iter().any(|network| network.contains(address));
        for waited in own.neighbors.learn(now, address, mac, take_new && on_link) {
            out.send(port, waited.with(framed(mac, from, &waited.bytes)));
        }
    }

    /// Sends a packet to a neighbour, now or when its link address is known.
    pub(super) fn send_to(
        &mut self,
        now: Instant,
        port: u16,
        neighbor: IpAddr,
        way: &Frame,
        packet: Vec<u8>,
        out: &mut Outputs,
    ) {
        let own = &mut self.ports[usize::from(port)];
        let from = own.mac;
        match own.neighbors.resolve(now, neighbor, way.with(packet)) {
            Resolved::To(mac, frame) => {
                out.send(port, frame.with(framed(mac, from, &frame.bytes)));
            }
            Resolved::Waits { ask } => {
                if ask {
                    self.ask(port, neighbor, out);
                }
            }
            Resolved::Full(frame) => {
                let packet = frame.bytes.to_vec();
                out.drop(DropReason::NeighborQueueFull, self.in_frame(port, &frame, &packet));
            }
        }
    }
}

//! Neighbour discovery (RFC 4861), and what it says about our own addresses (RFC 4862).
//!
//! Everything here has hop limit 255: no router passes that on, so it comes from the link.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use fyke_clock::Instant;

use super::Inbound;
use crate::interface::addresses::AddressState;
use crate::interface::autoconf::{ANSWERS_MAX, ANYCAST_DELAY, Answer};
use crate::interface::egress::{Datagram, Outgoing, Queued};
use crate::interface::net::{ALL_NODES, Net};
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::wire::ndp::{Message, NdpOption, Packet, solicited_node};
use crate::wire::{ChecksumIntent, Emit, IpProtocol, MacAddress, PseudoHeader, icmpv6};

/// The hop limit that proves that no router was between.
const HOP_LIMIT: u8 = 255;
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

impl Stack {
    pub(super) fn ndp_input(
        &mut self,
        now: Instant,
        inbound: &Inbound,
        packet: &icmpv6::Packet<'_>,
    ) {
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (inbound.source, inbound.destination)
        else {
            return;
        };
        // A switch that guards the link cannot look into fragments, and nobody needs them here
        // (RFC 6980, section 5).
        if inbound.fragmented {
            return self.net.drop_in(now, DropReason::NdInvalid);
        }
        let packet = Packet::parse(packet).ok();
        if inbound.tunneled {
            return self.neighbor_in_tunnel(now, inbound, packet.as_ref());
        }
        let Some(packet) = packet.filter(|_| {
            inbound.hop_limit == HOP_LIMIT && !inbound.loopback && self.net.mac().is_some()
        }) else {
            return self.net.drop_in(now, DropReason::NdInvalid);
        };
        let valid = match packet.message {
            Message::NeighborSolicitation { target } => {
                self.solicitation(now, source, destination, target, &packet)
            }
            Message::NeighborAdvertisement { target, router, solicited, override_known } => {
                let sound = !(target.is_multicast() || solicited && destination.is_multicast());
                if sound && !self.is_told_of_ours(now, target) {
                    let mac = target_link(&packet);
                    let told = Told { target, mac, router, solicited, override_known };
                    self.net.advertisement(now, told);
                }
                sound
            }
            Message::RouterAdvertisement(router) => {
                let sound = source.is_unicast_link_local();
                if sound {
                    self.router_advertisement(now, source, &router, &packet);
                }
                sound
            }
            // We are no router, and believe nobody who knows a better one.
            _ => return self.net.drop_in(now, DropReason::IcmpIgnored),
        };
        if !valid {
            self.net.drop_in(now, DropReason::NdInvalid);
        }
    }

    /// The other end of a tunnel asks whether we are there, which must be answered. There are no
    /// link addresses, and nothing else of neighbour discovery (RFC 4213, section 3.8).
    fn neighbor_in_tunnel(&mut self, now: Instant, inbound: &Inbound, packet: Option<&Packet<'_>>) {
        let asked = packet.filter(|_| inbound.hop_limit == HOP_LIMIT);
        match (asked.map(|packet| packet.message), inbound.source) {
            (Some(Message::NeighborSolicitation { target }), IpAddr::V6(source))
                if self.net.addresses.is_local(target.into()) =>
            {
                self.net.advertise_without_link(now, target, source);
            }
            _ => self.net.drop_in(now, DropReason::NdInvalid),
        }
    }

    /// Somebody asks for an address (RFC 4861, section 7.2.3; RFC 4862, section 5.4.3).
    fn solicitation(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        target: Ipv6Addr,
        packet: &Packet<'_>,
    ) -> bool {
        let link = source_link(packet);
        let probes = source.is_unspecified();
        if target.is_multicast()
            || (probes && (link.is_some() || destination != solicited_node(target)))
        {
            return false;
        }
        let asked_for = self.net.addresses.get(target.into());
        let anycast = asked_for.is_some_and(|own| own.anycast);
        match asked_for.filter(|own| own.tunnel.is_none()).map(|own| own.state) {
            // A question with a source is somebody's who looks for the address, not a rival's.
            Some(AddressState::Tentative) if probes => {
                self.address_is_duplicate(now, target.into());
            }
            Some(AddressState::Preferred | AddressState::Deprecated) => {
                if let Some(mac) = link {
                    let effects = self.net.neighbors.overheard(now, source.into(), mac, true);
                    self.net.apply(now, effects);
                }
                let to = if probes { ALL_NODES } else { source };
                if anycast {
                    self.net.advertise_later(now, Answer { target, to, solicited: !probes });
                } else {
                    self.net.advertise(now, target, to, !probes);
                }
            }
            _ => {}
        }
        true
    }

    /// Whether somebody tells an address that is ours, or that we want.
    fn is_told_of_ours(&mut self, now: Instant, target: Ipv6Addr) -> bool {
        let told = self.net.addresses.get(target.into()).filter(|own| own.tunnel.is_none());
        let Some(own) = told else { return false };
        match own.state {
            AddressState::Tentative => self.address_is_duplicate(now, target.into()),
            // Others have it, too: that is what it is for (RFC 4862, section 5.4).
            _ if own.anycast => {}
            _ => self.defend_address(now, target.into()),
        }
        true
    }
}

/// What an advertisement says of its sender.
struct Told {
    target: Ipv6Addr,
    mac: Option<MacAddress>,
    router: bool,
    solicited: bool,
    override_known: bool,
}

fn source_link(packet: &Packet<'_>) -> Option<MacAddress> {
    packet.options().find_map(|option| match option {
        NdpOption::SourceLinkLayer(mac) => Some(mac).filter(|mac| mac.is_unicast()),
        _ => None,
    })
}

fn target_link(packet: &Packet<'_>) -> Option<MacAddress> {
    packet.options().find_map(|option| match option {
        NdpOption::TargetLinkLayer(mac) => Some(mac).filter(|mac| mac.is_unicast()),
        _ => None,
    })
}

impl Net {
    /// A neighbour tells its address (RFC 4861, section 7.2.5).
    fn advertisement(&mut self, now: Instant, told: Told) {
        let neighbor = IpAddr::V6(told.target);
        let known = self.neighbors.mac_of(neighbor);
        // Who was asked alone need not say what the question went to (section 4.4).
        let Some(mac) = told.mac.or(known) else { return };
        if !told.override_known && known.is_some_and(|known| known != mac) {
            // The first of several that have the address is the nearest.
            return self.neighbors.contradicted(neighbor);
        }
        let effects = if told.solicited {
            self.neighbors.answered(now, neighbor, mac)
        } else {
            self.neighbors.overheard(now, neighbor, mac, false)
        };
        self.apply(now, effects);
        // Somebody who was a router and is one no more.
        if !told.router && self.neighbors.mac_of(neighbor) == Some(mac) {
            self.is_no_router(told.target);
        }
    }

    /// Asks who has an address: everybody, or the neighbour that is believed to have it.
    pub(crate) fn solicit(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        target: Ipv6Addr,
        unicast: bool,
    ) {
        let to = if unicast { target } else { solicited_node(target) };
        let mac = self.mac().filter(|_| !source.is_unspecified());
        let option = mac.map(NdpOption::SourceLinkLayer);
        self.send_ndp(now, source, to, &Message::NeighborSolicitation { target }, option);
    }

    /// Tells that an address is ours.
    pub(crate) fn advertise(
        &mut self,
        now: Instant,
        target: Ipv6Addr,
        to: Ipv6Addr,
        solicited: bool,
    ) {
        if !self.is_first() {
            return;
        }
        // Whoever knows somebody with an anycast address keeps to that one (RFC 4861, section 7.2.7).
        let override_known = !self.addresses.is_anycast(target.into());
        let router = self.config.is_router;
        let message = Message::NeighborAdvertisement { target, router, solicited, override_known };
        let option = self.mac().map(NdpOption::TargetLinkLayer);
        self.send_ndp(now, target, to, &message, option);
    }

    /// Tells that an anycast address is ours, too, but not at the same time as all others that have
    /// it (RFC 4861, section 7.2.7).
    fn advertise_later(&mut self, now: Instant, answer: Answer) {
        let answers = &self.autoconf.answers;
        let waits = answers.iter().any(|(_, waiting)| *waiting == answer);
        if waits || answers.len() >= ANSWERS_MAX {
            return;
        }
        let micros = ANYCAST_DELAY.as_micros() as u32;
        let delay = Duration::from_micros(self.secrets.draw_below(micros).into());
        self.autoconf.answers.push((now + delay, answer));
        self.arm_autoconf();
    }

    /// Answers the other end of a tunnel.
    fn advertise_without_link(&mut self, now: Instant, target: Ipv6Addr, to: Ipv6Addr) {
        if !self.is_first() {
            return;
        }
        let (router, solicited, override_known) = (self.config.is_router, true, true);
        let message = Message::NeighborAdvertisement { target, router, solicited, override_known };
        self.send_ndp(now, target, to, &message, None);
    }

    /// Asks for routers.
    pub(crate) fn solicit_routers(&mut self, now: Instant) {
        if !self.is_first() {
            return;
        }
        let source = self.addresses.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
        let mac = self.mac().filter(|_| !source.is_unspecified());
        let option = mac.map(NdpOption::SourceLinkLayer);
        self.send_ndp(now, source, ALL_ROUTERS, &Message::RouterSolicitation, option);
    }

    fn send_ndp(
        &mut self,
        now: Instant,
        source: Ipv6Addr,
        to: Ipv6Addr,
        message: &Message,
        option: Option<NdpOption<'_>>,
    ) {
        let mut body: Vec<u8> = message.to_vec();
        if let Some(option) = option {
            option.append(&mut body);
        }
        let pseudo = PseudoHeader::V6 { source, destination: to };
        icmpv6::fill_checksum(&mut body, &pseudo, &[], ChecksumIntent::Full);
        let packet = Outgoing::new(source.into(), to.into(), IpProtocol::ICMPV6, HOP_LIMIT);
        self.counters.icmp_out += 1;
        self.enqueue(now, Queued::Datagram(Datagram { packet, body: body.into() }));
    }
}

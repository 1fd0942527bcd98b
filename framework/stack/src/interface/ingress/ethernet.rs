//! Ethernet in, and ARP behind it (RFC 826, RFC 5227).

use core::net::IpAddr;

use bytes::{Buf, Bytes};
use fyke_clock::Instant;

use super::Link;
use crate::interface::addresses::AddressState;
use crate::interface::egress::Queued;
use crate::stack::Stack;
use crate::stack::counters::DropReason;
use crate::stack::frame::RxMeta;
use crate::wire::ethernet::{EtherType, Frame, FrameKind, HEADER_LEN};
use crate::wire::{MacAddress, arp};

impl Stack {
    pub(super) fn ethernet_input(
        &mut self,
        now: Instant,
        own: MacAddress,
        mut bytes: Bytes,
        meta: RxMeta,
    ) {
        let Ok(frame) = Frame::parse(&bytes) else {
            return self.net.drop_in(now, DropReason::Malformed);
        };
        let to = frame.destination();
        if to != own && !to.is_multicast() {
            return self.net.drop_in(now, DropReason::OtherStation);
        }
        if !frame.source().is_unicast() || frame.source() == own {
            return self.net.drop_in(now, DropReason::Malformed);
        }
        let link = Link { to_group: to.is_multicast(), ..Link::new(meta) };
        match frame.kind() {
            FrameKind::Length(_) => self.net.drop_in(now, DropReason::Ethernet8023),
            // A tagged frame is for a station in that VLAN, and we are in none.
            _ if frame.vlan().is_some() => self.net.drop_in(now, DropReason::UnknownEtherType),
            FrameKind::Type(EtherType::IPV4) => {
                bytes.advance(HEADER_LEN);
                self.ipv4_input(now, bytes, link);
            }
            FrameKind::Type(EtherType::IPV6) => {
                bytes.advance(HEADER_LEN);
                self.ipv6_input(now, bytes, link);
            }
            FrameKind::Type(EtherType::ARP) => self.arp_input(now, frame.payload()),
            FrameKind::Type(_) => self.net.drop_in(now, DropReason::UnknownEtherType),
        }
    }

    fn arp_input(&mut self, now: Instant, bytes: &[u8]) {
        let message = arp::Message::parse(bytes).ok().filter(|message| {
            let sender = message.sender_ip;
            let odd = sender.is_multicast() || sender.is_broadcast() || sender.is_loopback();
            message.sender_mac.is_unicast()
                && !odd
                && matches!(message.operation, arp::Operation::Request | arp::Operation::Reply)
        });
        let Some(message) = message else {
            return self.net.drop_in(now, DropReason::ArpIgnored);
        };
        self.net.counters.arp_in += 1;
        if self.arp_conflict(now, &message) {
            return;
        }
        let net = &mut self.net;
        let sender = IpAddr::V4(message.sender_ip);
        let asks = message.operation == arp::Operation::Request;
        let for_us = net.addresses.get(message.target_ip.into()).is_some_and(|own| {
            matches!(own.state, AddressState::Preferred | AddressState::Deprecated)
        });
        // A probe claims nothing, and there is nobody to remember (RFC 5227, section 1.1).
        if !message.sender_ip.is_unspecified() {
            let effects = if asks {
                let create = for_us && net.addresses.is_on_link(sender);
                net.neighbors.overheard(now, sender, message.sender_mac, create)
            } else if message.is_gratuitous() {
                net.neighbors.overheard(now, sender, message.sender_mac, false)
            } else {
                net.neighbors.answered(now, sender, message.sender_mac)
            };
            net.apply(now, effects);
        }
        if asks && (for_us || net.answers_for(message.target_ip.into(), sender)) {
            net.answer_arp(now, &message);
        } else if !for_us {
            net.drop_in(now, DropReason::ArpIgnored);
        }
    }

    /// Whether another station claims or wants an address of ours (RFC 5227, sections 2.1.1, 2.4).
    fn arp_conflict(&mut self, now: Instant, message: &arp::Message) -> bool {
        if Some(message.sender_mac) == self.net.mac() {
            return true;
        }
        let claimed = IpAddr::V4(message.sender_ip);
        let wanted = IpAddr::V4(message.target_ip);
        if let Some(own) = self.net.addresses.get(claimed) {
            match own.state {
                AddressState::Tentative => self.address_is_duplicate(now, claimed),
                AddressState::Duplicate => {}
                // Others may have it, too.
                _ if own.anycast => {}
                _ => self.defend_address(now, claimed),
            }
            return true;
        }
        let both = self.net.addresses.get(wanted).map(|own| own.state);
        if message.is_probe() && both == Some(AddressState::Tentative) {
            self.address_is_duplicate(now, wanted);
            return true;
        }
        false
    }
}

impl crate::interface::net::Net {
    /// Proxy ARP (RFC 1027): we route there, and not back to where the question came from.
    fn answers_for(&self, target: IpAddr, sender: IpAddr) -> bool {
        let through = self.routes.lookup(target).and_then(|route| route.gateway);
        self.config.proxy_arp && through.is_some_and(|gateway| gateway != sender)
    }

    fn answer_arp(&mut self, now: Instant, request: &arp::Message) {
        let Some(own) = self.mac().filter(|_| self.is_first()) else { return };
        let reply = request.reply_to(own, request.target_ip);
        self.enqueue(now, Queued::Arp(reply, request.sender_mac));
    }
}

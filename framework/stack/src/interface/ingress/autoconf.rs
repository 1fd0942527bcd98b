//! Own addresses: found free or taken, made from routers' prefixes, defended, forgotten (RFC 4862,
//! RFC 5227, RFC 7217).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use fyke_clock::Instant;

use crate::interface::addresses::{AddressState, OwnAddress};
use crate::interface::autoconf::{
    ANNOUNCE_INTERVAL, DEFEND_INTERVAL, Lifetime, PROBE_INTERVAL, Probe,
    ROUTER_SOLICITATION_INTERVAL, ROUTER_SOLICITATIONS, after_seconds,
};
use crate::interface::cidr::Cidr;
use crate::interface::egress::Queued;
use crate::interface::net::{ALL_NODES, Net};
use crate::interface::timer::Timer;
use crate::interface::tuple::octets;
use crate::stack::Stack;
use crate::stack::event::Event;
use crate::wire::ndp::{NdpOption, Packet, PrefixInformation, RouterAdvertisement};
use crate::wire::{MacAddress, arp};

/// A forged advertisement cannot cut the life of an address below this (RFC 4862, 5.5.3 e).
const VALID_LEFT_MIN: Duration = Duration::from_secs(7200);
/// A forged advertisement cannot keep our packets from getting far (CVE-2015-2922): no router of the
/// Internet asks for less. Zero says nothing.
const HOP_LIMIT_MIN: u8 = 32;
/// The longest wait before the first question about an address (RFC 4861, section 10).
const DELAY_MS_MAX: u32 = 1000;
/// Prefixes from which addresses can be made: 64 bits, and 64 for the interface.
const AUTONOMOUS_PREFIX: u8 = 64;

impl Stack {
    /// Begins to use an address: at once, or when nobody else turned out to have it.
    pub(crate) fn begin_address(&mut self, now: Instant, cidr: Cidr) {
        let address = cidr.address();
        let probes = match address {
            _ if self.net.mac().is_none() || address.is_loopback() => 0,
            IpAddr::V4(_) => self.net.config.arp_probes,
            IpAddr::V6(_) => self.net.config.duplicate_address_probes,
        };
        let state = if probes > 0 { AddressState::Tentative } else { AddressState::Preferred };
        self.net.addresses.insert(OwnAddress::new(cidr, state));
        if probes == 0 {
            self.net.listen_for(now, address);
            return self.net.claim(now, address);
        }
        // Hosts that are switched on together must not ask together (RFC 4862, section 5.4.2).
        // Stacks that are one host leave the asking to the first, and none is ready before it is.
        let chance = u64::from(self.net.secrets.draw_below(DELAY_MS_MAX));
        let chance = if self.net.is_first() { chance } else { u64::from(DELAY_MS_MAX) };
        let delay = Duration::from_millis(chance);
        self.net.autoconf.probes.push(Probe { address, left: probes, at: now + delay });
        self.net.arm_autoconf();
    }

    /// Asks for routers, and makes the link-local address that this needs.
    pub(crate) fn begin_autoconf(&mut self, now: Instant) {
        let Some(mac) = self.net.mac() else { return };
        let prefix = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
        let address = self.net.opaque_address(prefix, mac);
        self.begin_address(now, Cidr::new(address.into(), AUTONOMOUS_PREFIX));
        let first = now + ROUTER_SOLICITATION_INTERVAL / 2;
        self.net.autoconf.solicitations = Some((ROUTER_SOLICITATIONS, first));
        self.net.arm_autoconf();
    }

    /// Somebody else has an address that we wanted.
    pub(crate) fn address_is_duplicate(&mut self, now: Instant, address: IpAddr) {
        if let Some(own) = self.net.addresses.get_mut(address) {
            let was = *own;
            (own.state, own.listens) = (AddressState::Duplicate, false);
            self.net.listen_no_more(now, &was);
        }
        self.net.autoconf.forget(address);
        self.events.push_once(Event::AddressConflict(address));
    }

    /// Somebody else claims an address that we have: tell it is ours, but not in a quarrel without
    /// end (RFC 5227, section 2.4 b).
    pub(crate) fn defend_address(&mut self, now: Instant, address: IpAddr) {
        self.events.push_once(Event::AddressConflict(address));
        let since = self.net.autoconf.defended.map(|at| now.saturating_duration_since(at));
        if since.is_none_or(|since| since >= DEFEND_INTERVAL) {
            self.net.autoconf.defended = Some(now);
            self.net.announce(now, address);
        }
    }

    pub(super) fn router_advertisement(
        &mut self,
        now: Instant,
        router: Ipv6Addr,
        advertisement: &RouterAdvertisement,
        packet: &Packet<'_>,
    ) {
        if !self.net.config.slaac {
            return;
        }
        // One that is no default router does not end the search for one (RFC 4861, section 6.3.7).
        if advertisement.lifetime_s > 0 {
            self.net.autoconf.solicitations = None;
        }
        let RouterAdvertisement { reachable_ms, retransmit_ms, .. } = *advertisement;
        self.net.neighbors.pace.learn(reachable_ms, retransmit_ms);
        if advertisement.hop_limit >= HOP_LIMIT_MIN {
            self.net.autoconf.hop_limit = Some(advertisement.hop_limit);
        }
        for option in packet.options() {
            match option {
                NdpOption::SourceLinkLayer(mac) if mac.is_unicast() => {
                    let effects = self.net.neighbors.overheard(now, router.into(), mac, true);
                    self.net.apply(now, effects);
                }
                NdpOption::Mtu(mtu) if self.net.learn_link_mtu(now, mtu) => self.narrow_paths(now),
                NdpOption::Prefix(prefix) => self.prefix(now, &prefix),
                _ => {}
            }
        }
        let until = after_seconds(now, u32::from(advertisement.lifetime_s));
        self.net.learn_router(router, until.filter(|_| advertisement.lifetime_s > 0));
        self.net.arm_autoconf();
    }

    /// The link carries less than before: connections whose segments would not leave learn it. All of
    /// them are asked, which a link can cause only as often as its MTU can fall, or rose.
    pub(crate) fn narrow_paths(&mut self, now: Instant) {
        let all: Vec<_> = self.tcp.sockets.iter().map(|(index, it)| (index, it.tuple)).collect();
        for (index, tuple) in all {
            let mss = self.mss(&tuple);
            let Some(socket) = self.tcp.sockets.at_mut(index) else { continue };
            socket.connection.set_link_mss(mss.receive);
            if socket.connection.path_mss() > mss.send {
                socket.connection.set_path_mss(now, mss.send);
                self.mark_dirty(index);
                self.settle(now, index);
            }
        }
    }

    fn prefix(&mut self, now: Instant, told: &PrefixInformation) {
        let link_local = told.prefix.is_unicast_link_local();
        let sound = told.prefix_len <= 128 && !link_local && !told.prefix.is_multicast();
        if !sound || told.preferred_lifetime_s > told.valid_lifetime_s {
            return;
        }
        // A prefix that is everything would take the place of the routers.
        if told.on_link && told.prefix_len > 0 {
            self.net.learn_prefix(now, told);
        }
        let Some(mac) = self.net.mac() else { return };
        if !told.autonomous || told.prefix_len != AUTONOMOUS_PREFIX {
            return;
        }
        let address = IpAddr::V6(self.net.opaque_address(told.prefix, mac));
        let preferred_until = after_seconds(now, told.preferred_lifetime_s);
        let mut valid_until = after_seconds(now, told.valid_lifetime_s);
        let lifetimes = &mut self.net.autoconf.lifetimes;
        if let Some(life) = lifetimes.iter_mut().find(|life| life.address == address) {
            let least = now + VALID_LEFT_MIN;
            // An end that there is none of is farther away than any.
            let left = life.valid_until.map_or(least, |old| old.min(least));
            valid_until = valid_until.map(|new| new.max(left));
            *life = Lifetime { address, preferred_until, valid_until };
            if preferred_until.is_none_or(|until| until > now)
                && let Some(own) = self.net.addresses.get_mut(address)
                && own.state == AddressState::Deprecated
            {
                own.state = AddressState::Preferred;
            }
            return;
        }
        let known = self.net.addresses.get(address).is_some();
        let full = self.net.addresses.len() >= self.net.config.limits.addresses_max;
        if told.valid_lifetime_s == 0 || known || full {
            return;
        }
        lifetimes.push(Lifetime { address, preferred_until, valid_until });
        self.begin_address(now, Cidr::new(address, AUTONOMOUS_PREFIX));
        if let Some(own) = self.net.addresses.get_mut(address) {
            own.of_prefix = true;
        }
    }

    pub(super) fn autoconf_timer(&mut self, now: Instant) {
        self.net.autoconf.timer.expired();
        while let Some(probe) = self.net.autoconf.take_probe(now) {
            if let Some(probe) = self.probe(now, probe) {
                self.net.autoconf.probes.push(probe);
            }
        }
        while let Some(again) = self.net.autoconf.take_announcement(now) {
            self.net.announce(now, again.into());
        }
        while let Some(answer) = self.net.autoconf.take_answer(now) {
            self.net.advertise(now, answer.target, answer.to, answer.solicited);
        }
        if let Some((left, at)) = self.net.autoconf.solicitations.filter(|(_, at)| *at <= now) {
            self.net.solicit_routers(now);
            let next = at + ROUTER_SOLICITATION_INTERVAL;
            self.net.autoconf.solicitations = (left > 1).then_some((left - 1, next));
        }
        self.net.expire_addresses(now);
        self.net.expire_routers(now);
        self.net.arm_autoconf();
    }

    /// One more question about an address, or the end of them: it is ours.
    fn probe(&mut self, now: Instant, probe: Probe) -> Option<Probe> {
        let address = probe.address;
        if probe.left == 0 {
            let own = self.net.addresses.get_mut(address)?;
            own.state = AddressState::Preferred;
            self.events.push_once(Event::AddressReady(address));
            self.net.report_from(now, address);
            self.net.claim(now, address);
            return None;
        }
        match (address, self.net.mac().filter(|_| self.net.is_first())) {
            (IpAddr::V6(target), Some(_)) => {
                // Not before: hosts that are switched on together must not report together, either
                // (RFC 4862, section 5.4.2).
                self.net.listen_for(now, address);
                self.net.solicit(now, Ipv6Addr::UNSPECIFIED, target, false);
            }
            (IpAddr::V4(target), Some(mac)) => {
                let question = arp::Message::request(mac, [0, 0, 0, 0].into(), target);
                self.net.enqueue(now, Queued::Arp(question, MacAddress::BROADCAST));
            }
            _ => {}
        }
        // RetransTimer (RFC 4862, section 5.1); for IPv4 within what RFC 5227 allows.
        let wait = self.net.neighbors.pace.request_interval(address);
        Some(Probe { left: probe.left - 1, at: now + wait, ..probe })
    }
}

impl Net {
    /// An address is ours from now on. One of IPv4 is announced twice, for caches that missed the
    /// first (RFC 5227, section 2.3).
    fn claim(&mut self, now: Instant, address: IpAddr) {
        self.announce(now, address);
        let link = self.mac().is_some() && self.is_first() && !address.is_loopback();
        if let IpAddr::V4(v4) = address
            && link
        {
            self.autoconf.announcements.retain(|(_, announced)| *announced != v4);
            self.autoconf.announcements.push((now + ANNOUNCE_INTERVAL, v4));
            self.arm_autoconf();
        }
    }

    /// Tells everybody on the link that an address is ours: a gratuitous ARP, an unsolicited
    /// advertisement.
    pub(crate) fn announce(&mut self, now: Instant, address: IpAddr) {
        let Some(mac) = self.mac().filter(|_| self.is_first()) else { return };
        match address {
            IpAddr::V4(v4) if !v4.is_loopback() => {
                let message = arp::Message::request(mac, v4, v4);
                self.enqueue(now, Queued::Arp(message, MacAddress::BROADCAST));
            }
            IpAddr::V6(v6) if !v6.is_loopback() => self.advertise(now, v6, ALL_NODES, false),
            _ => {}
        }
    }

    pub(crate) fn arm_autoconf(&mut self) {
        let deadline = self.autoconf.next_deadline();
        self.autoconf.timer.arm(&mut self.wheel, deadline, Timer::Autoconf);
    }

    /// An interface identifier that is stable in one network and tells nothing in others
    /// (RFC 7217).
    fn opaque_address(&self, prefix: Ipv6Addr, mac: MacAddress) -> Ipv6Addr {
        let mut bytes = [0; 14];
        bytes[..8].copy_from_slice(&prefix.octets()[..8]);
        bytes[8..].copy_from_slice(&mac.octets());
        let mut address = octets(prefix.into());
        address[8..].copy_from_slice(&self.secrets.address.hash(&bytes).to_be_bytes());
        address.into()
    }

    fn expire_addresses(&mut self, now: Instant) {
        let Self { autoconf, addresses, .. } = self;
        let mut gone = Vec::new();
        autoconf.lifetimes.retain_mut(|life| {
            if life.valid_until.is_some_and(|until| until <= now) {
                gone.extend(addresses.remove(life.address));
                return false;
            }
            if life.preferred_until.is_some_and(|until| until <= now) {
                life.preferred_until = None;
                match addresses.get_mut(life.address) {
                    // It is looked at again when it may be there.
                    Some(own) if own.state == AddressState::Tentative => {
                        life.preferred_until = Some(now + PROBE_INTERVAL);
                    }
                    Some(own) if own.state == AddressState::Preferred => {
                        own.state = AddressState::Deprecated;
                    }
                    _ => {}
                }
            }
            true
        });
        gone.iter().for_each(|own| self.listen_no_more(now, own));
    }
}

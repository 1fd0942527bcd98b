//! Routers of the link and what they say of it: default routes, prefixes, the MTU (RFC 4861, section
//! 6.3). What the application has set itself is not theirs to change.

use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use fyke_clock::Instant;

use crate::interface::autoconf::{
    LINK_MTU_RISES_MAX, PREFIXES_MAX, ROUTERS_MAX, Until, after_seconds,
};
use crate::interface::cidr::Cidr;
use crate::interface::net::Net;
use crate::interface::routes::Route;
use crate::wire::ipv6;
use crate::wire::ndp::PrefixInformation;

/// Where all go that no other route is for.
const DEFAULT: Cidr = Cidr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

impl Net {
    /// Takes the MTU that a router tells, within what IPv6 needs and the link carries (section 6.3.4);
    /// says whether it is less than before. It may fall no oftener than it rose, and that is bounded.
    pub(super) fn learn_link_mtu(&mut self, now: Instant, told: u32) -> bool {
        let before = self.config.mtu;
        let most = *self.autoconf.link_mtu_max.get_or_insert(before);
        let told = u16::try_from(told).ok();
        let sound = told.filter(|mtu| usize::from(*mtu) >= ipv6::MTU_MIN && *mtu <= most);
        let told = sound.unwrap_or(before);
        if told <= before || self.may_raise_link_mtu(now) {
            self.config.mtu = told;
        }
        self.config.mtu < before
    }

    fn may_raise_link_mtu(&mut self, now: Instant) -> bool {
        let (rises, since) = &mut self.autoconf.link_mtu_rises;
        if *rises == 0 || now.saturating_duration_since(*since) >= Duration::from_secs(60) {
            (*rises, *since) = (0, now);
        }
        *rises = rises.saturating_add(1);
        *rises <= LINK_MTU_RISES_MAX
    }

    pub(super) fn learn_prefix(&mut self, now: Instant, told: &PrefixInformation) {
        let network = Cidr::new(told.prefix.into(), told.prefix_len).network();
        let until = after_seconds(now, told.valid_lifetime_s);
        let prefixes = &mut self.autoconf.prefixes;
        let known = prefixes.iter().position(|prefix| prefix.value == network);
        match known {
            Some(at) => prefixes[at].until = until,
            None if told.valid_lifetime_s == 0 || prefixes.len() >= PREFIXES_MAX => return,
            None => prefixes.push(Until { value: network, until }),
        }
        self.set_told_route(Route::link(network));
    }

    /// Sets a route that a router told, unless the application has one to the same network.
    fn set_told_route(&mut self, route: Route) {
        if !self.autoconf.told_routes.contains(&route.network) {
            let full = self.routes.len() >= self.config.limits.routes_max;
            if full || self.routes.get(&route.network).is_some() {
                return;
            }
            self.autoconf.told_routes.push(route.network);
        }
        self.routes.insert(route);
    }

    fn remove_told_route(&mut self, network: &Cidr) {
        if self.autoconf.forget_told_route(network) {
            self.routes.remove(network);
        }
    }

    /// A router makes for us until then, or no more.
    pub(super) fn learn_router(&mut self, router: Ipv6Addr, until: Option<Instant>) {
        let routers = &mut self.autoconf.routers;
        let known = routers.iter().position(|known| known.value == router);
        match (known, until) {
            (Some(at), Some(_)) => routers[at].until = until,
            (Some(at), None) => {
                routers.remove(at);
            }
            (None, Some(_)) if routers.len() < ROUTERS_MAX => {
                routers.push(Until { value: router, until });
            }
            _ => {}
        }
        self.choose_router();
    }

    /// A neighbour says that it is no router.
    pub(super) fn is_no_router(&mut self, address: Ipv6Addr) {
        if self.autoconf.routers.iter().any(|router| router.value == address) {
            self.learn_router(address, None);
        }
    }

    /// A neighbour is not there any more. When it is a router that is used it is another's turn, and
    /// its own comes again after all others' (RFC 4861, section 6.3.6, 2).
    pub(crate) fn router_is_unreachable(&mut self, address: IpAddr) {
        let routers = &mut self.autoconf.routers;
        if let Some(at) = routers.iter().position(|router| IpAddr::V6(router.value) == address) {
            routers[at..].rotate_left(1);
            self.choose_router();
        }
    }

    /// Whether an address is one of several routers'.
    pub(crate) fn has_router_besides(&self, address: IpAddr) -> bool {
        let routers = &self.autoconf.routers;
        let known = routers.iter().any(|router| IpAddr::V6(router.value) == address);
        known && routers.len() > 1
    }

    /// The default route goes to the first router that is reachable, or probably (RFC 4861, section
    /// 6.3.6, 1), and stays with it; when none is known to be, to the first, which will be found out
    /// about by being used.
    fn choose_router(&mut self) {
        let Self { autoconf, neighbors, .. } = self;
        let there = |router: &Until<Ipv6Addr>| neighbors.is_probably_reachable(router.value.into());
        if let Some(best) = autoconf.routers.iter().position(there) {
            autoconf.routers[..=best].rotate_right(1);
        }
        match self.autoconf.routers.first() {
            Some(router) => self.set_told_route(Route::via(DEFAULT, router.value.into())),
            None => self.remove_told_route(&DEFAULT),
        }
    }

    pub(super) fn expire_routers(&mut self, now: Instant) {
        let over = |until: Option<Instant>| until.is_some_and(|until| until <= now);
        let before = self.autoconf.routers.len();
        self.autoconf.routers.retain(|router| !over(router.until));
        if self.autoconf.routers.len() != before {
            self.choose_router();
        }
        while let Some(at) = self.autoconf.prefixes.iter().position(|prefix| over(prefix.until)) {
            let gone = self.autoconf.prefixes.swap_remove(at);
            self.remove_told_route(&gone.value);
        }
    }
}

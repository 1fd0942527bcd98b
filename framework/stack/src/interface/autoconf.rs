//! What the interface finds out about its own addresses: whether somebody else has them, which
//! routers make for it, and for how long (RFC 4862, RFC 5227).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use fyke_clock::Instant;

use super::cidr::Cidr;
use super::timer::Lazy;

/// Routers that are remembered; the first of them is used.
pub(crate) const ROUTERS_MAX: usize = 8;
/// Prefixes of the link that are remembered.
pub(crate) const PREFIXES_MAX: usize = 32;
/// Time between solicitations for an own address (RetransTimer).
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Router solicitations, and the time between them (RFC 4861, section 10).
pub(crate) const ROUTER_SOLICITATIONS: u8 = 3;
pub(crate) const ROUTER_SOLICITATION_INTERVAL: Duration = Duration::from_secs(4);
/// An MTU that routers tell rises so often in a minute at most: all connections are asked when it falls.
pub(crate) const LINK_MTU_RISES_MAX: u8 = 8;

/// An address is defended at most so often (RFC 5227, section 1.1).
pub(crate) const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// Between the two announcements of an IPv4 address (ANNOUNCE_INTERVAL of RFC 5227, section 1.1).
pub(crate) const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(2);

/// The longest wait before an advertisement of an anycast address (MAX_ANYCAST_DELAY_TIME of RFC
/// 4861, section 10).
pub(crate) const ANYCAST_DELAY: Duration = Duration::from_secs(1);
/// Advertisements of anycast addresses that wait; who asks meanwhile asks again.
pub(crate) const ANSWERS_MAX: usize = 64;

/// An advertisement that waits for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) target: Ipv6Addr,
    pub(crate) to: Ipv6Addr,
    pub(crate) solicited: bool,
}

/// An address that is being asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probe {
    pub(crate) address: IpAddr,
    /// Questions that are left to ask.
    pub(crate) left: u8,
    pub(crate) at: Instant,
}

/// How long an address of a router's prefix may be used; `None` is for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    pub(crate) address: IpAddr,
    pub(crate) preferred_until: Option<Instant>,
    pub(crate) valid_until: Option<Instant>,
}

/// A router or a prefix, and until when; `None` is for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until<T> {
    pub(crate) value: T,
    pub(crate) until: Option<Instant>,
}

/// What is going on.
#[derive(Debug, Default)]
pub(crate) struct Autoconf {
    pub(crate) probes: Vec<Probe>,
    pub(crate) lifetimes: Vec<Lifetime>,
    pub(crate) routers: Vec<Until<Ipv6Addr>>,
    pub(crate) prefixes: Vec<Until<Cidr>>,
    /// Router solicitations that are left, and when the next one is due.
    pub(crate) solicitations: Option<(u8, Instant)>,
    pub(crate) defended: Option<Instant>,
    /// The networks of the routes that routers told; all others are the application's.
    pub(crate) told_routes: Vec<Cidr>,
    /// What the link carried before a router told its MTU.
    pub(crate) link_mtu_max: Option<u16>,
    /// How often routers raised the MTU in the minute that began then.
    pub(crate) link_mtu_rises: (u8, Instant),
    /// What a router wants as hop limit.
    pub(crate) hop_limit: Option<u8>,
    /// IPv4 addresses that are announced once more, and when.
    pub(crate) announcements: Vec<(Instant, Ipv4Addr)>,
    /// Advertisements of anycast addresses, and when they are due.
    pub(crate) answers: Vec<(Instant, Answer)>,
    pub(crate) timer: Lazy,
}

impl Autoconf {
    /// When something is to be done.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let probes = self.probes.iter().map(|probe| probe.at);
        let preferred = self.lifetimes.iter().filter_map(|life| life.preferred_until);
        let valid = self.lifetimes.iter().filter_map(|life| life.valid_until);
        let routers = self.routers.iter().filter_map(|router| router.until);
        let prefixes = self.prefixes.iter().filter_map(|prefix| prefix.until);
        let solicitation = self.solicitations.map(|(_, at)| at);
        let answers = self.answers.iter().map(|(at, _)| *at);
        let announcements = self.announcements.iter().map(|(at, _)| *at);
        let all = probes.chain(preferred).chain(valid).chain(routers).chain(prefixes);
        all.chain(solicitation).chain(announcements).chain(answers).min()
    }

    /// The probe whose time has come, taken out.
    pub(crate) fn take_probe(&mut self, now: Instant) -> Option<Probe> {
        let at = self.probes.iter().position(|probe| probe.at <= now)?;
        Some(self.probes.swap_remove(at))
    }

    /// The address whose second announcement's time has come, taken out.
    pub(crate) fn take_announcement(&mut self, now: Instant) -> Option<Ipv4Addr> {
        let at = self.announcements.iter().position(|(at, _)| *at <= now)?;
        Some(self.announcements.swap_remove(at).1)
    }

    /// The advertisement whose time has come, taken out.
    pub(crate) fn take_answer(&mut self, now: Instant) -> Option<Answer> {
        let at = self.answers.iter().position(|(at, _)| *at <= now)?;
        Some(self.answers.swap_remove(at).1)
    }

    /// The route to a network is a router's no more; says whether it was.
    pub(crate) fn forget_told_route(&mut self, network: &Cidr) -> bool {
        let at = self.told_routes.iter().position(|told| *told == network.network());
        at.map(|at| self.told_routes.swap_remove(at)).is_some()
    }

    /// Forgets an address that is asked about or has a lifetime.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        self.probes.retain(|probe| probe.address != address);
        self.lifetimes.retain(|life| life.address != address);
        self.announcements.retain(|(_, announced)| IpAddr::V4(*announced) != address);
        self.answers.retain(|(_, answer)| IpAddr::V6(answer.target) != address);
    }
}

/// The instant so many seconds from now; all ones are for ever.
pub(crate) fn after_seconds(now: Instant, seconds: u32) -> Option<Instant> {
    (seconds != u32::MAX).then(|| now + Duration::from_secs(u64::from(seconds)))
}

//! Mappings and sessions: who inside is which port outside, and who was written to through it.
//!
//! A mapping lives as long as one of its sessions does. Time-outs are lazy: a timer asks the
//! session when it was used last.

use alloc::collections::BTreeMap;
use core::hash::Hasher;
use core::net::Ipv4Addr;
use core::time::Duration;

use fyke_clock::{Instant, TimerKey, TimerWheel};
use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

use super::config::{NatConfig, NatFiltering, NatMapping};
use super::keys::{Endpoint, InsideKey, Keyed, OutsideKey, Protocol};
use super::ports::PortSet;
use crate::router::DropReason;
use crate::wire::tcp;

/// How far a TCP connection is, as far as a box in the middle sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Something that is no SYN came from inside, and something from outside.
    established: bool,
    answered: bool,
    /// FIN from inside, FIN from outside.
    finished: [bool; 2],
    /// The last that came from there was a RST. One that somebody made up does not last: the side it
    /// was said to be from goes on (RFC 7857, section 2.2; RFC 6146, section 3.5.2.2). What the other
    /// side still had under way says nothing.
    reset: [bool; 2],
}

impl Progress {
    fn note(&mut self, outgoing: bool, flags: u16) {
        if flags & tcp::SYN != 0 && flags & tcp::ACK == 0 && outgoing {
            // The pair of ports is used again.
            *self = Self::default();
        }
        self.answered |= !outgoing;
        self.established |= outgoing && self.answered && flags & tcp::SYN == 0;
        self.finished[usize::from(outgoing)] |= flags & tcp::FIN != 0;
        self.reset[usize::from(outgoing)] = flags & tcp::RST != 0;
    }

    fn is_transitory(&self) -> bool {
        !self.established || self.reset != [false; 2] || self.finished == [true, true]
    }
}

#[derive(Debug)]
struct Session {
    used: Instant,
    progress: Progress,
    timer: TimerKey,
}

type Timers = TimerWheel<(Protocol, u16, Endpoint)>;

impl Session {
    /// A packet of the session. How far the connection is decides how long it lives.
    fn note(
        &mut self,
        outgoing: bool,
        flags: u16,
        protocol: Protocol,
        config: &NatConfig,
        timers: &mut Timers,
    ) {
        let before = self.progress.is_transitory();
        self.progress.note(outgoing, flags);
        if self.progress.is_transitory() != before {
            let ends = self.used + Table::timeout(config, protocol, &self.progress);
            timers.reschedule(self.timer, ends);
        }
    }
}

#[derive(Debug)]
struct Mapping {
    inside: Endpoint,
    key: InsideKey,
    sessions: BTreeMap<Endpoint, Session>,
}

/// What one inside address has.
#[derive(Debug, Default)]
struct Share {
    mappings: usize,
    sessions: usize,
}

#[derive(Debug)]
pub(super) struct Table {
    pub(super) config: NatConfig,
    inside: HashMap<InsideKey, u16, Keyed>,
    outside: HashMap<OutsideKey, Mapping, Keyed>,
    hosts: HashMap<Ipv4Addr, Share, Keyed>,
    taken: [PortSet; 3],
    sessions: usize,
    timers: Timers,
    key: SipHasher13,
    drawn: u64,
}

impl Table {
    pub(super) fn new(config: NatConfig, key: SipHasher13, now: Instant) -> Self {
        Self {
            config,
            inside: HashMap::with_hasher(Keyed::new(key)),
            outside: HashMap::with_hasher(Keyed::new(key)),
            hosts: HashMap::with_hasher(Keyed::new(key)),
            taken: Default::default(),
            sessions: 0,
            timers: TimerWheel::new(now),
            key,
            drawn: 0,
        }
    }

    /// Pairs of endpoints that are remembered.
    pub(super) const fn len(&self) -> usize {
        self.sessions
    }

    /// Outside ports that are taken.
    pub(super) fn mappings(&self) -> usize {
        self.outside.len()
    }

    /// Changes how it behaves. What is mapped stays mapped, for as long as is said now.
    pub(super) fn set_config(&mut self, config: NatConfig) {
        self.config = config;
        for (OutsideKey(protocol, _), mapping) in &self.outside {
            for session in mapping.sessions.values() {
                let ends = session.used + Self::timeout(&self.config, *protocol, &session.progress);
                self.timers.reschedule(session.timer, ends);
            }
        }
    }

    /// Forgets everything, as a box does that is switched off and on.
    pub(super) fn clear(&mut self, now: Instant) {
        *self = Self::new(self.config.clone(), self.key, now);
    }

    fn timeout(config: &NatConfig, protocol: Protocol, progress: &Progress) -> Duration {
        match protocol {
            Protocol::Udp => config.udp_timeout,
            Protocol::Icmp => config.icmp_timeout,
            Protocol::Tcp if progress.is_transitory() => config.tcp_transitory_timeout,
            Protocol::Tcp => config.tcp_timeout,
        }
    }

    /// When the next session may have to end.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timers.next_deadline()
    }

    /// Ends what nobody has used for too long.
    pub(super) fn expire(&mut self, now: Instant) {
        while let Some((_, (protocol, port, peer))) = self.timers.poll(now) {
            let Some(mapping) = self.outside.get_mut(&OutsideKey(protocol, port)) else { continue };
            let Some(session) = mapping.sessions.get_mut(&peer) else { continue };
            let ends = session.used + Self::timeout(&self.config, protocol, &session.progress);
            if ends > now {
                session.timer = self.timers.schedule(ends, (protocol, port, peer));
            } else {
                self.remove(protocol, port, peer);
            }
        }
    }

    /// Whether the time of a session is over, though it waits for its timer: it had more time when
    /// that was set.
    fn is_over(now: Instant, config: &NatConfig, protocol: Protocol, session: &Session) -> bool {
        session.used + Self::timeout(config, protocol, &session.progress) <= now
    }

    fn remove(&mut self, protocol: Protocol, port: u16, peer: Endpoint) {
        let key = OutsideKey(protocol, port);
        let Some(mapping) = self.outside.get_mut(&key) else { return };
        let Some(session) = mapping.sessions.remove(&peer) else { return };
        let (host, over) = (mapping.inside.0, mapping.sessions.is_empty());
        self.timers.cancel(session.timer);
        self.sessions -= 1;
        if over && let Some(mapping) = self.outside.remove(&key) {
            self.inside.remove(&mapping.key);
            self.taken[protocol as usize].remove(port);
        }
        if let Some(share) = self.hosts.get_mut(&host) {
            share.sessions -= 1;
            share.mappings -= usize::from(over);
            if share.mappings == 0 {
                self.hosts.remove(&host);
            }
        }
    }

    /// Whether there is room for one more session of a host.
    fn room(&self, host: Ipv4Addr) -> Result<&Share, DropReason> {
        const NONE: &Share = &Share { mappings: 0, sessions: 0 };
        let share = self.hosts.get(&host).unwrap_or(NONE);
        if self.sessions >= self.config.sessions_max {
            return Err(DropReason::NatExhausted);
        }
        if share.sessions >= self.config.sessions_per_host_max {
            return Err(DropReason::NatHostLimit);
        }
        Ok(share)
    }

    /// The outside port for a packet from inside. `begins` allows a new session; `None` when it
    /// would need one and may not.
    pub(super) fn outgoing(
        &mut self,
        now: Instant,
        protocol: Protocol,
        inside: Endpoint,
        peer: Endpoint,
        flags: u16,
        begins: bool,
    ) -> Result<Option<u16>, DropReason> {
        let depends = self.config.mapping == NatMapping::AddressAndPortDependent;
        let key = InsideKey { protocol, inside, peer: depends.then_some(peer) };
        let mut port = self.inside.get(&key).copied();
        let known = port.and_then(|port| self.outside.get_mut(&OutsideKey(protocol, port)));
        if let Some(session) = known.and_then(|mapping| mapping.sessions.get_mut(&peer)) {
            if !Self::is_over(now, &self.config, protocol, session) {
                session.used = now;
                session.note(true, flags, protocol, &self.config, &mut self.timers);
                return Ok(port);
            }
            self.remove(protocol, port.unwrap_or_default(), peer);
            // The mapping may have gone with it.
            port = self.inside.get(&key).copied();
        }
        if !begins {
            return Ok(None);
        }
        let share = self.room(inside.0)?;
        let port = match port {
            Some(port) => port,
            None => {
                if share.mappings >= self.config.mappings_per_host_max {
                    return Err(DropReason::NatHostLimit);
                }
                let port = self.free_port(protocol, inside.1).ok_or(DropReason::NatExhausted)?;
                self.inside.insert(key, port);
                let mapping = Mapping { inside, key, sessions: BTreeMap::new() };
                self.outside.insert(OutsideKey(protocol, port), mapping);
                self.taken[protocol as usize].insert(port);
                self.hosts.entry(inside.0).or_default().mappings += 1;
                port
            }
        };
        self.begin(now, true, (protocol, port, peer), flags);
        Ok(Some(port))
    }

    /// A new session of a mapping that is there.
    fn begin(&mut self, now: Instant, outgoing: bool, key: (Protocol, u16, Endpoint), flags: u16) {
        let (protocol, port, peer) = key;
        let mut progress = Progress::default();
        progress.note(outgoing, flags);
        let ends = now + Self::timeout(&self.config, protocol, &progress);
        if let Some(mapping) = self.outside.get_mut(&OutsideKey(protocol, port)) {
            let timer = self.timers.schedule(ends, key);
            mapping.sessions.insert(peer, Session { used: now, progress, timer });
            self.sessions += 1;
            self.hosts.entry(mapping.inside.0).or_default().sessions += 1;
        }
    }

    /// The inside's own port when it is free (RFC 4787, section 4.2.1), or else a free one by chance
    /// (RFC 6056).
    fn free_port(&mut self, protocol: Protocol, wanted: u16) -> Option<u16> {
        let (ports, taken) = (&self.config.ports, &self.taken[protocol as usize]);
        if ports.contains(&wanted) && !taken.contains(wanted) {
            return Some(wanted);
        }
        self.drawn += 1;
        let mut hasher = self.key;
        hasher.write_u64(self.drawn);
        let span = (ports.len() as u64).max(1);
        let start = u64::from(*ports.start()) + hasher.finish() % span;
        taken.free(ports, start as u16)
    }

    /// The inside endpoint for a packet from outside.
    pub(super) fn incoming(
        &mut self,
        now: Instant,
        protocol: Protocol,
        port: u16,
        peer: Endpoint,
        flags: u16,
    ) -> Result<Endpoint, DropReason> {
        let (key, filtering) = (OutsideKey(protocol, port), self.config.filtering);
        let mut mapping = self.outside.get_mut(&key).ok_or(DropReason::NatNoMapping)?;
        let inside = mapping.inside;
        if let Some(session) = mapping.sessions.get_mut(&peer) {
            if !Self::is_over(now, &self.config, protocol, session) {
                if self.config.incoming_refreshes {
                    session.used = now;
                }
                session.note(false, flags, protocol, &self.config, &mut self.timers);
                return Ok(inside);
            }
            self.remove(protocol, port, peer);
            mapping = self.outside.get_mut(&key).ok_or(DropReason::NatNoMapping)?;
        }
        let passes = match filtering {
            NatFiltering::EndpointIndependent => true,
            NatFiltering::AddressDependent => {
                let of_address = (peer.0, 0)..=(peer.0, u16::MAX);
                mapping.sessions.range(of_address).next().is_some()
            }
            NatFiltering::AddressAndPortDependent => false,
        };
        if !passes {
            return Err(DropReason::NatFiltered);
        }
        // Somebody outside opens a connection to a port that lets everybody in: the answer is no SYN
        // that may begin one.
        if protocol == Protocol::Tcp && flags & (tcp::SYN | tcp::ACK) == tcp::SYN {
            self.room(inside.0)?;
            self.begin(now, false, (protocol, port, peer), flags);
        }
        Ok(inside)
    }

    /// The inside endpoint of a session that an ICMP error is about.
    pub(super) fn quoted(&self, protocol: Protocol, port: u16, peer: Endpoint) -> Option<Endpoint> {
        let mapping = self.outside.get(&OutsideKey(protocol, port))?;
        mapping.sessions.contains_key(&peer).then_some(mapping.inside)
    }

    /// The outside port of a session, to translate an ICMP error from inside.
    pub(super) fn port_of(
        &self,
        protocol: Protocol,
        inside: Endpoint,
        peer: Endpoint,
    ) -> Option<u16> {
        let depends = self.config.mapping == NatMapping::AddressAndPortDependent;
        let port =
            *self.inside.get(&InsideKey { protocol, inside, peer: depends.then_some(peer) })?;
        self.quoted(protocol, port, peer).map(|_| port)
    }
}

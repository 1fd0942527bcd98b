//! Fragments behind the first, which have no ports: they are translated as the first one was, and
//! wait for it when they come before it (RFC 4787, REQ-14). Bounded in number and in time.

use alloc::collections::{BTreeMap, VecDeque};
use core::net::Ipv4Addr;

use fyke_clock::Instant;

use super::config::NatConfig;
use crate::router::packet::Packet;
use crate::wire::ipv4;

/// What the fragments of a datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    identification: u16,
}

impl Key {
    pub(super) fn of(packet: &ipv4::Packet<'_>) -> Self {
        Self {
            source: packet.source(),
            destination: packet.destination(),
            protocol: packet.protocol().0,
            identification: packet.identification(),
        }
    }
}

/// The addresses that a datagram's fragments get.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Addresses {
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) destination: Option<Ipv4Addr>,
}

/// Fragments of one datagram that wait at most.
const HELD_EACH_MAX: usize = 16;

#[derive(Debug)]
struct Held {
    key: Key,
    expires: Instant,
    port: u16,
    packet: Packet,
}

#[derive(Debug, Default)]
pub(super) struct Fragments {
    ways: BTreeMap<Key, (Instant, Addresses)>,
    /// The keys of `ways`, the oldest first.
    order: VecDeque<Key>,
    held: VecDeque<Held>,
    /// Those whose first fragment has come.
    released: VecDeque<(u16, Packet)>,
}

impl Fragments {
    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.order.front()
            && self.ways.get(key).is_none_or(|(expires, _)| *expires <= now)
        {
            self.ways.remove(key);
            self.order.pop_front();
        }
    }

    /// The first fragment of a datagram was translated: the others are to be, too.
    pub(super) fn remember(&mut self, now: Instant, key: Key, to: Addresses, config: &NatConfig) {
        self.expire(now);
        if self.ways.insert(key, (now + config.fragment_timeout, to)).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > config.fragment_datagrams_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.ways.remove(&oldest);
        }
        for _ in 0..self.held.len() {
            match self.held.pop_front() {
                Some(held) if held.key == key => self.released.push_back((held.port, held.packet)),
                Some(held) => self.held.push_back(held),
                None => {}
            }
        }
    }

    /// How a later fragment is translated; `None` while nobody knows.
    pub(super) fn way(&mut self, now: Instant, key: Key) -> Option<Addresses> {
        self.expire(now);
        self.ways.get(&key).map(|(_, to)| *to)
    }

    /// Lets a fragment wait for the first of its datagram; gives it back when there is no room.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        port: u16,
        key: Key,
        packet: Packet,
        config: &NatConfig,
    ) -> Result<(), Packet> {
        let same = self.held.iter().filter(|held| held.key == key).count();
        if self.held.len() >= config.fragments_held_max || same >= HELD_EACH_MAX {
            return Err(packet);
        }
        let expires = now + config.fragment_timeout;
        self.held.push_back(Held { key, expires, port, packet });
        Ok(())
    }

    /// A fragment that has waited in vain.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<(u16, Packet)> {
        let over = self.held.iter().position(|held| held.expires <= now)?;
        self.held.remove(over).map(|held| (held.port, held.packet))
    }

    /// A fragment whose way is known now.
    pub(super) fn take_released(&mut self) -> Option<(u16, Packet)> {
        self.released.pop_front()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.held.iter().map(|held| held.expires).min()
    }

    /// Remembered datagrams, and fragments that wait.
    pub(super) fn usage(&self) -> (usize, usize) {
        (self.ways.len(), self.held.len() + self.released.len())
    }
}

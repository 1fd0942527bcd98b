//! Listeners: which address and port they are for, and what waits to be accepted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use fyke_clock::Instant;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::tuple::{FourTuple, octets};
use crate::stack::arena::Arena;
use crate::stack::ids::{ListenerId, TcpId};
use crate::tcp::{Config, Segment};

/// How long a connection by Fast Open that was reset counts as pending.
const FAST_RESET_COUNTS: Duration = Duration::from_secs(60);

/// How a listener behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenOptions {
    /// Established connections that wait to be accepted, at most; at least one.
    pub backlog: usize,
    /// The habits of its connections; those of the stack when `None`. When SYN-ACKs are sent again
    /// is the SYN cache's matter, which all listeners share: the stack's configuration says it.
    pub config: Option<Arc<Config>>,
    /// The traffic class (DSCP) of its connections' packets.
    pub traffic_class: u8,
    /// The TTL or hop limit of its connections' packets; that of the stack when `None`.
    pub hop_limit: Option<u8>,
    /// For `[::]`: take IPv6 connections only.
    pub ipv6_only: bool,
    /// A bare acknowledgement does not complete the handshake, data does.
    pub defer_accept: bool,
    /// Fast Open (RFC 7413): connections accepted with the data of their SYN whose handshake is not
    /// complete, at most; 0 grants none. Data of a SYN may come twice, so a program has to bear
    /// that before it asks for this.
    pub fast_open_pending_max: usize,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            backlog: 128,
            config: None,
            traffic_class: 0,
            hop_limit: None,
            ipv6_only: false,
            defer_accept: false,
            fast_open_pending_max: 0,
        }
    }
}

/// What the SYN cache keeps of a listener's id: 20 bits of index, 12 of generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ListenerTag(pub(crate) u32);

/// The indexes that fit into a tag.
pub(crate) const LISTENERS_MAX: usize = 1 << 20;

impl From<ListenerId> for ListenerTag {
    fn from(id: ListenerId) -> Self {
        Self(id.index & 0xf_ffff | id.generation << 20)
    }
}

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) local: SocketAddr,
    pub(crate) config: Arc<Config>,
    pub(crate) options: ListenOptions,
    /// Established, and not accepted yet.
    pub(crate) queue: VecDeque<TcpId>,
    /// Entries in the SYN cache.
    pub(crate) embryos: usize,
    /// An [`Event::Acceptable`](crate::Event::Acceptable) waits to be taken.
    pub(crate) queued: bool,
    /// Decides about each SYN, for any address.
    pub(crate) forwarder: bool,
    pub(crate) forward_queued: bool,
    /// SYNs to be decided about, oldest first.
    pub(crate) requests: VecDeque<ForwardRequest>,
    /// Connections by Fast Open whose handshake is not complete.
    pub(crate) fast_pending: usize,
    /// When such connections were reset lately: they count as pending for a while (RFC 7413,
    /// section 5.1), or resets with a forged source would be a way around the limit.
    pub(crate) fast_resets: VecDeque<Instant>,
}

/// A SYN that waits for a decision in forwarder mode. Dropping it ignores the SYN.
#[derive(Debug, Clone)]
pub struct ForwardRequest {
    pub(crate) tuple: FourTuple,
    pub(crate) syn: Segment,
}

impl ForwardRequest {
    /// The address and port the peer wants to reach: the connection's local end.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.tuple.local()
    }

    /// The peer.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.tuple.remote()
    }
}

/// What becomes of a SYN in forwarder mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardDecision {
    /// Open the connection; it comes by [`accept`](crate::Stack::accept).
    Accept,
    /// Answer with a reset.
    Reset,
    /// Say nothing.
    Ignore,
}

impl Listener {
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= self.options.backlog.max(1)
    }

    /// Whether one more connection by Fast Open may be pending.
    pub(crate) fn grants_fast_open(&mut self, now: Instant) -> bool {
        while self.fast_resets.front().is_some_and(|at| now >= *at + FAST_RESET_COUNTS) {
            self.fast_resets.pop_front();
        }
        self.fast_pending + self.fast_resets.len() < self.options.fast_open_pending_max
    }

    /// One of them is not pending any more.
    pub(crate) fn fast_open_ended(&mut self, now: Instant, reset: bool) {
        self.fast_pending = self.fast_pending.saturating_sub(1);
        if reset {
            self.fast_resets.push_back(now);
        }
    }
}

/// The listeners and how they are found.
pub(crate) struct Listeners {
    arena: Arena<Listener>,
    table: HashTable<u32>,
    key: SipHasher13,
    /// The one that decides about SYNs nobody listens for.
    forwarder: Option<ListenerId>,
}

impl Listeners {
    pub(crate) fn new(key: SipHasher13) -> Self {
        Self { arena: Arena::new(), table: HashTable::new(), key, forwarder: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.arena.len()
    }

    fn hash(key: &SipHasher13, address: &[u8; 16], port: u16) -> u64 {
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(address);
        bytes[16..].copy_from_slice(&port.to_be_bytes());
        key.hash(&bytes)
    }

    fn find(&self, address: IpAddr, port: u16) -> Option<u32> {
        let octets_wanted = octets(address);
        let hash = Self::hash(&self.key, &octets_wanted, port);
        let same = |index: &u32| {
            self.arena.at(*index).is_some_and(|listener| {
                listener.local.port() == port && octets(listener.local.ip()) == octets_wanted
            })
        };
        self.table.find(hash, same).copied()
    }

    /// Whether a listener would take connections of another: the same port, and the same address
    /// or any.
    pub(crate) fn conflicts(&self, local: SocketAddr) -> bool {
        self.find(local.ip(), local.port()).is_some()
    }

    pub(crate) fn insert(&mut self, listener: Listener) -> ListenerId {
        let (local, forwarder) = (listener.local, listener.forwarder);
        let id = ListenerId::new(self.arena.insert(listener));
        if forwarder {
            self.forwarder = Some(id);
            return id;
        }
        let hash = Self::hash(&self.key, &octets(local.ip()), local.port());
        let (arena, key) = (&self.arena, &self.key);
        self.table.insert_unique(hash, id.index, |index| {
            let local = arena.at(*index).map_or(local, |listener| listener.local);
            Self::hash(key, &octets(local.ip()), local.port())
        });
        id
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        let local = self.get(id)?.local;
        if self.forwarder == Some(id) {
            self.forwarder = None;
        } else {
            let hash = Self::hash(&self.key, &octets(local.ip()), local.port());
            if let Ok(entry) = self.table.find_entry(hash, |index| *index == id.index) {
                entry.remove();
            }
        }
        self.arena.remove(id.index)
    }

    pub(crate) fn get(&self, id: ListenerId) -> Option<&Listener> {
        self.arena.get(id.index, id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Listener> {
        self.arena.get_mut(id.index, id.generation)
    }

    /// The listener a tag stands for, when it is still there.
    pub(crate) fn by_tag(&self, tag: ListenerTag) -> Option<ListenerId> {
        let index = tag.0 & 0xf_ffff;
        let id = ListenerId::new((index, self.arena.generation(index)));
        (self.get(id).is_some() && ListenerTag::from(id) == tag).then_some(id)
    }

    /// The listener for a destination: one for just that address, then one for any address of the
    /// family, then one for any address at all.
    pub(crate) fn lookup(&self, local: SocketAddr) -> Option<ListenerId> {
        if self.table.is_empty() {
            return None;
        }
        let port = local.port();
        let any: IpAddr = match local.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let found = self.find(local.ip(), port).or_else(|| self.find(any, port));
        let dual = || {
            let index = self.find(Ipv6Addr::UNSPECIFIED.into(), port)?;
            let listener = self.arena.at(index)?;
            (local.is_ipv4() && !listener.options.ipv6_only).then_some(index)
        };
        let index = found.or_else(dual)?;
        Some(ListenerId::new((index, self.arena.generation(index))))
    }

    pub(crate) fn forwarder(&self) -> Option<ListenerId> {
        self.forwarder
    }

    /// All listeners; for introspection only.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        let id = |index| ListenerId::new((index, self.arena.generation(index)));
        self.arena.iter().map(move |(index, listener)| (id(index), listener))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(local: &str, ipv6_only: bool) -> Listener {
        Listener {
            local: local.parse().unwrap(),
            config: Arc::new(Config::default()),
            options: ListenOptions { ipv6_only, ..ListenOptions::default() },
            queue: VecDeque::new(),
            embryos: 0,
            queued: false,
            forwarder: false,
            forward_queued: false,
            requests: VecDeque::new(),
            fast_pending: 0,
            fast_resets: VecDeque::new(),
        }
    }

    #[test]
    fn the_narrowest_listener_wins() {
        let mut all = Listeners::new(SipHasher13::new_with_keys(1, 2));
        let exact = all.insert(listener("10.0.0.1:80", false));
        let any = all.insert(listener("0.0.0.0:80", false));
        let dual = all.insert(listener("[::]:81", false));
        let six = all.insert(listener("[::]:82", true));
        for (local, found) in [
            ("10.0.0.1:80", Some(exact)),
            ("10.0.0.2:80", Some(any)),
            ("[::1]:80", None),
            ("10.0.0.2:81", Some(dual)),
            ("[::1]:81", Some(dual)),
            ("10.0.0.2:82", None),
            ("[::1]:82", Some(six)),
        ] {
            assert_eq!(all.lookup(local.parse().unwrap()), found, "{local}");
        }
        assert_eq!(all.by_tag(exact.into()), Some(exact));
        assert!(all.remove(exact).is_some());
        assert_eq!(all.lookup("10.0.0.1:80".parse().unwrap()), Some(any));
        all.insert(listener("10.0.0.1:443", false));
        assert_eq!(all.by_tag(exact.into()), None, "the slot is another listener's now");
    }
}

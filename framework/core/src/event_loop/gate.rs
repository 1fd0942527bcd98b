//! Who may connect: decided when a connection is accepted, before it costs a channel.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fyke_clock::Instant;

use crate::address::Address;
use crate::event_loop::ip_rules::IpRules;
use crate::handlers::RateLimit;
use crate::transport::Incoming;

/// Of an IPv6 address so many bits are one peer: who has one address has as a rule the whole /64.
const PEER_PREFIX_V6: u32 = 64;

/// Decides who may connect: by address, by how many connections there are, in total and of one
/// peer, and by how fast new ones come. What is refused is closed at once; nobody waits. One gate may
/// stand before several servers, and counts their connections together.
///
/// An IPv6 peer is its /64. Peers without an IP address (Unix sockets) count in total only.
///
/// ```
/// use std::net::IpAddr;
/// use std::sync::Arc;
///
/// use fyke_clock::Instant;
/// use fyke_core::event_loop::{AcceptGate, IpRules};
/// use fyke_core::transport::Incoming;
///
/// let rules = IpRules::allow_all().deny("192.0.2.0/24".parse()?).allow("192.0.2.7/32".parse()?);
/// let gate = Arc::new(AcceptGate::new().rules(rules).connections_per_peer_max(1));
/// let connect = |from: &str| gate.admit(Incoming::new(()), &from.parse().unwrap(), Instant::ZERO);
/// assert!(connect("192.0.2.1:4000").is_err());
/// let admitted = connect("192.0.2.7:4000").expect("it is allowed");
/// assert!(connect("192.0.2.7:4001").is_err());
/// drop(admitted); // or the channel that it has become
/// assert!(connect("192.0.2.7:4002").is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct AcceptGate {
    rules: IpRules,
    connections_max: usize,
    connections_per_peer_max: u32,
    new_per_second: Option<RateLimit>,
    total: AtomicUsize,
    peers: Mutex<HashMap<IpAddr, u32>>,
    counters: GateCounters,
}

/// What a gate has counted.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct GateCounters {
    /// Connections that were let in.
    pub admitted: AtomicU64,
    /// Refused by the rules.
    pub refused_by_rule: AtomicU64,
    /// Refused as there were too many connections.
    pub refused_full: AtomicU64,
    /// Refused as their peer had too many.
    pub refused_peer: AtomicU64,
    /// Refused as too many came at once.
    pub refused_rate: AtomicU64,
}

/// Why a connection was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refused {
    /// By the rules.
    Rule,
    /// There are too many connections.
    Full,
    /// Its peer has too many.
    Peer,
    /// Too many come at once.
    Rate,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rule => "its address is not allowed",
            Self::Full => "there are too many connections",
            Self::Peer => "its peer has too many connections",
            Self::Rate => "too many connections come at once",
        })
    }
}

impl std::error::Error for Refused {}

impl Default for AcceptGate {
    fn default() -> Self {
        Self {
            rules: IpRules::allow_all(),
            connections_max: 100_000,
            connections_per_peer_max: 1_000,
            new_per_second: None,
            total: AtomicUsize::new(0),
            peers: Mutex::default(),
            counters: GateCounters::default(),
        }
    }
}

impl AcceptGate {
    /// Everybody may connect: 100 000 connections, 1000 of one peer, as fast as they come.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whose addresses are allowed (all).
    pub fn rules(mut self, rules: IpRules) -> Self {
        self.rules = rules;
        self
    }

    /// So many connections at once (100 000).
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// So many connections of one peer at once (1000).
    pub fn connections_per_peer_max(mut self, connections: u32) -> Self {
        self.connections_per_peer_max = connections;
        self
    }

    /// So many new connections a second, and `burst` at once after a rest. No limit by default.
    pub fn new_per_second(mut self, connections: u64, burst: u64) -> Self {
        self.new_per_second = Some(RateLimit::new(connections).burst(burst));
        self
    }

    /// What it has counted.
    #[must_use]
    pub fn counters(&self) -> &GateCounters {
        &self.counters
    }

    /// How many connections there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Lets a connection in, which counts until it (or the channel that it becomes) is gone.
    ///
    /// # Errors
    /// Why not; the connection is closed.
    pub fn admit(
        self: &Arc<Self>,
        incoming: Incoming,
        peer: &Address,
        now: Instant,
    ) -> Result<Incoming, Refused> {
        let counters = &self.counters;
        let (result, counter) = match self.enter(peer, now) {
            Ok(entered) => (Ok(incoming.guarded(entered)), &counters.admitted),
            Err(Refused::Rule) => (Err(Refused::Rule), &counters.refused_by_rule),
            Err(Refused::Full) => (Err(Refused::Full), &counters.refused_full),
            Err(Refused::Peer) => (Err(Refused::Peer), &counters.refused_peer),
            Err(Refused::Rate) => (Err(Refused::Rate), &counters.refused_rate),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Err(reason) = &result {
            tracing::debug!(%peer, %reason, "a connection was refused");
        }
        result
    }

    /// The cheapest question first; the rate last, so that who is refused for another reason takes
    /// nothing from it.
    fn enter(self: &Arc<Self>, peer: &Address, now: Instant) -> Result<Entered, Refused> {
        let ip = peer.as_inet().map(|inet| inet.ip().to_canonical());
        if ip.is_some_and(|ip| !self.rules.allows(ip)) {
            return Err(Refused::Rule);
        }
        let room = |total: usize| (total < self.connections_max).then_some(total + 1);
        if self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return Err(Refused::Full);
        }
        // From here on what is counted is given back when this is dropped.
        let mut entered = Entered { gate: Arc::clone(self), peer: None };
        if let Some(peer) = ip.map(peer_of) {
            let mut peers = self.peers();
            let connections = peers.entry(peer).or_default();
            if *connections >= self.connections_per_peer_max {
                if *connections == 0 {
                    peers.remove(&peer);
                }
                drop(peers);
                return Err(Refused::Peer);
            }
            *connections += 1;
            entered.peer = Some(peer);
        }
        match &self.new_per_second {
            Some(rate) if !rate.try_take(now, 1) => Err(Refused::Rate),
            _ => Ok(entered),
        }
    }

    fn peers(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn peer_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << PEER_PREFIX_V6)).into(),
    }
}

/// A connection that is counted, until this is dropped.
struct Entered {
    gate: Arc<AcceptGate>,
    peer: Option<IpAddr>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.gate.total.fetch_sub(1, Ordering::Relaxed);
        let Some(peer) = self.peer else { return };
        let mut peers = self.gate.peers();
        if let Some(connections) = peers.get_mut(&peer) {
            *connections -= 1;
            if *connections == 0 {
                peers.remove(&peer);
            }
        }
    }
}

impl fmt::Debug for AcceptGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptGate")
            .field("rules", &self.rules)
            .field("connections_max", &self.connections_max)
            .field("connections_per_peer_max", &self.connections_per_peer_max)
            .field("new_per_second", &self.new_per_second)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

//! The cookies of TCP Fast Open (RFC 7413): those we give to peers, and those peers gave us.
//!
//! A cookie of ours is a keyed hash of both addresses and of a period of hours: it proves that its
//! bearer receives at its address, and nothing is kept of it (section 4.1.2). What peers gave us is
//! kept for a limited number of them; the least recently used makes room.

use alloc::collections::BTreeMap;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;
use siphasher::sip::SipHasher24;

use super::tuple::{FourTuple, octets};
use crate::tcp::{FastOpen, FastOpenOutcome};

/// Bytes of a cookie of ours.
const COOKIE_BYTES: usize = 8;
/// A cookie is good for this period and the next.
const PERIOD_NANOS: u64 = 6 * 3_600 * 1_000_000_000;
/// How long a peer is left alone that would not, or whose path lets no such SYN through.
const REFUSED: Duration = Duration::from_secs(3600);

fn sealed(key: &SipHasher24, tuple: &FourTuple, period: u64) -> [u8; COOKIE_BYTES] {
    let mut bytes = [0; 40];
    bytes[..16].copy_from_slice(&octets(tuple.local().ip()));
    bytes[16..32].copy_from_slice(&octets(tuple.remote().ip()));
    bytes[32..].copy_from_slice(&period.to_le_bytes());
    key.hash(&bytes).to_be_bytes()
}

/// The cookie for a peer.
pub(crate) fn cookie(key: &SipHasher24, tuple: &FourTuple, now: Instant) -> Bytes {
    Bytes::copy_from_slice(&sealed(key, tuple, now.as_nanos() / PERIOD_NANOS))
}

/// Whether a cookie is one of ours, for this peer, and not too old.
pub(crate) fn is_ours(key: &SipHasher24, tuple: &FourTuple, cookie: &[u8], now: Instant) -> bool {
    let period = now.as_nanos() / PERIOD_NANOS;
    let same = |period| sealed(key, tuple, period) == *cookie;
    same(period) || (period > 0 && same(period - 1))
}

#[derive(Debug)]
struct Peer {
    known: FastOpen,
    refused_until: Option<Instant>,
    /// Its place in the order of use.
    used: u64,
}

/// What peers gave us.
#[derive(Debug)]
pub(crate) struct Peers {
    table: BTreeMap<IpAddr, Peer>,
    order: BTreeMap<u64, IpAddr>,
    clock: u64,
    most: usize,
}

impl Peers {
    pub(crate) fn new(most: usize) -> Self {
        Self { table: BTreeMap::new(), order: BTreeMap::new(), clock: 0, most: most.max(1) }
    }

    /// What to send to a peer with a SYN; `None` when it is left alone.
    pub(crate) fn look(&mut self, now: Instant, address: IpAddr) -> Option<FastOpen> {
        let Some(peer) = self.table.get(&address) else { return Some(FastOpen::default()) };
        if peer.refused_until.is_some_and(|until| now < until) {
            return None;
        }
        let known = peer.known.clone();
        self.touch(address);
        Some(known)
    }

    /// How much a SYN to a peer may bring now.
    pub(crate) fn room(&self, now: Instant, address: IpAddr, path_mss: u16) -> Option<usize> {
        let peer = self.table.get(&address)?;
        let left_alone = peer.refused_until.is_some_and(|until| now < until);
        let room = peer.known.room(path_mss);
        (!left_alone && !peer.known.cookie.is_empty()).then_some(room as usize)
    }

    /// What came of it.
    pub(crate) fn learn(&mut self, now: Instant, address: IpAddr, outcome: FastOpenOutcome) {
        if !self.table.contains_key(&address) {
            if self.table.len() >= self.most
                && let Some((_, oldest)) = self.order.pop_first()
            {
                self.table.remove(&oldest);
            }
            let peer = Peer { known: FastOpen::default(), refused_until: None, used: u64::MAX };
            self.table.insert(address, peer);
        }
        self.touch(address);
        let Some(peer) = self.table.get_mut(&address) else { return };
        peer.refused_until = outcome.refused.then(|| now + REFUSED);
        if let Some(cookie) = outcome.cookie {
            peer.known.cookie = cookie;
        }
        peer.known.peer_mss = outcome.peer_mss;
    }

    fn touch(&mut self, address: IpAddr) {
        let Some(peer) = self.table.get_mut(&address) else { return };
        self.order.remove(&peer.used);
        self.clock += 1;
        peer.used = self.clock;
        self.order.insert(self.clock, address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(host: u8, port: u16) -> FourTuple {
        FourTuple::new(([10, 0, 0, 1], 80).into(), ([10, 0, 0, host], port).into())
    }

    fn outcome(cookie: &'static [u8], refused: bool) -> FastOpenOutcome {
        let cookie = (!cookie.is_empty()).then(|| Bytes::from_static(cookie));
        FastOpenOutcome { cookie, peer_mss: 1400, refused }
    }

    #[test]
    fn a_cookie_is_for_an_address_and_some_hours() {
        let key = SipHasher24::new_with_keys(1, 2);
        let now = Instant::from_nanos(PERIOD_NANOS * 7);
        let given = cookie(&key, &tuple(2, 1000), now);
        assert!(is_ours(&key, &tuple(2, 2000), &given, now), "any port");
        assert!(!is_ours(&key, &tuple(3, 1000), &given, now));
        assert!(!is_ours(&SipHasher24::new_with_keys(1, 3), &tuple(2, 1000), &given, now));
        assert!(!is_ours(&key, &tuple(2, 1000), &given[..6], now));
        let hours = |n: u64| now + Duration::from_secs(n * 3600);
        assert!(is_ours(&key, &tuple(2, 1000), &given, hours(11)));
        assert!(!is_ours(&key, &tuple(2, 1000), &given, hours(13)));
    }

    #[test]
    fn peers_are_remembered_left_alone_and_forgotten() {
        let mut peers = Peers::new(2);
        let (now, host) = (Instant::from_nanos(1), |n| tuple(n, 1).remote().ip());
        assert_eq!(peers.look(now, host(2)), Some(FastOpen::default()), "ask");
        peers.learn(now, host(2), outcome(b"12345678", false));
        let known = peers.look(now, host(2)).unwrap();
        assert_eq!((&known.cookie[..], known.peer_mss), (&b"12345678"[..], 1400));
        // No new cookie: the old one is still good.
        peers.learn(now, host(2), outcome(b"", false));
        assert_eq!(peers.look(now, host(2)), Some(known));
        peers.learn(now, host(3), outcome(b"", true));
        assert_eq!(peers.look(now, host(3)), None);
        assert!(peers.look(now + REFUSED, host(3)).is_some(), "not for ever");
        // The least recently used makes room.
        peers.look(now, host(2));
        peers.learn(now, host(4), outcome(b"abcd", false));
        assert_eq!((peers.table.len(), peers.order.len()), (2, 2));
        assert!(peers.table.contains_key(&host(2)) && !peers.table.contains_key(&host(3)));
    }
}

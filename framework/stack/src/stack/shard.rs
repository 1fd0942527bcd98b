//! Several stacks that are one host: which of them a frame is for, and who answers it.
//!
//! Each event loop has a stack of its own, and all of them have the same link address and the same
//! IP addresses. No table is shared: who owns a flow is computed, so that any loop can tell it of
//! any frame without asking.
//!
//! | what | whose |
//! |---|---|
//! | TCP | the keyed hash of the four-tuple says. A listener is on every loop, and accepts what its loop owns; `connect` takes a source port with which its loop owns the connection |
//! | UDP | whoever has bound the port. That is the one thing that is written down for all: a word for each port, claimed by `udp_bind`. Of a port that nobody has bound the hash says who answers that |
//! | ICMP echo | the hash of the identifier says, for requests and for answers |
//! | ICMP errors | whoever owns the flow of the packet they quote |
//! | ARP, neighbour discovery, routers, group queries | all learn from it. The first loop answers, and it alone finds out whether our addresses are free and announces them. Each loop asks for the neighbours it needs, and tells the groups its own sockets are in |
//! | fragments | all put them together, since only the first has ports; then those who do not own the whole drop it. The first loop tells about what never became whole |
//! | the rest, and what nobody understands | the first loop |
//!
//! The table of ports, rather than the hash for UDP, too: a server binds the port its users know, on
//! the loop where its pipeline is, and must not be told to move. Nothing like that is needed for
//! TCP, whose listeners are on all loops anyway.
//!
//! What a host sends to itself stays on the loop that sends it: connections to own addresses are
//! accepted there, and datagrams reach the sockets of that loop.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};

use siphasher::sip::SipHasher13;

use super::config::Medium;
use super::secrets::Seed;
use crate::interface::steer::{Flow, flow_of_frame};
use crate::interface::tuple::FourTuple;

/// For which of the loops a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Steer {
    /// For this one alone.
    Owner(u16),
    /// For all of them.
    Everyone,
    /// For the first, because it is nobody's: it is counted and answered there.
    First,
}

const PORTS: usize = 1 << 16;

/// What the loops of one host share: the key, and who has bound which UDP port.
struct Shared {
    count: u16,
    seed: Seed,
    key: SipHasher13,
    /// For each UDP port: the owner plus one, and how many sockets it has there. None of a host
    /// with one loop, which owns all.
    ports: Option<Box<[AtomicU32]>>,
}

/// All stacks of one host. Clones are handles to the same.
///
/// ```
/// use fyke_clock::Instant;
/// use fyke_stack::{Medium, Seed, Shards, Stack, StackConfig, Steer};
///
/// let now = Instant::from_nanos(1);
/// let shards = Shards::new(2, Seed::from(7));
/// let mut stacks: Vec<Stack> = (0..2)
///     .map(|index| {
///         let mut config = StackConfig::new(Medium::RawIp);
///         config.shard = shards.shard(index);
///         Stack::new(config, Seed::from(7), now)
///     })
///     .collect();
/// // Something that is no IP packet: the first one counts it.
/// let frame = bytes::Bytes::from_static(b"?");
/// match shards.steer(Medium::RawIp, &frame) {
///     Steer::Owner(index) => stacks[usize::from(index)].input(now, frame, Default::default()),
///     Steer::Everyone => {
///         stacks.iter_mut().for_each(|it| it.input(now, frame.clone(), Default::default()));
///     }
///     _ => stacks[0].input(now, frame, Default::default()),
/// }
/// assert_eq!(stacks[0].counters().drops.total(), 1);
/// ```
#[derive(Clone)]
pub struct Shards {
    shared: Arc<Shared>,
}

impl Shards {
    /// A host of `count` stacks, at least one. The seed is the host's: every one of its stacks takes
    /// it instead of its own, so that they make the same addresses for themselves.
    #[must_use]
    pub fn new(count: u16, seed: Seed) -> Self {
        let count = count.clamp(1, u16::MAX - 1);
        let ports = (count > 1).then(|| {
            let ports: Vec<_> = core::iter::repeat_with(AtomicU32::default).take(PORTS).collect();
            ports.into_boxed_slice()
        });
        let key = super::secrets::shard_key(&seed);
        Self { shared: Arc::new(Shared { count, seed, key, ports }) }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.shared.count
    }

    /// The place of one of them, for its configuration; `None` when there are not so many.
    #[must_use]
    pub fn shard(&self, index: u16) -> Option<Shard> {
        (index < self.count()).then(|| Shard { shards: self.clone(), index })
    }

    /// For whom a frame is that the device received.
    #[must_use]
    pub fn steer(&self, medium: Medium, frame: &[u8]) -> Steer {
        if self.count() == 1 {
            return Steer::First;
        }
        self.whose(&flow_of_frame(medium, frame))
    }

    /// Who owns a TCP connection.
    #[must_use]
    pub fn owner_of_tcp(&self, local: SocketAddr, remote: SocketAddr) -> u16 {
        self.owner_of_tuple(&FourTuple::new(local, remote))
    }

    /// Who has bound a UDP port, or answers that nobody has.
    #[must_use]
    pub fn owner_of_udp_port(&self, port: u16) -> u16 {
        let word = self.port(port).map_or(0, |word| word.load(Ordering::Acquire));
        match (word >> USERS_BITS) as u16 {
            0 => self.reduce(self.shared.key.hash(&port.to_be_bytes())),
            owner => owner - 1,
        }
    }

    /// Who owns the echoes of an identifier.
    #[must_use]
    pub fn owner_of_echo(&self, identifier: u16) -> u16 {
        self.reduce(self.shared.key.hash(&[1, (identifier >> 8) as u8, identifier as u8]))
    }

    pub(crate) fn owner_of_tuple(&self, tuple: &FourTuple) -> u16 {
        self.reduce(tuple.table_hash(&self.shared.key))
    }

    pub(crate) fn whose(&self, flow: &Flow) -> Steer {
        match flow {
            Flow::Tcp(tuple) => Steer::Owner(self.owner_of_tuple(tuple)),
            Flow::Udp(port) => Steer::Owner(self.owner_of_udp_port(*port)),
            Flow::Echo(identifier) => Steer::Owner(self.owner_of_echo(*identifier)),
            Flow::Everyone => Steer::Everyone,
            Flow::Nobody => Steer::First,
        }
    }

    /// A hash as an index, every one as likely.
    fn reduce(&self, hash: u64) -> u16 {
        (((hash >> 32) * u64::from(self.count())) >> 32) as u16
    }

    fn port(&self, port: u16) -> Option<&AtomicU32> {
        self.shared.ports.as_ref()?.get(usize::from(port))
    }
}

impl fmt::Debug for Shards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shards").field("count", &self.count()).finish_non_exhaustive()
    }
}

/// A stack's place among those of its host.
#[derive(Clone)]
pub struct Shard {
    shards: Shards,
    index: u16,
}

impl Shard {
    /// Which one it is.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.index
    }

    /// All of them.
    #[must_use]
    pub const fn shards(&self) -> &Shards {
        &self.shards
    }

    pub(crate) fn seed(&self) -> Seed {
        self.shards.shared.seed
    }

    /// Whether it is this one that answers something.
    pub(crate) fn owns(&self, flow: &Flow) -> bool {
        match self.shards.whose(flow) {
            Steer::Owner(owner) => owner == self.index,
            Steer::Everyone | Steer::First => self.index == 0,
        }
    }

    /// Notes that this stack has one more socket on a UDP port, unless another stack has one.
    pub(crate) fn claim(&self, port: u16) -> Result<PortClaim, u16> {
        let claim = || PortClaim { shards: self.shards.clone(), port };
        let Some(word) = self.shards.port(port) else { return Ok(claim()) };
        let own = (u32::from(self.index) + 1) << USERS_BITS;
        let claimed = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| match word {
            0 => Some(own | 1),
            // So many sockets on one port are as good as taken.
            word if word & !USERS == own && word & USERS < USERS => Some(word + 1),
            _ => None,
        });
        claimed.map(|_| claim()).map_err(|word| ((word >> USERS_BITS) as u16).saturating_sub(1))
    }
}

impl PartialEq for Shard {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index && Arc::ptr_eq(&self.shards.shared, &other.shards.shared)
    }
}

impl Eq for Shard {}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shard({} of {})", self.index, self.shards.count())
    }
}

/// The low bits of a port's word: its owner's sockets there.
const USERS_BITS: u32 = 16;
const USERS: u32 = (1 << USERS_BITS) - 1;

/// That a socket has a UDP port; it ends when this is dropped.
pub(crate) struct PortClaim {
    shards: Shards,
    port: u16,
}

impl Drop for PortClaim {
    fn drop(&mut self) {
        let Some(word) = self.shards.port(self.port) else { return };
        let _ = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
            Some(if word & USERS <= 1 { 0 } else { word - 1 })
        });
    }
}

impl fmt::Debug for PortClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortClaim({})", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_one_owner_until_its_last_socket_goes() {
        let shards = Shards::new(4, Seed::from(1));
        let (one, two) = (shards.shard(1).unwrap(), shards.shard(2).unwrap());
        let free = shards.owner_of_udp_port(53);
        let first = one.claim(53).unwrap();
        let second = one.claim(53).unwrap();
        assert_eq!((shards.owner_of_udp_port(53), two.claim(53).unwrap_err()), (1, 1));
        drop(first);
        assert_eq!(two.claim(53).unwrap_err(), 1);
        drop(second);
        assert_eq!(shards.owner_of_udp_port(53), free);
        let _third = two.claim(53).unwrap();
        assert_eq!(shards.owner_of_udp_port(53), 2);
        assert_eq!(shards.shard(4), None);
    }

    #[test]
    fn one_stack_alone_owns_everything_and_keeps_no_table() {
        let shards = Shards::new(0, Seed::from(1));
        let only = shards.shard(0).unwrap();
        assert_eq!(shards.count(), 1);
        assert!(shards.shared.ports.is_none() && only.claim(53).is_ok());
        assert!(only.owns(&Flow::Udp(53)) && only.owns(&Flow::Echo(5)) && only.owns(&Flow::Nobody));
        assert_eq!(shards.steer(Medium::RawIp, b"anything"), Steer::First);
    }

    #[test]
    fn flows_are_spread_evenly() {
        let shards = Shards::new(3, Seed::from(9));
        let mut counts = [[0; 3]; 3];
        for n in 0..3000_u16 {
            let remote = SocketAddr::from(([198, 51, 100, 7], 1024 + n));
            let tcp = shards.owner_of_tcp(SocketAddr::from(([10, 0, 0, 1], 80)), remote);
            counts[0][usize::from(tcp)] += 1;
            counts[1][usize::from(shards.owner_of_udp_port(n))] += 1;
            counts[2][usize::from(shards.owner_of_echo(n))] += 1;
        }
        for count in counts.as_flattened() {
            assert!((900..1100).contains(count), "{counts:?}");
        }
    }
}

//! Where everything unpredictable comes from: keys derived from one seed, and a stream of numbers.
//!
//! The stack has no source of randomness of its own, so the same seed gives the same bytes. A host
//! passes 32 bytes of its operating system's randomness.

use core::fmt;

use siphasher::sip::{SipHasher13, SipHasher24};

/// What a stack's secrets are derived from.
///
/// `Seed::from(7)` is for tests; against a real peer, pass 32 random bytes.
#[derive(Clone, Copy)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The seed with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn key(&self, label: u64) -> [u8; 16] {
        let (mut low, mut high) = ([0; 16], [0; 16]);
        low.copy_from_slice(&self.0[..16]);
        high.copy_from_slice(&self.0[16..]);
        let part = |n: u64| {
            let inner = SipHasher24::new_with_key(&low).hash(&(label * 2 + n).to_le_bytes());
            SipHasher24::new_with_key(&high).hash(&inner.to_le_bytes())
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&part(0).to_le_bytes());
        key[8..].copy_from_slice(&part(1).to_le_bytes());
        key
    }
}

impl From<u64> for Seed {
    fn from(value: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&value.to_le_bytes());
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    /// Says nothing: it is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The key by which the stacks of one host tell whose a flow is. Kept from others: who knew it could
/// aim every connection at one loop.
pub(crate) fn shard_key(seed: &Seed) -> SipHasher13 {
    SipHasher13::new_with_key(&seed.key(8))
}

/// The keys, one for each use, and the state of the stream.
pub(crate) struct Secrets {
    /// The tables' hash.
    pub(crate) table: SipHasher13,
    /// Initial sequence numbers (RFC 6528).
    pub(crate) isn: SipHasher24,
    /// Timestamp offsets (RFC 7323, section 5.4).
    pub(crate) timestamp: SipHasher24,
    /// Source ports: where a search begins (RFC 6056, section 3.3.4).
    pub(crate) port: SipHasher24,
    /// SYN cookies (RFC 4987, section 3.6).
    pub(crate) cookie: SipHasher24,
    /// IP identification (RFC 7739 for IPv6).
    pub(crate) ident: SipHasher24,
    /// Opaque interface identifiers (RFC 7217).
    pub(crate) address: SipHasher24,
    /// Fast Open cookies (RFC 7413, section 4.1.2).
    pub(crate) fast_open: SipHasher24,
    stream: SipHasher24,
    drawn: u64,
}

impl Secrets {
    pub(crate) fn new(seed: &Seed) -> Self {
        let hasher = |label| SipHasher24::new_with_key(&seed.key(label));
        Self {
            table: SipHasher13::new_with_key(&seed.key(0)),
            isn: hasher(1),
            timestamp: hasher(2),
            port: hasher(3),
            cookie: hasher(4),
            ident: hasher(5),
            address: hasher(6),
            fast_open: hasher(9),
            stream: hasher(7),
            drawn: 0,
        }
    }

    /// The next number of the stream.
    pub(crate) fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.stream.hash(&self.drawn.to_le_bytes())
    }

    /// A number below `bound`, which is not 0. The bias is below 2^-32 for any bound of 32 bits.
    pub(crate) fn draw_below(&mut self, bound: u32) -> u32 {
        (self.draw() % u64::from(bound.max(1))) as u32
    }
}

impl fmt::Debug for Secrets {
    /// Says nothing about the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

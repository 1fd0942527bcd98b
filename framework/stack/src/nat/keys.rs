//! By what the mappings of a NAT box are found.

use core::hash::{BuildHasher, Hash, Hasher};
use core::net::Ipv4Addr;

use siphasher::sip::SipHasher13;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

/// An address with a port, or with the identifier of a ping.
pub(super) type Endpoint = (Ipv4Addr, u16);

/// The inside of a mapping; with the peer when mappings depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InsideKey {
    pub(super) protocol: Protocol,
    pub(super) inside: Endpoint,
    pub(super) peer: Option<Endpoint>,
}

impl Hash for InsideKey {
    /// In one piece: many small ones cost the hasher more than the bytes do.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (peer, port) = self.peer.unwrap_or((Ipv4Addr::UNSPECIFIED, 0));
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.inside.0.octets());
        bytes[4..6].copy_from_slice(&self.inside.1.to_be_bytes());
        bytes[6..10].copy_from_slice(&peer.octets());
        bytes[10..12].copy_from_slice(&port.to_be_bytes());
        bytes[12] = self.protocol as u8;
        bytes[13] = u8::from(self.peer.is_some());
        state.write(&bytes);
    }
}

/// The outside of a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct OutsideKey(pub(super) Protocol, pub(super) u16);

impl Hash for OutsideKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32((self.0 as u32) << 16 | u32::from(self.1));
    }
}

/// Hashes with the box's own key: nobody can choose endpoints that collide.
#[derive(Clone, Debug)]
pub(super) struct Keyed(SipHasher13);

impl Keyed {
    pub(super) const fn new(key: SipHasher13) -> Self {
        Self(key)
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        self.0
    }
}

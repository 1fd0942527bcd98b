//! The four-tuple that names a connection: one form for IPv4 and IPv6, 36 bytes.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

use siphasher::sip::{SipHasher13, SipHasher24};

/// Both ends of a connection. IPv4 addresses stand as IPv4-mapped ones; packets of IPv6 never carry
/// those (they are martians), so the form is unambiguous.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FourTuple {
    local: [u8; 16],
    remote: [u8; 16],
    local_port: u16,
    remote_port: u16,
}

impl FourTuple {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Self::of(local.ip(), local.port(), remote.ip(), remote.port())
    }

    /// From the parts, as a packet has them.
    pub(crate) fn of(local: IpAddr, local_port: u16, remote: IpAddr, remote_port: u16) -> Self {
        Self { local: octets(local), remote: octets(remote), local_port, remote_port }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        SocketAddr::new(address(self.local), self.local_port)
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        SocketAddr::new(address(self.remote), self.remote_port)
    }

    pub(crate) fn local_port(&self) -> u16 {
        self.local_port
    }

    pub(crate) fn remote_port(&self) -> u16 {
        self.remote_port
    }

    pub(crate) fn is_ipv4(&self) -> bool {
        self.remote[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    }

    /// The bytes for a keyed hash.
    pub(crate) fn bytes(&self) -> [u8; 36] {
        let mut bytes = [0; 36];
        bytes[..16].copy_from_slice(&self.local);
        bytes[16..32].copy_from_slice(&self.remote);
        bytes[32..34].copy_from_slice(&self.local_port.to_be_bytes());
        bytes[34..].copy_from_slice(&self.remote_port.to_be_bytes());
        bytes
    }

    /// The hash for the connection table. Keyed, so that nobody can choose tuples that collide.
    pub(crate) fn table_hash(&self, key: &SipHasher13) -> u64 {
        key.hash(&self.bytes())
    }

    pub(crate) fn secret_hash(&self, key: &SipHasher24) -> u64 {
        key.hash(&self.bytes())
    }
}

/// The 16 bytes of an address, IPv4 mapped.
pub(crate) fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn address(octets: [u8; 16]) -> IpAddr {
    Ipv6Addr::from(octets).to_canonical()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::stack::secrets::{Secrets, Seed};

    #[test]
    fn what_goes_in_comes_out() {
        for (local, remote) in [
            ("192.0.2.1:80", "198.51.100.7:40000"),
            ("[2001:db8::1]:443", "[2001:db8::2]:1"),
            ("0.0.0.0:0", "255.255.255.255:65535"),
        ] {
            let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
            let tuple = FourTuple::new(local, remote);
            assert_eq!((tuple.local(), tuple.remote()), (local, remote));
            assert_eq!(tuple.is_ipv4(), local.is_ipv4());
        }
        assert_eq!(size_of::<FourTuple>(), 36);
    }

    /// Whoever found four-tuples that meet in one place of one host's table has found nothing about
    /// another's: the key is made of the seed.
    #[test]
    fn tuples_that_meet_in_one_table_do_not_in_another() {
        let ours = Secrets::new(&Seed::from(1));
        let others = Secrets::new(&Seed::from(2));
        let local = SocketAddr::from(([192, 0, 2, 1], 80));
        let place = |secrets: &Secrets, tuple: &FourTuple| tuple.table_hash(&secrets.table) % 256;
        let all = (0..60_000_u16).map(|n| FourTuple::new(local, ([198, 51, 100, 7], n).into()));
        let crafted: Vec<_> = all.filter(|tuple| place(&others, tuple) == 0).collect();
        assert!((100..500).contains(&crafted.len()), "{}", crafted.len());
        let meet = crafted.iter().filter(|tuple| place(&ours, tuple) == 0).count();
        assert!(meet <= 10, "{meet} of {}", crafted.len());
    }
}

//! Tunnels of IPv6 in IPv4: which there are, what they carry, and how congestion marks get in and
//! out (RFC 4213; RFC 6040).

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::stack::arena::Arena;
use crate::stack::ids::TunnelId;
use crate::wire::{ipv4, ipv6};

/// What every link carries that carries IPv6 (RFC 8200, section 5): no tunnel says that it is less.
pub(crate) const TUNNEL_MTU_MIN: u16 = ipv6::MTU_MIN as u16;
/// What a tunnel may be said to carry: the longest IPv4 packet without its header.
pub(crate) const TUNNEL_MTU_MAX: u16 = u16::MAX - ipv4::HEADER_LEN as u16;
/// What it carries over Ethernet (RFC 4213, section 3.2.1).
const TUNNEL_MTU_USUAL: u16 = 1480;

/// A tunnel that carries IPv6 in IPv4 packets, from one host to one other (RFC 4213, "6in4").
///
/// ```
/// use fyke_clock::Instant;
/// use fyke_stack::{Medium, Route, Seed, Stack, StackConfig, Tunnel};
///
/// let now = Instant::from_nanos(1);
/// let mut stack = Stack::new(StackConfig::new(Medium::RawIp), Seed::from(1), now);
/// stack.add_address(now, "192.0.2.1/24".parse().unwrap()).unwrap();
/// stack.add_address(now, "2001:db8:1::2/64".parse().unwrap()).unwrap();
///
/// let tunnel = Tunnel::new([192, 0, 2, 1].into(), [198, 51, 100, 1].into());
/// let tunnel = stack.add_tunnel(now, tunnel).unwrap();
/// stack.add_route(Route::through("::/0".parse().unwrap(), tunnel)).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tunnel {
    /// Our end: an IPv4 address of this stack's.
    pub local: Ipv4Addr,
    /// The other end.
    pub remote: Ipv4Addr,
    /// The longest IPv6 packet, at least 1280 bytes (1480). What the link or the path to the other
    /// end carries bounds it, too.
    pub mtu: u16,
    /// Ask the path what it carries: packets must not be fragmented, and what routers say lowers
    /// the MTU (RFC 4213, section 3.2.2). Without, routers cut what is too long for them (section
    /// 3.2.1). On by default.
    pub discover_mtu: bool,
    /// The TTL of the packets; that of the stack when `None`.
    pub ttl: Option<u8>,
    /// Show routers on the way whether the inner packet takes part in ECN (RFC 6040, normal mode);
    /// without, they may only drop (its compatibility mode, for another end that would not hand
    /// marks on). On by default.
    pub ecn: bool,
    /// Take only packets whose inner source a route leads back into the tunnel to (RFC 3704, strict
    /// reverse path). Off by default.
    pub strict_source: bool,
}

impl Tunnel {
    /// Between two IPv4 addresses, with an MTU of 1480 that the path may lower.
    #[must_use]
    pub const fn new(local: Ipv4Addr, remote: Ipv4Addr) -> Self {
        Self {
            local,
            remote,
            mtu: TUNNEL_MTU_USUAL,
            discover_mtu: true,
            ttl: None,
            ecn: true,
            strict_source: false,
        }
    }

    /// The link-local address of our end: the IPv4 address behind `fe80::` (RFC 4213, section 3.7).
    #[must_use]
    pub const fn link_local(&self) -> Ipv6Addr {
        link_local(self.local)
    }

    /// The link-local address of the other end, if it follows the same rule.
    #[must_use]
    pub const fn remote_link_local(&self) -> Ipv6Addr {
        link_local(self.remote)
    }
}

const fn link_local(address: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = address.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, high, low)
}

/// What a tunnel has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TunnelCounters {
    /// IPv6 packets that came out of it.
    pub packets_in: u64,
    /// Their bytes, without the IPv4 headers.
    pub bytes_in: u64,
    /// IPv6 packets that went into it.
    pub packets_out: u64,
    /// Their bytes, without the IPv4 headers.
    pub bytes_out: u64,
    /// Packets that were too long for it: their senders were told.
    pub too_big: u64,
    /// IPv4 packets of the other end whose inside was refused.
    pub refused_in: u64,
    /// ICMPv4 errors about packets of the tunnel.
    pub errors_in: u64,
}

/// A tunnel and what it has done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) tunnel: Tunnel,
    pub(crate) counters: TunnelCounters,
}

/// The tunnels. There are few, and a packet for none of them is found out at once.
#[derive(Debug)]
pub(crate) struct Tunnels {
    arena: Arena<Entry>,
}

impl Tunnels {
    pub(crate) const fn new() -> Self {
        Self { arena: Arena::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn insert(&mut self, tunnel: Tunnel) -> TunnelId {
        TunnelId::new(self.arena.insert(Entry { tunnel, counters: TunnelCounters::default() }))
    }

    pub(crate) fn remove(&mut self, id: TunnelId) -> Option<Tunnel> {
        self.get(id)?;
        self.arena.remove(id.index).map(|entry| entry.tunnel)
    }

    pub(crate) fn get(&self, id: TunnelId) -> Option<&Entry> {
        self.arena.get(id.index, id.generation)
    }

    pub(crate) fn counters(&mut self, id: TunnelId) -> Option<&mut TunnelCounters> {
        self.arena.get_mut(id.index, id.generation).map(|entry| &mut entry.counters)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TunnelId, &Entry)> {
        let id = |index| TunnelId::new((index, self.arena.generation(index)));
        self.arena.iter().map(move |(index, entry)| (id(index), entry))
    }

    /// The tunnel between two addresses.
    pub(crate) fn between(&self, local: Ipv4Addr, remote: Ipv4Addr) -> Option<TunnelId> {
        if self.len() == 0 {
            return None;
        }
        let ends = |entry: &Entry| entry.tunnel.local == local && entry.tunnel.remote == remote;
        self.iter().find(|(_, entry)| ends(entry)).map(|(id, _)| id)
    }

    /// Whether a tunnel ends at an address of ours.
    pub(crate) fn ends_at(&self, local: Ipv4Addr) -> bool {
        self.len() > 0 && self.iter().any(|(_, entry)| entry.tunnel.local == local)
    }
}

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const CE: u8 = 3;

/// What the two bits of a packet are behind a tunnel, by those of the outer and the inner header;
/// `None` when it must be dropped: its sender would not understand the mark (RFC 6040, section 4.2).
pub(crate) const fn ecn_behind(outer: u8, inner: u8) -> Option<u8> {
    Some(match (outer & 3, inner & 3) {
        (CE, NOT_ECT) => return None,
        (_, NOT_ECT) => NOT_ECT,
        (_, CE) | (CE, _) => CE,
        (ECT_1, _) => ECT_1,
        (_, inner) => inner,
    })
}

/// Whether it is an address that was once for automatic tunnels: `::a.b.c.d` (RFC 4213, section
/// 3.6; RFC 4291, section 2.5.5.1).
pub(crate) fn is_ipv4_compatible(address: Ipv6Addr) -> bool {
    let [head @ .., _, _] = address.segments();
    head == [0; 6] && !address.is_unspecified() && !address.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6040, section 4.2, figure 4: rows are the inner header, columns the outer one.
    #[test]
    fn rfc6040_4_2_marks_come_out() {
        const ECT_0: u8 = 2;
        let outer = [NOT_ECT, ECT_0, ECT_1, CE];
        for (inner, behind) in [
            (NOT_ECT, [Some(NOT_ECT), Some(NOT_ECT), Some(NOT_ECT), None]),
            (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(CE)]),
            (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(CE)]),
            (CE, [Some(CE); 4]),
        ] {
            assert_eq!(outer.map(|outer| ecn_behind(outer, inner)), behind, "inner {inner}");
        }
    }

    /// RFC 4213, section 3.7.
    #[test]
    fn rfc4213_3_7_link_local_addresses() {
        let tunnel = Tunnel::new([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
        assert_eq!(tunnel.link_local(), "fe80::c000:201".parse::<Ipv6Addr>().unwrap());
        assert_eq!(tunnel.remote_link_local(), "fe80::c633:6407".parse::<Ipv6Addr>().unwrap());
    }

    #[test]
    fn addresses_for_automatic_tunnels() {
        for (address, compatible) in
            [("::192.0.2.1", true), ("::", false), ("::1", false), ("2001:db8::1", false)]
        {
            assert_eq!(is_ipv4_compatible(address.parse().unwrap()), compatible, "{address}");
        }
    }
}

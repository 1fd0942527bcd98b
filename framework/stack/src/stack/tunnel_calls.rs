//! Calls about tunnels of IPv6 in IPv4 (RFC 4213).

use core::net::IpAddr;

use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::ids::TunnelId;
use crate::interface::addresses::{AddressState, OwnAddress};
use crate::interface::cidr::Cidr;
use crate::interface::routes::Route;
use crate::interface::tunnels::{TUNNEL_MTU_MAX, TUNNEL_MTU_MIN, Tunnel, TunnelCounters};

/// A tunnel as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunnelLine {
    /// Its name.
    pub id: TunnelId,
    /// What it was made of.
    pub tunnel: Tunnel,
    /// The longest IPv6 packet that it carries now.
    pub mtu: u16,
    /// What it has done.
    pub counters: TunnelCounters,
}

impl Stack {
    /// Makes a tunnel that carries IPv6 to another host in IPv4 packets (protocol 41).
    ///
    /// IPv6 packets get into it by a route ([`Route::through`]); what comes out of it is taken as
    /// any packet is, when the other end has sent it. It has a link-local address, from which that
    /// of the other end is reached. Groups are not carried, and nothing but neighbour
    /// unreachability detection is answered of neighbour discovery (RFC 4213, section 3.8).
    ///
    /// # Errors
    /// `InvalidAddress` when `remote` cannot be one host's or is `local`, `AddressNotAvailable` when
    /// `local` is none of ours, `AddressInUse` when there is a tunnel between the two,
    /// `InvalidOption` for an MTU below 1280 or a TTL of 0, `LimitReached`.
    pub fn add_tunnel(&mut self, now: Instant, tunnel: Tunnel) -> Result<TunnelId, StackError> {
        self.net.now = now;
        let Tunnel { local, remote, .. } = tunnel;
        let group = remote.is_multicast() || self.net.addresses.is_broadcast(remote);
        if group || remote.is_unspecified() || remote.is_loopback() || remote == local {
            return Err(StackError::InvalidAddress);
        }
        if self.net.addresses.get(local.into()).is_none() {
            return Err(StackError::AddressNotAvailable);
        }
        let carries = (TUNNEL_MTU_MIN..=TUNNEL_MTU_MAX).contains(&tunnel.mtu);
        if !carries || tunnel.ttl == Some(0) {
            return Err(StackError::InvalidOption);
        }
        if self.net.tunnels.between(local, remote).is_some() {
            return Err(StackError::AddressInUse);
        }
        let limits = &self.net.config.limits;
        let room = self.net.tunnels.len() < limits.tunnels_max
            && self.net.routes.len() < limits.routes_max
            && self.net.addresses.len() < limits.addresses_max;
        if !room {
            return Err(StackError::LimitReached);
        }
        let id = self.net.tunnels.insert(tunnel);
        let one = |address| Cidr::new(IpAddr::V6(address), 128);
        let own = OwnAddress::new(one(tunnel.link_local()), AddressState::Preferred);
        // Several tunnels from one address have one link-local address; it is that of the first.
        if self.net.addresses.get(own.cidr.address()).is_none() {
            self.net.addresses.insert(OwnAddress { tunnel: Some(id), ..own });
        }
        let route = Route::through(one(tunnel.remote_link_local()), id);
        self.net.routes.insert(Route { source: Some(own.cidr.address()), ..route });
        Ok(id)
    }

    /// Takes a tunnel away, with the routes that lead through it; says whether it was there.
    pub fn remove_tunnel(&mut self, id: TunnelId) -> bool {
        let Some(removed) = self.net.tunnels.remove(id) else { return false };
        let mut others = self.net.tunnels.iter();
        let heir = others.find(|(_, other)| other.tunnel.local == removed.local).map(|(id, _)| id);
        self.net.routes.remove_through(id);
        self.net.addresses.remove_of_tunnel(id, heir);
        true
    }

    /// The tunnels, with what they carry and have done.
    pub fn tunnels(&self) -> impl Iterator<Item = TunnelLine> {
        self.net.tunnels.iter().map(|(id, entry)| TunnelLine {
            id,
            tunnel: entry.tunnel,
            mtu: self.net.tunnel_mtu(&entry.tunnel).0,
            counters: entry.counters,
        })
    }
}

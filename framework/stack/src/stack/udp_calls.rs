//! Calls about UDP: bind, send, receive, groups.

use core::cell::Cell;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::ids::UdpId;
use super::shard::PortClaim;
use crate::interface::egress::Dirty;
use crate::interface::tuple::FourTuple;
use crate::interface::udp_table::{UdpDatagram, UdpOptions, UdpOut, UdpSendOptions, UdpSocket};

/// The longest payload of a datagram over IPv4 and over IPv6 without jumbograms.
const PAYLOAD_MAX_V4: usize = 65_507;
const PAYLOAD_MAX_V6: usize = 65_527;

impl Stack {
    /// Binds a socket to an address and port. An unspecified address takes datagrams to any, port 0
    /// chooses one, and `[::]` takes IPv4, too.
    ///
    /// # Errors
    /// When the address is none of ours, the pair is taken, or there are too many sockets;
    /// [`OtherShard`](StackError::OtherShard) when another loop of this host has the port.
    pub fn udp_bind(
        &mut self,
        local: SocketAddr,
        options: UdpOptions,
    ) -> Result<UdpId, StackError> {
        let ip = local.ip();
        let group = ip.is_multicast() || matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        if !ip.is_unspecified() && !group && !self.net.accepts(ip) {
            return Err(StackError::AddressNotAvailable);
        }
        if self.udp.sockets.len() >= self.net.config.limits.udp_sockets_max {
            return Err(StackError::LimitReached);
        }
        let (port, claim) = match local.port() {
            0 => self.udp_port(ip)?,
            _ if self.udp.is_taken(local) => return Err(StackError::AddressInUse),
            port => (port, self.claim_udp_port(port).map_err(StackError::OtherShard)?),
        };
        let mut socket = UdpSocket::new(SocketAddr::new(ip, port), options);
        socket.claim = claim;
        Ok(self.udp.insert(socket))
    }

    /// Tells the other stacks of this host, if there are any, that a port is this one's; or who has
    /// it.
    fn claim_udp_port(&self, port: u16) -> Result<Option<PortClaim>, u16> {
        self.net.config.shard.as_ref().map(|shard| shard.claim(port)).transpose()
    }

    fn udp_port(&mut self, ip: IpAddr) -> Result<(u16, Option<PortClaim>), StackError> {
        // Ports of datagrams keep strangers from answering in a peer's place: as hard to guess as
        // TCP's (RFC 6056, section 3).
        let tuple = FourTuple::new((ip, 0).into(), (ip, 0).into());
        let hash = tuple.secret_hash(&self.net.secrets.port) ^ self.net.secrets.draw();
        let mut ports = self.tcp.ports.take();
        let claimed = Cell::new(None);
        let port = ports.select(hash, |port| {
            let taken = self.udp.is_taken((ip, port).into());
            taken || self.claim_udp_port(port).map(|claim| claimed.set(claim)).is_err()
        });
        self.tcp.ports = ports;
        Ok((port.ok_or(StackError::NoPorts)?, claimed.into_inner()))
    }

    /// Hears and speaks to one peer only from now on, or to all again.
    ///
    /// # Errors
    /// When there is no such socket, or the peer's address is of no use.
    pub fn udp_connect(&mut self, id: UdpId, peer: Option<SocketAddr>) -> Result<(), StackError> {
        if peer.is_some_and(|peer| peer.port() == 0 || peer.ip().is_unspecified()) {
            return Err(StackError::InvalidAddress);
        }
        self.udp_socket(id)?.peer = peer;
        Ok(())
    }

    fn udp_socket(&mut self, id: UdpId) -> Result<&mut UdpSocket, StackError> {
        self.udp.get_mut(id).ok_or(StackError::NoSuchSocket)
    }

    /// Queues a datagram, to `to` or to the peer of a connected socket.
    ///
    /// # Errors
    /// [`WouldBlock`](StackError::WouldBlock) when the queue is full: then
    /// [`Event::UdpWritable`](crate::Event::UdpWritable) follows. What an earlier datagram of a
    /// connected socket was answered with. An address or a length that cannot be.
    pub fn udp_send(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        payload: Bytes,
    ) -> Result<(), StackError> {
        self.udp_send_with(now, id, to, payload, UdpSendOptions::default())
    }

    /// Queues a datagram that differs from the socket's others: what `traceroute` does for each
    /// probe, and a server with several addresses for each answer.
    ///
    /// # Errors
    /// Those of [`udp_send`](Self::udp_send); a hop limit of 0, a source that is none of ours, and a
    /// source port where that is not allowed.
    pub fn udp_send_with(
        &mut self,
        now: Instant,
        id: UdpId,
        to: Option<SocketAddr>,
        payload: Bytes,
        with: UdpSendOptions,
    ) -> Result<(), StackError> {
        let foreign = with.source_port.is_some() && !self.net.config.udp_forward;
        if with.hop_limit == Some(0) || with.source_port == Some(0) || foreign {
            return Err(StackError::InvalidOption);
        }
        let most = self.net.config.limits.udp_send_datagrams_max;
        let socket = self.udp_socket(id)?;
        if socket.peer.is_some()
            && let Some((_, error)) = socket.errors.pop_front()
        {
            return Err(error);
        }
        let to = to.or(socket.peer).ok_or(StackError::NotConnected)?;
        let (local, options) = (socket.local, socket.options.clone());
        let usual = self.udp_source(local, to, &options)?;
        let source = match with.source.filter(|source| !source.is_unspecified()) {
            Some(source) if source.is_ipv4() != to.is_ipv4() => {
                return Err(StackError::InvalidAddress);
            }
            Some(source) if !self.net.accepts(source) => {
                return Err(StackError::AddressNotAvailable);
            }
            asked => asked.unwrap_or(usual),
        };
        let longest = if to.is_ipv4() { PAYLOAD_MAX_V4 } else { PAYLOAD_MAX_V6 };
        let headers = if to.is_ipv4() { 28 } else { 48 };
        let whole = with.mtu_probe || options.dont_fragment;
        let path = match with.mtu_probe {
            true => self.net.link_mtu(to.ip()),
            false => self.net.path_mtu(to.ip()),
        };
        let path = usize::from(path).saturating_sub(headers);
        if payload.len() > longest || (whole && payload.len() > path) {
            return Err(StackError::MessageTooLong);
        }
        self.net.now = now;
        let socket = self.udp_socket(id)?;
        if socket.to_send.len() >= most {
            socket.blocked = true;
            return Err(StackError::WouldBlock);
        }
        let (source_port, hop_limit) = (with.source_port, with.hop_limit);
        let datagram = UdpOut { source, source_port, destination: to, hop_limit, whole, payload };
        let cost = datagram.cost();
        socket.to_send.push_back(datagram);
        self.net.memory.change(0, cost);
        let socket = self.udp_socket(id)?;
        if !core::mem::replace(&mut socket.dirty, true) {
            self.dirty.push_back(Dirty::Udp(id.index));
        }
        Ok(())
    }

    /// The source address of a datagram.
    fn udp_source(
        &self,
        local: SocketAddr,
        to: SocketAddr,
        options: &UdpOptions,
    ) -> Result<IpAddr, StackError> {
        let ip = to.ip();
        let any6 = local.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !options.ipv6_only;
        let family = any6 || local.is_ipv4() == to.is_ipv4();
        if to.port() == 0 || ip.is_unspecified() || !family {
            return Err(StackError::InvalidAddress);
        }
        if let IpAddr::V4(v4) = ip
            && self.net.addresses.is_broadcast(v4)
            && !options.broadcast
        {
            return Err(StackError::InvalidAddress);
        }
        if self.net.path(ip).is_none() {
            return Err(StackError::Unreachable);
        }
        let bound = Some(local.ip()).filter(|ip| self.net.accepts(*ip) && !ip.is_unspecified());
        let chosen = bound.or_else(|| self.net.source_for(ip));
        // A host without an address may ask everybody for one.
        let nameless = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
        let nameless = nameless.then_some(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        chosen.or(nameless).ok_or(StackError::Unreachable)
    }

    /// The next datagram.
    ///
    /// # Errors
    /// [`WouldBlock`](StackError::WouldBlock) when there is none, and, for a connected socket, what
    /// an earlier datagram was answered with.
    pub fn udp_receive(&mut self, id: UdpId) -> Result<UdpDatagram, StackError> {
        let socket = self.udp_socket(id)?;
        if socket.peer.is_some()
            && let Some((_, error)) = socket.errors.pop_front()
        {
            return Err(error);
        }
        let datagram = socket.received.pop_front().ok_or(StackError::WouldBlock)?;
        socket.received_bytes -= datagram.payload.len();
        self.net.memory.change(datagram.cost(), 0);
        Ok(datagram)
    }

    /// The next datagram for a port that nobody has bound, and where it was going; only with
    /// [`udp_forward`](crate::StackConfig::udp_forward). Whoever binds a socket to that address and
    /// port answers from there, and gets the datagrams that follow.
    pub fn udp_forwarded(&mut self) -> Option<(SocketAddr, UdpDatagram)> {
        self.udp.forwarded.pop()
    }

    /// The next error that came back for a datagram, and to whom that was.
    pub fn udp_take_error(&mut self, id: UdpId) -> Option<(SocketAddr, StackError)> {
        self.udp.get_mut(id)?.errors.pop_front()
    }

    /// The address a socket is bound to.
    #[must_use]
    pub fn udp_address(&self, id: UdpId) -> Option<SocketAddr> {
        self.udp.get(id).map(|socket| socket.local)
    }

    /// Changes how a socket behaves.
    ///
    /// # Errors
    /// When there is no such socket.
    pub fn udp_set_options(&mut self, id: UdpId, options: UdpOptions) -> Result<(), StackError> {
        self.udp_socket(id)?.options = options;
        Ok(())
    }

    /// Closes a socket. What it had queued to send is dropped; it leaves its groups.
    ///
    /// # Errors
    /// When there is no such socket.
    pub fn udp_close(&mut self, now: Instant, id: UdpId) -> Result<(), StackError> {
        let socket = self.udp.remove(id).ok_or(StackError::NoSuchSocket)?;
        self.net.memory.change(socket.held(), 0);
        for group in socket.groups {
            self.net.leave_group(now, group);
        }
        Ok(())
    }

    /// Joins a multicast group; routers are told.
    ///
    /// # Errors
    /// When there is no such socket, the address is no group, or there are too many groups.
    pub fn udp_join(&mut self, now: Instant, id: UdpId, group: IpAddr) -> Result<(), StackError> {
        if !group.is_multicast() {
            return Err(StackError::InvalidAddress);
        }
        let full = self.net.is_full_of_groups();
        if full && !self.net.groups.contains(group) {
            return Err(StackError::LimitReached);
        }
        let socket = self.udp_socket(id)?;
        if socket.groups.contains(&group) {
            return Err(StackError::AddressInUse);
        }
        socket.groups.push(group);
        self.net.join_group(now, group);
        Ok(())
    }

    /// Leaves a multicast group.
    ///
    /// # Errors
    /// When there is no such socket, or it is not in the group.
    pub fn udp_leave(&mut self, now: Instant, id: UdpId, group: IpAddr) -> Result<(), StackError> {
        let socket = self.udp_socket(id)?;
        let at = socket.groups.iter().position(|joined| *joined == group);
        let at = at.ok_or(StackError::AddressNotAvailable)?;
        socket.groups.swap_remove(at);
        self.net.leave_group(now, group);
        Ok(())
    }
}

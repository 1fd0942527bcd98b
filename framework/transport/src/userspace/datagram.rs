//! Datagram endpoints.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use fyke_buffer::Pool;
use fyke_core::transport::{Handle, Membership, TransportEvent};
use fyke_core::{Address, ChannelKey, Datagram, SocketOptions};
use fyke_stack::{StackError, UdpDatagram, UdpId, UdpSendOptions};

use super::error::{inet, invalid, io_error, not_open};
use super::forward::{Offer, is_forward};
use super::options;
use super::sockets::{Notice, Sockets};
use super::table::{Kind, Named};

const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Most datagrams that one receive hands over.
const RECEIVE_DATAGRAMS_MAX: usize = 32;

/// An endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) id: UdpId,
    pub(super) owner: ChannelKey,
    connected: bool,
    /// It is bound to any address: each datagram tells to which it was sent.
    any: bool,
    /// Longer datagrams are cut.
    bytes_max: usize,
    /// Whether the owner wants to hear of datagrams.
    pub(super) reading: bool,
    /// The owner was not told because it did not want to hear.
    owed: bool,
    /// An answer to an earlier datagram, for the next receive.
    error: Option<StackError>,
}

impl Named for Endpoint {
    const KIND: Kind = Kind::Datagram;

    fn id(&self) -> u64 {
        self.id.as_u64()
    }
}

impl Endpoint {
    /// Answers whether a report is owed now.
    pub(super) fn set_reading(&mut self, on: bool) -> bool {
        self.reading = on;
        on && std::mem::take(&mut self.owed)
    }

    /// A datagram that was sent to `local`.
    fn message(&self, received: &UdpDatagram, local: SocketAddr, pool: &Pool) -> Datagram {
        let kept = received.payload.len().min(self.bytes_max);
        let mut payload = pool.take(kept);
        payload.write_slice(&received.payload[..kept]);
        let mut datagram = Datagram::to(Address::Inet(received.from), payload);
        datagram.truncated = kept < received.payload.len();
        // Nobody answers from a group.
        datagram.local = Some(local).filter(|local| self.any && !local.ip().is_multicast());
        datagram
    }
}

impl Sockets {
    fn endpoint(&mut self, handle: Handle) -> io::Result<&mut Endpoint> {
        self.check_alive()?;
        self.datagrams.get_mut(handle).ok_or_else(not_open)
    }

    pub(super) fn datagram(
        &mut self,
        owner: ChannelKey,
        bind: Option<&Address>,
        peer: Option<&Address>,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.check_alive()?;
        let stray = bind.is_some_and(is_forward);
        if stray {
            self.check_stray(peer)?;
        }
        let peer = peer.map(inet).transpose()?;
        let bind = match bind {
            // It has a port of its own, for its place in the stack.
            Some(_) if stray => SocketAddr::new(ANY_V6, 0),
            Some(bind) => inet(bind)?,
            None => SocketAddr::new(self.source_towards(peer)?, 0),
        };
        options::check_family(options, bind.is_ipv6())?;
        let id = Self::answer(self.stack.udp_bind(bind, options::udp(options)?))?;
        if peer.is_some()
            && let Err(error) = self.stack.udp_connect(id, peer)
        {
            Self::answer(self.stack.udp_close(self.now, id))?;
            return Err(io_error(error));
        }
        let local = self.stack.udp_address(id).ok_or_else(not_open)?;
        let handle = self.datagrams.insert(Endpoint {
            id,
            owner,
            connected: peer.is_some(),
            any: bind.ip().is_unspecified(),
            bytes_max: options.datagram_bytes_max,
            reading: true,
            owed: false,
            error: None,
        });
        if stray {
            self.stray = Some(handle);
            return Ok((handle, Offer::address()));
        }
        Ok((handle, Address::Inet(local)))
    }

    /// Whether an endpoint may be made for datagrams that nobody has bound.
    fn check_stray(&self, peer: Option<&Address>) -> io::Result<()> {
        if !self.stack.config().udp_forward {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this stack forwards no datagrams: see StackOptions::forward_datagrams",
            ));
        }
        if peer.is_some() {
            return Err(invalid("an endpoint for everybody's datagrams has no peer"));
        }
        match self.stray {
            Some(_) => Err(io_error(StackError::AddressInUse)),
            None => Ok(()),
        }
    }

    /// The address that an endpoint has which was not told: any, or the one that its peer sees.
    fn source_towards(&self, peer: Option<SocketAddr>) -> io::Result<IpAddr> {
        match peer.map(|peer| peer.ip()) {
            None => Ok(Ipv4Addr::UNSPECIFIED.into()),
            Some(ip) if ip.is_multicast() || ip == Ipv4Addr::BROADCAST => {
                Ok(if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { ANY_V6 })
            }
            Some(ip) => {
                let source = self.stack.source_for(ip);
                source.ok_or_else(|| io_error(StackError::Unreachable))
            }
        }
    }

    pub(super) fn receive(
        &mut self,
        endpoint: Handle,
        batch: &mut Vec<Datagram>,
        pool: &Pool,
    ) -> io::Result<bool> {
        self.check_alive()?;
        let stray = self.stray == Some(endpoint);
        let endpoint = self.datagrams.get_mut(endpoint).ok_or_else(not_open)?;
        if stray {
            for _ in 0..RECEIVE_DATAGRAMS_MAX {
                let Some((local, received)) = self.stack.udp_forwarded() else { return Ok(false) };
                batch.push(endpoint.message(&received, local, pool));
            }
            return Ok(true);
        }
        let port = self.stack.udp_address(endpoint.id).map_or(0, |local| local.port());
        if let Some(error) = endpoint.error.take() {
            return Err(io_error(error));
        }
        for _ in 0..RECEIVE_DATAGRAMS_MAX {
            match self.stack.udp_receive(endpoint.id) {
                Ok(received) => {
                    let local = SocketAddr::new(received.to, port);
                    batch.push(endpoint.message(&received, local, pool));
                }
                Err(StackError::WouldBlock) => return Ok(false),
                Err(error) if batch.is_empty() => return Err(io_error(error)),
                Err(error) => {
                    endpoint.error = Some(error);
                    break;
                }
            }
        }
        Ok(true)
    }

    pub(super) fn send(&mut self, endpoint: Handle, batch: &[Datagram]) -> io::Result<usize> {
        self.take_send_errors(endpoint)?;
        let Endpoint { id, any, .. } = *self.endpoint(endpoint)?;
        let stray = self.stray == Some(endpoint);
        for (sent, datagram) in batch.iter().enumerate() {
            match self.send_one(id, datagram, any, stray) {
                Ok(()) => {}
                // An event tells of room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(sent),
                Err(error) if sent == 0 => return Err(error),
                Err(_) => {
                    // The error belongs to the first datagram of the next call.
                    self.notices.push(Notice::Writable(endpoint));
                    return Ok(sent);
                }
            }
        }
        Ok(batch.len())
    }

    fn send_one(
        &mut self,
        id: UdpId,
        datagram: &Datagram,
        any: bool,
        stray: bool,
    ) -> io::Result<()> {
        let to = datagram.peer.as_ref().map(inet).transpose()?;
        let payload = Bytes::copy_from_slice(datagram.payload.as_slice());
        let local = datagram.local.filter(|_| any);
        let mut with = UdpSendOptions::default();
        with.source = local.map(|local| local.ip());
        with.source_port = local.filter(|_| stray).map(|local| local.port());
        Self::answer(self.stack.udp_send_with(self.now, id, to, payload, with))
    }

    /// What came back for earlier datagrams is told by a receive: a datagram that is sent now has
    /// nothing to do with it.
    fn take_send_errors(&mut self, handle: Handle) -> io::Result<()> {
        let endpoint = self.endpoint(handle)?;
        if !endpoint.connected {
            return Ok(());
        }
        let id = endpoint.id;
        while let Some((_, error)) = self.stack.udp_take_error(id) {
            self.endpoint(handle)?.error = Some(error);
            self.notices.push(Notice::Readable(handle));
        }
        Ok(())
    }

    pub(super) fn membership(&mut self, handle: Handle, membership: Membership) -> io::Result<()> {
        let id = self.endpoint(handle)?.id;
        if membership.interface_index != 0 {
            return Err(invalid("the userspace stack has one interface: its index is 0"));
        }
        let group: IpAddr = membership.group;
        Self::answer(match membership.join {
            true => self.stack.udp_join(self.now, id, group),
            false => self.stack.udp_leave(self.now, id, group),
        })
    }

    pub(super) fn close_datagram(&mut self, handle: Handle) {
        let Some(endpoint) = self.datagrams.remove(handle) else { return };
        if self.stray == Some(handle) {
            self.stray = None;
        }
        let closed = self.stack.udp_close(self.now, endpoint.id);
        debug_assert!(closed.is_ok(), "an endpoint of the table is the stack's, too");
    }

    /// Datagrams that nobody has bound.
    pub(super) fn report_forwarded(&mut self, events: &mut Vec<TransportEvent>) {
        let Some(endpoint) = self.stray.and_then(|stray| self.datagrams.get_mut(stray)) else {
            // Nobody wants them.
            while self.stack.udp_forwarded().is_some() {}
            return;
        };
        if endpoint.reading {
            events.push(TransportEvent::Readable(endpoint.owner));
        } else {
            endpoint.owed = true;
        }
    }

    pub(super) fn report_datagrams(&mut self, id: UdpId, events: &mut Vec<TransportEvent>) {
        let Some(endpoint) = self.datagrams.by_id(id.as_u64()) else { return };
        if endpoint.reading {
            events.push(TransportEvent::Readable(endpoint.owner));
        } else {
            endpoint.owed = true;
        }
    }
}

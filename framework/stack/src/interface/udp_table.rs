//! UDP sockets: how they are found, what waits in them.

use alloc::collections::VecDeque;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::tuple::octets;
use crate::stack::arena::Arena;
use crate::stack::config::StackConfig;
use crate::stack::error::StackError;
use crate::stack::event::Event;
use crate::stack::ids::UdpId;
use crate::stack::shard::PortClaim;

/// Errors about earlier datagrams that wait to be taken.
const ERRORS_MAX: usize = 16;

/// How a UDP socket behaves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UdpOptions {
    /// TTL or hop limit of what is sent to one host; that of the stack when `None`.
    pub hop_limit: Option<u8>,
    /// TTL or hop limit of what is sent to groups.
    pub multicast_hop_limit: u8,
    /// Whether datagrams to a group we are in come back to us.
    pub multicast_loop: bool,
    /// The traffic class of what is sent.
    pub traffic_class: u8,
    /// Broadcasts may be sent.
    pub broadcast: bool,
    /// What is longer than the path's MTU is refused instead of fragmented.
    pub dont_fragment: bool,
    /// Bytes of the payloads that wait to be received; those of the stack's limits when `None`.
    pub receive_bytes_max: Option<usize>,
    /// For `[::]`: take IPv6 datagrams only.
    pub ipv6_only: bool,
}

impl Default for UdpOptions {
    fn default() -> Self {
        Self {
            hop_limit: None,
            multicast_hop_limit: 1,
            multicast_loop: true,
            traffic_class: 0,
            broadcast: false,
            dont_fragment: false,
            receive_bytes_max: None,
            ipv6_only: false,
        }
    }
}

/// What one datagram has that its socket's others do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UdpSendOptions {
    /// Its TTL or hop limit, for hosts and for groups; that of the socket when `None`.
    pub hop_limit: Option<u8>,
    /// From which address of ours it comes; as the socket is bound, or by route, when `None`. A
    /// server bound to any address answers from the one it was asked at.
    pub source: Option<IpAddr>,
    /// From which port: what a gateway answers for somebody else. Only with
    /// [`udp_forward`](crate::StackConfig::udp_forward).
    pub source_port: Option<u16>,
    /// It is a probe of the path MTU, for protocols that search for it themselves (RFC 8899, section
    /// 6): it is never cut into fragments, and what is believed of the path does not hold it back,
    /// only what the link takes. When a router drops it,
    /// [`udp_take_error`](crate::Stack::udp_take_error) has
    /// [`MessageTooLong`](crate::StackError::MessageTooLong), and
    /// [`path_mtu`](crate::Stack::path_mtu) what the router said.
    pub mtu_probe: bool,
}

/// A datagram that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpDatagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// To which address of ours, or to which group.
    pub to: IpAddr,
    /// Its TTL or hop limit.
    pub hop_limit: u8,
    /// Its traffic class, ECN bits included.
    pub traffic_class: u8,
    /// The data, sharing the frame it came in.
    pub payload: Bytes,
}

/// A datagram to be sent.
#[derive(Debug, Clone)]
pub(crate) struct UdpOut {
    pub(crate) source: IpAddr,
    /// That of the socket when `None`.
    pub(crate) source_port: Option<u16>,
    pub(crate) destination: SocketAddr,
    /// Instead of the socket's.
    pub(crate) hop_limit: Option<u8>,
    /// It is not to be cut, whatever the socket's options say.
    pub(crate) whole: bool,
    pub(crate) payload: Bytes,
}

/// What a datagram that waits costs besides its payload: its place in a queue that has grown ahead, and
/// its headers.
const DATAGRAM_BYTES: usize = 256;

impl UdpDatagram {
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + DATAGRAM_BYTES
    }
}

impl UdpOut {
    pub(crate) fn cost(&self) -> usize {
        self.payload.len() + DATAGRAM_BYTES
    }
}

#[derive(Debug)]
pub(crate) struct UdpSocket {
    pub(crate) local: SocketAddr,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) options: UdpOptions,
    pub(crate) received: VecDeque<UdpDatagram>,
    pub(crate) received_bytes: usize,
    pub(crate) to_send: VecDeque<UdpOut>,
    pub(crate) errors: VecDeque<(SocketAddr, StackError)>,
    /// Groups joined by this socket.
    pub(crate) groups: alloc::vec::Vec<IpAddr>,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// A send found no room.
    pub(crate) blocked: bool,
    pub(crate) queued: bool,
    pub(crate) dirty: bool,
    /// The port among the stacks that are one host.
    pub(crate) claim: Option<PortClaim>,
}

impl UdpSocket {
    pub(crate) fn new(local: SocketAddr, options: UdpOptions) -> Self {
        Self {
            local,
            peer: None,
            options,
            received: VecDeque::new(),
            received_bytes: 0,
            to_send: VecDeque::new(),
            errors: VecDeque::new(),
            groups: alloc::vec::Vec::new(),
            readable: false,
            writable: false,
            blocked: false,
            queued: false,
            dirty: false,
            claim: None,
        }
    }

    /// Bytes that it holds, as they count for all sockets.
    pub(crate) fn held(&self) -> usize {
        let received = self.received_bytes + DATAGRAM_BYTES * self.received.len();
        received + self.to_send.iter().map(UdpOut::cost).sum::<usize>()
    }

    /// Whether datagrams of a sender are for this socket.
    pub(crate) fn hears(&self, from: SocketAddr) -> bool {
        self.peer.is_none_or(|peer| peer == from)
    }

    pub(crate) fn push_error(&mut self, about: SocketAddr, error: StackError) {
        if self.errors.len() == ERRORS_MAX {
            self.errors.pop_front();
        }
        self.errors.push_back((about, error));
    }
}

/// Datagrams for ports that nobody has bound, for the application to decide about.
#[derive(Debug)]
pub(crate) struct Forwarded {
    queue: VecDeque<(SocketAddr, UdpDatagram)>,
    bytes: usize,
    /// Datagrams, and bytes of them, at most.
    limits: (usize, usize),
    /// Stands in the queue of events.
    queued: bool,
}

impl Forwarded {
    /// Keeps a datagram. `None` when there are too many; else whether an event is to be queued.
    pub(crate) fn push(&mut self, to: SocketAddr, datagram: UdpDatagram) -> Option<bool> {
        let bytes = self.bytes + datagram.payload.len();
        if self.queue.len() >= self.limits.0 || bytes > self.limits.1 {
            return None;
        }
        self.bytes = bytes;
        self.queue.push_back((to, datagram));
        Some(!core::mem::replace(&mut self.queued, true))
    }

    pub(crate) fn pop(&mut self) -> Option<(SocketAddr, UdpDatagram)> {
        let (to, datagram) = self.queue.pop_front()?;
        self.bytes -= datagram.payload.len();
        Some((to, datagram))
    }

    /// What its place in the queue of events stands for.
    pub(crate) fn event(&mut self) -> Option<Event> {
        self.queued = false;
        (!self.queue.is_empty()).then_some(Event::UdpForward)
    }
}

/// The sockets, one for each local address and port.
#[derive(Debug)]
pub(crate) struct UdpTable {
    pub(crate) sockets: Arena<UdpSocket>,
    pub(crate) forwarded: Forwarded,
    table: HashTable<u32>,
    key: SipHasher13,
}

impl UdpTable {
    pub(crate) fn new(config: &StackConfig, key: SipHasher13) -> Self {
        let limits = &config.limits;
        let forwarded = Forwarded {
            queue: VecDeque::new(),
            bytes: 0,
            limits: (limits.udp_forward_datagrams_max, limits.udp_forward_bytes_max),
            queued: false,
        };
        Self { sockets: Arena::new(), forwarded, table: HashTable::new(), key }
    }

    fn hash(key: &SipHasher13, local: SocketAddr) -> u64 {
        let mut bytes = [0; 18];
        bytes[..16].copy_from_slice(&octets(local.ip()));
        bytes[16..].copy_from_slice(&local.port().to_be_bytes());
        key.hash(&bytes)
    }

    fn find(&self, local: SocketAddr) -> Option<u32> {
        let same = |index: &u32| self.sockets.at(*index).is_some_and(|s| s.local == local);
        self.table.find(Self::hash(&self.key, local), same).copied()
    }

    pub(crate) fn is_taken(&self, local: SocketAddr) -> bool {
        self.find(local).is_some()
    }

    pub(crate) fn insert(&mut self, socket: UdpSocket) -> UdpId {
        let local = socket.local;
        let id = UdpId::new(self.sockets.insert(socket));
        let (sockets, key) = (&self.sockets, &self.key);
        self.table.insert_unique(Self::hash(key, local), id.index, |index| {
            sockets.at(*index).map_or(0, |socket| Self::hash(key, socket.local))
        });
        id
    }

    pub(crate) fn remove(&mut self, id: UdpId) -> Option<UdpSocket> {
        let local = self.get(id)?.local;
        if let Ok(entry) =
            self.table.find_entry(Self::hash(&self.key, local), |index| *index == id.index)
        {
            entry.remove();
        }
        self.sockets.remove(id.index)
    }

    pub(crate) fn get(&self, id: UdpId) -> Option<&UdpSocket> {
        self.sockets.get(id.index, id.generation)
    }

    pub(crate) fn get_mut(&mut self, id: UdpId) -> Option<&mut UdpSocket> {
        self.sockets.get_mut(id.index, id.generation)
    }

    /// The socket for what `from` sent to a destination: one for just that address, then one for any
    /// of the family, then one for any at all. One that is connected to somebody else does not hear it.
    pub(crate) fn lookup(&self, local: SocketAddr, from: SocketAddr) -> Option<u32> {
        let any: IpAddr = match local.ip() {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let with = |ip| {
            let index = self.find(SocketAddr::new(ip, local.port()))?;
            self.sockets.at(index).filter(|socket| socket.hears(from)).map(|_| index)
        };
        with(local.ip()).or_else(|| with(any)).or_else(|| {
            let index = with(Ipv6Addr::UNSPECIFIED.into()).filter(|_| local.is_ipv4())?;
            self.sockets.at(index).filter(|socket| !socket.options.ipv6_only).map(|_| index)
        })
    }
}

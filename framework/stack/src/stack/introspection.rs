//! What is there: the listing that `netstat` shows, and what it costs.
//!
//! These walk over the tables. They are for people and tests; nothing in the stack calls them.

use core::net::SocketAddr;

use super::Stack;
use super::ids::{TcpId, UdpId};
use crate::tcp::State;

/// A line of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end; `None` for a listener.
    pub remote: Option<SocketAddr>,
    /// The state; `None` for a listener, whose state is LISTEN.
    pub state: Option<State>,
    /// The connection's id while the application has it.
    pub id: Option<TcpId>,
    /// Received and not read; for a listener, established and not accepted.
    pub unread: usize,
    /// Written and not acknowledged.
    pub unacknowledged: usize,
}

/// A line of the listing of UDP sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpLine {
    /// The socket.
    pub id: UdpId,
    /// Where it is bound.
    pub local: SocketAddr,
    /// Whom it is connected to.
    pub peer: Option<SocketAddr>,
    /// Bytes received and not read.
    pub unread: usize,
    /// Datagrams not sent.
    pub unsent: usize,
}

/// Entries and bytes of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Connections with a socket, those in the background included.
    pub connections: usize,
    /// Entries in the SYN cache.
    pub embryos: usize,
    /// Entries in TIME-WAIT without a socket.
    pub time_waits: usize,
    /// Datagrams in pieces, and the bytes held for them.
    pub reassembly: (usize, usize),
    /// Packets of the stack's own that wait to be sent.
    pub outbox: usize,
    /// Pending timers.
    pub timers: usize,
    /// Bytes of the connection table, the SYN cache and TIME-WAIT.
    pub table_bytes: usize,
    /// Bytes that sockets hold: unread, out of order, not acknowledged.
    pub socket_bytes: usize,
    /// Bytes of a connection's slot, without what it allocates.
    pub connection_bytes: usize,
}

impl Stack {
    /// Everything that has a TCP port, as `netstat` lists it: listeners, connections, the SYN cache
    /// and TIME-WAIT.
    pub fn listing(&self) -> impl Iterator<Item = Line> {
        let listeners = self.tcp.listeners.iter().map(|(_, listener)| Line {
            local: listener.local,
            remote: None,
            state: None,
            id: None,
            unread: listener.queue.len(),
            unacknowledged: 0,
        });
        let bare = |tuple: &crate::interface::tuple::FourTuple, state| Line {
            local: tuple.local(),
            remote: Some(tuple.remote()),
            state: Some(state),
            id: None,
            unread: 0,
            unacknowledged: 0,
        };
        let sockets = self.tcp.sockets.iter().map(|(index, socket)| {
            let info = socket.connection.info();
            let generation = self.tcp.sockets.generation(index);
            Line {
                local: socket.tuple.local(),
                remote: Some(socket.tuple.remote()),
                state: Some(info.state),
                id: (!socket.orphan).then_some(TcpId { index, generation }),
                unread: info.unread,
                unacknowledged: (info.unsent + info.unacknowledged) as usize,
            }
        });
        let embryos = self.tcp.embryos.iter();
        let embryos = embryos.map(move |embryo| bare(&embryo.tuple, State::SynReceived));
        let waits = self.tcp.waits.iter();
        let waits = waits.map(move |remains| bare(&remains.tuple, State::TimeWait));
        listeners.chain(sockets).chain(embryos).chain(waits)
    }

    /// The UDP sockets, as `netstat` lists them.
    pub fn udp_listing(&self) -> impl Iterator<Item = UdpLine> {
        self.udp.sockets.iter().map(|(index, socket)| UdpLine {
            id: UdpId { index, generation: self.udp.sockets.generation(index) },
            local: socket.local,
            peer: socket.peer,
            unread: socket.received_bytes,
            unsent: socket.to_send.len(),
        })
    }

    /// Entries and bytes of the tables. O(1).
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            connections: self.tcp.sockets.len(),
            embryos: self.tcp.embryos.len(),
            time_waits: self.tcp.waits.len(),
            reassembly: (self.net.reassembly.len(), self.net.reassembly.bytes()),
            outbox: self.net.outbox.len(),
            timers: self.net.wheel.len(),
            table_bytes: self.tcp.memory(),
            socket_bytes: self.net.memory.held(),
            connection_bytes: size_of::<crate::interface::tcp_table::Socket>(),
        }
    }
}

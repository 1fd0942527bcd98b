//! Calls about TCP: listen, connect, accept, read, write, close.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::event::Pending;
use super::ids::{ListenerId, TcpId};
use crate::interface::listener::{LISTENERS_MAX, ListenOptions, Listener};
use crate::interface::tcp_table::{Place, Socket};
use crate::interface::timer::Lazy;
use crate::interface::tuple::FourTuple;
use crate::tcp::{CloseReason, Config, Connection, ConnectionOption, Info, SeqNum, State};

/// How a connection is made.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// The local address and port; either may be unspecified.
    pub local: Option<SocketAddr>,
    /// The habits of the connection; those of the stack when `None`.
    pub config: Option<Arc<Config>>,
    /// The traffic class (DSCP) of its packets.
    pub traffic_class: u8,
    /// The TTL or hop limit of its packets; that of the stack when `None`.
    pub hop_limit: Option<u8>,
}

/// How long a tuple rests at least before it carries a new connection: the timestamp clock must have
/// moved on.
const TIME_WAIT_MIN: Duration = Duration::from_secs(1);

/// Whether an address can be a peer's.
fn is_peer(remote: SocketAddr) -> bool {
    let ip = remote.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    remote.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

impl Stack {
    /// Listens on an address and port. An unspecified address means every one of its family, and
    /// `[::]` both families.
    ///
    /// # Errors
    /// When the address is none of ours, the pair is taken, or there are too many listeners.
    pub fn listen(
        &mut self,
        local: SocketAddr,
        options: ListenOptions,
    ) -> Result<ListenerId, StackError> {
        if local.port() == 0 {
            return Err(StackError::InvalidAddress);
        }
        let ours = local.ip().is_unspecified() || self.net.accepts(local.ip());
        if !ours {
            return Err(StackError::AddressNotAvailable);
        }
        if self.tcp.listeners.conflicts(local) {
            return Err(StackError::AddressInUse);
        }
        self.insert_listener(local, options, false)
    }

    pub(crate) fn insert_listener(
        &mut self,
        local: SocketAddr,
        options: ListenOptions,
        forwarder: bool,
    ) -> Result<ListenerId, StackError> {
        let most = self.net.config.limits.listeners_max.min(LISTENERS_MAX);
        if self.tcp.listeners.len() >= most {
            return Err(StackError::LimitReached);
        }
        let config = options.config.clone().unwrap_or_else(|| Arc::clone(&self.tcp.config));
        Ok(self.tcp.listeners.insert(Listener {
            local,
            config,
            hop_limit: options.hop_limit.unwrap_or(self.net.config.hop_limit),
            options,
            queue: VecDeque::new(),
            embryos: 0,
            queued: false,
            forwarder,
            forward_queued: false,
            requests: VecDeque::new(),
        }))
    }

    /// Stops listening. Connections that were not accepted are reset.
    ///
    /// # Errors
    /// When there is no such listener.
    pub fn close_listener(&mut self, now: Instant, id: ListenerId) -> Result<(), StackError> {
        let listener = self.tcp.listeners.remove(id).ok_or(StackError::NoSuchSocket)?;
        for waiting in listener.queue {
            self.end(now, waiting, true);
        }
        Ok(())
    }

    /// Changes how a listener behaves; connections that are being made have it already.
    ///
    /// # Errors
    /// When there is no such listener.
    pub fn set_listen_options(
        &mut self,
        id: ListenerId,
        options: ListenOptions,
    ) -> Result<(), StackError> {
        let (config, hop_limit) = (Arc::clone(&self.tcp.config), self.net.config.hop_limit);
        let listener = self.tcp.listeners.get_mut(id).ok_or(StackError::NoSuchSocket)?;
        listener.config = options.config.clone().unwrap_or(config);
        listener.hop_limit = options.hop_limit.unwrap_or(hop_limit);
        listener.options = options;
        Ok(())
    }

    /// The address a listener listens on.
    #[must_use]
    pub fn listener_address(&self, id: ListenerId) -> Option<SocketAddr> {
        self.tcp.listeners.get(id).map(|listener| listener.local)
    }

    /// The next established connection of a listener, with its events.
    pub fn accept(&mut self, id: ListenerId) -> Option<TcpId> {
        let accepted = self.tcp.listeners.get_mut(id)?.queue.pop_front()?;
        let socket = self.tcp.socket_mut(accepted)?;
        socket.listener = None;
        // That it is connected is what accepting it says.
        if socket.pending.contains(Pending::CONNECTED) {
            socket.pending.take_first();
        }
        if !socket.pending.is_empty() {
            socket.queued = true;
            self.events.push(super::Source::Tcp(accepted));
        }
        Some(accepted)
    }

    /// Opens a connection; [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::Closed`](crate::Event::Closed) follows. What is written meanwhile is sent then.
    ///
    /// # Errors
    /// When the peer's address is of no use, no route leads there, the local address is none of
    /// ours or taken, or a limit is reached.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        options: ConnectOptions,
    ) -> Result<TcpId, StackError> {
        if !is_peer(remote) {
            return Err(StackError::InvalidAddress);
        }
        if self.tcp.sockets.len() >= self.net.config.limits.connections_max {
            return Err(StackError::LimitReached);
        }
        self.net.now = now;
        let tuple = self.choose_local(remote, options.local)?;
        let last = self.leave_time_wait(&tuple);
        let config = options.config.unwrap_or_else(|| Arc::clone(&self.tcp.config));
        let initial = self.initial(&tuple, self.created_after(now, &tuple, last));
        let connection = Connection::connect(config, initial, now);
        let id = self.tcp.insert_socket(Socket {
            tuple,
            connection,
            timer: Lazy::default(),
            pending: Pending::default(),
            closed: None,
            queued: false,
            dirty: false,
            orphan: false,
            detached: false,
            listener: None,
            hop_limit: options.hop_limit.unwrap_or(self.net.config.hop_limit),
            traffic_class: options.traffic_class,
        });
        self.touch(now, id);
        Ok(id)
    }

    /// The local end towards a peer: what was asked for, or by route and by chance.
    fn choose_local(
        &mut self,
        remote: SocketAddr,
        local: Option<SocketAddr>,
    ) -> Result<FourTuple, StackError> {
        let asked = local.map(|local| local.ip()).filter(|ip| !ip.is_unspecified());
        if asked.is_some_and(|ip| ip.is_ipv4() != remote.is_ipv4()) {
            return Err(StackError::InvalidAddress);
        }
        if asked.is_some_and(|ip| !self.net.accepts(ip)) {
            return Err(StackError::AddressNotAvailable);
        }
        if self.net.path(remote.ip()).is_none() {
            return Err(StackError::Unreachable);
        }
        let ip = asked.or_else(|| self.net.source_for(remote.ip()));
        let ip = ip.ok_or(StackError::Unreachable)?;
        if let Some(port) = local.map(|local| local.port()).filter(|port| *port != 0) {
            let tuple = FourTuple::new((ip, port).into(), remote);
            let free = self.tcp.lookup(&tuple).is_none() || self.is_reusable(&tuple);
            return if free { Ok(tuple) } else { Err(StackError::AddressInUse) };
        }
        let with = |port| FourTuple::new((ip, port).into(), remote);
        let hash = with(0).secret_hash(&self.net.secrets.port);
        // The ports are borrowed while the table is asked about each of them.
        let mut ports = self.tcp.ports.take();
        let fresh = ports.select(hash, |port| self.tcp.is_taken(&with(port)));
        let port = fresh.or_else(|| ports.select(hash, |port| !self.is_reusable(&with(port))));
        self.tcp.ports = ports;
        port.map(with).ok_or(StackError::NoPorts)
    }

    /// Whether a tuple in TIME-WAIT may carry a new connection of ours: the peer can tell its
    /// segments from old ones by their timestamps, which have moved on (RFC 6191).
    fn is_reusable(&self, tuple: &FourTuple) -> bool {
        let Some(Place::TimeWait(index)) = self.tcp.lookup(tuple) else { return false };
        let old = self.tcp.waits.expires(index).is_some_and(|expires| {
            self.net.now + self.net.config.tcp.time_wait >= expires + TIME_WAIT_MIN
        });
        let stamped = self.tcp.waits.at(index).is_some_and(|it| it.timestamp.is_some());
        old && stamped && self.net.config.tcp.time_wait_reuse
    }

    /// Ends the TIME-WAIT of a tuple; says the last number it used.
    fn leave_time_wait(&mut self, tuple: &FourTuple) -> Option<SeqNum> {
        let Some(Place::TimeWait(index)) = self.tcp.lookup(tuple) else { return None };
        self.net.counters.time_waits_reused += 1;
        self.tcp.remove_wait(index).map(|remains| remains.snd_nxt)
    }

    /// After a call that changed a connection.
    fn touch(&mut self, now: Instant, id: TcpId) {
        self.mark_dirty(id.index);
        self.settle(now, id.index);
    }

    fn connection(&mut self, id: TcpId) -> Result<&mut Socket, StackError> {
        self.tcp.socket_mut(id).ok_or(StackError::NoSuchSocket)
    }

    /// The next bytes received in order, at most `max`; `None` when the peer has sent its last
    /// byte and it was read.
    ///
    /// # Errors
    /// [`WouldBlock`](StackError::WouldBlock) when there are none now, and why the connection ended
    /// when it did not end in order.
    pub fn read(
        &mut self,
        now: Instant,
        id: TcpId,
        max: usize,
    ) -> Result<Option<Bytes>, StackError> {
        let socket = self.connection(id)?;
        if let Some(bytes) = socket.connection.read(max, now) {
            // Reading opens the window, and the peer may be waiting to hear that.
            self.touch(now, id);
            return Ok(Some(bytes));
        }
        match socket.closed {
            Some(CloseReason::Finished) => Ok(None),
            Some(reason) => Err(StackError::Closed(reason)),
            None if socket.connection.is_at_end() => Ok(None),
            None if max == 0 => Ok(Some(Bytes::new())),
            None => Err(StackError::WouldBlock),
        }
    }

    /// How many bytes can be read now.
    #[must_use]
    pub fn readable(&self, id: TcpId) -> usize {
        self.tcp.socket(id).map_or(0, |socket| socket.connection.readable())
    }

    /// Queues bytes to be sent; says how many were taken. When that is not all,
    /// [`Event::Writable`](crate::Event::Writable) follows.
    ///
    /// # Errors
    /// When this direction was shut down, or the connection is over.
    pub fn write(&mut self, now: Instant, id: TcpId, data: Bytes) -> Result<usize, StackError> {
        let socket = self.connection(id)?;
        if let Some(reason) = socket.closed {
            return Err(StackError::Closed(reason));
        }
        if !socket.connection.state().may_write() {
            return Err(StackError::Shutdown);
        }
        let taken = socket.connection.write(data, now);
        self.touch(now, id);
        Ok(taken)
    }

    /// How many bytes [`write`](Self::write) would take now.
    #[must_use]
    pub fn writable(&self, id: TcpId) -> usize {
        self.tcp.socket(id).map_or(0, |socket| socket.connection.writable())
    }

    /// Says that nothing more will be written: the FIN follows what is queued. Reading goes on.
    ///
    /// # Errors
    /// When there is no such connection.
    pub fn shutdown(&mut self, now: Instant, id: TcpId) -> Result<(), StackError> {
        self.connection(id)?.connection.shutdown();
        self.touch(now, id);
        Ok(())
    }

    /// Is done with a connection: what is queued and the FIN are still sent, in the background. The
    /// id means nothing any more.
    ///
    /// # Errors
    /// When there is no such connection.
    pub fn close(&mut self, now: Instant, id: TcpId) -> Result<(), StackError> {
        self.connection(id)?;
        self.end(now, id, false);
        Ok(())
    }

    /// Ends a connection at once: what is queued is dropped and the peer is told by a reset. The
    /// id means nothing any more.
    ///
    /// # Errors
    /// When there is no such connection.
    pub fn abort(&mut self, now: Instant, id: TcpId) -> Result<(), StackError> {
        self.connection(id)?;
        self.end(now, id, true);
        Ok(())
    }

    fn end(&mut self, now: Instant, id: TcpId, abort: bool) {
        let Some(socket) = self.tcp.socket_mut(id) else { return };
        if abort {
            socket.connection.abort();
        } else {
            socket.connection.close(now);
        }
        socket.orphan = true;
        socket.listener = None;
        self.touch(now, id);
    }

    /// The state of a connection.
    #[must_use]
    pub fn state(&self, id: TcpId) -> Option<State> {
        self.tcp.socket(id).map(|socket| socket.connection.state())
    }

    /// A connection as `tcp_info` shows it.
    #[must_use]
    pub fn info(&self, id: TcpId) -> Option<Info> {
        self.tcp.socket(id).map(|socket| socket.connection.info())
    }

    /// Both ends of a connection: ours, and the peer's.
    #[must_use]
    pub fn endpoints(&self, id: TcpId) -> Option<(SocketAddr, SocketAddr)> {
        self.tcp.socket(id).map(|socket| (socket.tuple.local(), socket.tuple.remote()))
    }

    /// Sets an option of a connection.
    ///
    /// # Errors
    /// When there is no such connection.
    pub fn set_option(
        &mut self,
        now: Instant,
        id: TcpId,
        option: ConnectionOption,
    ) -> Result<(), StackError> {
        self.connection(id)?.connection.set_option(now, option);
        self.touch(now, id);
        Ok(())
    }

    /// Sets the traffic class (DSCP) of a connection's packets; its ECN bits are TCP's.
    ///
    /// # Errors
    /// When there is no such connection.
    pub fn set_traffic_class(&mut self, id: TcpId, class: u8) -> Result<(), StackError> {
        self.connection(id)?.traffic_class = class;
        Ok(())
    }

    /// Sets the TTL or hop limit of a connection's packets.
    ///
    /// # Errors
    /// When there is no such connection, or the limit is 0.
    pub fn set_hop_limit(&mut self, id: TcpId, limit: u8) -> Result<(), StackError> {
        if limit == 0 {
            return Err(StackError::InvalidOption);
        }
        self.connection(id)?.hop_limit = limit;
        Ok(())
    }
}

//! Calls about TCP: listen, connect, accept, read, write, close.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::SocketAddr;

use bytes::Bytes;
use fyke_clock::Instant;

use super::Stack;
use super::error::StackError;
use super::event::Pending;
use super::ids::{ListenerId, TcpId};
use crate::interface::listener::{LISTENERS_MAX, ListenOptions, Listener};
use crate::interface::tcp_table::{Place, Socket};
use crate::interface::tuple::FourTuple;
use crate::tcp::{CloseReason, ConnectionOption, Info, State};

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
            options,
            queue: VecDeque::new(),
            embryos: 0,
            queued: false,
            forwarder,
            forward_queued: false,
            requests: VecDeque::new(),
            fast_pending: 0,
            fast_resets: VecDeque::new(),
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
        let config = Arc::clone(&self.tcp.config);
        let listener = self.tcp.listeners.get_mut(id).ok_or(StackError::NoSuchSocket)?;
        listener.config = options.config.clone().unwrap_or(config);
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

    /// After a call that changed a connection.
    pub(super) fn touch(&mut self, now: Instant, id: TcpId) {
        self.mark_dirty(id.index);
        self.settle(now, id.index);
    }

    fn connection(&mut self, id: TcpId) -> Result<&mut Socket, StackError> {
        let socket = self.tcp.socket_mut(id).ok_or(StackError::NoSuchSocket)?;
        socket.connection.set_tight(self.net.memory.is_tight());
        Ok(socket)
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
        let nothing = nothing_to_read(socket, max)?;
        Ok(nothing.map(|()| Bytes::new()))
    }

    /// Copies the next bytes received in order into `to`, out of as many segments as they came in;
    /// says how many. `None` when the peer has sent its last byte and it was read.
    ///
    /// [`read`](Self::read) shares the frame instead of copying, piece by piece. Copying is what a
    /// caller wants who needs its own memory anyway, or one piece: the window is looked at once, and
    /// the frames are free again.
    ///
    /// # Errors
    /// [`WouldBlock`](StackError::WouldBlock) when there are none now, and why the connection ended
    /// when it did not end in order.
    pub fn read_into(
        &mut self,
        now: Instant,
        id: TcpId,
        to: &mut [u8],
    ) -> Result<Option<usize>, StackError> {
        let socket = self.connection(id)?;
        let count = socket.connection.read_into(to, now);
        if count > 0 {
            self.touch(now, id);
            return Ok(Some(count));
        }
        Ok(nothing_to_read(socket, to.len())?.map(|()| 0))
    }

    /// How many bytes can be read now.
    #[must_use]
    pub fn readable(&self, id: TcpId) -> usize {
        self.tcp.socket(id).map_or(0, |socket| socket.connection.readable())
    }

    /// How many of them, `max` at most, lie in pieces shorter than `piece_min` before the first that
    /// is not: to decide between [`read_into`](Self::read_into) for these and [`read`](Self::read),
    /// which gives so long a piece when the answer is 0 and there are bytes.
    #[must_use]
    pub fn readable_scattered(&self, id: TcpId, piece_min: usize, max: usize) -> usize {
        let socket = self.tcp.socket(id);
        socket.map_or(0, |socket| socket.connection.readable_scattered(piece_min, max))
    }

    /// Queues bytes to be sent; says how many were taken. When that is not all,
    /// [`Event::Writable`](crate::Event::Writable) follows.
    ///
    /// # Errors
    /// When this direction was shut down, or the connection is over.
    pub fn write(&mut self, now: Instant, id: TcpId, data: Bytes) -> Result<usize, StackError> {
        let taken = self.writing(id)?.connection.write(data, now);
        self.touch(now, id);
        Ok(taken)
    }

    /// As [`write`](Self::write), for bytes that stay the caller's: they are copied, few of them
    /// without an allocation of their own.
    ///
    /// # Errors
    /// When this direction was shut down, or the connection is over.
    pub fn write_slice(
        &mut self,
        now: Instant,
        id: TcpId,
        data: &[u8],
    ) -> Result<usize, StackError> {
        let taken = self.writing(id)?.connection.write_slice(data, now);
        self.touch(now, id);
        Ok(taken)
    }

    /// The connection, while it may be written to.
    fn writing(&mut self, id: TcpId) -> Result<&mut Socket, StackError> {
        let socket = self.connection(id)?;
        match socket.closed {
            Some(reason) => Err(StackError::Closed(reason)),
            None if !socket.connection.state().may_write() => Err(StackError::Shutdown),
            None => Ok(socket),
        }
    }

    /// Asks for [`Event::Writable`](crate::Event::Writable) once there is room, as after a write
    /// that did not take everything: for a caller who wrote no more than
    /// [`writable`](Self::writable) and has more.
    ///
    /// # Errors
    /// When this direction was shut down, or the connection is over.
    pub fn want_writable(&mut self, now: Instant, id: TcpId) -> Result<(), StackError> {
        self.writing(id)?.connection.want_writable();
        self.settle(now, id.index);
        Ok(())
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

    /// The same of whatever connection is between two ends, as a line of the
    /// [listing](Self::listing) names them: of one in the background, too.
    #[must_use]
    pub fn info_between(&self, local: SocketAddr, remote: SocketAddr) -> Option<Info> {
        match self.tcp.lookup(&FourTuple::new(local, remote))? {
            Place::Connection(index) => {
                self.tcp.sockets.at(index).map(|socket| socket.connection.info())
            }
            Place::Embryo(_) | Place::TimeWait(_) => None,
        }
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

/// What it means that nothing was read: nothing was asked for, there is nothing now, or there will
/// be nothing any more.
fn nothing_to_read(socket: &Socket, asked: usize) -> Result<Option<()>, StackError> {
    match socket.closed {
        Some(CloseReason::Finished) => Ok(None),
        Some(reason) => Err(StackError::Closed(reason)),
        None if socket.connection.is_at_end() => Ok(None),
        None if asked == 0 => Ok(Some(())),
        None => Err(StackError::WouldBlock),
    }
}

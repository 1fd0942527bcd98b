//! Listeners, and the connections that wait behind them.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use fyke_core::driver::TransportId;
use fyke_core::transport::{Handle, Incoming, TransportEvent};
use fyke_core::{Address, ChannelKey, LoopHandle, SocketOptions};
use fyke_stack::{ListenerId, StackError, TcpId};

use super::error::{inet, io_error, not_open};
use super::forward::is_forward;
use super::options::{self, Habits};
use super::sockets::Sockets;
use super::stream::Stream;
use super::table::{Kind, Named};

/// A listener.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) id: ListenerId,
    pub(super) owner: ChannelKey,
    pub(super) local: SocketAddr,
    /// What its connections have.
    habits: Habits,
}

impl Named for Listening {
    const KIND: Kind = Kind::Listener;

    fn id(&self) -> u64 {
        self.id.as_u64()
    }
}

/// A connection on its way from its listener to its channel, on the same loop. Dropped on the way it
/// is closed: the loop is told, because only there is the stack.
pub(super) struct Accepted {
    id: TcpId,
    habits: Habits,
    handle: LoopHandle,
    transport: TransportId,
    adopted: bool,
}

/// Bits of a key that tell an abandoned connection from the device.
const ABANDONED: u64 = 1 << 55;
const GENERATION_BITS: u64 = (1 << 23) - 1;

impl Accepted {
    pub(super) fn id(&self) -> TcpId {
        self.id
    }

    /// What its listener gave it.
    pub(super) fn habits(&self) -> &Habits {
        &self.habits
    }

    pub(super) fn is_of(&self, handle: &LoopHandle, transport: TransportId) -> bool {
        self.handle.is_same(handle) && self.transport == transport
    }

    /// It has a channel.
    pub(super) fn adopted(mut self) {
        self.adopted = true;
    }

    /// The notice's key: the index, and as much of the generation as fits.
    fn key(id: TcpId) -> u64 {
        let generation = id.as_u64() >> 32 & GENERATION_BITS;
        ABANDONED | generation << 32 | id.as_u64() & u64::from(u32::MAX)
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if !self.adopted {
            // A loop that has ended has no stack any more.
            let _ = self.handle.notify(self.transport, Self::key(self.id));
        }
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Sockets {
    pub(super) fn listen(
        &mut self,
        owner: ChannelKey,
        address: &Address,
        options: &SocketOptions,
    ) -> io::Result<(Handle, Address)> {
        self.check_alive()?;
        let habits = Habits::of(options)?;
        if is_forward(address) {
            let id = self.listen_forward(&habits, options)?;
            let local = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0);
            let listening = Listening { id, owner, local, habits };
            return Ok((self.listeners.insert(listening), address.clone()));
        }
        let address = inet(address)?;
        options::check_family(options, address.is_ipv6())?;
        let (id, local) = self.bind_listener(address, &habits, options)?;
        let handle = self.listeners.insert(Listening { id, owner, local, habits });
        Ok((handle, Address::Inet(local)))
    }

    /// Listens on an address; port 0 is any that is free.
    fn bind_listener(
        &mut self,
        address: SocketAddr,
        habits: &Habits,
        options: &SocketOptions,
    ) -> io::Result<(ListenerId, SocketAddr)> {
        let listen = self.configs.listen(habits, options);
        if address.port() != 0 {
            let id = Self::answer(self.stack.listen(address, listen))?;
            return Ok((id, address));
        }
        let ports = self.stack.config().ports.clone();
        for _ in ports.clone() {
            let port = self.next_port.clamp(*ports.start(), *ports.end());
            self.next_port = if port == *ports.end() { *ports.start() } else { port + 1 };
            let local = SocketAddr::new(address.ip(), port);
            match self.stack.listen(local, listen.clone()) {
                Err(StackError::AddressInUse) => {}
                result => return Self::answer(result).map(|id| (id, local)),
            }
        }
        Err(io_error(StackError::NoPorts))
    }

    pub(super) fn accept(&mut self, listener: Handle) -> io::Result<Option<(Incoming, Address)>> {
        self.check_alive()?;
        let listening = self.listeners.get(listener).ok_or_else(not_open)?;
        let (listener_id, habits) = (listening.id, listening.habits);
        while let Some(id) = self.stack.accept(listener_id) {
            let Some((_, peer)) = self.stack.endpoints(id) else { continue };
            self.streams.insert(Stream::waiting(id));
            let (handle, transport) = (self.handle.clone(), self.id);
            let accepted = Accepted { id, habits, handle, transport, adopted: false };
            return Ok(Some((Incoming::new(accepted), Address::Inet(peer))));
        }
        Ok(None)
    }

    /// An accepted connection was dropped before it had a channel.
    pub(super) fn abandoned(&mut self, key: u64) {
        if key & ABANDONED == 0 {
            return;
        }
        let id = self
            .streams
            .at(key & u64::from(u32::MAX))
            .filter(|stream| stream.owner().is_none() && Accepted::key(stream.id) == key);
        if let Some(id) = id.map(|stream| stream.id.as_u64()) {
            let mode = fyke_core::transport::CloseMode::Abort;
            self.close_stream(Kind::Stream.handle(id), mode);
        }
    }

    pub(super) fn close_listener(&mut self, handle: Handle) {
        let Some(listening) = self.listeners.remove(handle) else { return };
        let closed = self.stack.close_listener(self.now, listening.id);
        debug_assert!(closed.is_ok(), "a listener of the table is the stack's, too");
    }

    pub(super) fn report_acceptable(&mut self, id: ListenerId, events: &mut Vec<TransportEvent>) {
        let listening = self.listeners.by_id(id.as_u64());
        events.extend(listening.map(|listening| TransportEvent::Acceptable(listening.owner)));
    }
}

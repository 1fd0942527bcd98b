//! The transport's endpoints by key. A key is an index and a generation, so that an event that was
//! already on its way when its endpoint was closed never meets the next one at the same index.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use fyke_core::ChannelKey;
use fyke_core::driver::{Token, TransportId};
use fyke_core::transport::Handle;
use slab::Slab;

use super::readiness::{Asked, Watch};
use super::unix::BoundPath;
use super::zerocopy::ZeroSends;
use crate::driver::PollerRegistry;

/// Bits of a key below its generation.
const INDEX_BITS: u32 = 32;
const INDEX_MASK: u64 = (1 << INDEX_BITS) - 1;
/// A key has 56 bits in a token, so 24 are left.
const GENERATION_MASK: u32 = (1 << 24) - 1;

/// What a socket is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Tcp { v6: bool },
    Udp { v6: bool },
    UnixStream,
    UnixDatagram,
}

/// What an endpoint does.
#[derive(Debug)]
pub(super) enum Role {
    Listener {
        /// Accepted sockets begin with the listener's `TCP_NODELAY`.
        nodelay: bool,
    },
    Connecting(Option<Box<ZeroSends>>),
    Stream(Option<Box<ZeroSends>>),
    Datagram(Datagrams),
}

/// What a datagram endpoint knows besides its socket.
#[derive(Debug)]
pub(super) struct Datagrams {
    pub(super) connected: bool,
    /// Longer ones are cut.
    pub(super) bytes_max: u32,
    /// How many datagrams the next receive is prepared for.
    pub(super) batch: u8,
    /// An error that was taken from the socket while nobody read; the next receive answers it.
    pub(super) error: Option<Box<io::Error>>,
}

/// A listener, a connection or a datagram endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) owner: ChannelKey,
    pub(super) token: Token,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) watch: Watch,
    pub(super) fd: OwnedFd,
    /// The Unix path that is ours; removed with the endpoint.
    pub(super) _path: Option<Box<BoundPath>>,
}

impl Endpoint {
    /// Asks the poller for what `decide` answers.
    pub(super) fn ask(
        &mut self,
        registry: &PollerRegistry,
        decide: impl FnOnce(&mut Watch) -> Asked,
    ) -> io::Result<()> {
        let wish = decide(&mut self.watch);
        self.watch.apply(wish, registry, self.fd.as_fd(), self.token)
    }
}

/// There may be a million, so this is watched: an idle connection is an endpoint and nothing else.
const _: () = assert!(size_of::<Endpoint>() <= 72);

/// What an endpoint is made of, before it has a key.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) owner: ChannelKey,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) fd: OwnedFd,
    pub(super) path: Option<Box<BoundPath>>,
}

#[derive(Debug)]
pub(super) struct Table {
    id: TransportId,
    slots: Slab<(u32, Endpoint)>,
    generation: u32,
}

impl Table {
    pub(super) fn new(id: TransportId) -> Self {
        Self { id, slots: Slab::new(), generation: 0 }
    }

    /// Registers the descriptor and gives the endpoint a key.
    pub(super) fn insert(&mut self, parts: Parts, registry: &PollerRegistry) -> io::Result<Handle> {
        let Parts { owner, kind, role, fd, path } = parts;
        let entry = self.slots.vacant_entry();
        self.generation = (self.generation + 1) & GENERATION_MASK;
        let index = u32::try_from(entry.key()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let key = u64::from(self.generation) << INDEX_BITS | u64::from(index);
        let connecting = matches!(role, Role::Connecting(_));
        let watch = Watch::new(registry.trigger());
        let token = Token::new(self.id, key);
        let mut endpoint = Endpoint { owner, token, kind, role, watch, fd, _path: path };
        endpoint.ask(registry, |watch| watch.initial(connecting))?;
        entry.insert((self.generation, endpoint));
        Ok(Handle(key))
    }

    /// The endpoint of `key`, unless it has been closed.
    pub(super) fn find(&mut self, key: u64) -> Option<&mut Endpoint> {
        let (generation, endpoint) = self.slots.get_mut(index(key))?;
        (*generation == generation_of(key)).then_some(endpoint)
    }

    /// The endpoint of `handle`.
    pub(super) fn get(&mut self, handle: Handle) -> io::Result<&mut Endpoint> {
        self.find(handle.0).ok_or_else(dead)
    }

    /// The endpoint of `handle`, to look at.
    pub(super) fn peek(&self, handle: Handle) -> io::Result<&Endpoint> {
        match self.slots.get(index(handle.0)) {
            Some((generation, endpoint)) if *generation == generation_of(handle.0) => Ok(endpoint),
            _ => Err(dead()),
        }
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<Endpoint> {
        self.find(handle.0)?;
        Some(self.slots.remove(index(handle.0)).1)
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

fn index(key: u64) -> usize {
    (key & INDEX_MASK) as usize
}

fn generation_of(key: u64) -> u32 {
    (key >> INDEX_BITS) as u32
}

fn dead() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the handle is closed")
}

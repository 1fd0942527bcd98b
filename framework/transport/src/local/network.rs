//! The names of a process, or of a test: who listens where, and what got lost.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use super::listener::Listener;
use super::mailbox::{Delivery, Mailbox, MailboxLimits};

/// A set of names that in-memory transports listen on and connect to. A handle: clones are the
/// same network.
#[derive(Clone, Default)]
pub struct LocalNetwork(Arc<Inner>);

#[derive(Default)]
struct Inner {
    names: Mutex<Names>,
    counters: Counters,
}

#[derive(Default)]
struct Names {
    listeners: HashMap<Arc<str>, Arc<Listener>>,
    mailboxes: HashMap<Arc<str>, Arc<Mailbox>>,
    /// Number of the last name that was made up.
    last: u64,
}

#[derive(Default)]
struct Counters {
    refused: AtomicU64,
    dropped: AtomicU64,
    unwanted: AtomicU64,
    cut: AtomicU64,
}

/// What a [`LocalNetwork`] has and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct LocalStats {
    /// Names that are listened on.
    pub listeners: usize,
    /// Datagram endpoints.
    pub endpoints: usize,
    /// Connections that were refused: nobody listened, or the backlog was full.
    pub connections_refused: u64,
    /// Datagrams that found their endpoint full.
    pub datagrams_dropped: u64,
    /// Datagrams for a name that nobody has, or for an endpoint connected to somebody else.
    pub datagrams_unwanted: u64,
    /// Datagrams that were longer than their receiver takes.
    pub datagrams_cut: u64,
}

impl LocalNetwork {
    /// A network of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The one that the whole process shares.
    #[must_use]
    pub fn process() -> Self {
        static PROCESS: LazyLock<LocalNetwork> = LazyLock::new(LocalNetwork::new);
        PROCESS.clone()
    }

    /// What it has and did.
    #[must_use]
    pub fn stats(&self) -> LocalStats {
        let names = self.lock();
        let counters = &self.0.counters;
        LocalStats {
            listeners: names.listeners.len(),
            endpoints: names.mailboxes.len(),
            connections_refused: counters.refused.load(Ordering::Relaxed),
            datagrams_dropped: counters.dropped.load(Ordering::Relaxed),
            datagrams_unwanted: counters.unwanted.load(Ordering::Relaxed),
            datagrams_cut: counters.cut.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens on `name`; an empty one is made up.
    pub(super) fn listen(&self, name: &Arc<str>, backlog: u32) -> io::Result<ListenerClaim> {
        let mut names = self.lock();
        let name = names.or_made_up(name);
        let Entry::Vacant(entry) = names.listeners.entry(Arc::clone(&name)) else {
            return Err(io::ErrorKind::AddrInUse.into());
        };
        let listener = Arc::new(Listener::new(name, backlog));
        entry.insert(Arc::clone(&listener));
        Ok(ListenerClaim { network: self.clone(), listener })
    }

    /// Who listens on `name`.
    pub(super) fn listener(&self, name: &str) -> Option<Arc<Listener>> {
        self.lock().listeners.get(name).cloned()
    }

    /// Counts a connection that was refused.
    pub(super) fn count_refused(&self) {
        self.0.counters.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A name that nobody has.
    pub(super) fn make_up_name(&self) -> Arc<str> {
        self.lock().make_up()
    }

    /// Opens a mailbox on `name`; an empty one is made up.
    pub(super) fn bind(
        &self,
        name: &Arc<str>,
        peer: Option<Arc<str>>,
        limits: MailboxLimits,
    ) -> io::Result<MailboxClaim> {
        let mut names = self.lock();
        let name = names.or_made_up(name);
        let Entry::Vacant(entry) = names.mailboxes.entry(Arc::clone(&name)) else {
            return Err(io::ErrorKind::AddrInUse.into());
        };
        let mailbox = Arc::new(Mailbox::new(name, peer, limits));
        entry.insert(Arc::clone(&mailbox));
        Ok(MailboxClaim { network: self.clone(), mailbox })
    }

    /// The endpoint called `name`.
    pub(super) fn mailbox(&self, name: &str) -> Option<Arc<Mailbox>> {
        self.lock().mailboxes.get(name).cloned()
    }

    /// Counts what became of a datagram.
    pub(super) fn count(&self, delivery: Delivery) {
        let counters = &self.0.counters;
        let counter = match delivery {
            Delivery::Queued => return,
            Delivery::Cut => &counters.cut,
            Delivery::Full => &counters.dropped,
            Delivery::Unwanted => &counters.unwanted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Names {
    fn or_made_up(&mut self, name: &Arc<str>) -> Arc<str> {
        if name.is_empty() { self.make_up() } else { Arc::clone(name) }
    }

    /// `@1`, `@2`, ... Names that somebody chose are passed over.
    fn make_up(&mut self) -> Arc<str> {
        loop {
            self.last += 1;
            let name = format!("@{}", self.last);
            let taken = self.listeners.contains_key(&*name) || self.mailboxes.contains_key(&*name);
            if !taken {
                return name.into();
            }
        }
    }
}

impl fmt::Debug for LocalNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalNetwork").field(&self.stats()).finish()
    }
}

/// A listener's name; free again when dropped.
#[derive(Debug)]
pub(super) struct ListenerClaim {
    network: LocalNetwork,
    pub(super) listener: Arc<Listener>,
}

impl Drop for ListenerClaim {
    fn drop(&mut self) {
        self.network.lock().listeners.remove(self.listener.name());
        self.listener.close();
    }
}

/// A datagram endpoint's name; free again when dropped.
#[derive(Debug)]
pub(super) struct MailboxClaim {
    network: LocalNetwork,
    pub(super) mailbox: Arc<Mailbox>,
}

impl Drop for MailboxClaim {
    fn drop(&mut self) {
        self.network.lock().mailboxes.remove(self.mailbox.name());
        self.mailbox.close();
    }
}

//! Everything that has a four-tuple: connections, the SYN cache, TIME-WAIT, in one keyed table.
//!
//! The table holds one word a connection: two bits say what it is, thirty say which. A segment
//! costs one lookup whatever it belongs to, and nothing here is ever walked through.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::cell::Cell;

use fyke_clock::Instant;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::egress::Look;
use super::fast_open::Peers;
use super::isn::Ticks;
use super::listener::{ListenerTag, Listeners};
use super::ports::Ports;
use super::syn_cache::{Embryo, SynCache};
use super::time_wait::{Remains, TimeWaits};
use super::timer::{Lazy, Timer};
use super::tuple::FourTuple;
use crate::stack::arena::Arena;
use crate::stack::config::StackConfig;
use crate::stack::event::Pending;
use crate::stack::ids::{ListenerId, TcpId};
use crate::stack::secrets::Secrets;
use crate::tcp::{CloseReason, Config, Connection, SeqNum};

/// A connection and what the interface knows about it.
pub(crate) struct Socket {
    pub(crate) tuple: FourTuple,
    pub(crate) connection: Connection,
    pub(crate) timer: Lazy,
    /// What has happened and was not told yet.
    pub(crate) pending: Pending,
    pub(crate) closed: Option<CloseReason>,
    /// What of the written was told to be acknowledged: the number before which.
    pub(crate) acked_to: SeqNum,
    /// Stands in the queue of events.
    pub(crate) queued: bool,
    /// Stands in the list of those that may have something to send.
    pub(crate) dirty: bool,
    /// The application has closed it: nobody is told anything any more.
    pub(crate) orphan: bool,
    /// Its four-tuple is no longer its own.
    pub(crate) detached: bool,
    /// Stands in the queue of those that hold bytes for a peer that takes none.
    pub(crate) stalled: bool,
    /// What it was counted to hold.
    pub(crate) held: u32,
    /// Not accepted yet, from this listener.
    pub(crate) listener: Option<ListenerId>,
    pub(crate) hop_limit: u8,
    pub(crate) traffic_class: u8,
}

impl Socket {
    /// A connection that has done nothing yet, whose packets look like this.
    pub(crate) fn new(tuple: FourTuple, connection: Connection, look: Look) -> Self {
        Self {
            tuple,
            acked_to: connection.acknowledged_to(),
            connection,
            timer: Lazy::default(),
            pending: Pending::default(),
            closed: None,
            queued: false,
            dirty: false,
            orphan: false,
            detached: false,
            stalled: false,
            held: 0,
            listener: None,
            hop_limit: look.hop_limit,
            traffic_class: look.traffic_class,
        }
    }

    /// How many bytes were acknowledged since this was asked.
    pub(crate) fn take_acked(&mut self) -> u32 {
        let to = self.connection.acknowledged_to();
        let count = to.saturating_distance_from(self.acked_to);
        self.acked_to = to;
        count
    }
}

/// What a four-tuple belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    Connection(u32),
    Embryo(u32),
    TimeWait(u32),
}

const INDEX_BITS: u32 = 30;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;

impl Place {
    const fn pack(self) -> u32 {
        match self {
            Self::Connection(index) => index & INDEX_MASK,
            Self::Embryo(index) => 1 << INDEX_BITS | index & INDEX_MASK,
            Self::TimeWait(index) => 2 << INDEX_BITS | index & INDEX_MASK,
        }
    }

    const fn unpack(word: u32) -> Self {
        let index = word & INDEX_MASK;
        match word >> INDEX_BITS {
            0 => Self::Connection(index),
            1 => Self::Embryo(index),
            _ => Self::TimeWait(index),
        }
    }
}

/// The tables.
pub(crate) struct TcpTable {
    pub(crate) sockets: Arena<Socket>,
    pub(crate) embryos: SynCache,
    pub(crate) waits: TimeWaits,
    pub(crate) listeners: Listeners,
    pub(crate) ports: Ports,
    pub(crate) config: Arc<Config>,
    pub(crate) syn_timer: Lazy,
    pub(crate) wait_timer: Lazy,
    /// When a cookie was last sent: without one nothing is taken for one.
    pub(crate) cookie_sent: Option<Instant>,
    /// Connections by Fast Open whose handshake is not complete, and whose they are.
    pub(crate) fast_pending: BTreeMap<u32, ListenerId>,
    /// Cookies that peers gave us.
    pub(crate) fast_peers: Peers,
    table: HashTable<u32>,
    key: SipHasher13,
    /// The connection that was found last: segments come in batches of one flow, and a comparison
    /// costs less than a keyed hash.
    last: Cell<u32>,
}

impl TcpTable {
    pub(crate) fn new(config: &StackConfig, secrets: &Secrets) -> Self {
        let (limits, tcp) = (&config.limits, &config.tcp);
        let offered = config.offload.gso_bytes_max;
        let shared = Config { gso_bytes_max: offered.max(tcp.gso_bytes_max), ..tcp.clone() };
        Self {
            sockets: Arena::new(),
            embryos: SynCache::new(
                limits.syn_cache_entries_max,
                tcp.rto_initial,
                tcp.rto_max,
                tcp.syn_ack_retries,
            ),
            waits: TimeWaits::new(limits.time_wait_entries_max),
            listeners: Listeners::new(secrets.table),
            ports: Ports::new(config.ports.clone()),
            config: Arc::new(shared),
            syn_timer: Lazy::default(),
            wait_timer: Lazy::default(),
            cookie_sent: None,
            fast_pending: BTreeMap::new(),
            fast_peers: Peers::new(limits.fast_open_peers_max),
            table: HashTable::new(),
            key: secrets.table,
            last: Cell::new(0),
        }
    }

    fn tuple_of(
        sockets: &Arena<Socket>,
        embryos: &SynCache,
        waits: &TimeWaits,
        word: u32,
    ) -> Option<FourTuple> {
        match Place::unpack(word) {
            Place::Connection(index) => sockets.at(index).map(|socket| socket.tuple),
            Place::Embryo(index) => embryos.at(index).map(|embryo| embryo.tuple),
            Place::TimeWait(index) => waits.at(index).map(|remains| remains.tuple),
        }
    }

    /// What a four-tuple belongs to.
    pub(crate) fn lookup(&self, tuple: &FourTuple) -> Option<Place> {
        let last = self.last.get();
        // A slot that was given to another connection does not compare equal.
        if self.sockets.at(last).is_some_and(|it| !it.detached && it.tuple == *tuple) {
            return Some(Place::Connection(last));
        }
        let place = self.search(tuple);
        if let Some(Place::Connection(index)) = place {
            self.last.set(index);
        }
        place
    }

    fn search(&self, tuple: &FourTuple) -> Option<Place> {
        let same = |word: &u32| {
            Self::tuple_of(&self.sockets, &self.embryos, &self.waits, *word).as_ref() == Some(tuple)
        };
        self.table.find(tuple.table_hash(&self.key), same).map(|word| Place::unpack(*word))
    }

    fn link(&mut self, tuple: &FourTuple, place: Place) {
        let Self { table, sockets, embryos, waits, key, .. } = self;
        table.insert_unique(tuple.table_hash(key), place.pack(), |word| {
            let tuple = Self::tuple_of(sockets, embryos, waits, *word);
            tuple.map_or(0, |tuple| tuple.table_hash(key))
        });
    }

    fn unlink(&mut self, tuple: &FourTuple, place: Place) {
        let hash = tuple.table_hash(&self.key);
        if let Ok(entry) = self.table.find_entry(hash, |word| *word == place.pack()) {
            entry.remove();
        }
    }

    pub(crate) fn insert_socket(&mut self, socket: Socket) -> TcpId {
        let tuple = socket.tuple;
        let id = TcpId::new(self.sockets.insert(socket));
        self.link(&tuple, Place::Connection(id.index));
        id
    }

    pub(crate) fn remove_socket(&mut self, index: u32) -> Option<Socket> {
        self.detach_socket(index);
        self.sockets.remove(index)
    }

    /// Gives a connection's four-tuple up; the socket stays until the application closes it.
    pub(crate) fn detach_socket(&mut self, index: u32) {
        let Some(socket) = self.sockets.at_mut(index) else { return };
        if !core::mem::replace(&mut socket.detached, true) {
            let tuple = socket.tuple;
            self.unlink(&tuple, Place::Connection(index));
        }
    }

    /// A socket the application may still name.
    pub(crate) fn socket(&self, id: TcpId) -> Option<&Socket> {
        self.sockets.get(id.index, id.generation).filter(|socket| !socket.orphan)
    }

    /// A socket the application may still name.
    pub(crate) fn socket_mut(&mut self, id: TcpId) -> Option<&mut Socket> {
        self.sockets.get_mut(id.index, id.generation).filter(|socket| !socket.orphan)
    }

    /// Adds an entry to the SYN cache unless it is full.
    pub(crate) fn insert_embryo(&mut self, embryo: Embryo) -> Option<u32> {
        let index = self.embryos.insert(embryo)?;
        if let Some(listener) = self.listener_of(&embryo) {
            self.listeners.get_mut(listener)?.embryos += 1;
        }
        self.link(&embryo.tuple, Place::Embryo(index));
        Some(index)
    }

    pub(crate) fn remove_embryo(&mut self, index: u32) -> Option<Embryo> {
        let tuple = self.embryos.at(index)?.tuple;
        self.unlink(&tuple, Place::Embryo(index));
        let embryo = self.embryos.remove(index)?;
        if let Some(id) = self.listener_of(&embryo)
            && let Some(listener) = self.listeners.get_mut(id)
        {
            listener.embryos = listener.embryos.saturating_sub(1);
        }
        Some(embryo)
    }

    /// The listener an embryonic connection is for, when it is still there.
    pub(crate) fn listener_of(&self, embryo: &Embryo) -> Option<ListenerId> {
        self.listeners.by_tag(ListenerTag(embryo.listener))
    }

    /// Keeps what is left of a connection; the oldest entry makes room for it.
    pub(crate) fn insert_wait(&mut self, remains: Remains, expires: Instant) {
        if let Some(oldest) = self.waits.displaced() {
            self.remove_wait(oldest);
        }
        let tuple = remains.tuple;
        let index = self.waits.insert(remains, expires);
        self.link(&tuple, Place::TimeWait(index));
    }

    pub(crate) fn remove_wait(&mut self, index: u32) -> Option<Remains> {
        let tuple = self.waits.at(index)?.tuple;
        self.unlink(&tuple, Place::TimeWait(index));
        self.waits.remove(index)
    }

    /// Sees to it that the wheel wakes the SYN cache and TIME-WAIT in time.
    pub(crate) fn arm_tables(&mut self, wheel: &mut fyke_clock::TimerWheel<Timer>, now: Instant) {
        let syn = self.embryos.next_deadline(Ticks::of(now)).map(|due| due.instant(now));
        self.syn_timer.arm(wheel, syn, Timer::SynCache);
        self.wait_timer.arm(wheel, self.waits.next_deadline(), Timer::TimeWait);
    }

    /// Whether a local port towards a remote end is taken, by anything.
    pub(crate) fn is_taken(&self, tuple: &FourTuple) -> bool {
        self.lookup(tuple).is_some() || self.listeners.conflicts(tuple.local())
    }

    /// Bytes that the tables take for themselves, sockets and their buffers not included.
    pub(crate) fn memory(&self) -> usize {
        self.table.allocation_size() + self.embryos.memory() + self.waits.memory()
    }
}

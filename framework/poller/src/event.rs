//! What a wait found: one [`Event`] a descriptor, gathered in a reusable [`Events`].

/// The state of one registered descriptor.
///
/// Readiness is a hint: a read or write after it may still say "would block". After `hangup` or `error`
/// the cause is learned by reading, writing or asking for the socket's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The token given when the descriptor was registered.
    pub token: u64,
    /// There is something to read or accept, or the end of the stream is there to be read.
    pub readable: bool,
    /// There is room to write, or a connect has ended.
    pub writable: bool,
    /// The peer has closed its sending side. Data it sent before may still be unread. Also set with
    /// every `hangup`.
    pub read_closed: bool,
    /// Both directions are closed.
    pub hangup: bool,
    /// The descriptor has an error pending, or something waits in its error queue.
    pub error: bool,
}

impl Event {
    /// Reads a mask of `EPOLL*` bits, to which Linux gives the same values as to `POLL*`.
    #[cfg(target_os = "linux")]
    pub(crate) fn from_mask(token: u64, mask: u32) -> Event {
        let has = |bit: libc::c_int| mask & bit as u32 != 0;
        Event {
            token,
            readable: has(libc::EPOLLIN),
            writable: has(libc::EPOLLOUT),
            read_closed: has(libc::EPOLLRDHUP | libc::EPOLLHUP),
            hangup: has(libc::EPOLLHUP),
            error: has(libc::EPOLLERR),
        }
    }

    /// Whether there is anything to report at all.
    #[cfg(feature = "mio")]
    pub(crate) fn is_empty(&self) -> bool {
        !(self.readable || self.writable || self.read_closed || self.hangup || self.error)
    }
}

/// The events of one wait, at most [`Events::CAPACITY`]. What does not fit is reported by the next wait.
#[derive(Debug)]
pub struct Events {
    list: Vec<Event>,
}

impl Events {
    /// The most events one wait reports.
    pub const CAPACITY: usize = 1024;

    /// An empty list with all the memory it will ever need.
    pub fn new() -> Events {
        Events { list: Vec::with_capacity(Self::CAPACITY) }
    }

    /// The events in the order the system gave them.
    pub fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the wait found nothing: it timed out, was woken or was interrupted.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The event at `index`, for a loop that also changes what it iterates over.
    pub fn get(&self, index: usize) -> Option<Event> {
        self.list.get(index).copied()
    }

    /// Forgets all events; every wait does so first.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= Self::CAPACITY
    }

    pub(crate) fn push(&mut self, event: Event) {
        debug_assert!(!self.is_full());
        self.list.push(event);
    }
}

impl Default for Events {
    fn default() -> Events {
        Events::new()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

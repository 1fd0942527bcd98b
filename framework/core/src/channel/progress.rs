//! Whether what a channel writes still moves, and since when it has been reading: what time-outs and
//! heartbeats judge a peer by. Nothing here costs anything per message.

use fyke_clock::Instant;

/// What became of the bytes that a channel has written; see
/// [`Ctx::write_progress`](crate::Ctx::write_progress).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WriteProgress {
    /// Bytes that the transport has taken (of datagrams their payload, but at least one).
    pub taken_bytes: u64,
    /// When it last took any.
    pub taken_at: Option<Instant>,
    /// Bytes that the peer has acknowledged, of a transport that knows.
    pub acked_bytes: Option<u64>,
    /// When the peer last acknowledged any; of a transport that does not know, `taken_at`.
    pub moved_at: Option<Instant>,
    /// Since when bytes have been waiting without any moving on: for the transport to take them,
    /// or, where it knows, for the peer to acknowledge them. `None` while nothing waits.
    pub waiting_since: Option<Instant>,
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    taken_bytes: u64,
    taken_at: Instant,
    /// The transport has not taken all that was to leave.
    blocked_since: Stamp,
    received_bytes: u64,
    /// Bytes last came from the transport.
    received_at: Stamp,
    /// The transport was last told to report what can be read.
    pub(crate) reading_since: Instant,
    /// Of transports that report what the peer has acknowledged.
    acks: Option<Box<Acks>>,
}

/// A time, or none, in the room of a time: there is one of these for each idle connection.
#[derive(Debug, Clone, Copy)]
struct Stamp(u64);

impl Stamp {
    const NONE: Self = Self(u64::MAX);

    fn at(now: Instant) -> Self {
        Self(now.as_nanos())
    }

    fn get(self) -> Option<Instant> {
        (self.0 != Self::NONE.0).then(|| Instant::from_nanos(self.0))
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::NONE
    }
}

#[derive(Debug, Default)]
struct Acks {
    acked_bytes: u64,
    acked_at: Instant,
    /// When the oldest byte that is not acknowledged was taken, unless some were acknowledged since.
    unacked_since: Instant,
}

impl Progress {
    /// The transport will report what the peer acknowledges.
    pub(crate) fn expect_acks(&mut self) {
        self.acks.get_or_insert_default();
    }

    /// `n` bytes came from the transport.
    #[inline]
    pub(crate) fn received(&mut self, now: Instant, n: u64) {
        self.received_bytes += n;
        self.received_at = Stamp::at(now);
    }

    /// Bytes that the transport has given (of datagrams their payload, but at least one).
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    pub(crate) fn received_at(&self) -> Option<Instant> {
        self.received_at.get()
    }

    /// The transport has taken `n` bytes; `empty`: and nothing more waits for it.
    #[inline]
    pub(crate) fn taken(&mut self, now: Instant, n: u64, empty: bool) {
        if let Some(acks) = &mut self.acks
            && acks.acked_bytes == self.taken_bytes
        {
            acks.unacked_since = now;
        }
        if n > 0 {
            self.taken_bytes += n;
            self.taken_at = now;
        }
        if empty {
            self.blocked_since = Stamp::NONE;
        }
    }

    /// Something that was to leave has not.
    pub(crate) fn blocked(&mut self, now: Instant) {
        if self.blocked_since.get().is_none() {
            self.blocked_since = Stamp::at(now);
        }
    }

    /// The peer has acknowledged `n` bytes.
    pub(crate) fn acked(&mut self, now: Instant, n: u64) {
        self.expect_acks();
        if let Some(acks) = &mut self.acks {
            acks.acked_bytes = acks.acked_bytes.saturating_add(n);
            acks.acked_at = now;
        }
    }

    pub(crate) fn get(&self) -> WriteProgress {
        let taken_at = (self.taken_bytes > 0).then_some(self.taken_at);
        let Some(acks) = &self.acks else {
            return WriteProgress {
                taken_bytes: self.taken_bytes,
                taken_at,
                acked_bytes: None,
                moved_at: taken_at,
                waiting_since: self.blocked_since.get().map(|since| since.max(self.taken_at)),
            };
        };
        let unacked = acks.acked_bytes < self.taken_bytes;
        let since = if unacked { Some(acks.unacked_since) } else { self.blocked_since.get() };
        WriteProgress {
            taken_bytes: self.taken_bytes,
            taken_at,
            acked_bytes: Some(acks.acked_bytes),
            moved_at: (acks.acked_bytes > 0).then_some(acks.acked_at),
            waiting_since: since.map(|since| since.max(acks.acked_at)),
        }
    }
}

//! What is counted over a connection's life: the common counters in place, the rare ones in a part
//! that most connections never have; and what it waited for while it had something to send.

use alloc::boxed::Box;
use core::time::Duration;

use fyke_clock::Instant;

use super::Connection;
use super::transmit::Text;
use crate::tcp::Segment;

/// The common ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Stats {
    pub(super) segments_in: u64,
    pub(super) segments_out: u64,
    pub(super) bytes_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_sent_again: u64,
    /// Time with something to send, in nanoseconds, without what [`Rare`] has.
    busy: u64,
    pub(super) data_segments_in: u32,
    pub(super) data_segments_out: u32,
    pub(super) delivered: u32,
    /// When text last came, in milliseconds of our time line, as far as these fit.
    text_at: u32,
    rare: Option<Box<Rare>>,
}

/// Those that stay zero when all goes well.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rare {
    pub(super) old_timestamps: u32,
    pub(super) challenges: u32,
    pub(super) probes_sent: u32,
    pub(super) timeouts: u32,
    pub(super) recoveries: u32,
    pub(super) undone: u32,
    pub(super) duplicates: u32,
    pub(super) delivered_marked: u32,
    pub(super) window_limited: Duration,
    pub(super) buffer_limited: Duration,
}

/// What keeps a connection from sending more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Limit {
    /// Nothing: there is nothing to send, and all that was sent is acknowledged.
    #[default]
    Idle,
    /// The network: the congestion window, or what is in flight.
    Network,
    /// The peer's window.
    Window,
    /// The send buffer: all of it was sent, and a writer waits for room.
    Buffer,
}

impl Stats {
    pub(super) fn note_sent(&mut self, segment: &Segment, text: Text) {
        let size = u32::from(segment.gso_size);
        let segments = if size == 0 { 1 } else { text.len.div_ceil(size).max(1) };
        self.segments_out += u64::from(segments);
        if text.len > 0 {
            self.data_segments_out = self.data_segments_out.wrapping_add(segments);
        }
        if text.again {
            self.bytes_sent_again += u64::from(text.len);
        } else {
            self.bytes_sent += u64::from(text.len);
        }
    }

    /// Text came, in so many segments.
    pub(super) fn note_text(&mut self, now: Instant, segments: usize) {
        let segments = u32::try_from(segments).unwrap_or(u32::MAX);
        self.data_segments_in = self.data_segments_in.wrapping_add(segments);
        self.heard_text(now);
    }

    /// From now on it is counted how long no text came.
    pub(super) fn heard_text(&mut self, now: Instant) {
        self.text_at = millis(now);
    }

    /// When text last came, `heard` being when anything did.
    pub(super) fn text_at(&self, heard: Instant) -> Instant {
        let ago = millis(heard).wrapping_sub(self.text_at).cast_signed().max(0);
        let ago = u64::from(ago.unsigned_abs()) * 1_000_000;
        Instant::from_nanos(heard.as_nanos().saturating_sub(ago))
    }

    /// The rare ones, to be counted in.
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_with(Box::default)
    }

    /// The rare ones as they are.
    pub(super) fn rare_now(&self) -> Rare {
        self.rare.as_deref().copied().unwrap_or_default()
    }

    /// Time with something to send.
    pub(super) fn busy(&self) -> Duration {
        let rare = self.rare_now();
        Duration::from_nanos(self.busy) + rare.window_limited + rare.buffer_limited
    }

    fn spend(&mut self, limit: Limit, time: Duration) {
        match limit {
            Limit::Idle => {}
            Limit::Network => {
                let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                self.busy = self.busy.saturating_add(nanos);
            }
            Limit::Window => self.rare().window_limited += time,
            Limit::Buffer => self.rare().buffer_limited += time,
        }
    }
}

/// The time in milliseconds, modulo 2^32.
fn millis(at: Instant) -> u32 {
    ((at.as_nanos() / 1_000_000) & u64::from(u32::MAX)) as u32
}

impl Connection {
    /// What keeps it from sending more, once all has left that may.
    fn limit(&self) -> Limit {
        let unsent = self.unsent();
        if unsent == 0 && !self.send.has_unacknowledged() {
            Limit::Idle
        } else if unsent > 0 && self.window_left() < unsent.min(self.plain_mss()) {
            Limit::Window
        } else if unsent == 0 && self.send.blocked {
            Limit::Buffer
        } else {
            Limit::Network
        }
    }

    /// Counts the time until now for what it was spent on.
    pub(super) fn note_limit(&mut self, now: Instant) {
        let limit = self.limit();
        let Some(outgoing) = &mut self.send.outgoing else { return };
        let (before, since) = outgoing.limited;
        if before != limit {
            outgoing.limited = (limit, now);
            self.stats.spend(before, now.saturating_duration_since(since));
        }
    }
}

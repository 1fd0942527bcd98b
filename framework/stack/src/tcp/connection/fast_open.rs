//! TCP Fast Open (RFC 7413): data in the SYN, and answers to it before the handshake is complete.
//!
//! ```text
//!  connect_fast, no cookie:  SYN, cookie? ------>            SYN-ACK, cookie = C
//!  connect_fast, cookie C:   SYN, C, data ------>            accept_fast: readable at once
//!                                         <------ SYN-ACK, and data of ours before the ACK of it
//! ```
//! A connection knows neither addresses nor keys: whoever owns the cookies says which to use, takes
//! the [`FastOpenOutcome`], and checks the cookie of a SYN before [`Connection::accept_fast`].

use alloc::boxed::Box;
use alloc::sync::Arc;

use bytes::Bytes;
use fyke_clock::Instant;

use super::{Connection, State};
use crate::tcp::config::Config;
use crate::tcp::handshake::Initial;
use crate::tcp::{Flags, Segment};

/// What all options of a SYN may take: less of the data goes with it.
const OPTION_BYTES_MAX: u32 = 40;

/// What an active open knows of its peer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FastOpen {
    /// The cookie the peer gave; an empty one asks for one, and then no data goes with the SYN.
    pub cookie: Bytes,
    /// The maximum segment size the peer told when it gave the cookie.
    pub peer_mss: u16,
}

/// What an active open learned, for the next one to the same peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastOpenOutcome {
    /// The cookie the peer gave, when it is one.
    pub cookie: Option<Bytes>,
    /// The maximum segment size it told.
    pub peer_mss: u16,
    /// Why not to try it again soon: the peer knows no Fast Open, or its cookies are none, or SYNs
    /// with the option got no answer (RFC 7413, section 4.1.3.1).
    pub refused: bool,
}

/// A Fast Open that is under way.
#[derive(Debug)]
pub(super) struct Fast {
    asked: FastOpen,
    /// Bytes that went with the SYN.
    sent: u32,
    outcome: Option<FastOpenOutcome>,
}

impl FastOpen {
    /// How much goes with the SYN, on a path for such segments.
    pub(crate) fn room(&self, path_mss: u16) -> u32 {
        u32::from(self.peer_mss.min(path_mss)).saturating_sub(OPTION_BYTES_MAX)
    }
}

/// Whether a cookie may be one: 4 to 16 bytes, and an even number (RFC 7413, section 2).
fn is_cookie(bytes: &Bytes) -> bool {
    matches!(bytes.len(), 4..=16) && bytes.len().is_multiple_of(2)
}

impl Connection {
    /// An active open whose SYN asks for a cookie, or carries one and what was written before the
    /// next poll.
    #[must_use]
    pub fn connect_fast(
        config: Arc<Config>,
        initial: Initial,
        fast: FastOpen,
        now: Instant,
    ) -> Self {
        let mut new = Self::connect(config, initial, now);
        new.fast = Some(Box::new(Fast { asked: fast, sent: 0, outcome: None }));
        new
    }

    /// A passive open whose SYN brought a cookie of ours: what came with it can be read at once, and
    /// what is written goes out before the handshake is complete.
    #[must_use]
    pub fn accept_fast(config: Arc<Config>, syn: &Segment, initial: Initial, now: Instant) -> Self {
        let mut new = Self::accept(config, syn, initial, now);
        new.early = true;
        new.syn_data = !syn.payload.is_empty();
        new.events.connected = true;
        new
    }

    /// What an active open with [`connect_fast`](Self::connect_fast) has learned; once.
    pub fn take_fast_open(&mut self) -> Option<FastOpenOutcome> {
        let outcome = self.fast.as_mut()?.outcome.take()?;
        self.fast = None;
        Some(outcome)
    }

    /// Whether there is such an outcome.
    pub(crate) fn has_fast_open(&self) -> bool {
        self.fast.as_ref().is_some_and(|fast| fast.outcome.is_some())
    }

    /// The option of our SYN and how many bytes go with it. A SYN that has to go again is a plain
    /// one: what was lost may have been lost for the option (section 4.2.1).
    pub(super) fn fast_syn(&mut self) -> Option<(Bytes, u32)> {
        if self.state != State::SynSent || self.send.attempts > 0 {
            return None;
        }
        let (unsent, window) = (self.unsent(), self.congestion_window());
        let path = self.send.path_mss.min(self.config.mss_max);
        let fast = self.fast.as_mut()?;
        if fast.asked.cookie.is_empty() {
            return Some((Bytes::new(), 0));
        }
        fast.sent = unsent.min(fast.asked.room(path)).min(window);
        Some((fast.asked.cookie.clone(), fast.sent))
    }

    /// The last number an answer to our SYN may acknowledge is so much after SND.NXT.
    pub(super) fn syn_data_len(&self) -> u32 {
        self.fast.as_ref().map_or(0, |fast| fast.sent)
    }

    /// The answer to our SYN came: from now on the data that went with it is in flight like other
    /// data. `sent` is when.
    pub(super) fn count_syn_data(&mut self, sent: Instant) {
        let len = self.fast.as_mut().map_or(0, |fast| core::mem::take(&mut fast.sent));
        if len == 0 {
            return;
        }
        self.send.nxt += len;
        self.stats.bytes_sent += u64::from(len);
        if let Some(outgoing) = &mut self.send.outgoing {
            outgoing.board.on_sent(sent, len, 1);
        }
    }

    /// The network did not carry our SYN because of what went with it: a plain one follows (RFC 7413,
    /// section 4.2.1).
    pub(super) fn on_syn_data_refused(&mut self) {
        self.send.attempts = self.send.attempts.max(1);
        self.send.syn_resent = true;
        self.due.syn = true;
    }

    /// What went with the SYN and is not acknowledged with it goes again at once: the peer did not
    /// take it, which is no sign of congestion (section 4.2.2). `again` is false for what we sent
    /// early as a server, which may still arrive.
    pub(super) fn resume_early(&mut self, now: Instant, again: bool) {
        if !self.send.has_unacknowledged() {
            return;
        }
        let Some(outgoing) = &mut self.send.outgoing else { return };
        outgoing.restarted = now;
        if again {
            outgoing.board.mark_all_lost(false);
            outgoing.force = true;
        }
        self.arm_recovery(now);
    }

    /// Notes what the answer to our SYN says of Fast Open; before the attempts are forgotten.
    pub(super) fn note_fast_open(&mut self, segment: &Segment) {
        let lost = self.send.attempts > 0;
        let peer_mss = self.send.peer_mss;
        let plain = !segment.flags.contains(Flags::ACK);
        let Some(fast) = &mut self.fast else { return };
        let given = segment.options.fast_open.as_ref();
        let cookie = given.filter(|cookie| is_cookie(cookie)).cloned();
        let asked = fast.asked.cookie.is_empty();
        // A peer that took our cookie need not give another, and one that did not may be busy.
        let taken = segment.ack.is_after(self.send.iss + 1);
        let nonsense = given.is_some() && !taken;
        let refused = lost || plain || (cookie.is_none() && (asked || nonsense));
        fast.outcome = Some(FastOpenOutcome { cookie, peer_mss, refused });
    }
}

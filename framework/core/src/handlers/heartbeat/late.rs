//! Answers that are asked for later: how a mapping's time-out is learned over datagrams.
//!
//! ```text
//!   asks              box               answers
//!     |-- ping, answer after 50 s ------>|
//!     |        (nothing passes)          |
//!     |<------------- pong --------------|   it arrives: the mapping has survived 50 s
//!     |-- ping, answer after 75 s ------>|
//!     |        (nothing passes)          |
//!     |           X<------- pong --------|   it does not: ask at once, and when that is
//!     |-- ping ------------------------->|   answered, the peer is there and the mapping
//!     |<------------- pong --------------|   was not
//! ```
//!
//! A ping of one's own proves nothing: it makes a new mapping where the old one is gone, and most
//! boxes give that one the same outside port, so that nobody sees a difference. What the other side
//! sends by itself is what gets lost, so that is what is tried (as RFC 5780, section 4.6, does with
//! a second port).

use std::collections::BTreeMap;
use std::time::Duration;

use fyke_clock::Instant;

use super::{AdaptiveInterval, Beat, HeartbeatCodec, HeartbeatHandler};
use crate::handler::Context;
use crate::pipeline::Ctx;

/// Who answers waits no longer than this; a longer time is answered at once.
const AFTER_MAX: Duration = Duration::from_secs(3600);

/// So many late answers that do not come make a mapping a lost one: a single one may have been lost
/// by the network.
const MISSING_MAX: u32 = 2;

/// An answer that comes after less than this part of the time (in percent) was not late.
const LATE_PERCENT: u32 = 90;

/// What is learned, and from what.
#[derive(Debug)]
pub(super) struct Learning {
    pub(super) interval: AdaptiveInterval,
    late: Option<Late>,
    /// Late answers in a row that did not come.
    missing: u32,
}

impl Learning {
    pub(super) fn new(interval: AdaptiveInterval) -> Self {
        Self { interval, late: None, missing: 0 }
    }
}

/// An answer that was asked for.
#[derive(Clone, Copy, Debug)]
struct Late {
    at: Instant,
    after: Duration,
}

/// Answers that are to be given, by the tag of their timer.
#[derive(Debug)]
pub(super) struct Answers<W> {
    waiting: BTreeMap<u64, W>,
    tag: u64,
}

impl<C: HeartbeatCodec> HeartbeatHandler<C> {
    /// Whether intervals are learned from late answers alone.
    pub(super) fn learns_late(&self) -> bool {
        C::ASKS_LATE && self.learning.is_some()
    }

    /// Whether such an answer is on its way.
    pub(super) fn awaits_late(&self) -> bool {
        self.learning.as_ref().is_some_and(|learning| learning.late.is_some())
    }

    pub(super) fn ask_late(&mut self, cx: &mut Context<'_, Self>) {
        if !self.learns_late() || self.awaits_late() || cx.pending_bytes() > 0 {
            return;
        }
        let Some(ping) = self.codec.late_ping(self.number + 1, self.interval) else { return };
        self.number += 1;
        if let Some(learning) = &mut self.learning {
            learning.late = Some(Late { at: cx.env().now(), after: self.interval });
        }
        self.config.options().count(|counters| &counters.pings);
        cx.write(ping);
    }

    /// When the late answer that was asked for is missing. It is given up when the channel does not
    /// read: then nobody knows when it came.
    pub(super) fn late_due(&mut self, cx: &Context<'_, Self>) -> Option<Instant> {
        let learning = self.learning.as_mut()?;
        learning.late = learning.late.filter(|late| reads_since(cx, late.at));
        learning.late.map(|late| late.at + late.after + self.answer_timeout())
    }

    /// It is missing: how long nothing had passed when it should have come.
    pub(super) fn late_is_missing(&mut self, last_passed: Instant) -> Option<Duration> {
        let late = self.learning.as_mut()?.late.take()?;
        Some((late.at + late.after).saturating_duration_since(last_passed))
    }

    /// A pong while a late one is awaited; nothing had passed since `last_passed`.
    pub(super) fn heard_late(
        &mut self,
        cx: &mut Context<'_, Self>,
        beat: Beat,
        last_passed: Instant,
    ) {
        let Some(late) = self.learning.as_mut().and_then(|learning| learning.late.take()) else {
            return;
        };
        let now = cx.env().now();
        self.config.options().count(|counters| &counters.answered);
        if now < late.at + late.after * LATE_PERCENT / 100 || !reads_since(cx, late.at) {
            // Who answers has no room for late ones, or it waited for us: the next ping comes after
            // an interval.
            self.saw(beat);
            let due = self.ping_due(cx, now);
            self.watch.look_at(cx, due);
            return;
        }
        self.count_missing(0);
        let same = self.saw(beat).unwrap_or(true);
        self.learn(same, now.saturating_duration_since(last_passed));
        self.new_interval(cx);
        self.ask_late(cx);
    }

    /// The peer is there, and the late answer before was missing.
    pub(super) fn missed_late(&mut self, gap: Duration) {
        let missing = self.learning.as_ref().map_or(0, |learning| learning.missing) + 1;
        self.count_missing(missing % MISSING_MAX);
        if missing == MISSING_MAX {
            self.learn(false, gap);
        }
    }

    fn count_missing(&mut self, missing: u32) {
        if let Some(learning) = &mut self.learning {
            learning.missing = missing;
        }
    }

    /// The peer asks for an answer later: it is given at once when there is no room, or when it
    /// would have to wait for too long.
    pub(super) fn on_late_ping(
        &mut self,
        cx: &mut Context<'_, Self>,
        ping: C::Read,
        after: Duration,
    ) {
        let max = self.config.options().late_answers_max;
        let room = self.answers.as_ref().map_or(0, |answers| answers.waiting.len()) < max;
        if !room || after > AFTER_MAX {
            self.on_ping(cx, ping);
            return;
        }
        let Some(pong) = self.codec.pong(ping) else { return };
        let answers = self
            .answers
            .get_or_insert_with(|| Box::new(Answers { waiting: BTreeMap::new(), tag: 0 }));
        // The handler's own timer is number 0.
        answers.tag += 1;
        answers.waiting.insert(answers.tag, pong);
        let tag = answers.tag;
        cx.schedule(after, tag);
    }

    pub(super) fn answer_late(&mut self, cx: &mut Context<'_, Self>, tag: u64) {
        let Some(answers) = &mut self.answers else { return };
        let Some(pong) = answers.waiting.remove(&tag) else { return };
        if cx.is_writable() {
            self.config.options().count(|counters| &counters.pongs);
            cx.write(pong);
        }
    }
}

/// Whether the channel has read ever since.
fn reads_since<O, W>(cx: &Ctx<'_, O, W>, at: Instant) -> bool {
    cx.reading_since().is_some_and(|since| since <= at)
}

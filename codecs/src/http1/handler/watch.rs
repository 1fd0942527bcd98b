//! Watches how long a client takes: one timer a connection, moved only when it would come too late.
//!
//! ```text
//!   Idle ---first byte---> Head ---its end---> Body ---its end---> Ours ---answered---> Idle
//! ```
//!
//! What a connection waits for is looked at when a turn's bytes have been read. Requests that come
//! whole and are answered at once never leave `Idle`, so all they cost is a note of the time.

use std::time::Duration;

use fyke_clock::{Instant, TimerKey};

use super::options::Timeouts;
use crate::http1::ServerCodec;

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The next request, or the first.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a body.
    Body,
    /// Us.
    Ours,
}

/// What the timer's end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Look again after so long.
    Later(Duration),
    /// The request takes too long.
    Slow(&'static str),
    /// Nobody wants anything of this connection, or the peer takes nothing of what is sent.
    Idle,
}

/// The watch of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    timeouts: Timeouts,
    phase: Phase,
    /// Which request the phase belongs to.
    request: u32,
    since: Instant,
    /// When something was sent or received last.
    moved: Instant,
    /// What was waiting to be sent when the timer went off last.
    unsent: u64,
    timer: Option<(TimerKey, Instant)>,
}

impl Watch {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        Self {
            timeouts,
            phase: Phase::Idle,
            request: 0,
            since: Instant::ZERO,
            moved: Instant::ZERO,
            unsent: 0,
            timer: None,
        }
    }

    /// The connection is there. Answers how long the first timer has to run.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Duration> {
        (self.since, self.moved) = (now, now);
        self.allowed(0)
    }

    /// A timer runs until then.
    pub(super) fn armed(&mut self, key: TimerKey, now: Instant, delay: Duration) {
        self.timer = Some((key, now + delay));
    }

    /// A part of a response was written.
    #[inline]
    pub(super) fn written(&mut self, now: Instant) {
        self.moved = now;
    }

    /// A turn's bytes have been read, up to this request. Answers the timer and how long it may run
    /// still, if it would go off too late.
    #[inline]
    pub(super) fn read(
        &mut self,
        codec: &ServerCodec,
        request: u32,
        now: Instant,
    ) -> Option<(Option<TimerKey>, Duration)> {
        self.moved = now;
        let phase = phase(codec);
        if phase == self.phase && (request == self.request || phase == Phase::Idle) {
            return None;
        }
        (self.phase, self.request, self.since) = (phase, request, now);
        if matches!(phase, Phase::Idle | Phase::Ours) {
            return None;
        }
        let delay = self.allowed(codec.decoder().received_bytes())?;
        match self.timer {
            Some((_, due)) if due <= now + delay => None,
            Some((key, _)) => Some((Some(key), delay)),
            None => Some((None, delay)),
        }
    }

    /// The timer has gone off.
    pub(super) fn expired(
        &mut self,
        codec: &ServerCodec,
        now: Instant,
        is_reading: bool,
        unsent: u64,
    ) -> Option<Verdict> {
        self.timer = None;
        let phase = phase(codec);
        if phase != self.phase {
            // Answered without a further read.
            (self.phase, self.since) = (phase, now);
        }
        if unsent != std::mem::replace(&mut self.unsent, unsent) {
            self.moved = now;
        }
        let waits_for_peer = matches!(phase, Phase::Head | Phase::Body);
        if waits_for_peer && !is_reading {
            // It cannot go on while we do not let it.
            self.since = now;
        }
        if matches!(phase, Phase::Idle | Phase::Ours) {
            self.since = self.moved;
        }
        let allowed = self.allowed(codec.decoder().received_bytes())?;
        let left = allowed.saturating_sub(now.saturating_duration_since(self.since));
        Some(match phase {
            _ if !left.is_zero() => Verdict::Later(left),
            Phase::Head => Verdict::Slow("the head takes too long"),
            Phase::Body => Verdict::Slow("the body takes too long"),
            // Whoever makes the answer takes the time it takes; but what is made has to leave.
            Phase::Ours if unsent == 0 => Verdict::Later(allowed),
            Phase::Idle | Phase::Ours => Verdict::Idle,
        })
    }

    /// How long the phase may last.
    fn allowed(&self, received: u64) -> Option<Duration> {
        match self.phase {
            Phase::Idle | Phase::Ours => self.timeouts.idle,
            Phase::Head => self.timeouts.head,
            Phase::Body => self.timeouts.for_body(received),
        }
    }
}

#[inline]
fn phase(codec: &ServerCodec) -> Phase {
    if codec.decoder().in_body() {
        Phase::Body
    } else if codec.is_idle() {
        Phase::Idle
    } else if codec.decoder().in_head() && !codec.decoder().is_between() {
        Phase::Head
    } else {
        Phase::Ours
    }
}

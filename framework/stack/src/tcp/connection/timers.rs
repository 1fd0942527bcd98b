//! What happens when time passes: retransmission, window probes, delayed acknowledgements,
//! keep-alive, FIN_WAIT2, TIME_WAIT.
//!
//! A connection has four timers. The first belongs to what is in flight, and its meaning changes
//! with it; the third to the state; the fourth to pacing.

use core::time::Duration;

use fyke_clock::Instant;

use super::{Connection, State};
use crate::tcp::CloseReason;

/// A deadline, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timer(Instant);

impl Default for Timer {
    fn default() -> Self {
        Self::NEVER
    }
}

impl Timer {
    pub(super) const NEVER: Self = Self(Instant::MAX);

    pub(super) fn set(&mut self, at: Instant) {
        self.0 = at;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::NEVER;
    }

    pub(super) fn is_set(self) -> bool {
        self != Self::NEVER
    }

    pub(super) fn get(self) -> Option<Instant> {
        self.is_set().then_some(self.0)
    }

    /// Whether it has run out; then it is cleared.
    fn take_due(&mut self, now: Instant) -> bool {
        let due = self.is_set() && self.0 <= now;
        if due {
            self.clear();
        }
        due
    }
}

/// What the first timer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Purpose {
    /// The retransmission time-out (RFC 6298).
    #[default]
    Retransmit,
    /// Probe the tail of the flight (RFC 8985, section 7).
    TailLoss,
    /// The wait for reordered segments is over (RFC 8985, section 6).
    Reorder,
    /// Probe a closed window (RFC 9293, section 3.8.6.1).
    Persist,
    /// A partial segment has been held back long enough.
    Cork,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Timers {
    pub(super) retransmit: Timer,
    pub(super) ack: Timer,
    pub(super) slow: Timer,
    /// When the rate lets text out again. Nobody wakes for it unless text is held back.
    pub(super) gate: Timer,
    pub(super) held: bool,
    /// What is held back was sent before.
    pub(super) held_again: bool,
    pub(super) purpose: Purpose,
}

impl Timers {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Connection {
    /// When [`on_timeout`](Self::on_timeout) wants to be called, at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let timers = &self.timers;
        let gate = if timers.held { timers.gate } else { Timer::NEVER };
        [timers.retransmit, timers.ack, timers.slow, gate].into_iter().filter_map(Timer::get).min()
    }

    /// Does what is due at `now`. Calling it too early does nothing, and so does calling it twice.
    pub fn on_timeout(&mut self, now: Instant) {
        if self.timers.ack.take_due(now) {
            self.acknowledge_now();
        }
        if self.timers.slow.take_due(now) {
            self.on_slow_timer(now);
        }
        // The poll that follows finds the gate open.
        self.timers.held &= self.timers.gate.get().is_some_and(|opens| opens > now);
        if self.timers.retransmit.take_due(now) {
            self.check_app_limited();
            self.on_retransmit_timer(now);
        }
    }

    fn on_slow_timer(&mut self, now: Instant) {
        match self.state {
            State::TimeWait => self.state = State::Closed,
            State::FinWait2 if self.orphan => self.finish(CloseReason::FinWait2Timeout),
            _ => self.on_keep_alive(now),
        }
    }

    /// Starts, or stops, probing a silent peer.
    pub(super) fn arm_keep_alive(&mut self, now: Instant) {
        let applies = self.state.is_synchronized()
            && self.state != State::TimeWait
            && !(self.state == State::FinWait2 && self.orphan);
        if !applies {
            return;
        }
        match self.config.keep_alive {
            Some(keep_alive) if self.keep_alive => self.timers.slow.set(now + keep_alive.idle),
            _ => self.timers.slow.clear(),
        }
    }

    fn on_keep_alive(&mut self, now: Instant) {
        let Some(keep_alive) = self.config.keep_alive.filter(|_| self.keep_alive) else { return };
        let silent = now.saturating_duration_since(self.receive.heard);
        if silent < keep_alive.idle || self.send.has_unacknowledged() {
            // It spoke meanwhile, or retransmissions find out whether it lives.
            self.probes = 0;
            let from = if silent < keep_alive.idle { self.receive.heard } else { now };
            self.timers.slow.set((from + keep_alive.idle).max(now + Duration::from_millis(1)));
            return;
        }
        let by_user = self.config.user_timeout.filter(|_| self.probes > 0);
        let given_up = match by_user {
            Some(limit) => silent >= limit,
            None => self.probes >= keep_alive.probes,
        };
        if given_up {
            self.reset_with(CloseReason::KeepAliveTimeout);
            return;
        }
        self.probes = self.probes.saturating_add(1);
        self.due.probe = true;
        self.timers.slow.set(now + keep_alive.interval.max(Duration::from_millis(1)));
    }

    fn on_retransmit_timer(&mut self, now: Instant) {
        match self.state {
            State::SynSent | State::SynReceived => self.on_syn_timer(now),
            State::Closed | State::TimeWait => {}
            _ => match self.timers.purpose {
                Purpose::Retransmit => self.on_retransmission_timeout(now),
                Purpose::TailLoss => self.on_tail_loss_probe(now),
                Purpose::Reorder => self.on_reorder_timer(now),
                Purpose::Persist => self.on_persist_timer(now),
                Purpose::Cork => self.due.push = true,
            },
        }
    }

    /// Our SYN, or SYN-ACK, was not answered in time.
    fn on_syn_timer(&mut self, now: Instant) {
        let limit = match self.state {
            State::SynSent => self.config.syn_retries,
            _ => self.config.syn_ack_retries,
        };
        let waited = now.saturating_duration_since(self.send.progress);
        let over = self.syn_timeout().is_some_and(|limit| waited >= limit);
        if self.send.attempts >= limit || over {
            self.finish(self.no_answer());
            return;
        }
        if self.is_over_user_timeout(now) {
            self.finish(CloseReason::UserTimeout);
            return;
        }
        self.send.attempts += 1;
        self.send.syn_resent = true;
        if self.send.attempts > self.config.syn_linear_retries {
            self.rtt.back_off();
        }
        self.due.syn = true;
    }

    /// How long the handshake is tried, if it is ours.
    fn syn_timeout(&self) -> Option<Duration> {
        self.config.syn_timeout.filter(|_| self.state == State::SynSent)
    }

    /// Whether data (or a SYN, or a FIN) has been unacknowledged for the user time-out.
    pub(super) fn is_over_user_timeout(&self, now: Instant) -> bool {
        let waiting = now.saturating_duration_since(self.send.progress);
        self.config.user_timeout.is_some_and(|limit| waiting >= limit)
    }

    /// The retransmission timer for what goes out now; the user time-out may come first.
    pub(super) fn arm_retransmit(&mut self, now: Instant) {
        let at = now + self.rto();
        self.arm(Purpose::Retransmit, at);
    }

    pub(super) fn arm(&mut self, purpose: Purpose, at: Instant) {
        let user = self.config.user_timeout;
        let limit = match self.syn_timeout() {
            Some(limit) => Some(user.map_or(limit, |user| user.min(limit))),
            None => user,
        };
        let at = limit.map_or(at, |limit| at.min(self.send.progress + limit));
        self.timers.purpose = purpose;
        self.timers.retransmit.set(at);
    }

    /// The retransmission time-out with the personality's slack; a first SYN knows of no delays.
    pub(super) fn rto(&self) -> Duration {
        let first = self.state == State::SynSent && self.send.attempts == 0;
        let slack = if first { Duration::ZERO } else { self.config.rto_slack };
        (self.rtt.rto() + slack).min(self.config.rto_max.max(self.config.rto_min))
    }
}

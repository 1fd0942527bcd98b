//! One turn of the loop: wait, I/O, timers, tasks. Each part has a budget, so that one busy channel
//! or a flood of tasks cannot starve the rest; what is left over makes the next wait return at
//! once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use fyke_clock::{Clock, Instant};

use crate::channel::core::panic_text;
use crate::channel::turn::Work;
use crate::driver::{Driver, Readiness, Token};
use crate::event_loop::timers::Timer;
use crate::event_loop::{EventLoop, LoopCore};
use crate::transport::TransportEvent;

/// Over what time the load is measured.
const LOAD_WINDOW_NANOS: u64 = 100_000_000;

/// The share of time that a loop works.
#[derive(Debug)]
pub(super) struct LoadWindow {
    began: Instant,
    busy_nanos: u64,
}

impl LoadWindow {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, busy_nanos: 0 }
    }
}

impl<D: Driver, C: Clock> EventLoop<D, C> {
    /// Runs turns until the loop has been shut down.
    ///
    /// # Errors
    /// When the driver cannot wait any more.
    pub fn run(&mut self) -> io::Result<()> {
        let mut now = self.clock.now();
        while !self.has_ended() {
            now = self.turn_at(now, None)?;
        }
        Ok(())
    }

    /// One turn that waits at most `limit` (`None`: until something happens).
    ///
    /// # Errors
    /// When the driver cannot wait any more.
    pub fn turn(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.turn_at(self.clock.now(), limit).map(drop)
    }

    /// A turn that begins at `now`; answers when it ended, so that the next one need not ask: reading
    /// the clocks is a hundredth of a short turn.
    fn turn_at(&mut self, now: Instant, limit: Option<Duration>) -> io::Result<Instant> {
        let timeout = self.timeout(now, limit);
        let slept = self.wait(timeout)?;
        let began = self.update_time();
        self.queue_since = if slept { began } else { self.queue_since };
        self.core.state.stall.start();
        self.core.state.stats.turns += 1;
        self.core.state.stats.wakeups += u64::from(slept && timeout != Some(Duration::ZERO));
        self.transport_events();
        self.leftovers();
        self.timers();
        self.tasks();
        self.make_transports();
        self.core.bury();
        self.core.progress_shutdown();
        for transport in self.core.state.transports_mut() {
            transport.turn_ended(began);
        }
        Ok(self.account(began))
    }

    /// Whether nothing is left to do before something happens or time passes.
    pub(crate) fn is_idle(&self) -> bool {
        let state = &self.core.state;
        let due = state.timers.next_deadline().is_some_and(|d| d <= self.clock.now());
        !due && state.ready.is_empty() && self.inbox.is_empty() && !state.handle.has_work()
    }

    /// When the next [`turn`](Self::turn) has something to do even if nothing becomes ready: now,
    /// when work is left, a time to come, or `None` when it waits for the world alone. For whoever
    /// turns loops by hand, as a simulation does.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.has_work_left() || self.core.state.handle.has_work() {
            return Some(self.clock.now());
        }
        self.earliest_deadline()
    }

    /// As [`next_deadline`](Self::next_deadline), and from now on whoever gives the loop work uses
    /// its waker: for whoever turns many loops by hand, and does not want to ask each of them.
    #[must_use]
    pub fn rest(&self) -> Option<Instant> {
        if self.has_work_left() || !self.core.state.handle.prepare_to_sleep() {
            return Some(self.clock.now());
        }
        self.earliest_deadline()
    }

    fn has_work_left(&self) -> bool {
        !self.core.state.ready.is_empty() || !self.inbox.is_empty()
    }

    /// The first deadline of the timers and the transports.
    fn earliest_deadline(&self) -> Option<Instant> {
        let state = &self.core.state;
        let mut deadline = state.timers.next_deadline();
        for transport in state.transports() {
            if let Some(next) = transport.next_deadline() {
                deadline = Some(deadline.map_or(next, |d| d.min(next)));
            }
        }
        deadline
    }

    /// How long the driver may wait.
    fn timeout(&self, now: Instant, limit: Option<Duration>) -> Option<Duration> {
        if self.has_work_left() {
            return Some(Duration::ZERO);
        }
        let deadline = self.earliest_deadline();
        let until = deadline.map(|d| d.saturating_duration_since(now));
        match (until, limit) {
            (Some(until), Some(limit)) => Some(until.min(limit)),
            (until, limit) => until.or(limit),
        }
    }

    /// Waits; `true` when nothing of other threads waited when it began to.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.readiness.clear();
        let spin = self.options.busy_poll;
        if !spin.is_zero() && timeout != Some(Duration::ZERO) {
            let end = self.clock.now() + timeout.map_or(spin, |t| t.min(spin));
            loop {
                self.driver.wait(Some(Duration::ZERO), &mut self.readiness)?;
                if !self.readiness.is_empty()
                    || self.core.state.handle.has_work()
                    || self.clock.now() >= end
                {
                    break;
                }
            }
            if !self.readiness.is_empty() {
                return Ok(false);
            }
        }
        let idle = self.core.state.handle.prepare_to_sleep();
        let timeout = if idle { timeout } else { Some(Duration::ZERO) };
        let waited = self.driver.wait(timeout, &mut self.readiness);
        self.core.state.handle.awake();
        waited.map(|()| idle)
    }

    fn update_time(&mut self) -> Instant {
        let now = self.clock.now();
        self.core.state.env.set_time(now, self.clock.unix_time());
        now
    }

    /// Tells transports what is ready, and channels what that means.
    fn transport_events(&mut self) {
        let now = self.core.state.env.now();
        self.core.state.stats.events += self.readiness.len() as u64;
        for readiness in self.readiness.drain(..) {
            let id = readiness.token.transport();
            if let Some(transport) = self.core.state.transport_mut(id) {
                transport.ready(readiness, &mut self.events);
            }
        }
        for transport in self.core.state.transports_mut() {
            transport.poll(now, &mut self.events);
        }
        self.channel_events();
    }

    fn channel_events(&mut self) {
        let budget = self.options.accepts_per_turn;
        for event in self.events.drain(..) {
            let key = match &event {
                TransportEvent::Acceptable(key) => {
                    self.core.accept_some(*key, budget);
                    continue;
                }
                TransportEvent::Readable(key)
                | TransportEvent::Writable(key)
                | TransportEvent::PeerClosed(key)
                | TransportEvent::Written(key, _)
                | TransportEvent::Acked(key, _)
                | TransportEvent::Connected(key, _)
                | TransportEvent::Failed(key, _) => *key,
            };
            self.core.turn_of(key, Work::Event(event));
        }
    }

    /// Channels that had more to do than their last turn allowed.
    fn leftovers(&mut self) {
        for _ in 0..self.core.state.ready.len() {
            let Some(key) = self.core.state.ready.pop_front() else { break };
            self.core.go_on(key, self.options.accepts_per_turn);
        }
    }

    fn timers(&mut self) {
        let now = self.core.state.env.now();
        if self.core.state.timers.next_deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        for _ in 0..self.options.timers_per_turn {
            let Some((_, timer)) = self.core.state.timers.poll(now) else { break };
            self.core.state.stats.timers += 1;
            match timer {
                Timer::Stage { channel, slot, stage, tag } => {
                    self.core.turn_of(channel, Work::Timer { slot, stage, tag });
                }
                Timer::ReadOn(channel) => self.core.turn_of(channel, Work::ReadOn),
                Timer::Close(channel) => self.core.turn_of(channel, Work::CloseTimer),
                Timer::Accept(key) => {
                    self.core.resume_accepting(key, self.options.accepts_per_turn);
                }
                Timer::Task(task) => guarded(&mut self.core, "a timer's task", task),
                Timer::Repeat(repeat) => {
                    guarded(&mut self.core, "a repeated task", |core| repeat.run(core));
                }
                Timer::ShutdownDeadline => self.core.shutdown_deadline(),
            }
        }
    }

    /// What other threads (and this one) have posted, up to the budget.
    fn tasks(&mut self) {
        if self.inbox.is_empty() {
            if !self.core.state.handle.has_work() {
                return;
            }
            self.core.state.handle.take(&mut self.inbox);
            self.measure_queue_age();
        }
        let mut budget = self.options.tasks_per_turn;
        self.notices();
        budget -= drain_up_to(&mut self.inbox.channels, budget, |key| {
            self.core.turn_of(key, Work::Mailbox);
        });
        budget -= drain_up_to(&mut self.inbox.tasks, budget, |task| {
            guarded(&mut self.core, "a task", task);
        });
        budget -= drain_up_to(&mut self.inbox.runnables, budget, |runnable| {
            guarded(&mut self.core, "a future", |_| _ = runnable.run());
        });
        self.core.state.stats.tasks += (self.options.tasks_per_turn - budget) as u64;
    }

    /// Makes the transports that tasks have asked for.
    fn make_transports(&mut self) {
        while !self.core.wanted.is_empty() {
            for wanted in std::mem::take(&mut self.core.wanted) {
                let made = self.transport(&*wanted.factory);
                (wanted.then)(&mut self.core, made);
            }
        }
    }

    /// What was just taken has waited since the last taking at most, or since the loop woke.
    fn measure_queue_age(&mut self) {
        if !self.inbox.is_empty() {
            let now = self.clock.now();
            let age = now.saturating_duration_since(self.queue_since);
            let stats = &mut self.core.state.stats;
            stats.queue_age_max = stats.queue_age_max.max(age);
            self.queue_since = now;
        }
    }

    /// Things in transports that other threads have changed.
    fn notices(&mut self) {
        for (id, key) in self.inbox.notices.drain(..) {
            let token = Token::new(id, key);
            let readiness = Readiness {
                token,
                readable: false,
                writable: false,
                peer_closed: false,
                hangup: false,
            };
            if let Some(transport) = self.core.state.transport_mut(id) {
                transport.ready(readiness, &mut self.events);
            }
        }
        self.channel_events();
    }

    /// Answers what time it is.
    fn account(&mut self, began: Instant) -> Instant {
        let now = self.clock.now();
        let busy_nanos = now.as_nanos().saturating_sub(began.as_nanos());
        self.core.state.stats.turn_took(busy_nanos);
        self.load.busy_nanos += busy_nanos;
        let window_nanos = now.as_nanos().saturating_sub(self.load.began.as_nanos());
        if window_nanos >= LOAD_WINDOW_NANOS {
            let share = u128::from(self.load.busy_nanos) * 1_000_000_000 / u128::from(window_nanos);
            let load = &self.core.state.handle.0.load;
            load.store(share as u64, std::sync::atomic::Ordering::Relaxed);
            self.load = LoadWindow::new(now);
        }
        now
    }
}

/// Runs what belongs to no channel: it cannot end the loop, and it is not blamed on a handler.
fn guarded(core: &mut LoopCore, what: &'static str, run: impl FnOnce(&mut LoopCore)) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(core))) {
        tracing::error!(what, panic = panic_text(&*panic), "panicked; the loop goes on");
    }
    core.state.stall.check(&what);
}

/// Runs at most `budget` items off the front; answers how many.
fn drain_up_to<T>(items: &mut Vec<T>, budget: usize, mut run: impl FnMut(T)) -> usize {
    let n = items.len().min(budget);
    for item in items.drain(..n) {
        run(item);
    }
    n
}

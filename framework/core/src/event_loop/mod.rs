//! The event loop: wait, I/O, timers, tasks; each with a budget. What a channel wrote is sent at the
//! end of its own turn.
//!
//! | file | idea |
//! |---|---|
//! | `turn`  | one turn of the loop |
//! | `table` | channels by key; making and ending them |
//! | `listeners` | accepting, with a budget and with rests |
//! | `state` | what a channel's turn may touch |
//! | `shared` | what other threads see |
//! | `shutdown` | ending in order, with a deadline |
//! | `timers`, `stats`, `stall` | as they say |

mod gate;
mod ip_rules;
mod listeners;
pub(crate) mod shared;
mod shutdown;
mod spec;
pub(crate) mod stall;
pub(crate) mod state;
mod stats;
mod table;
pub(crate) mod timers;
mod turn;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fyke_buffer::Pool;
use fyke_clock::{Clock, TimerKey};

use crate::driver::{Driver, Readiness, TransportId};
use crate::env::{Entropy, Env, Offload, OffloadInline};
use crate::event_loop::shared::Inbox;
use crate::event_loop::state::LoopState;
use crate::event_loop::timers::{Repeat, Timer};
use crate::transport::{TransportEvent, TransportFactory, TransportSeat};

pub use gate::{AcceptGate, GateCounters, Refused};
pub use ip_rules::{Cidr, IpRules, ParseCidrError};
pub use listeners::AcceptSink;
pub use shared::{LoopEnded, LoopHandle};
pub use shutdown::ShutdownReport;
pub use spec::ChannelSpec;
pub use stats::{CloseCounts, LoopStats, TurnTimes};
pub use table::{Adopt, ChannelInit, LoopCore};

/// What a loop is made with.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoopOptions {
    /// The loop's number in its group.
    pub id: u32,
    /// Seed of the loop's random numbers. Same seed, same calls: same numbers.
    pub seed: u64,
    /// Where seeds of secrets come from. Without it they follow from `seed`, and are none.
    pub entropy: Option<Entropy>,
    /// Where blocking work goes.
    pub offload: Arc<dyn Offload>,
    /// The loop's buffers.
    pub pool: Pool,
    /// Tasks, futures and mailboxes that run in one turn at most (256).
    pub tasks_per_turn: usize,
    /// Timers that expire in one turn at most (4096).
    pub timers_per_turn: usize,
    /// Connections that one listener accepts in one turn at most (64).
    pub accepts_per_turn: usize,
    /// Spins in the driver for so long before it sleeps. Zero (the default) sleeps at once.
    pub busy_poll: Duration,
}

impl LoopOptions {
    /// The defaults, with a seed.
    #[must_use]
    pub fn new(id: u32, seed: u64) -> Self {
        Self {
            id,
            seed,
            entropy: None,
            offload: Arc::new(OffloadInline),
            pool: Pool::new(),
            tasks_per_turn: 256,
            timers_per_turn: 4096,
            accepts_per_turn: 64,
            busy_poll: Duration::ZERO,
        }
    }
}

impl fmt::Debug for LoopOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopOptions").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One loop on one thread. Neither `Send` nor `Sync`; [`LoopHandle`] is both.
pub struct EventLoop<D: Driver, C: Clock> {
    driver: D,
    clock: C,
    options: LoopOptions,
    core: LoopCore,
    readiness: Vec<Readiness>,
    events: Vec<TransportEvent>,
    inbox: Inbox,
    load: turn::LoadWindow,
    /// Since when work of other threads may have been waiting.
    queue_since: fyke_clock::Instant,
}

impl<D: Driver, C: Clock> EventLoop<D, C> {
    /// A loop that waits with `driver` and reads `clock`.
    pub fn new(driver: D, clock: C, options: LoopOptions) -> Self {
        let handle = LoopHandle::new(options.id, driver.waker());
        let mut env = Env::new(options.seed, Arc::clone(&options.offload));
        env.set_time(clock.now(), clock.unix_time());
        env.set_entropy(options.entropy);
        let load = turn::LoadWindow::new(env.now());
        let queue_since = env.now();
        let state = LoopState::new(env, options.pool.clone(), handle);
        Self {
            driver,
            clock,
            core: LoopCore::new(state),
            options,
            readiness: Vec::new(),
            events: Vec::new(),
            inbox: Inbox::default(),
            load,
            queue_since,
        }
    }

    /// The loop, for other threads.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        self.core.state.handle.clone()
    }

    /// Gives the loop a transport, or finds the one that a factory of the same key made before.
    ///
    /// # Errors
    /// Those of the factory.
    pub fn transport(&mut self, factory: &dyn TransportFactory) -> io::Result<TransportId> {
        if let Some(id) = self.core.state.transport_by_key(factory.key()) {
            return Ok(id);
        }
        let id = self.core.state.next_transport_id();
        let (handle, env) = (self.handle(), &mut self.core.state.env);
        let seat = TransportSeat { id, driver: &self.driver, handle, env };
        let transport = factory.create(seat)?;
        self.core.state.add_transport(factory.key(), transport);
        Ok(id)
    }

    /// The loop's table and state, for what runs on its thread.
    pub fn core(&mut self) -> &mut LoopCore {
        &mut self.core
    }

    /// The driver.
    pub fn driver(&mut self) -> &mut D {
        &mut self.driver
    }

    /// The clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// What the loop tells about itself.
    #[must_use]
    pub fn stats(&self) -> LoopStats {
        self.core.stats()
    }
}

impl<D: Driver, C: Clock> fmt::Debug for EventLoop<D, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("id", &self.options.id)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl LoopCore {
    /// Time, date and randomness.
    pub fn env(&mut self) -> &mut Env {
        &mut self.state.env
    }

    /// The loop, for other threads.
    #[must_use]
    pub fn handle(&self) -> LoopHandle {
        self.state.handle.clone()
    }

    /// Runs `task` after `delay`.
    pub fn schedule(
        &mut self,
        delay: Duration,
        task: impl FnOnce(&mut Self) + 'static,
    ) -> TimerKey {
        let deadline = self.state.env.now() + delay;
        self.state.timers.schedule(deadline, Timer::Task(Box::new(task)))
    }

    /// Runs `task` after `delay` and then every `period`, at fixed times: a late run does not
    /// delay the ones behind it. It ends when `task` answers `false`.
    ///
    /// # Panics
    /// When `period` is zero.
    pub fn schedule_at_fixed_rate(
        &mut self,
        delay: Duration,
        period: Duration,
        task: impl FnMut(&mut Self) -> bool + 'static,
    ) -> FixedRate {
        assert!(!period.is_zero(), "a period must be longer than nothing");
        let cancelled = Rc::new(Cell::new(false));
        let at = self.state.env.now() + delay;
        let rate = FixedRate(Rc::clone(&cancelled));
        let repeat = Repeat { at, period, task: Box::new(task), cancelled };
        self.state.timers.schedule(at, Timer::Repeat(Box::new(repeat)));
        rate
    }

    /// Cancels a timer; `false` when it has expired already.
    pub fn cancel(&mut self, timer: TimerKey) -> bool {
        self.state.timers.cancel(timer).is_some()
    }

    /// Runs a future on this loop. It need not be `Send`.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.state.spawn(future);
    }

    /// What the loop tells about itself.
    #[must_use]
    pub fn stats(&self) -> LoopStats {
        let mut stats = self.state.stats.get();
        stats.stalls = self.state.stall.count;
        stats.stalled_by = self.state.stall.stage;
        stats.channels = u64::from(self.state.handle.channels());
        stats
    }
}

/// A task that repeats. Dropping this does not end it; see [`cancel`](Self::cancel).
#[derive(Clone, Debug)]
pub struct FixedRate(Rc<Cell<bool>>);

impl FixedRate {
    /// No run begins any more.
    pub fn cancel(&self) {
        self.0.set(true);
    }
}

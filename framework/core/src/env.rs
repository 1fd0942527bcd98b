//! What the loop tells its handlers of the world: their only source of time, date, randomness and
//! of threads to block on. The simulation supplies virtual ones.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fyke_clock::Instant;

/// Work for another thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs work that blocks, away from the loop.
pub trait Offload: Send + Sync {
    /// Runs `job`, or drops it when there is no room or no thread left.
    fn run(&self, job: Job);
}

/// Runs offloaded work at once, on the loop itself: for tests and simulations, where order and
/// time must not depend on threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct OffloadInline;

impl Offload for OffloadInline {
    fn run(&self, job: Job) {
        job();
    }
}

/// What the loop tells its handlers of the world: their only source of time, date, randomness, and
/// of threads to block on. They reach it by [`Ctx::env`](crate::Ctx::env).
pub struct Env {
    now: Instant,
    unix_time: Duration,
    random: fastrand::Rng,
    offload: Arc<dyn Offload>,
}

impl Env {
    /// An environment with a seed.
    #[must_use]
    pub fn new(seed: u64, offload: Arc<dyn Offload>) -> Self {
        Self {
            now: Instant::ZERO,
            unix_time: Duration::ZERO,
            random: fastrand::Rng::with_seed(seed),
            offload,
        }
    }

    /// The time of this turn, on the loop's monotonic clock. It stands still while the turn lasts, so
    /// reading it costs nothing.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The time of this turn since 1970, for people and for HTTP's `Date`.
    #[must_use]
    pub fn unix_time(&self) -> Duration {
        self.unix_time
    }

    /// A random number. Fast and seeded, and therefore nothing for keys and secrets.
    pub fn random(&mut self) -> u64 {
        self.random.u64(..)
    }

    /// The loop's generator itself.
    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Where blocking work goes.
    #[must_use]
    pub fn offload(&self) -> &Arc<dyn Offload> {
        &self.offload
    }

    pub(crate) fn set_time(&mut self, now: Instant, unix_time: Duration) {
        self.now = now;
        self.unix_time = unix_time;
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env")
            .field("now", &self.now)
            .field("unix_time", &self.unix_time)
            .finish_non_exhaustive()
    }
}

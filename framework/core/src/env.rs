//! What the loop tells its handlers of the world: their only source of time, date, randomness and
//! of threads to block on. The simulation supplies virtual ones.

use std::fmt;
use std::io;
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

/// Where seeds that nobody can guess come from: the operating system, outside of simulations.
pub type Entropy = fn(&mut [u8; 32]) -> io::Result<()>;

/// What the loop tells its handlers of the world: their only source of time, date, randomness, and
/// of threads to block on. They reach it by [`Ctx::env`](crate::Ctx::env).
pub struct Env {
    now: Instant,
    unix_time: Duration,
    random: fastrand::Rng,
    entropy: Option<Entropy>,
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
            entropy: None,
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

    /// A random number. Fast and seeded, and therefore nothing for keys and secrets: those come from
    /// a generator made for them, with a seed of [`secret_seed`](Self::secret_seed).
    pub fn random(&mut self) -> u64 {
        self.random.u64(..)
    }

    /// The loop's generator itself.
    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// A seed for a cryptographic generator, another one at each call: what the operating system
    /// gives, or, in simulations and tests, what follows from the loop's seed and is no secret.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn secret_seed(&mut self) -> io::Result<[u8; 32]> {
        let mut seed = [0; 32];
        match self.entropy {
            Some(entropy) => entropy(&mut seed)?,
            None => self.random.fill(&mut seed),
        }
        Ok(seed)
    }

    /// Where blocking work goes.
    #[must_use]
    pub fn offload(&self) -> &Arc<dyn Offload> {
        &self.offload
    }

    pub(crate) fn set_entropy(&mut self, entropy: Option<Entropy>) {
        self.entropy = entropy;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_the_source_and_without_one_from_the_seed() {
        let new = || Env::new(7, Arc::new(OffloadInline));
        let (mut one, mut other) = (new(), new());
        let first = one.secret_seed().expect("no source can fail");
        assert_eq!(other.secret_seed().expect("no source can fail"), first);
        assert_ne!(one.secret_seed().expect("no source can fail"), first);
        one.set_entropy(Some(|seed| {
            seed.fill(9);
            Ok(())
        }));
        assert_eq!(one.secret_seed().expect("this one does not fail"), [9; 32]);
        one.set_entropy(Some(|_| Err(io::ErrorKind::Unsupported.into())));
        assert!(one.secret_seed().is_err());
    }
}

//! A transport for tests: another transport whose answers come late and in parts.
//!
//! A channel that works on a fast kernel socket may still be wrong: completions that come turns
//! later, writes that take three bytes, reads that give one, a connect that is not done yet. All
//! of that is allowed by the contract of [`Transport`] and rare in practice. [`Fake`] makes it
//! common. It wraps the factory of any transport, so a suite of scenarios runs on it unchanged:
//!
//! ```
//! use fyke_transport::fake::Fake;
//! use fyke_transport::local::{Local, LocalNetwork};
//!
//! for seed in 0..200 {
//!     let transport = Fake::wrap(Local::on(&LocalNetwork::new()), seed);
//!     // run the scenario on `transport`; print `seed` when it fails
//! #   let _ = transport;
//! }
//! ```
//!
//! | what the channel asks | what it may be answered |
//! |---|---|
//! | `write` | `InFlight`, and `Written` turns later for a part of what was offered; or `Now` with a part; or `Now(0)`; `Writable` follows when it was not all |
//! | `read` | a piece of what there is, from one byte on; or `WouldBlock`; `Readable` follows |
//! | `accept`, `receive`, `send` | nothing yet, or only some; the event follows |
//! | any event | a few turns later, in order for each channel |
//!
//! Bytes that a write takes reach the inner transport at once; only the report of it is late. So
//! a peer may answer before its question counts as written, as it may over a real network.
//!
//! Nothing depends on time or threads: progress is made in `poll`, once a turn, and while
//! something is owed the transport asks for another turn. Same seed, same calls, same answers.
//!
//! What only [`Local`](crate::local::Local) inside can do: a limit on the bytes of one write.
//! Other inner transports are offered all there is, and answer what they answer.

mod late;
mod plan;
mod script;
mod transport;

use std::io;
use std::sync::Arc;

use fyke_core::transport::{Transport, TransportFactory, TransportSeat};

pub use script::{ReadStep, Script, WriteStep};

use plan::Plan;
use transport::FakeTransport;

/// Makes transports that answer late and in parts. See the [module](self).
#[derive(Clone)]
#[must_use]
pub struct Fake {
    inner: Arc<dyn TransportFactory>,
    key: &'static str,
    plan: PlanOf,
}

#[derive(Clone, Debug)]
enum PlanOf {
    Seed(u64),
    Script(Script),
}

impl Fake {
    /// Answers as `seed` decides, mixed with the number of the loop.
    pub fn wrap(inner: impl TransportFactory, seed: u64) -> Self {
        Self { inner: Arc::new(inner), key: "fake", plan: PlanOf::Seed(seed) }
    }

    /// Answers as `script` says, and without tricks when it is over. Each loop has its own copy.
    pub fn scripted(inner: impl TransportFactory, script: Script) -> Self {
        Self { inner: Arc::new(inner), key: "fake", plan: PlanOf::Script(script) }
    }

    /// Factories of one key share one transport on a loop (`"fake"`): a loop that is to have two
    /// of them needs a key of its own for the second.
    pub fn key(mut self, key: &'static str) -> Self {
        self.key = key;
        self
    }
}

impl TransportFactory for Fake {
    fn key(&self) -> &'static str {
        self.key
    }

    fn create(&self, seat: TransportSeat<'_>) -> io::Result<Box<dyn Transport>> {
        let plan = match &self.plan {
            PlanOf::Seed(seed) => Plan::seeded(*seed, seat.handle.id()),
            PlanOf::Script(script) => Plan::scripted(script.clone()),
        };
        Ok(Box::new(FakeTransport::new(self.inner.create(seat)?, plan)))
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake")
            .field("inner", &self.inner.key())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

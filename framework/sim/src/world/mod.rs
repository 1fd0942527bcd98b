//! The world: virtual time, what is in it, and what will happen.
//!
//! | file | idea |
//! |---|---|
//! | `queue` | what will happen, in order |
//! | `state` | nodes and links; where a frame goes next |
//! | `build` | adding parts |
//! | `run` | letting time pass; stalls; blocking calls |

mod build;
mod queue;
mod run;
mod state;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use fyke_clock::{Clock, Instant, VirtualClock};

pub use build::Attach;
pub(crate) use build::cidr;
pub(crate) use queue::Happening;
pub use run::Ended;
pub(crate) use state::{Kind, Ring, State, Station};

use crate::capture::{CaptureBuffer, Recorder};
use crate::drops::Drops;
use crate::error::SimError;
use crate::host::Woken;
use crate::ids::NodeId;
use state::Partition;

/// A network in virtual time. Clones are the same world; it lives on one thread.
///
/// While it lives, blocking calls on its thread (`bind`, `Connect::wait`, `WriteFuture::wait`,
/// `shutdown` ...) let its time pass until they are answered. The last world that was made on a
/// thread is the one that turns.
///
/// Everything in it follows from its seed and the calls: the same seed and the same calls give the
/// same bytes, as long as handlers take time and randomness from their context's `Env` and do not
/// walk over hash maps whose order is random.
///
/// Hosts, boxes and links hold their world. A script that was put off ([`after`](Self::after),
/// [`every`](Self::every)) and holds one of them keeps the world alive until it has run.
///
/// ```
/// use std::time::Duration;
/// use fyke_sim::{LinkConfig, World};
///
/// let world = World::new(7);
/// let switch = world.switch("lan")?;
/// let wan = LinkConfig::new().delay(Duration::from_millis(20)).loss(0.01);
/// let server = world.host("server").address("10.0.0.1/24").start()?;
/// let client = world.host("client").address("10.0.0.2/24").start()?;
/// world.link(&server, &switch, LinkConfig::new())?;
/// world.link(&client, &switch, wan)?;
/// world.run_for(Duration::from_secs(1))?;
/// assert_eq!(world.now().as_nanos(), 1_000_000_000);
/// # Ok::<(), fyke_sim::SimError>(())
/// ```
#[derive(Clone)]
pub struct World(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    pub(crate) seed: u64,
    pub(crate) clock: VirtualClock,
    pub(crate) state: RefCell<State>,
    /// Whose turn it is.
    turning: Cell<Option<NodeId>>,
    pub(crate) woken: Arc<Woken>,
    patience: Cell<Duration>,
    turns_max: Cell<u32>,
    partitions: Cell<u64>,
}

/// Turns of a host at one instant, unless told otherwise.
const TURNS_MAX: u32 = 100_000;
/// Virtual time that a blocking call may take, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(3600);

impl World {
    /// An empty world, whose time of day begins with 1970.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::at(seed, Duration::ZERO)
    }

    /// An empty world, whose time of day begins `unix_time` after the beginning of 1970.
    #[must_use]
    pub fn at(seed: u64, unix_time: Duration) -> Self {
        let clock = VirtualClock::at(unix_time);
        let inner = Rc::new(Inner {
            seed,
            state: RefCell::new(State::new(clock.now())),
            clock,
            turning: Cell::new(None),
            woken: Arc::default(),
            patience: Cell::new(PATIENCE),
            turns_max: Cell::new(TURNS_MAX),
            partitions: Cell::new(0),
        });
        let weak: Weak<Inner> = Rc::downgrade(&inner);
        fyke_core::turner::install(weak);
        Self(inner)
    }

    /// The seed: whoever knows it can replay what happened.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The present instant. The world began at [`Instant::ZERO`].
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.clock.now()
    }

    /// The clock of every host.
    #[must_use]
    pub fn clock(&self) -> VirtualClock {
        self.0.clock.clone()
    }

    /// How much virtual time a blocking call and [`run_until_idle`](Self::run_until_idle) may take
    /// before they give up (an hour).
    pub fn set_patience(&self, limit: Duration) {
        self.0.patience.set(limit);
    }

    /// How often a host may turn without time passing before that is a [`SimError::Stall`]
    /// (100 000).
    pub fn set_turns_max(&self, turns: u32) {
        self.0.turns_max.set(turns.max(1));
    }

    /// Goes on with a script at `at`, or now when that has passed.
    pub fn at_time(&self, at: Instant, call: impl FnOnce(&World) + 'static) {
        let mut state = self.0.state.borrow_mut();
        let at = at.max(state.now);
        state.queue.push(at, Happening::Call(Box::new(call)));
    }

    /// Goes on with a script after `delay`.
    pub fn after(&self, delay: Duration, call: impl FnOnce(&World) + 'static) {
        self.at_time(self.now() + delay, call);
    }

    /// Calls `call` every `period`, first after one; until it answers `false`.
    pub fn every(&self, period: Duration, mut call: impl FnMut(&World) -> bool + 'static) {
        let period = period.max(Duration::from_nanos(1));
        self.after(period, move |world| {
            if call(world) {
                world.every(period, call);
            }
        });
    }

    /// Keeps the nodes of `one` from those of `other`, wherever they are in the network: a frame of
    /// a host on one side never reaches a host on the other. Ends when it is
    /// [`healed`](PartitionHandle::heal).
    pub fn partition(&self, one: &[NodeId], other: &[NodeId]) -> PartitionHandle {
        let number = self.0.partitions.get() + 1;
        self.0.partitions.set(number);
        let sets: [BTreeSet<NodeId>; 2] =
            [one.iter().copied().collect(), other.iter().copied().collect()];
        let [one, other] = sets;
        self.0.state.borrow_mut().partitions.push(Partition { number, one, other });
        PartitionHandle { world: self.clone(), number }
    }

    /// What the whole network has dropped, by reason.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let state = self.0.state.borrow();
        let mut all = Drops::default();
        state.nodes.iter().for_each(|node| all.merge(&node.drops));
        let directions = state.links.iter().flat_map(|link| &link.directions);
        directions.for_each(|direction| all.merge(&direction.counters.drops));
        all
    }

    /// What happened in a node and was dropped there, by reason.
    #[must_use]
    pub fn drops_of(&self, node: NodeId) -> Drops {
        self.0.state.borrow().node(node).drops
    }

    /// Frames that arrived, alarms that rang, scripts that went on.
    #[must_use]
    pub fn happened(&self) -> u64 {
        self.0.state.borrow().happened
    }

    /// Things that are in the queue of what will happen.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.0.state.borrow().queue.len()
    }

    /// Writes every frame on every link into `writer` as pcapng from now on, with comments on what
    /// the network did to it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn capture_to(&self, writer: impl io::Write + 'static) -> Result<(), SimError> {
        let recorder = Recorder::new(Box::new(writer))?;
        self.0.state.borrow_mut().recorder = Some(recorder);
        Ok(())
    }

    /// The same into memory.
    ///
    /// # Errors
    /// None; as [`capture_to`](Self::capture_to).
    pub fn capture_in_memory(&self) -> Result<CaptureBuffer, SimError> {
        let buffer = CaptureBuffer::default();
        self.capture_to(buffer.clone())?;
        Ok(buffer)
    }

    /// Ends the capture.
    ///
    /// # Errors
    /// The first error of the writer.
    pub fn end_capture(&self) -> Result<(), SimError> {
        let recorder = self.0.state.borrow_mut().recorder.take();
        recorder.map_or(Ok(()), Recorder::finish)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("World");
        all.field("seed", &self.0.seed).field("now", &self.now());
        if let Ok(state) = self.0.state.try_borrow() {
            let names: Vec<&str> = state.nodes.iter().map(|node| &*node.name).collect();
            all.field("nodes", &names).field("pending", &state.queue.len());
        }
        all.finish_non_exhaustive()
    }
}

/// A partition. Dropping this does not heal it.
#[derive(Clone, Debug)]
pub struct PartitionHandle {
    world: World,
    number: u64,
}

impl PartitionHandle {
    /// Lets both sides hear each other again.
    pub fn heal(&self) {
        let mut state = self.world.0.state.borrow_mut();
        state.partitions.retain(|partition| partition.number != self.number);
    }
}

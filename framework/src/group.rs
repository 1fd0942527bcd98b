//! N loops on N threads.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fyke_core::event_loop::ShutdownReport;
use fyke_core::{LoopHandle, LoopStats, Offload, OffloadInline};
use fyke_poller::Backend;

use crate::loop_thread::start_loop;
use crate::offload::OffloadPool;
use crate::seeds::Seeds;
use crate::threads::ChannelThreads;
use crate::ticker::Ticker;
use crate::waiting::receive;

/// Event loops, each on its own thread: `Clone + Send + Sync`, and every clone is the same group.
///
/// When the last clone is dropped, the loops end at once, and the drop waits for their threads. End
/// them in order with [`shutdown`](Self::shutdown).
///
/// ```
/// use std::time::Duration;
///
/// let group = fyke::EventLoopGroup::builder().threads(2).name("net").build()?;
/// let (sender, receiver) = std::sync::mpsc::channel();
/// group.next().execute(move |core| {
///     core.schedule(Duration::from_millis(1), move |_| sender.send("later").unwrap());
/// })?;
/// assert_eq!(receiver.recv()?, "later");
/// assert_eq!(group.shutdown(Duration::from_secs(5)).cut, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct EventLoopGroup(Arc<Group>);

struct Group {
    options: GroupBuilder,
    loops: Vec<LoopHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    offload: Arc<dyn Offload>,
    /// Its threads, when they are ours.
    pool: Option<OffloadPool>,
    ticker: Arc<Ticker>,
    channel_threads: ChannelThreads,
    /// The loops were here before the group, and stay.
    borrowed: bool,
}

/// What an [`EventLoopGroup`] is made with.
#[derive(Clone, Debug)]
#[must_use = "call build()"]
pub struct GroupBuilder {
    threads: usize,
    backend: Backend,
    name: String,
    pin: bool,
    busy_poll: Duration,
    seed: Option<u64>,
    offload_threads: usize,
    stall_tick: Duration,
}

impl Default for GroupBuilder {
    fn default() -> Self {
        Self {
            threads: 0,
            backend: Backend::EpollLevel,
            name: "fyke".to_owned(),
            pin: false,
            busy_poll: Duration::ZERO,
            seed: None,
            offload_threads: 4,
            stall_tick: Duration::from_millis(50),
        }
    }
}

impl GroupBuilder {
    /// How many loops. 0 (the default) is one for each processor.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// What the loops wait with. [`Backend::EpollLevel`] by default.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// What the threads are called: `NAME-0`, `NAME-1` ... (`fyke`).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Pins loop N to processor N (modulo their number). Off by default.
    pub fn pin_to_cpus(mut self, pin: bool) -> Self {
        self.pin = pin;
        self
    }

    /// Spins for so long before a loop sleeps: lower latency at the price of a processor. Zero (the
    /// default) sleeps at once.
    pub fn busy_poll(mut self, spin: Duration) -> Self {
        self.busy_poll = spin;
        self
    }

    /// The seed of the loops' random numbers. By default it is the operating system's. With a seed,
    /// what should be secret follows from it, too: that is for tests.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many threads run offloaded work (4; at least 1). They are started when there is some.
    pub fn offload_threads(mut self, threads: usize) -> Self {
        self.offload_threads = threads.max(1);
        self
    }

    /// How often the loops are looked after (50 ms): a handler that holds its loop for two ticks
    /// is reported by name. Zero switches that off.
    pub fn stall_tick(mut self, tick: Duration) -> Self {
        self.stall_tick = tick;
        self
    }

    /// Starts the threads.
    ///
    /// # Errors
    /// When a thread cannot be started or a poller not be made.
    pub fn build(mut self) -> io::Result<EventLoopGroup> {
        if self.threads == 0 {
            self.threads = thread::available_parallelism().map_or(1, usize::from);
        }
        let seeds = Seeds::new(self.seed)?;
        let offload = OffloadPool::new(&self.name, self.offload_threads);
        let mut loops = Vec::with_capacity(self.threads);
        let mut threads = Vec::with_capacity(self.threads + 1);
        for id in 0..self.threads {
            let mut options = seeds.options(id as u64);
            options.offload = Arc::new(offload.clone());
            options.busy_poll = self.busy_poll;
            match start_loop(&self.name, self.backend, self.pin, id, options) {
                Ok((handle, thread)) => {
                    loops.push(handle);
                    threads.push(thread);
                }
                Err(error) => {
                    loops.iter().for_each(end_at_once);
                    return Err(error);
                }
            }
        }
        let ticker = Arc::new(Ticker::default());
        if !self.stall_tick.is_zero() {
            let (ticker, loops, tick) = (Arc::clone(&ticker), loops.clone(), self.stall_tick);
            let name = format!("{}-ticker", self.name);
            threads.push(thread::Builder::new().name(name).spawn(move || {
                while !ticker.wait(tick) {
                    loops.iter().for_each(LoopHandle::tick);
                }
            })?);
        }
        let channel_threads = ChannelThreads::new(&self.name, seeds, Arc::new(offload.clone()));
        Ok(EventLoopGroup(Arc::new(Group {
            options: self,
            loops,
            threads: Mutex::new(threads),
            offload: Arc::new(offload.clone()),
            pool: Some(offload),
            ticker,
            channel_threads,
            borrowed: false,
        })))
    }
}

/// A number that no other loop of this process has had: channels of all groups differ by it.
pub(crate) fn next_loop_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Ends a loop that nobody will use.
fn end_at_once(event_loop: &LoopHandle) {
    // One that has ended already is what is wanted.
    let _ = event_loop.execute(|core| core.shutdown(Duration::ZERO, |_| {}));
}

impl EventLoopGroup {
    /// `threads` loops with the defaults; 0 is one for each processor.
    ///
    /// # Errors
    /// When a thread cannot be started or a poller not be made.
    pub fn new(threads: usize) -> io::Result<Self> {
        Self::builder().threads(threads).build()
    }

    /// More to choose.
    pub fn builder() -> GroupBuilder {
        GroupBuilder::default()
    }

    /// A group of loops that somebody else runs, as a simulation does: it has no threads, and the
    /// loops do not end when it is dropped. Work that blocks runs on the loops themselves.
    ///
    /// # Errors
    /// When there are no loops.
    pub fn of_loops(loops: Vec<LoopHandle>) -> io::Result<Self> {
        if loops.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a group needs a loop"));
        }
        let options = GroupBuilder { threads: loops.len(), ..GroupBuilder::default() };
        let offload: Arc<dyn Offload> = Arc::new(OffloadInline);
        // Only blocking transports have threads; nobody has asked for a seed of theirs.
        let channel_threads =
            ChannelThreads::new(&options.name, Seeds::new(Some(0))?, Arc::clone(&offload));
        Ok(Self(Arc::new(Group {
            options,
            loops,
            threads: Mutex::default(),
            offload,
            pool: None,
            ticker: Arc::default(),
            channel_threads,
            borrowed: true,
        })))
    }

    /// The loops.
    #[must_use]
    pub fn loops(&self) -> &[LoopHandle] {
        &self.0.loops
    }

    /// What the loops wait with.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.0.options.backend
    }

    /// The loop with the least measured load; among equals the one with the fewest channels.
    #[must_use]
    pub fn next(&self) -> &LoopHandle {
        &self.0.loops[least_loaded(&self.0.loops)]
    }

    /// Where blocking work goes.
    #[must_use]
    pub fn offload(&self) -> Arc<dyn Offload> {
        Arc::clone(&self.0.offload)
    }

    pub(crate) fn channel_threads(&self) -> &ChannelThreads {
        &self.0.channel_threads
    }

    /// What the loops tell about themselves; one that has ended tells nothing. Blocks until each
    /// has answered; never call it on one.
    #[must_use]
    pub fn stats(&self) -> Vec<LoopStats> {
        let ask = |event_loop: &LoopHandle| {
            let (sender, receiver) = mpsc::sync_channel(1);
            let asked = event_loop.execute(move |core| {
                // Whoever asked waits for it.
                let _ = sender.send(core.stats());
            });
            asked.ok().map(|()| receiver)
        };
        let answers: Vec<_> = self.0.loops.iter().map(ask).collect();
        answers.into_iter().filter_map(|answer| receive(&answer?)?.ok()).collect()
    }

    /// Ends the loops in order and waits for them: listeners are closed, handlers told, what was
    /// written is sent; what has not ended by the deadline is cut. Ends at once when there is no
    /// channel. Never call it on a loop.
    pub fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let report = self.0.shutdown(deadline);
        tracing::info!(channels = report.channels, cut = report.cut, "shut down");
        report
    }

    /// Whether the loops have ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.0.loops.iter().all(LoopHandle::has_ended)
    }
}

impl Group {
    fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let (sender, receiver) = mpsc::channel();
        for event_loop in &self.loops {
            let sender = sender.clone();
            // A loop that has ended already has nothing to report.
            let _ = event_loop.execute(move |core| {
                core.shutdown(deadline, move |report| {
                    let _ = sender.send(report);
                });
            });
        }
        drop(sender);
        let mut total = self.channel_threads.shutdown(deadline);
        while let Some(Ok(report)) = receive(&receiver) {
            total.channels += report.channels;
            total.cut += report.cut;
        }
        self.end_helpers();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let this = thread::current().id();
        for thread in threads.into_iter().filter(|t| t.thread().id() != this) {
            if thread.join().is_err() {
                tracing::error!("a loop's thread panicked");
            }
        }
        total
    }
}

impl Group {
    /// Whether this thread is one of the group's own.
    fn is_own_thread(&self) -> bool {
        let this = thread::current().id();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        threads.iter().any(|thread| thread.thread().id() == this)
    }

    /// Ends everything without waiting for it.
    fn abandon(&self) {
        for event_loop in &self.loops {
            // One that has ended already is what is wanted.
            let _ = event_loop.execute(|core| core.shutdown(Duration::ZERO, |_| {}));
        }
        self.channel_threads.abandon();
        self.end_helpers();
    }

    fn end_helpers(&self) {
        self.ticker.end();
        if let Some(pool) = &self.pool {
            pool.close();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The last handle may lie in a handler, and go when its loop lets the handler go: then
        // nobody can wait for that loop.
        if self.borrowed {
            self.channel_threads.abandon();
        } else if self.is_own_thread() || self.channel_threads.is_own_thread() {
            self.abandon();
        } else {
            self.shutdown(Duration::ZERO);
        }
    }
}

/// Loads within a twentieth of a processor count as equal.
const LOAD_STEP: u64 = 50_000_000;

pub(crate) fn least_loaded(loops: &[LoopHandle]) -> usize {
    let scores = loops.iter().map(|l| (l.load() / LOAD_STEP, l.population()));
    scores.enumerate().min_by_key(|(_, score)| *score).map_or(0, |(index, _)| index)
}

impl fmt::Debug for EventLoopGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoopGroup").field("loops", &self.0.loops).finish_non_exhaustive()
    }
}

//! One thread a channel (BIO): the same pipelines over sockets that block.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use fyke_clock::Clock;
use fyke_core::event_loop::{Adopt, ChannelSpec, ShutdownReport};
use fyke_core::transport::{Incoming, TransportFactory};
use fyke_core::{Address, Channel, EventLoop, LoopHandle, Offload, Result};
use fyke_poller::SystemClock;
use fyke_transport::{BlockingDriver, BlockingListener};

use crate::seeds::Seeds;

/// Stack of a channel's thread: enough for deep pipelines, little enough for thousands.
const STACK_BYTES: usize = 256 * 1024;
/// How long a listener rests that has no descriptor or thread left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

type Loop = EventLoop<BlockingDriver, SystemClock>;

/// The threads of a group's blocking channels.
#[derive(Clone)]
pub(crate) struct ChannelThreads(Arc<Shared>);

struct Shared {
    name: String,
    seeds: Seeds,
    offload: Arc<dyn Offload>,
    next: AtomicU32,
    state: Mutex<State>,
    /// Signalled when a thread ends, and when the group shuts down.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    loops: HashMap<u32, (LoopHandle, ThreadId)>,
    /// Threads that have been started for a channel, but whose loop is not among these yet.
    starting: usize,
    /// No thread is started any more.
    closed: bool,
    /// Nobody waits for those that were: they end by themselves.
    abandoned: bool,
}

/// A listener with a thread of its own.
pub(crate) struct Listening {
    listener: Arc<BlockingListener>,
    /// Until somebody waits for it.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Listening {
    pub(crate) fn address(&self) -> Address {
        self.listener.local_address().clone()
    }

    /// Ends the listening. When this returns it has let in the last one, and let go of its address.
    pub(crate) fn close(&self) {
        self.listener.close();
        // Held while it waits: whoever closes it at the same time waits as long.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        let this = thread::current().id();
        if let Some(thread) = thread.take().filter(|thread| thread.thread().id() != this)
            && thread.join().is_err()
        {
            tracing::error!("an accepting thread panicked");
        }
    }
}

impl ChannelThreads {
    pub(crate) fn new(name: &str, seeds: Seeds, offload: Arc<dyn Offload>) -> Self {
        Self(Arc::new(Shared {
            name: format!("{name}-bio"),
            seeds,
            offload,
            next: AtomicU32::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens, and gives each connection a thread.
    pub(crate) fn listen(
        &self,
        factory: &Arc<dyn TransportFactory>,
        address: &Address,
        spec: &ChannelSpec,
    ) -> io::Result<Listening> {
        let listener = Arc::new(BlockingListener::bind(address, &spec.options().socket)?);
        let (this, factory, spec) = (self.clone(), Arc::clone(factory), spec.clone());
        let accepting = Arc::clone(&listener);
        let name = format!("{}-accept", self.0.name);
        let thread = thread::Builder::new().name(name).spawn(move || {
            this.accept(&accepting, &factory, &spec);
        })?;
        Ok(Listening { listener, thread: Mutex::new(Some(thread)) })
    }

    fn accept(
        &self,
        listener: &BlockingListener,
        factory: &Arc<dyn TransportFactory>,
        spec: &ChannelSpec,
    ) {
        loop {
            let served = match listener.accept() {
                Ok(None) => return,
                Ok(Some((incoming, peer))) => {
                    match spec.admit(incoming, &peer, SystemClock::new().now()) {
                        Some(incoming) => self.serve(factory, spec, incoming, peer),
                        None => Ok(()),
                    }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::warn!(%error, retry_in = ?ACCEPT_PAUSE, "a connection cannot be served");
                if self.rest() {
                    return;
                }
            }
        }
    }

    /// Rests for a moment; `true` when the group has ended.
    fn rest(&self) -> bool {
        let state = self.lock();
        if state.closed {
            return true;
        }
        let waited = self.0.changed.wait_timeout(state, ACCEPT_PAUSE);
        waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    fn serve(
        &self,
        factory: &Arc<dyn TransportFactory>,
        spec: &ChannelSpec,
        incoming: Incoming,
        peer: Address,
    ) -> io::Result<()> {
        let (factory, spec) = (Arc::clone(factory), spec.clone());
        self.start(move |event_loop| {
            let transport = event_loop.transport(&*factory)?;
            event_loop.core().adopt_or_log(Adopt { transport, incoming, peer, spec });
            Ok(())
        })
    }

    /// Connects on a thread of its own.
    pub(crate) fn connect(
        &self,
        factory: &Arc<dyn TransportFactory>,
        address: &Address,
        spec: &ChannelSpec,
        told: impl FnOnce(Result<Channel>) + Send + 'static,
    ) {
        let (factory, spec, address) = (Arc::clone(factory), spec.clone(), address.clone());
        let told = Arc::new(Mutex::new(Some(told)));
        let lost = Arc::clone(&told);
        let started = self.start(move |event_loop| {
            let transport = event_loop.transport(&*factory)?;
            if let Some(told) = told.lock().unwrap_or_else(PoisonError::into_inner).take() {
                event_loop.core().connect(transport, &address, &spec, told);
            }
            Ok(())
        });
        if let Err(error) = started
            && let Some(told) = lost.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            told(Err(error.into()));
        }
    }

    /// Starts a thread whose loop lives as long as the channel that `begin` makes on it. A shutdown
    /// that comes meanwhile waits until it can tell that loop.
    fn start(
        &self,
        begin: impl FnOnce(&mut Loop) -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        {
            let mut state = self.lock();
            if state.closed {
                return Ok(());
            }
            state.starting += 1;
        }
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let this = self.clone();
        let name = format!("{}-{number}", self.0.name);
        let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
        let started = thread.spawn(move || {
            if let Err(error) = this.run(number, begin) {
                tracing::warn!(%error, "a connection's thread ended early");
            }
            this.lock().loops.remove(&number);
            this.0.changed.notify_all();
        });
        if started.is_err() {
            self.lock().starting -= 1;
            self.0.changed.notify_all();
        }
        started.map(drop)
    }

    fn run(&self, number: u32, begin: impl FnOnce(&mut Loop) -> io::Result<()>) -> io::Result<()> {
        let mut options = self.0.seeds.options(u64::from(number));
        options.offload = Arc::clone(&self.0.offload);
        let mut event_loop = EventLoop::new(BlockingDriver::new(), SystemClock::new(), options);
        {
            let mut state = self.lock();
            state.starting -= 1;
            if state.abandoned {
                return Ok(());
            }
            state.loops.insert(number, (event_loop.handle(), thread::current().id()));
        }
        self.0.changed.notify_all();
        begin(&mut event_loop)?;
        while !event_loop.has_ended() && event_loop.handle().channels() > 0 {
            event_loop.turn(None)?;
        }
        event_loop.core().shutdown(Duration::ZERO, |_| {});
        while !event_loop.has_ended() {
            event_loop.turn(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Whether this thread is one of a channel.
    pub(crate) fn is_own_thread(&self) -> bool {
        let this = thread::current().id();
        self.lock().loops.values().any(|(_, thread)| *thread == this)
    }

    /// Ends all of them without waiting for it.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.abandoned = true;
        for (event_loop, _) in state.loops.values() {
            // One that has just ended is what is wanted.
            let _ = event_loop.execute(|core| core.shutdown(Duration::ZERO, |_| {}));
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// Ends all of them in order, and cuts what is left at the deadline.
    pub(crate) fn shutdown(&self, deadline: Duration) -> ShutdownReport {
        let loops: Vec<LoopHandle> = {
            let mut state = self.lock();
            state.closed = true;
            self.0.changed.notify_all();
            // Who is being let in comes to his loop before it hears of this.
            while state.starting > 0 {
                state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.loops.values().map(|(event_loop, _)| event_loop.clone()).collect()
        };
        let (sender, receiver) = mpsc::channel();
        for event_loop in &loops {
            let sender = sender.clone();
            // A loop that has just ended has nothing to report.
            let _ = event_loop.execute(move |core| {
                core.shutdown(deadline, move |report| {
                    let _ = sender.send(report);
                });
            });
        }
        drop(sender);
        let mut total = ShutdownReport::default();
        for report in receiver {
            total.channels += report.channels;
            total.cut += report.cut;
        }
        let mut state = self.lock();
        while !state.loops.is_empty() {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        total
    }
}

impl fmt::Debug for ChannelThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelThreads").field("threads", &self.lock().loops.len()).finish()
    }
}

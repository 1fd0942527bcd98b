//! A stack seen from other threads: what `netstat`, `arp` and `ping` use.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use fyke_clock::Instant;
use fyke_core::driver::TransportId;
use fyke_core::{LoopCore, LoopHandle, turner};
use fyke_stack::{Event, Stack};

use super::device::Device;
use super::sockets::Sockets;
use super::transport::StackTransport;

/// Is told of the stack's events that belong to no channel.
pub(super) type Observer = Arc<dyn Fn(&mut Stack, Instant, &Event) + Send + Sync>;

/// Work with a loop's sockets.
type Work<'a> = &'a mut dyn FnMut(&mut Sockets);

/// Finds a transport in its loop, whatever its device is.
pub(super) type Find = fn(&mut LoopCore, TransportId, Work<'_>);

/// The stacks of one [`Userspace`](super::Userspace), from any thread.
///
/// What is asked runs on the stack's loop between the turns of its channels; what it queues to be
/// sent leaves at the end of the same turn. A call waits for the answer. From a thread of one of
/// the loops it is refused, as it would wait for itself:
/// [`LoopCore::transport_as`](fyke_core::LoopCore::transport_as) is for those who are there.
///
/// ```no_run
/// # fn show(userspace: &fyke_transport::userspace::Userspace) -> std::io::Result<()> {
/// let stack = userspace.handle();
/// for line in stack.with_stack(|stack, _| stack.listing().collect::<Vec<_>>())? {
///     println!("{:?} {} {:?}", line.state, line.local, line.remote);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StackHandle {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seats: Vec<Seat>,
    observers: Vec<Observer>,
}

/// Where a stack is.
#[derive(Clone)]
struct Seat {
    handle: LoopHandle,
    transport: TransportId,
    thread: ThreadId,
    find: Find,
}

pub(super) fn find<D: Device>(core: &mut LoopCore, transport: TransportId, work: Work<'_>) {
    if let Some(transport) = core.transport_as::<StackTransport<D>>(transport) {
        work(transport.sockets());
    }
}

impl StackHandle {
    pub(super) fn new() -> Self {
        Self { shared: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A loop has made its stack.
    pub(super) fn add<D: Device>(&self, handle: &LoopHandle, transport: TransportId) {
        let (handle, thread) = (handle.clone(), thread::current().id());
        let mut state = self.state();
        state.seats.retain(|seat| !seat.handle.has_ended());
        state.seats.push(Seat { handle, transport, thread, find: find::<D> });
    }

    pub(super) fn observers(&self) -> Vec<Observer> {
        self.state().observers.clone()
    }

    /// The loops that have a stack now.
    fn seats(&self) -> io::Result<Vec<Seat>> {
        let mut state = self.state();
        state.seats.retain(|seat| !seat.handle.has_ended());
        if state.seats.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "no loop has this stack: it is made by the first bind or connect, or by `install`",
            ));
        }
        Ok(state.seats.clone())
    }

    /// Runs `work` with the stack, on the first loop that has one, and waits for the answer.
    ///
    /// # Errors
    /// When no loop has made its stack yet, the loop ends, or this is its own thread.
    pub fn with_stack<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Stack, Instant) -> T + Send + 'static,
    ) -> io::Result<T> {
        let seats = self.seats()?;
        let mut work = Some(work);
        seats[0].ask(move |sockets| work.take().map(|work| work(&mut sockets.stack, sockets.now)))
    }

    /// Runs `work` with the stack of each loop, one after the other.
    ///
    /// # Errors
    /// As [`with_stack`](Self::with_stack).
    pub fn on_each<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Stack, Instant) -> T + Send + Sync + 'static,
    ) -> io::Result<Vec<T>> {
        let work = Arc::new(work);
        let ask = |seat: &Seat| {
            let work = Arc::clone(&work);
            seat.ask(move |sockets| Some(work(&mut sockets.stack, sockets.now)))
        };
        self.seats()?.iter().map(ask).collect()
    }

    /// Tells `observer`, on each loop, of the stack's events that belong to no channel: addresses
    /// that may be used or are somebody else's, answers to echo requests. Also on loops that make
    /// their stack later.
    pub fn observe(&self, observer: impl Fn(&mut Stack, Instant, &Event) + Send + Sync + 'static) {
        let observer: Observer = Arc::new(observer);
        let mut state = self.state();
        state.observers.push(Arc::clone(&observer));
        for seat in &state.seats {
            let observer = Arc::clone(&observer);
            // A loop that has ended has nothing to tell.
            let _ = seat.post(move |sockets| sockets.observers.push(Arc::clone(&observer)));
        }
    }
}

impl Seat {
    fn post(&self, mut work: impl FnMut(&mut Sockets) + Send + 'static) -> io::Result<()> {
        let (find, transport) = (self.find, self.transport);
        let posted = self.handle.execute(move |core| find(core, transport, &mut work));
        posted.map_err(io::Error::other)
    }

    fn ask<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut Sockets) -> Option<T> + Send + 'static,
    ) -> io::Result<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.post(move |sockets| {
            if let Some(answer) = work(sockets) {
                // The one who asked waits for it.
                let _ = sender.try_send(answer);
            }
        })?;
        wait_for(&receiver, Some(self.thread))
    }
}

/// Waits for the answer of a loop on the thread `of`; on a thread that turns its loops itself, by
/// turning them.
pub(super) fn wait_for<T>(receiver: &Receiver<T>, of: Option<ThreadId>) -> io::Result<T> {
    let ended = || io::Error::other("the event loop has ended");
    let turned = turner::wait_for(|| match receiver.try_recv() {
        Ok(answer) => Some(Ok(answer)),
        Err(TryRecvError::Empty) => None,
        Err(TryRecvError::Disconnected) => Some(Err(ended())),
    });
    match turned {
        Some(turned) => turned?,
        None if of == Some(thread::current().id()) => Err(io::Error::new(
            io::ErrorKind::Deadlock,
            "a loop cannot wait for its own stack: see LoopCore::transport_as",
        )),
        None => receiver.recv().map_err(|_| ended()),
    }
}

impl fmt::Debug for StackHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackHandle").field("loops", &self.state().seats.len()).finish()
    }
}

//! Hosts: an event loop on the world's clock, with a stack of its own on a port of the network.
//!
//! | file | idea |
//! |---|---|
//! | `builder` | how a host is made |
//! | `recipe` | what its stack is made from, at each start |
//! | `driver` | what its loop waits with |
//! | `port` | its stack's device, and its transport |
//! | `bare` | hosts without a loop |

mod bare;
mod builder;
mod driver;
mod port;
mod recipe;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fyke_clock::{Instant, VirtualClock};
use fyke_core::driver::TransportId;
use fyke_core::{EventLoop, LoopCore, LoopHandle, LoopOptions, LoopStats};
use fyke_stack::Stack;
use fyke_transport::userspace::StackTransport;

pub use bare::{Application, BareContext, BareHost, NoApplication};
pub use builder::HostBuilder;
pub(crate) use driver::Woken;
pub use port::SimTransport;
pub(crate) use recipe::Recipe;

use crate::error::SimError;
use crate::ids::{End, NodeId};
use crate::world::{Attach, Station, World};
use driver::SimDriver;
use port::{Nic, SimPort};

/// Looks at a host's stack after each of its turns.
pub(crate) type Observer = Box<dyn FnMut(&Stack, Instant)>;

/// Numbers of simulated loops begin here, beyond those of threads.
const LOOP_NUMBERS: u32 = 1 << 31;

pub(crate) struct HostState {
    loops: Vec<Seat>,
    transport: SimTransport,
    recipe: Arc<Recipe>,
    starts: u32,
    observer: Option<Observer>,
}

/// A loop, and its part of the host's stack.
struct Seat {
    event_loop: EventLoop<SimDriver, VirtualClock>,
    transport_id: TransportId,
    nic: Arc<Nic>,
}

impl Seat {
    fn stack(&mut self) -> Option<&mut Stack> {
        let core = self.event_loop.core();
        core.transport_as::<StackTransport<SimPort>>(self.transport_id)
            .map(StackTransport::stack_mut)
    }
}

impl HostState {
    pub(crate) fn new(
        world: &World,
        id: NodeId,
        name: &str,
        recipe: Recipe,
        loops: u16,
    ) -> Result<Self, SimError> {
        let nics: Arc<[Arc<Nic>]> = (0..loops).map(|_| Arc::default()).collect();
        let recipe = Arc::new(recipe);
        let transport = SimTransport::new(name, nics, Arc::clone(&recipe));
        let loops = Self::boot(world, id, 0, &recipe, &transport)?;
        Ok(Self { loops, transport, recipe, starts: 1, observer: None })
    }

    fn boot(
        world: &World,
        id: NodeId,
        starts: u32,
        recipe: &Recipe,
        transport: &SimTransport,
    ) -> Result<Vec<Seat>, SimError> {
        transport.start();
        let nics = transport.nics();
        let seat = |(index, nic): (usize, &Arc<Nic>)| {
            let driver = SimDriver::new(id, Arc::clone(nic), Arc::clone(&world.0.woken));
            let booted = starts.wrapping_mul(nics.len() as u32).wrapping_add(index as u32);
            let number = LOOP_NUMBERS.wrapping_add(id.0).wrapping_add(booted << 20);
            let options = LoopOptions::new(number, recipe.draw());
            let mut event_loop = EventLoop::new(driver, world.clock(), options);
            let transport_id = event_loop.transport(transport).map_err(SimError::Loop)?;
            Ok(Seat { event_loop, transport_id, nic: Arc::clone(nic) })
        };
        nics.iter().enumerate().map(seat).collect()
    }

    /// The first loop, which every host has.
    fn first(&mut self) -> &mut Seat {
        &mut self.loops[0]
    }
}

impl Station for HostState {
    fn turn(
        &mut self,
        now: Instant,
        arrived: &mut VecDeque<Bytes>,
        sent: &mut Vec<Bytes>,
    ) -> Result<Option<Instant>, SimError> {
        self.first().nic.arrive(arrived);
        for seat in &mut self.loops {
            seat.event_loop.turn(Some(Duration::ZERO)).map_err(SimError::Loop)?;
            seat.nic.take_sent(sent);
        }
        if let Some(mut observer) = self.observer.take() {
            for stack in self.loops.iter_mut().filter_map(Seat::stack) {
                observer(stack, now);
            }
            self.observer = Some(observer);
        }
        // What one loop has handed to another since is work of that one.
        Ok(self.loops.iter().filter_map(|seat| seat.event_loop.rest()).min())
    }
}

/// A host: an event loop with a stack, or several ([`HostBuilder::loops`]). Clones are the same host.
#[derive(Clone)]
pub struct Host {
    pub(crate) world: World,
    pub(crate) id: NodeId,
    pub(crate) name: Rc<str>,
    pub(crate) state: Rc<RefCell<HostState>>,
}

impl Host {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its loop, the first one of several. Another one after each [`restart`](Self::restart).
    ///
    /// # Panics
    /// This, like all calls of a host that look into it, when it is called from a handler of the
    /// host itself.
    #[must_use]
    pub fn event_loop(&self) -> LoopHandle {
        self.state.borrow().loops[0].event_loop.handle()
    }

    /// All of its loops. Others after each [`restart`](Self::restart).
    ///
    /// # Panics
    /// As [`event_loop`](Self::event_loop).
    #[must_use]
    pub fn event_loops(&self) -> Vec<LoopHandle> {
        self.state.borrow().loops.iter().map(|seat| seat.event_loop.handle()).collect()
    }

    /// What bootstraps need for servers and clients on this host.
    #[must_use]
    pub fn transport(&self) -> SimTransport {
        self.state.borrow().transport.clone()
    }

    /// What its loop, the first one of several, tells about itself.
    #[must_use]
    pub fn stats(&self) -> LoopStats {
        self.state.borrow().loops[0].event_loop.stats()
    }

    /// How often it was started: once, and once more after each restart.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.state.borrow().starts
    }

    /// Does something with its loop, the first one of several, between turns.
    pub fn with_loop<T>(&self, work: impl FnOnce(&mut LoopCore) -> T) -> T {
        self.world.with_station(self.id, || work(self.state.borrow_mut().first().event_loop.core()))
    }

    /// Does something with its stack, between turns: to look at connections, or to change addresses
    /// and routes. Of several loops it is the first one's.
    pub fn with_stack<T>(&self, work: impl FnOnce(&mut Stack, Instant) -> T) -> T {
        let now = self.world.now();
        self.world.with_station(self.id, || {
            let mut state = self.state.borrow_mut();
            let stack = state.first().stack().expect("the transport was made with the loop");
            work(stack, now)
        })
    }

    /// Lets `observer` look at the stack after every turn of the host; at that of each of its loops.
    pub fn observe(&self, observer: impl FnMut(&Stack, Instant) + 'static) {
        self.state.borrow_mut().observer = Some(Box::new(observer));
    }

    /// Stops the host: it handles nothing, frames wait in front of it, and its clock goes on.
    pub fn pause(&self) {
        self.world.pause(self.id);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.world.resume(self.id);
    }

    /// Switches the host off and on: its loop, its channels and its stack are gone, and nobody is
    /// told. It begins with nothing but its addresses; servers are to be started anew.
    ///
    /// # Errors
    /// When its stack cannot be made.
    pub fn restart(&self) -> Result<(), SimError> {
        let mut state = self.state.borrow_mut();
        state.loops.iter().for_each(|seat| seat.nic.clear());
        let (starts, recipe) = (state.starts, Arc::clone(&state.recipe));
        let loops = HostState::boot(&self.world, self.id, starts, &recipe, &state.transport)?;
        state.starts += 1;
        let old = std::mem::replace(&mut state.loops, loops);
        drop(state);
        // Handlers that end may ask for the host.
        drop(old);
        self.world.forget_frames(self.id);
        self.wake();
        Ok(())
    }

    pub(crate) fn wake(&self) {
        self.world.with_station(self.id, || ());
    }
}

impl Attach for Host {
    fn end(&self, world: &World) -> Result<End, SimError> {
        world.free_end(self.id, 0)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

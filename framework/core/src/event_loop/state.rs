//! What of a loop a channel's turn may touch: everything but the other channels.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::future::Future;

use fyke_buffer::Pool;
use fyke_clock::TimerWheel;

use crate::channel::ChannelKey;
use crate::channel::core::ChannelCore;
use crate::driver::TransportId;
use crate::env::Env;
use crate::event_loop::LoopCore;
use crate::event_loop::shared::LoopHandle;
use crate::event_loop::stall::Stall;
use crate::event_loop::stats::Counters;
use crate::event_loop::timers::Timer;
use crate::outgoing::Datagram;
use crate::pipeline::shape::Shapes;
use crate::transport::Transport;

pub(crate) struct LoopState {
    pub(crate) env: Env,
    pub(crate) pool: Pool,
    pub(crate) handle: LoopHandle,
    pub(crate) timers: TimerWheel<Timer>,
    transports: Vec<(Box<str>, Box<dyn Transport>)>,
    /// Channels that have more to do than one turn allows.
    pub(crate) ready: VecDeque<ChannelKey>,
    /// Channels that have ended and leave after their turn.
    pub(crate) dead: Vec<ChannelKey>,
    pub(crate) shapes: Shapes,
    pub(crate) stall: Stall,
    pub(crate) stats: Counters,
    pub(crate) shutting_down: bool,
    /// Channels that were cut at the shutdown's deadline.
    pub(crate) cut: u64,
    /// The type whose handler has just passed `read_complete` on by saying nothing to it.
    pub(crate) passed_by: Option<TypeId>,
    /// Reused for batches of received datagrams.
    pub(crate) datagrams: Vec<Datagram>,
}

impl LoopState {
    pub(crate) fn new(env: Env, pool: Pool, handle: LoopHandle) -> Self {
        Self {
            timers: TimerWheel::new(env.now()),
            env,
            pool,
            stall: Stall::new(handle.clone()),
            handle,
            transports: Vec::new(),
            ready: VecDeque::new(),
            dead: Vec::new(),
            shapes: Shapes::default(),
            stats: Counters::default(),
            shutting_down: false,
            cut: 0,
            passed_by: None,
            datagrams: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn transport(&self, id: TransportId) -> Option<&dyn Transport> {
        self.transports.get(id.0 as usize).map(|(_, transport)| &**transport)
    }

    #[inline]
    pub(crate) fn transport_mut(&mut self, id: TransportId) -> Option<&mut dyn Transport> {
        match self.transports.get_mut(id.0 as usize) {
            Some((_, transport)) => Some(&mut **transport),
            None => None,
        }
    }

    #[inline]
    pub(crate) fn transport_and_pool(
        &mut self,
        id: TransportId,
    ) -> Option<(&mut dyn Transport, &Pool)> {
        match self.transports.get_mut(id.0 as usize) {
            Some((_, transport)) => Some((&mut **transport, &self.pool)),
            None => None,
        }
    }

    pub(crate) fn transport_key(&self, id: TransportId) -> Option<&str> {
        self.transports.get(id.0 as usize).map(|(key, _)| &**key)
    }

    pub(crate) fn transport_by_key(&self, key: &str) -> Option<TransportId> {
        self.transports.iter().position(|(k, _)| **k == *key).map(|at| TransportId(at as u8))
    }

    pub(crate) fn next_transport_id(&self) -> TransportId {
        TransportId(u8::try_from(self.transports.len()).unwrap_or(u8::MAX))
    }

    pub(crate) fn add_transport(&mut self, key: &str, transport: Box<dyn Transport>) {
        self.transports.push((key.into(), transport));
    }

    pub(crate) fn transports(&self) -> impl Iterator<Item = &dyn Transport> {
        self.transports.iter().map(|(_, transport)| &**transport)
    }

    pub(crate) fn transports_mut(&mut self) -> impl Iterator<Item = &mut Box<dyn Transport>> {
        self.transports.iter_mut().map(|(_, transport)| transport)
    }

    /// Gives a channel another turn behind those that wait already.
    pub(crate) fn queue(&mut self, core: &mut ChannelCore) {
        if !std::mem::replace(&mut core.queued, true) {
            self.ready.push_back(core.key);
        }
    }

    /// Runs a future on this loop.
    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let handle = self.handle.clone();
        let (runnable, task) =
            async_task::spawn_local(future, move |runnable| handle.run(runnable));
        runnable.schedule();
        task.detach();
    }
}

impl LoopCore {
    /// A transport of this loop as what it is, to look into it or to change what it has of its
    /// own; `None` when it is of another kind. What was changed leaves at the end of this turn.
    pub fn transport_as<T: Transport>(&mut self, id: TransportId) -> Option<&mut T> {
        let transport: &mut dyn Any = self.state.transport_mut(id)?;
        transport.downcast_mut()
    }
}

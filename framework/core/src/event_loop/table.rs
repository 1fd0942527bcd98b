//! The loop's table: channels by key, how they begin and how they leave.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use slab::Slab;

use crate::address::Address;
use crate::channel::core::{ChannelCore, OnConnect, State};
use crate::channel::span::ChannelSpan;
use crate::channel::turn::Work;
use crate::channel::{Channel, ChannelKey, LocalChannel};
use crate::driver::TransportId;
use crate::error::{CloseReason, Error, Result};
use crate::event::Offloaded;
use crate::event_loop::listeners::Listener;
use crate::event_loop::spec::ChannelSpec;
use crate::event_loop::state::LoopState;
use crate::options::ChannelOptions;
use crate::pipeline::edit::relink;
use crate::pipeline::link::Head;
use crate::transport::{CloseMode, Incoming, Transport, TransportFactory};

/// The part of a loop that does not know its driver and clock: channels, listeners, timers, tasks.
pub struct LoopCore {
    pub(crate) state: LoopState,
    pub(super) entries: Slab<Entry>,
    generation: u32,
    pub(super) shutdown: Option<super::shutdown::Shutdown>,
    /// Transports that tasks have asked for; only the loop itself has the driver they need.
    pub(super) wanted: Vec<Wanted>,
}

/// Told of the transport that was made.
type Then = Box<dyn FnOnce(&mut LoopCore, io::Result<TransportId>)>;

pub(super) struct Wanted {
    pub(super) factory: Arc<dyn TransportFactory>,
    pub(super) then: Then,
}

pub(super) enum Entry {
    Channel(Box<LocalChannel>),
    Listener(Box<Listener>),
}

/// What an initialiser is given.
pub struct ChannelInit<'a> {
    peer: Option<&'a Address>,
    core: &'a mut ChannelCore,
    state: &'a mut LoopState,
}

impl fmt::Debug for ChannelInit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelInit").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl ChannelInit<'_> {
    /// Begins the pipeline of a stream channel.
    pub fn pipeline(&self) -> crate::pipeline::PipelineBuilder {
        crate::pipeline::PipelineBuilder::with_room(self.state.shapes.usual_stages())
    }

    /// Begins the pipeline of a datagram channel.
    pub fn datagrams(
        &self,
    ) -> crate::pipeline::PipelineBuilder<crate::outgoing::Datagram, crate::outgoing::Datagram>
    {
        crate::pipeline::PipelineBuilder::with_room(self.state.shapes.usual_stages())
    }

    /// The address of the other side.
    #[must_use]
    pub fn peer_address(&self) -> Option<&Address> {
        self.peer
    }

    /// Time, date and randomness.
    pub fn env(&mut self) -> &mut crate::env::Env {
        &mut self.state.env
    }

    /// Sets an attribute that the channel's handlers find in their contexts.
    pub fn set_attribute<T: 'static>(&mut self, value: T) -> Option<T> {
        self.core.attributes.set(value)
    }
}

/// An accepted connection with its channel's plan, on its way to a loop.
#[derive(Debug)]
pub struct Adopt {
    /// The transport on the adopting loop.
    pub transport: TransportId,
    /// The connection.
    pub incoming: Incoming,
    /// Who has connected.
    pub peer: Address,
    /// The channel's plan.
    pub spec: ChannelSpec,
}

impl LoopCore {
    pub(super) fn new(state: LoopState) -> Self {
        Self { state, entries: Slab::new(), generation: 0, shutdown: None, wanted: Vec::new() }
    }

    pub(super) fn next_key(&mut self) -> ChannelKey {
        self.generation = self.generation.wrapping_add(1);
        let index = self.entries.vacant_key();
        ChannelKey { index: index as u32, generation: self.generation }
    }

    /// The transport that a factory of this key has made on this loop.
    #[must_use]
    pub fn transport_by_key(&self, key: &str) -> Option<TransportId> {
        self.state.transport_by_key(key)
    }

    /// Calls `then` with the transport that `factory` makes on this loop, or has made before: at
    /// once, or at the end of this turn.
    pub fn with_transport(
        &mut self,
        factory: Arc<dyn TransportFactory>,
        then: impl FnOnce(&mut Self, io::Result<TransportId>) + 'static,
    ) {
        match self.state.transport_by_key(factory.key()) {
            Some(id) => then(self, Ok(id)),
            None => self.wanted.push(Wanted { factory, then: Box::new(then) }),
        }
    }

    // ---- beginning ----

    /// Makes an accepted connection a channel of this loop.
    ///
    /// # Errors
    /// When the transport cannot take it, or its pipeline cannot be built; it is closed then.
    pub fn adopt(&mut self, adopt: Adopt) -> Result<()> {
        let Adopt { transport, mut incoming, peer, spec } = adopt;
        let mut channel = self.new_channel(transport, Head::Stream, &spec, Some(peer));
        let key = channel.core.key;
        channel.core.guard = incoming.take_guard().map(Box::new);
        let table = self.state.transport_mut(transport).ok_or_else(Error::closed)?;
        let handle = table.adopt(key, incoming, &spec.options.socket)?;
        channel.core.handle = Some(handle);
        channel.core.set_active();
        self.install(channel, &spec)
    }

    /// [`adopt`](Self::adopt) for those who have nobody to tell.
    pub fn adopt_or_log(&mut self, adopt: Adopt) {
        if let Err(error) = self.adopt(adopt) {
            tracing::warn!(%error, "an accepted connection was closed");
        }
    }

    /// Connects. `told` learns what became of it, also when it fails at once.
    pub fn connect(
        &mut self,
        transport: TransportId,
        address: &Address,
        spec: &ChannelSpec,
        told: impl FnOnce(Result<Channel>) + Send + 'static,
    ) {
        let peer = Some(address.clone());
        let mut channel = self.new_channel(transport, Head::Stream, spec, peer);
        let key = channel.core.key;
        let ChannelOptions { socket, connect_timeout: limit, .. } = &*spec.options;
        let connected = match self.state.transport_mut(transport) {
            Some(table) => table.connect_within(key, address, socket, *limit),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        match connected {
            Err(error) => told(Err(error.into())),
            Ok(handle) => {
                channel.core.handle = Some(handle);
                channel.core.on_connect = Some(Box::new(Box::new(told) as OnConnect));
                channel.start_connect_timer(&mut self.state);
                // A pipeline that cannot be built has told so already.
                let _ = self.install(channel, spec);
            }
        }
    }

    /// Opens a datagram channel.
    ///
    /// # Errors
    /// Those of the transport and of the initialiser.
    pub fn datagram(
        &mut self,
        transport: TransportId,
        bind: Option<&Address>,
        peer: Option<&Address>,
        spec: &ChannelSpec,
    ) -> Result<(Channel, Address)> {
        let mut channel = self.new_channel(transport, Head::Datagram, spec, peer.cloned());
        let key = channel.core.key;
        let table = self.state.transport_mut(transport).ok_or_else(Error::closed)?;
        let (handle, bound) = table.datagram(key, bind, peer, &spec.options.socket)?;
        channel.core.handle = Some(handle);
        channel.core.set_active();
        let shared = channel.core.handle(&self.state);
        self.install(channel, spec)?;
        Ok((shared, bound))
    }

    pub(crate) fn new_channel(
        &mut self,
        transport: TransportId,
        head: Head,
        spec: &ChannelSpec,
        peer: Option<Address>,
    ) -> Box<LocalChannel> {
        let key = self.next_key();
        let options = Arc::clone(&spec.options);
        Box::new(LocalChannel::new(ChannelCore::new(key, transport, head, options, peer)))
    }

    /// Builds the channel's pipeline and gives it its first turn.
    pub(crate) fn install(
        &mut self,
        mut channel: Box<LocalChannel>,
        spec: &ChannelSpec,
    ) -> Result<()> {
        channel.core.span = ChannelSpan::of(&channel.core, &self.state);
        let entered = channel.core.span.enter();
        if channel.core.state == State::Open {
            channel.core.record_local(&self.state);
        }
        let built = build(&mut channel, &mut self.state, spec);
        drop(entered);
        if let Err(error) = built {
            if let (Some(handle), Some(table)) =
                (channel.core.handle.take(), self.state.transport_mut(channel.core.transport))
            {
                table.close(handle, CloseMode::Abort);
            }
            let copy = Error::handler(error.to_string());
            if let Some(told) = channel.core.on_connect.take() {
                told(Err(error));
            }
            return Err(copy);
        }
        let key = channel.core.key;
        if self.state.transport(channel.core.transport).is_some_and(<dyn Transport>::reports_acks) {
            channel.core.progress.expect_acks();
        }
        self.entries.insert(Entry::Channel(channel));
        self.state.handle.0.channels.fetch_add(1, Ordering::Relaxed);
        self.turn_of(key, Work::Registered);
        if self.state.shutting_down {
            // It was on its way when the others were told.
            self.tell_shutting_down(key);
        }
        Ok(())
    }

    // ---- turns ----

    /// Gives a channel its turn, if it still lives.
    #[inline]
    pub(crate) fn turn_of(&mut self, key: ChannelKey, work: Work) {
        if let Some(Entry::Channel(channel)) = self.entries.get_mut(key.index as usize)
            && channel.core.key == key
        {
            channel.turn(&mut self.state, work);
        }
    }

    pub(crate) fn offloaded(&mut self, key: ChannelKey, slot: u16, stage: u32, result: Offloaded) {
        self.turn_of(key, Work::Offloaded { slot, stage, result });
    }

    /// Runs `work` on a channel, with its loop's state.
    pub(crate) fn with_channel(
        &mut self,
        key: ChannelKey,
        work: impl FnOnce(&mut LocalChannel, &mut LoopState) + 'static,
    ) {
        self.turn_of(key, Work::Run(Box::new(work)));
    }

    /// A look at a channel outside its turn.
    pub(crate) fn channel_mut(&mut self, key: ChannelKey) -> Option<&mut LocalChannel> {
        match self.entries.get_mut(key.index as usize) {
            Some(Entry::Channel(channel)) if channel.core.key == key => Some(channel),
            _ => None,
        }
    }

    /// The keys of all channels.
    pub(crate) fn channel_keys(&self) -> Vec<ChannelKey> {
        let channels = self.entries.iter().filter_map(|(_, entry)| match entry {
            Entry::Channel(channel) => Some(channel.core.key),
            Entry::Listener(_) => None,
        });
        channels.collect()
    }

    // ---- ending ----

    /// Lets ended channels go.
    pub(super) fn bury(&mut self) {
        while let Some(key) = self.state.dead.pop() {
            let index = key.index as usize;
            let is_it =
                matches!(self.entries.get(index), Some(Entry::Channel(c)) if c.core.key == key);
            if !is_it {
                continue;
            }
            if let Entry::Channel(mut channel) = self.entries.remove(index) {
                self.state.handle.0.channels.fetch_sub(1, Ordering::Relaxed);
                self.state.cut +=
                    u64::from(channel.core.reason == Some(CloseReason::ShutdownDeadline));
                channel.retire();
            }
        }
    }

    /// The loop is dropped: nobody may wait for its channels any more.
    pub(super) fn abandon(&mut self) {
        for (_, entry) in std::mem::take(&mut self.entries) {
            if let Entry::Channel(mut channel) = entry {
                channel.core.reason.get_or_insert(CloseReason::Shutdown);
                channel.retire();
            }
        }
        // Futures of this loop that were woken by that are dropped with it.
        drop(self.state.handle.end());
    }
}

/// Runs the initialiser and links what it built.
fn build(channel: &mut LocalChannel, state: &mut LoopState, spec: &ChannelSpec) -> Result<()> {
    let peer = channel.core.peer.clone();
    let mut init = ChannelInit { peer: peer.as_ref(), core: &mut channel.core, state: &mut *state };
    let guarded = std::panic::AssertUnwindSafe(|| (spec.init)(&mut init));
    let stages = std::panic::catch_unwind(guarded).unwrap_or_else(|panic| {
        let message = crate::channel::core::panic_text(&*panic);
        Err(crate::error::ErrorKind::Panic { stage: "initialiser", message }.into())
    })?;
    channel.pipeline = stages.0;
    // Most pipelines stay as they are built: no room that is never used.
    channel.pipeline.slots.shrink_to_fit();
    let shape = state.shapes.of_pipeline(channel.core.head, &channel.pipeline)?;
    channel.core.set_shape(Rc::clone(&shape))?;
    relink(channel);
    Ok(())
}

impl fmt::Debug for LoopCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopCore").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

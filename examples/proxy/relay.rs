//! The handler at both ends of a relay.
//!
//! ```text
//! client -- front channel [Relay] <---> [Relay] back channel -- server
//!             reads: to the other channel      writability: lets the other one read, or not
//!             end: the other one's shutdown    closed: the other one is closed behind what it has
//! ```
//!
//! With splicing, what is handed over is a region in a kernel's pipe and not its bytes; nothing else
//! differs. Either way one that does not read stops the other one's reading, and each direction goes on
//! by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fyke::core::Spliced;
use fyke::prelude::*;
use fyke::{Address, Event, EventFilter, Handler};

/// What a relay may use up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) pipes_max: usize,
}

/// Below and above so many bytes on their way to one end the other end reads, or does not.
const LOW_WATER_MARK: usize = 128 * 1024;
const HIGH_WATER_MARK: usize = 512 * 1024;

/// The options of both ends.
pub(crate) fn options() -> ChannelOptions {
    ChannelOptions::new()
        .water_marks(LOW_WATER_MARK, HIGH_WATER_MARK)
        // Each direction ends by itself, and one that stands still does not stop the other.
        .allow_half_closure(true)
        .pause_when_unwritable(false)
        .auto_read(false)
}

/// Makes the relays of the connections that come.
#[derive(Clone)]
pub(crate) struct Front(Arc<Shared>);

struct Shared {
    upstream: Bootstrap<Handler>,
    target: Address,
    splice: bool,
    connections: AtomicUsize,
    connections_max: usize,
}

/// One connection of those that are counted.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Front {
    pub(crate) fn new(
        upstream: Bootstrap<Handler>,
        target: Address,
        splice: bool,
        connections_max: usize,
    ) -> Self {
        let connections = AtomicUsize::new(0);
        Self(Arc::new(Shared { upstream, target, splice, connections, connections_max }))
    }

    /// The relay of one connection.
    pub(crate) fn relay(&self) -> Relay {
        let before = self.0.connections.fetch_add(1, Ordering::Relaxed);
        // One that is too many gives its place back at once.
        let place = Place(Arc::clone(&self.0));
        let role = Role::Front((before < self.0.connections_max).then_some(place));
        Relay { splice: self.0.splice, other: None, role }
    }
}

/// One end of a relay.
pub(crate) struct Relay {
    splice: bool,
    other: Option<Sender<Outgoing>>,
    role: Role,
}

enum Role {
    /// Was connected to, and connects to the other end; without a place it is one too many.
    Front(Option<Place>),
    Back,
}

/// The other end is there.
struct Joined(Sender<Outgoing>);

impl Relay {
    /// The end that is connected to the server.
    pub(crate) fn back(splice: bool) -> Self {
        Self { splice, other: None, role: Role::Back }
    }

    fn carry(&self, message: Outgoing) -> Result<()> {
        match &self.other {
            // One that is closed closes this one, too.
            Some(other) => drop(other.send(message)),
            None => return Err(Error::handler("there is no other end yet")),
        }
        Ok(())
    }

    /// Connects to the server, and to each other what is one connection then.
    fn connect(shared: &Shared, cx: &mut Context<'_, Self>) -> Result<()> {
        let (here, to_here) = (cx.channel(), cx.sender::<Outgoing>()?);
        // On the same loop, so that nothing crosses threads.
        let connecting = shared.upstream.clone().on(here.event_loop()).connect(&shared.target);
        let target = shared.target.clone();
        cx.spawn(async move {
            let there = match connecting.await {
                Ok(there) => there,
                Err(error) => {
                    tracing::warn!(%error, %target, "cannot connect");
                    return here.close();
                }
            };
            let Ok(to_there) = there.sender() else { return there.close() };
            // One that is gone already does not take it, and the other one has nothing to do then.
            let joined = there.fire_event(Joined(to_here)).is_ok();
            if !joined || here.fire_event(Joined(to_there)).is_err() {
                there.close();
                here.close();
            }
        });
        Ok(())
    }
}

impl InboundHandler for Relay {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        match &self.role {
            Role::Front(None) => {
                tracing::warn!("too many connections: closing one");
                cx.close();
                Ok(())
            }
            Role::Front(Some(place)) => Self::connect(&place.0, cx),
            Role::Back => Ok(()),
        }
    }

    fn read(&mut self, _: &mut Context<'_, Self>, msg: ByteBuf) -> Result<()> {
        self.carry(msg.into())
    }

    /// The peer's end goes on to the other peer, behind the bytes.
    fn read_closed(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        match &self.other {
            Some(other) => drop(other.channel().shutdown()),
            None => return Err(Error::handler("there is no other end yet")),
        }
        Ok(())
    }

    /// What waits here decides whether the other end reads.
    fn writability_changed(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        if let Some(other) = &self.other {
            // One that is closed does not read anyway.
            let _ = other.channel().set_auto_read(cx.is_writable());
        }
        Ok(())
    }

    /// Whatever ended this end: the other one sends what it has, and ends.
    fn inactive(&mut self, _: &mut Context<'_, Self>) -> Result<()> {
        if let Some(other) = &self.other {
            other.channel().close();
        }
        Ok(())
    }

    fn events(&self) -> EventFilter {
        EventFilter::of::<Joined>().and::<Spliced>()
    }

    fn event(&mut self, cx: &mut Context<'_, Self>, event: Event) -> Result<()> {
        let event = match event.take() {
            Ok(Spliced(region)) => return self.carry(region.into()),
            Err(other) => other,
        };
        if let Ok(Joined(other)) = event.take() {
            self.other = Some(other);
            cx.splice_reads(self.splice);
            cx.set_auto_read(true);
        }
        Ok(())
    }
}

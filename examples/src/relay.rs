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

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fyke::core::Spliced;
use fyke::prelude::*;
use fyke::{Channel, Event, EventFilter};

/// Below and above so many bytes on their way to one end the other end reads, or does not.
const LOW_WATER_MARK: usize = 128 * 1024;
const HIGH_WATER_MARK: usize = 512 * 1024;

/// The options of both ends.
#[must_use]
pub fn options() -> ChannelOptions {
    ChannelOptions::new()
        .water_marks(LOW_WATER_MARK, HIGH_WATER_MARK)
        // Each direction ends by itself, and one that stands still does not stop the other.
        .allow_half_closure(true)
        .pause_when_unwritable(false)
        .auto_read(false)
}

/// How many relays there may be at once.
#[derive(Clone, Debug)]
pub struct Places {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// One relay of those that are counted.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Places {
    /// So many.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// One of them, if one is left; it is free again when it is dropped.
    #[must_use]
    pub fn take(&self) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        // One that is too many gives its place back at once.
        let place = Place(Arc::clone(&self.taken));
        (before < self.max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Begin = Box<dyn FnOnce(&mut Context<'_, Relay>) -> Result<()>>;

/// One end of a relay. It carries nothing until it is [`join`]ed with another one.
pub struct Relay {
    splice: bool,
    other: Option<Sender<Outgoing>>,
    begin: Option<Begin>,
}

/// The other end is there.
struct Joined(Sender<Outgoing>);

/// Makes one relay of two ends; when one of them is gone already, the other one is closed.
pub fn join(one: &Channel, other: &Channel) {
    let joined = one.sender().is_ok_and(|to_one| other.fire_event(Joined(to_one)).is_ok())
        && other.sender().is_ok_and(|to_other| one.fire_event(Joined(to_other)).is_ok());
    if !joined {
        one.close();
        other.close();
    }
}

impl Relay {
    /// An end whose bytes stay in the kernel when `splice` says so, where that is possible.
    #[must_use]
    pub fn new(splice: bool) -> Self {
        Self { splice, other: None, begin: None }
    }

    /// What it does when its channel is connected: look for the other end.
    #[must_use]
    pub fn begin(
        mut self,
        begin: impl FnOnce(&mut Context<'_, Self>) -> Result<()> + 'static,
    ) -> Self {
        self.begin = Some(Box::new(begin));
        self
    }

    fn carry(&self, message: Outgoing) -> Result<()> {
        match &self.other {
            // One that is closed closes this one, too.
            Some(other) => drop(other.send(message)),
            None => return Err(Error::handler("there is no other end yet")),
        }
        Ok(())
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("joined", &self.other.is_some()).finish_non_exhaustive()
    }
}

impl InboundHandler for Relay {
    type In = ByteBuf;
    type Out = Never;
    type Write = Outgoing;

    fn active(&mut self, cx: &mut Context<'_, Self>) -> Result<()> {
        self.begin.take().map_or(Ok(()), |begin| begin(cx))
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
